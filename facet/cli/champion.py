"""`facet champion`: which trained model edits, since when, and how to return to an earlier one."""

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from facet.base.errors import InputError
from facet.cli.arguments import (
    Formatter,
    add_json,
    add_removal,
    add_root,
    check_dry_json,
    confirm,
    count,
    print_json,
)

if TYPE_CHECKING:
    from facet.nights.champions import Champions

KEPT = 10  # as in facet.nights.champions, which takes too long to import for --help


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "The champion of a system is the model that `facet edit` and facet.champion() use. Nights promote models that "
        "are no worse; these commands show the versions and move the pointer by hand."
    )
    command.epilog = 'examples:\n  facet champion list\n  facet champion rollback vigan --why "odd teeth"'
    verbs = command.add_subparsers(required=True, metavar="VERB", title="verbs")

    def add(name: str, line: str, run: Any, example: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(
            name,
            help=line,
            description=f"{line[0].upper()}{line[1:]}.",
            epilog=f"example:\n  facet champion {example}",
            formatter_class=Formatter,
        )
        if name not in ("list", "rebuild"):
            verb.add_argument("system", metavar="SYSTEM", help="vigan, ian, …")
        add_root(verb)
        verb.set_defaults(run=run)
        return verb

    add_json(add("list", "list every version of every system; * marks the live one", _list, "list"))
    show = add(
        "show", "show what is known of a version, and every change of the system's champion", _show, "show vigan"
    )
    show.add_argument("version", nargs="?", metavar="VERSION", help="default: the live one")
    add_json(show)
    promote = add(
        "promote", "make the model trained last live, without the gate's comparison", _promote, "promote vigan"
    )
    rollback = add("rollback", "make an earlier version live again", _rollback, "rollback vigan")
    rollback.add_argument("version", nargs="?", metavar="VERSION", help="default: the one before the live one")
    for verb in (promote, rollback):
        verb.add_argument("--why", default="by hand", metavar="TEXT", help="the reason, kept in the history")
    add("rebuild", "make the newest version of every system live, after the pointer was lost", _rebuild, "rebuild")
    prune = add(
        "prune",
        "remove old versions, never the live one, the one before it, the first or the best",
        _prune,
        "prune vigan --dry-run",
    )
    prune.add_argument(
        "--keep", type=count, default=KEPT, metavar="N", help=f"versions to keep beside the live one (default: {KEPT})"
    )
    add_removal(prune)


def _store(args: argparse.Namespace) -> "Champions":
    from facet.nights.champions import STORE, Champions

    return Champions(args.root / STORE)


def _existing_store(args: argparse.Namespace) -> "Champions":
    """The store, which must have versions of the system if the command names one."""
    store = _store(args)
    if not store.root.is_dir() or ("system" in args and not store.versions(args.system)):
        version = f"version of {args.system}" if "system" in args else "champion"
        raise InputError(f"{store.root} holds no {version}; name the clone with --root, or promote one")
    return store


def _list(args: argparse.Namespace) -> int:
    store = _store(args)
    versions: list[dict[str, Any]] = []
    for system in store.systems():
        live = store.live(system)
        for version in store.versions(system):
            card = store.card(system, version)
            row: dict[str, Any] = {"system": system, "version": version, "live": version == live}
            versions.append(row | {"when": card.get("when", ""), "scores": card.get("scores", {})})
    faults = [fault for system in store.systems() if (fault := store.fault(system))]
    if args.json:
        print_json({"versions": versions, "faults": faults})
        return 0
    for row in versions:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in sorted(row["scores"].items()))
        print(f"{'*' if row['live'] else ' '} {row['system']}  {row['version']}  {row['when']}  {scores}")
    for fault in faults:
        print(f"! {fault}")
    if not store.systems():
        print("no champion yet; a night promotes one, or `facet champion promote SYSTEM`")
    return 0


def _show(args: argparse.Namespace) -> int:
    store = _store(args)
    folder, card = store.folder(args.system, args.version), store.card(args.system, args.version)
    changes = [change for change in store.changes() if change.system == args.system]
    if args.json:
        print_json({"folder": folder, "card": card, "changes": [dataclasses.asdict(change) for change in changes]})
        return 0
    print(folder)
    print(json.dumps(card, indent=2, sort_keys=True))
    for change in changes:
        print(change)
    return 0


def _promote(args: argparse.Namespace) -> int:
    from facet.nights.promotion import promote

    print(promote(args.root, _store(args), args.system, {}, why=args.why), "is live")
    return 0


def _rollback(args: argparse.Namespace) -> int:
    print(_existing_store(args).rollback(args.system, args.version, why=args.why), "is live")
    return 0


def _rebuild(args: argparse.Namespace) -> int:
    for system, version in _existing_store(args).rebuild().items():
        print(f"{system} {version} is live")
    return 0


def _prune(args: argparse.Namespace) -> int:
    from facet.nights import standards

    check_dry_json(args)
    store = _existing_store(args)
    spared = standards.spared(store, args.system)
    old = store.prune(args.system, keep=args.keep, spared=spared, dry_run=True)
    if args.json:
        print_json(old)
        return 0
    if not old:
        print("nothing to remove")
        return 0

    def show() -> None:
        for version in old:
            print("would remove", version)

    if args.dry_run:
        show()
        return 0
    if not confirm(args, f"Remove {len(old)} versions of {args.system}?", show):
        print("nothing was removed")
        return 0
    for version in store.prune(args.system, keep=args.keep, spared=spared):
        print("removed", version)
    return 0
