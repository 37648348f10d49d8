"""`facet draw`: draw faces with labels, or photo-like scenes with faces in them."""

import argparse
from pathlib import Path

from facet.base.errors import InputError
from facet.cli.arguments import count, positive

SEEDS = 10_000  # seeds are 0 to SEEDS - 1
PEOPLE = 100_000  # distance between the numbers of the first people of two seeds
FACES, SCENES = 1000, 20  # drawn unless --count says otherwise


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Draw faces of people who do not exist, with true labels, in the layout of CelebA. With --scenes: larger "
        "photo-like scenes with one drawn face each and landmarks.csv, to try `facet edit` on."
    )
    command.epilog = "examples:\n  facet draw faces --count 200\n  facet draw photos --scenes"
    command.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    command.add_argument("--scenes", action="store_true", help="draw photo-like scenes instead of aligned faces")
    command.add_argument(
        "--count", type=positive, metavar="N", help=f"how many (default: {FACES} faces or {SCENES} scenes)"
    )
    command.add_argument(
        "--seed",
        type=_seed,
        metavar="N",
        default=1,
        help="another seed draws other people (default: 1)",
    )
    command.set_defaults(run=_run)


def _seed(text: str) -> int:
    value = count(text)
    if value >= SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is not less than {SEEDS}")
    return value


def _run(args: argparse.Namespace) -> int:
    from facet.base.files import replacing_folder
    from facet.base.threads import worker_count

    if args.folder.exists():
        raise InputError(f"{args.folder} exists; name a new folder")
    number = args.count or (SCENES if args.scenes else FACES)
    with replacing_folder(args.folder) as aside:
        if args.scenes:
            from facet.photos import scenes

            scenes.write(aside, count=number, seed=args.seed)
        else:
            from facet.sources import drawn

            first = args.seed * PEOPLE
            drawn.write(aside, count=number, seed=args.seed, workers=worker_count(0), graded=False, apart=first)
    print(f"wrote {number:,} {'scenes' if args.scenes else 'faces'} to {args.folder}")
    return 0
