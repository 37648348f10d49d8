"""`facet backfill`: one night for each of several folders of images."""

import argparse
import sys
from pathlib import Path

from facet.base import project
from facet.base.errors import InputError
from facet.cli.arguments import add_root


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run one night for each folder of images and labels, in the order of the folders' names, which become the "
        "nights' names. Finished nights are skipped; the folders are left as they are."
    )
    command.epilog = "example:\n  facet backfill archive/2026-10-*"
    command.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    missing = [folder for folder in args.folders if not folder.is_dir()]
    if missing:
        raise InputError(f"{missing[0]} is not a folder; expected folders of images with their labels")
    project.check_clone(args.root)
    from flows.commands import server
    from flows.nightly import is_done, nightly

    server.check()
    for folder in sorted(args.folders, key=lambda folder: folder.resolve().name):
        name = folder.resolve().name
        if is_done(args.root, name):
            print(f"{name}: already done")
        elif not nightly(root=args.root, night=name, drop=folder.resolve(), return_state=True).is_completed():
            print(f"error: {name} failed (see above); fix the cause and run this again", file=sys.stderr)
            return 1
    return 0
