"""`facet backfill`: one night for each of several folders of images."""

import argparse
import functools
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
    from flows import server

    server.check(args.root)
    from flows.nightly import is_done, nightly

    for folder in sorted(args.folders, key=lambda folder: folder.resolve().name):
        name = folder.resolve().name
        if is_done(args.root, name):
            print(f"{name}: already done")
            continue
        night = functools.partial(nightly, root=args.root, night=name, drop=folder.resolve(), return_state=True)
        state = server.running(night)
        if not state.is_completed() or state.name == "Busy":
            print(
                f"error: {name}: {state.message or 'failed (see above)'}; fix the cause and run this again",
                file=sys.stderr,
            )
            return 1
    return 0
