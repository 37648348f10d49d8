"""`facet gc`: remove cached data that neither the workspace, a tag nor a champion needs."""

import argparse
import subprocess

from facet.cli.arguments import add_removal, add_root, check_dry_json, confirm, print_json

REMOVING = "Removing "  # begins dvc's line about one object in a dry run


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
    dry = garbage.command(args.root, args.remote, dry=True)
    if args.json:
        result = subprocess.run(dry, cwd=args.root, stdout=subprocess.PIPE, text=True)
        lines = result.stdout.splitlines()
        print_json([line.removeprefix(REMOVING) for line in lines if line.startswith(REMOVING)])
        return result.returncode
    if args.dry_run:
        code = subprocess.run(dry, cwd=args.root).returncode
        print("dry run: nothing was removed")
        return code
    if not confirm(args, "Remove these objects?", lambda: subprocess.run(dry, cwd=args.root)):
        print("nothing was removed")
        return 0
    return subprocess.run(garbage.command(args.root, args.remote, dry=False), cwd=args.root).returncode
