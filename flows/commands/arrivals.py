"""`facet arrivals`: what a night would do with the waiting deliveries."""

import argparse
from pathlib import Path

from facet.base import project
from facet.base.errors import InputError
from facet.cli.arguments import add_json, add_root, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Check the deliveries in the drop folder, or in another folder, as a night would: labels, images, and what "
        "the data set already has. Nothing is changed. The exit code is 1 if something would need attention."
    )
    command.epilog = "examples:\n  facet arrivals\n  facet arrivals /mnt/deliveries --json"
    command.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="default: the drop folder")
    add_json(command)
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from facet.nights.intake import IntakeSettings, take_in
    from facet.nights.settings import Settings
    from flows import tracked_data

    params = project.params(args.root)
    settings, source = Settings.of(params), project.section(params, "source", "kind", "root")
    if source["kind"] != "shards":
        raise InputError(f"source.kind is {source['kind']}, which takes no deliveries; see `facet profile nightly`")
    place = args.root / settings.arrivals
    drop = args.folder or place / "drop"
    if settings.pull and args.folder is None:
        drop = tracked_data.read(args.root, settings.pull).folder
    if not drop.is_dir():
        raise InputError(f"{drop} is not a folder; expected deliveries of images with their labels")
    dry_run = IntakeSettings(
        drop=drop, root=args.root / source["root"], quarantine=place / "quarantine", settle=0.0, dry_run=True
    )
    outcome = take_in(dry_run, "arrivals")
    if args.json:
        print_json({"folder": drop} | outcome.to_json())
    else:
        print(f"what a night would make of {drop}:")
        for line in (*outcome.lines(), *outcome.examples):
            print(f"  {line}")
    return 1 if outcome.needs_attention else 0
