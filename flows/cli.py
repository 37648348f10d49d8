"""The `facet` command. Prefect is imported only by the commands that need it."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from flows import profiles


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: done; 1: a stage failed; 2: the command does not fit the project; 130: interrupted."""
    args = _parser().parse_args(argv)
    return args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="facet", description="Train, edit and judge generative models of faces.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    reproduce = commands.add_parser(
        "reproduce",
        help="run every stage whose inputs changed, as a Prefect flow",
        description="Run every stage whose inputs changed, as a Prefect flow, on the server of PREFECT_API_URL where "
        "that is set, else on a temporary one. Ctrl-C ends the running stages; training resumes next time.",
    )
    reproduce.add_argument(
        "stages", nargs="*", metavar="STAGE", help="only these and what they need; train_gan: all of it"
    )
    _root(reproduce)
    reproduce.add_argument("--jobs", type=_positive, help="stages at a time (default: cores / compute.threads; GPU: 1)")
    reproduce.add_argument("--force", action="store_true", help="run them even where nothing changed")
    reproduce.set_defaults(run=_reproduce)

    profile = commands.add_parser(
        "profile",
        help="write the numbers of one profile to params.yaml",
        description="Write the numbers of one profile to params.yaml; `drawn` brings back the committed ones.",
    )
    profile.add_argument("name", nargs="?", metavar="NAME", help="a file of profiles/, without .yaml")
    _root(profile)
    profile.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one more value", dest="sets"
    )
    profile.add_argument("--list", action="store_true", help="list the profiles")
    profile.add_argument("--force", action="store_true", help="replace a params.yaml that was edited by hand")
    profile.set_defaults(run=_profile)

    brush = commands.add_parser(
        "brush",
        help="paint on an aligned photo with the contextual brush",
        description="Paint on a photo that is aligned and framed as for training, by gradient steps on its latent. "
        "The strokes are a JSON list; docs/strokes.json is an example.",
    )
    brush.add_argument("photo", type=Path, metavar="PHOTO")
    brush.add_argument("--strokes", type=Path, required=True, metavar="FILE")
    brush.add_argument("--system", default="dcgan", help="one of params.yaml's systems (default: dcgan)")
    brush.add_argument("--mode", default="ian", help="how the change comes back into the photo (default: ian)")
    brush.add_argument("--out", type=Path, metavar="PNG", help="default: PHOTO-brushed.png, here")
    brush.add_argument("--sheet", type=Path, metavar="PNG", help="every stroke's result side by side")
    _root(brush)
    brush.set_defaults(run=_brush)

    record = commands.add_parser(
        "record",
        help="keep the numbers of this run in docs/runs, for the papers' pages",
        description="Keep the numbers in reports/ as docs/runs/NAME.json, which stage `report` shows beside later runs "
        "of other data. No picture and no path is kept. The reports must be those of params.yaml.",
    )
    record.add_argument("name", nargs="?", metavar="NAME", help="default: the profile")
    record.add_argument("--speed", type=Path, metavar="FILE", help="written by benchmarks/systems.py --json")
    record.add_argument("--list", action="store_true", help="list the records")
    _root(record)
    record.set_defaults(run=_record)
    return parser


def _root(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, default=Path(), help="folder of dvc.yaml (default: here)")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _reproduce(args: argparse.Namespace) -> int:
    if not (args.root / "dvc.yaml").exists():
        return _misfit(f"{args.root.resolve()} has no dvc.yaml; run this in a clone of Facet, or name one with --root")
    from flows.dag import UnknownStage, select, stage_needs

    if args.stages:  # before a server is started
        try:
            select(stage_needs(args.root), args.stages)
        except UnknownStage as error:
            return _misfit(str(error))
    from flows.reproduce import StageFailed, reproduce

    try:
        reproduce(stages=args.stages or None, root=args.root, jobs=args.jobs, force=args.force)
    except StageFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _leave()
    return 0


def _leave() -> NoReturn:
    """Exit without Prefect's own clean-up: it would send its last events, for minutes, to a temporary server that the
    same signal has stopped."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(130)


def _profile(args: argparse.Namespace) -> int:
    try:
        if args.list:
            for name in profiles.names(args.root):
                print(f"{name:14} {profiles.about(args.root, name)}")
            return 0
        if args.name is None:
            return _misfit(f"name a profile: {', '.join(profiles.names(args.root))}")
        changes = profiles.apply(args.root, args.name, args.sets, force=args.force)
    except profiles.ProfileError as error:
        return _misfit(str(error))
    for change in changes:
        print(change)
    print(f"params.yaml holds profile {args.name}, {len(changes)} changes")
    return 0


def _brush(args: argparse.Namespace) -> int:
    from stages.params import InputError
    from stages.photos.brush import brush_photo

    try:
        systems = profiles.values(args.root).get("systems", {})
    except profiles.ProfileError as error:
        return _misfit(str(error))
    if args.system not in systems:
        return _misfit(f"system {args.system!r} is not in params.yaml; choose one of {', '.join(systems)}")
    try:
        brush_photo(
            args.photo,
            args.strokes,
            model=args.root / systems[args.system]["model"],
            attributes=args.root / "data" / "attributes" / f"{args.system}.parquet",
            mode=args.mode,
            out=args.out or Path(f"{args.photo.stem}-brushed.png"),
            sheet=args.sheet,
        )
    except InputError as error:
        return _misfit(str(error))
    except OSError as error:
        return _misfit(f"{error.filename}: {error.strerror}")
    return 0


def _record(args: argparse.Namespace) -> int:
    from flows import records
    from flows.dag import UnknownStage
    from stages.params import InputError

    try:
        if args.list:
            print("\n".join(records.about(args.root)) or "no record yet; `facet record` writes one")
            return 0
        path = records.record(args.root, args.name, args.speed)
        print(f"wrote {path}; `dvc repro report` shows it on the papers' pages")
    except (profiles.ProfileError, records.RecordError, UnknownStage, InputError) as error:
        return _misfit(str(error))
    return 0


def _misfit(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
