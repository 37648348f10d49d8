"""`facet champion`: which trained model edits, since when, and back to an earlier one."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from facet.base.errors import FacetError


def add_parser(commands: Any, root: Callable[[argparse.ArgumentParser], None]) -> None:
    """The command and its verbs; `root` adds the flag of that name."""
    champion = commands.add_parser(
        "champion",
        help="which trained model edits; its history; back to an earlier one",
        description="The champion of a system is the model that `facet edit` and facet.champion use.",
    )
    verbs = champion.add_subparsers(required=True, metavar="VERB")
    for name, run, about in (
        ("list", _list, "every version of every system; * is live"),
        ("show", _show, "all that is known of a version, and what changed the pointer"),
        ("promote", _promote, "make the workspace's trained model live, without a gate"),
        ("rollback", _rollback, "make the version before the live one live again, or the one named"),
        ("rebuild", _rebuild, "make the newest version of every system live, where the pointer is lost"),
        ("prune", _prune, "remove old versions; shows what would go, --yes does it"),
    ):
        verb = verbs.add_parser(name, help=about, description=about)
        if name not in ("list", "rebuild"):
            verb.add_argument("system", metavar="SYSTEM", help="vigan, ian, …")
        if name in ("show", "rollback"):
            verb.add_argument("version", nargs="?", metavar="VERSION", help="default: the live one, or the one before")
        if name in ("promote", "rollback"):
            verb.add_argument("--why", default="by hand", help="kept in the history")
        if name == "prune":
            verb.add_argument("--keep", type=int, default=10, help="versions beside the live one (default: 10)")
            verb.add_argument("--yes", action="store_true", help="do it")
        root(verb)
        verb.set_defaults(run=_told(run))


def _told(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def call(args: argparse.Namespace) -> int:

        try:
            return run(args)
        except FacetError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2

    return call


def _list(args: argparse.Namespace) -> int:
    from facet.nights.champions import STORE, Champions

    store = Champions(args.root / STORE)
    for system in store.systems():
        live = store.live(system)
        for version in store.versions(system):
            card = store.card(system, version)
            print(f"{'*' if version == live else ' '} {system}  {version}  {card.get('when', '')}  {_words(card)}")
        if fault := store.fault(system):
            print(f"! {fault}")
    if not store.systems():
        print("no champion yet: a night promotes one, or `facet champion promote SYSTEM`")
    return 0


def _words(card: dict[str, Any]) -> str:
    found = card.get("scores", {})
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(found.items()))


def _show(args: argparse.Namespace) -> int:
    from facet.nights.champions import STORE, Champions

    store = Champions(args.root / STORE)
    print(store.folder(args.system, args.version))
    print(json.dumps(store.card(args.system, args.version), indent=2, sort_keys=True))
    for change in store.changes():
        if change.system == args.system:
            print(change)
    return 0


def _promote(args: argparse.Namespace) -> int:
    from facet.nights.champions import STORE, Champions
    from facet.nights.promotion import promote

    print(promote(args.root, Champions(args.root / STORE), args.system, {}, why=args.why), "is live")
    return 0


def _rollback(args: argparse.Namespace) -> int:
    from facet.nights.champions import STORE, Champions

    print(Champions(args.root / STORE).rollback(args.system, args.version, why=args.why), "is live")
    return 0


def _rebuild(args: argparse.Namespace) -> int:
    from facet.nights.champions import STORE, Champions

    for system, version in Champions(args.root / STORE).rebuild().items():
        print(f"{system} {version} is live")
    return 0


def _prune(args: argparse.Namespace) -> int:
    from facet.nights.champions import STORE, Champions

    gone = Champions(args.root / STORE).prune(args.system, keep=args.keep, dry_run=not args.yes)
    for version in gone:
        print(("removed" if args.yes else "would remove"), version)
    if not gone:
        print("nothing to remove")
    return 0
