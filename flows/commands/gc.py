"""`facet gc`: remove cached data that neither the workspace, a tag nor a champion needs."""

import argparse
import subprocess

from facet.base import project
from facet.cli.arguments import add_removal, add_root, check_dry_json, confirm, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Remove from dvc's cache every object that neither the workspace, a tag nor a version of a champion needs."
    )
    command.epilog = "examples:\n  facet gc --dry-run\n  facet gc --remote store --yes"
    command.add_argument("--remote", metavar="NAME", help="also remove them from this remote")
    add_removal(command)
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from flows import garbage

    check_dry_json(args)
    project.check_clone(args.root)  # dvc would find the clone above, and the champions would not be spared
    garbage.check(args.root)
    if args.json:
        print_json(garbage.unneeded(args.root, args.remote))
        return 0
    if args.dry_run:
        _print(garbage.unneeded(args.root, args.remote))
        print("nothing was removed")
        return 0
    if not confirm(args, "Remove these objects?", lambda: _print(garbage.unneeded(args.root, args.remote))):
        print("nothing was removed")
        return 0
    return subprocess.run(garbage.command(args.root, args.remote, dry=False), cwd=args.root).returncode


def _print(objects: list[str]) -> None:
    for name in objects:
        print(f"would remove {name}")
    print(f"objects that nothing needs: {len(objects)}")
