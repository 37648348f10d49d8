"""`facet record`: keep the numbers of this run in docs/records."""

import argparse
from pathlib import Path

from facet.base.errors import InputError
from facet.cli.arguments import add_json, add_root, print_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Keep the numbers in reports/ as docs/records/NAME.json, which stage `report` shows beside later runs on other "
        "data. No image and no path is kept. The reports must belong to params.yaml as it is. `list` lists the records."
    )
    command.epilog = "examples:\n  facet record list\n  facet record lfw-wide --speed speed.json"
    command.add_argument(
        "name", nargs="?", metavar="NAME", help="the record's name, or `list` (default: the profile's)"
    )
    command.add_argument("--speed", type=Path, metavar="FILE", help="a file written by benchmarks/systems.py --json")
    add_json(command, "with `list`: print JSON")
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from flows import records

    if args.name == "list":
        if args.json:
            print_json(_rows(args.root / records.FOLDER))
        else:
            print("\n".join(records.about(args.root)) or "no record yet; `facet record` writes one")
        return 0
    if args.json:
        raise InputError("--json goes with `facet record list`")
    path = records.record(args.root, args.name, args.speed)
    print(f"wrote {path}; `dvc repro report` shows it on the papers' pages")
    return 0


def _rows(folder: Path) -> list[dict[str, object]]:
    from facet.reporting.records import read

    return [
        {
            "name": name,
            "profile": record["profile"],
            "source": record["data"]["source"],
            "train_images": record["data"]["images"]["train"],
            "size": record["data"]["size"],
            "systems": list(record["systems"]),
            "speed": "speed" in record,
        }
        for name, record in read(folder).items()
    ]
