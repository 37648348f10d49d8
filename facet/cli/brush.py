"""`facet brush`: paint on an aligned photo with the contextual brush."""

import argparse
from pathlib import Path

from facet.cli.arguments import SYSTEM, add_root


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Paint on a photo that is aligned and framed like the training images: each stroke moves the photo's latent by "
        "gradient steps, and the decoded change comes back into the photo. Strokes are a JSON list; "
        "docs/strokes.json in the repository is an example."
    )
    command.epilog = "example:\n  facet brush face.png --strokes strokes.json --sheet steps.png"
    command.add_argument("photo", type=Path, metavar="PHOTO", help="an aligned photo, framed as for training")
    command.add_argument("--strokes", type=Path, required=True, metavar="FILE", help="the strokes, as JSON")
    command.add_argument("--system", default=SYSTEM, help=f"a system of params.yaml (default: {SYSTEM})")
    command.add_argument(
        "--mode",
        default="ian",
        help="how the change comes back into the photo: add, replace, ian or decode (default: ian)",
    )
    command.add_argument(
        "--out", type=Path, metavar="PNG", help="the result (default: PHOTO-brushed.png in this folder)"
    )
    command.add_argument("--sheet", type=Path, metavar="PNG", help="also write the results of all strokes side by side")
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from facet.nights.champions import live_paths
    from facet.photos.brush import brush_photo

    model, attributes = live_paths(args.root, args.system)
    brush_photo(
        args.photo,
        args.strokes,
        model=model,
        attributes=attributes,
        mode=args.mode,
        out=args.out or Path(f"{args.photo.stem}-brushed.png"),
        sheet=args.sheet,
    )
    return 0
