"""`facet profile`: write the numbers of a profile to params.yaml."""

import argparse

from facet.base.errors import InputError
from facet.cli.arguments import add_json, add_root, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Write the numbers of a profile to params.yaml. `drawn` restores the committed file; `list` lists the profiles."
    )
    command.epilog = (
        "examples:\n  facet profile list\n  facet profile smoke\n"
        "  facet profile celeba --set source.root=/data/celeba --set train_gan.ian.steps=20000"
    )
    command.add_argument("name", metavar="NAME", help="a file of profiles/ without .yaml, or `list`")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one more value; repeatable", dest="sets"
    )
    command.add_argument("--force", action="store_true", help="replace a params.yaml that was edited by hand")
    add_json(command, "with `list`: print JSON")
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from flows import profiles

    if args.name == "list":
        rows = [{"name": name, "about": profiles.about(args.root, name)} for name in profiles.names(args.root)]
        if not rows:
            raise InputError(f"{args.root / 'profiles'} holds no profile; run this in a clone, or name one with --root")
        if args.json:
            print_json(rows)
        else:
            for row in rows:
                print(f"{row['name']:15} {row['about']}")
        return 0
    if args.json:
        raise InputError("--json goes with `facet profile list`")
    changes = profiles.apply(args.root, args.name, args.sets, force=args.force)
    for change in changes:
        print(change)
    print(f"params.yaml now holds profile {args.name} ({len(changes)} changes)")
    return 0
