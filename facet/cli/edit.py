"""`facet edit`: edit the faces in a folder of photos."""

import argparse
import dataclasses
import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from facet.base.errors import InputError
from facet.cli import clone
from facet.cli.arguments import SYSTEM, add_json, add_root, check_dry_json, count, positive, print_json

if TYPE_CHECKING:
    from facet.photos.folder.job import Job


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Edit the faces in ordinary photos. OUT receives photos with the same names, sizes, formats and metadata that "
        "show the change, manifest.parquet with the outcome of every file, and contact.html with faces before and "
        "after. A photo that cannot be edited is copied, with the reason in the manifest. Run the same command again "
        "to resume an interrupted job."
    )
    command.epilog = (
        'examples:\n  facet edit photos edited --set "Smiling=on, Blond_Hair=+1"\n'
        "  facet edit photos edited --set Eyeglasses=off --dry-run\n"
        "  facet edit photos edited --set Smiling=on --model data/models/vigan"
    )
    command.add_argument(
        "photos", type=Path, metavar="PHOTOS", help="a folder, a zip, a list of paths (.txt) or one photo"
    )
    command.add_argument("out", type=Path, metavar="OUT", help="the folder for the results; PHOTOS are never changed")
    command.add_argument(
        "--set",
        required=True,
        dest="spec",
        metavar="SPEC",
        help='the edit, as in "Smiling=on, Blond_Hair=+1": on, off or a strength',
    )
    command.add_argument(
        "--dry-run", action="store_true", help="report how much there is to do and how long it would take"
    )
    add_json(command, "with --dry-run: print JSON")

    model = command.add_argument_group("model")
    model.add_argument("--system", default=SYSTEM, help=f"a system of params.yaml (default: {SYSTEM})")
    model.add_argument("--candidate", action="store_true", help="use the model trained last instead of the champion")
    model.add_argument("--model", type=Path, metavar="FOLDER", help="use a model folder instead of a project's system")
    model.add_argument(
        "--attributes",
        type=Path,
        metavar="FILE",
        help="the model's attributes table (default: the one it belongs with)",
    )
    add_root(model)

    faces = command.add_argument_group("faces")
    faces.add_argument(
        "--faces", choices=("largest", "all"), default="largest", help="which faces of a photo (default: largest)"
    )
    faces.add_argument("--aligned", action="store_true", help="photos are framed like CelebA's aligned images")
    faces.add_argument("--landmarks", type=Path, metavar="CSV", help="landmarks to use instead of detecting faces")
    faces.add_argument("--unlike-training", action="store_true", help="also edit covered, pixelated and blurred faces")
    faces.add_argument("--off-frontal", action="store_true", help="also edit faces turned away from the camera")
    faces.add_argument(
        "--unless-already", action="store_true", help="leave faces alone that already show the attribute"
    )

    change = command.add_argument_group("blending")
    change.add_argument(
        "--mode",
        default="auto",
        help="how the change comes back: auto, move, add, replace, ian, ian_code or decode (default: move)",
    )
    change.add_argument(
        "--sure",
        type=float,
        metavar="P",
        help="probability by judge A at which on or off counts as reached; higher makes edits stronger",
    )
    change.add_argument(
        "--mask", type=Path, metavar="PATH", help="a greyscale image that limits the edit, or a folder of one per photo"
    )
    change.add_argument(
        "--refine", type=count, default=0, metavar="STEPS", help="steps that fit each latent to its photo first"
    )
    change.add_argument(
        "--clip", action="store_true", help="keep edited latents within the range of training latents (weaker edits)"
    )

    output = command.add_argument_group("output")
    output.add_argument("--lossless", action="store_true", help="write PNG")
    output.add_argument("--strip-gps", action="store_true", help="remove the place where a photo was taken")
    output.add_argument(
        "--c2pa",
        nargs=2,
        type=Path,
        metavar=("CERTIFICATE", "KEY"),
        help="sign content credentials with these PEM files",
    )
    output.add_argument("--no-copy", action="store_true", help="do not copy photos that cannot be edited")
    output.add_argument(
        "--sheet", type=count, default=100, metavar="N", help="most photos on contact.html; 0: no page (default: 100)"
    )

    speed = command.add_argument_group("speed")
    speed.add_argument("--workers", type=count, default=0, metavar="N", help="threads (default: one per core)")
    speed.add_argument(
        "--engine",
        choices=("threads", "processes", "dask"),
        help="spread the photos over workers as a Prefect flow; needs a clone (default: this process, without Prefect)",
    )
    speed.add_argument("--jobs", type=positive, metavar="N", help="workers of the engine (default: one per core)")
    speed.add_argument("--address", help="address of a Dask cluster (default: a local one)")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from facet.photos.folder.estimate import estimate
    from facet.photos.folder.run import edit_folder

    check_dry_json(args)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Prefect's client logs every request
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged photos are reported in the manifest
    job = _job(args)
    if args.dry_run:
        forecast = estimate(job)
        if args.json:
            print_json(dataclasses.asdict(forecast))
        else:
            print(forecast)
        return 0
    if args.engine is None:
        summary = edit_folder(job, sheet=args.sheet)
    else:
        clone.load("flows.server").check(args.root)
        edit_on = clone.load("flows.edit_folder").edit_on
        one = dataclasses.replace(job, workers=args.workers or 1)
        summary = edit_on(one, args.engine, jobs=args.jobs, address=args.address, sheet=args.sheet)
    print(summary)
    page = f"; {args.out / 'contact.html'} shows the faces before and after" if args.sheet else ""
    print(f"wrote {args.out}; manifest.parquet lists the outcome of every file{page}")
    return 1 if summary.in_vain else 0


def _job(args: argparse.Namespace) -> "Job":
    from facet.photos.faces.align import TURNED_AWAY
    from facet.photos.folder.job import Job
    from facet.photos.options import SURE, Options

    model, attributes = _model(args)
    judges = args.root / "data" / "judges"
    return Job(
        photos=args.photos,
        out=args.out,
        model=model,
        attributes=attributes,
        judges=judges if judges.exists() else None,
        options=Options(
            spec=args.spec,
            mode=args.mode,
            sure=SURE if args.sure is None else args.sure,
            faces=args.faces,
            aligned=args.aligned,
            clip=args.clip,
            refine=args.refine,
            unless_already=args.unless_already,
            away=0.0 if args.off_frontal else TURNED_AWAY,
            unlike=args.unlike_training,
        ),
        lossless=args.lossless,
        strip_gps=args.strip_gps,
        copy=not args.no_copy,
        landmarks=args.landmarks,
        masks=args.mask,
        certificate=args.c2pa[0] if args.c2pa else None,
        key=args.c2pa[1] if args.c2pa else None,
        workers=args.workers,
    )


def _model(args: argparse.Namespace) -> tuple[Path, Path | None]:
    """The model folder and attributes table of an edit; InputError without a project that has the system."""
    if args.model is not None:
        return args.model, args.attributes
    from facet.nights.champions import STORE, latest_paths, live_paths

    if not (args.root / "params.yaml").exists() and not (args.root / STORE).exists():
        raise InputError(
            f"{args.root.resolve()} has no params.yaml; run this in a clone of Facet, name one with --root, or name a "
            "model folder with --model"
        )
    paths = latest_paths if args.candidate else live_paths
    model, table = paths(args.root, args.system)
    return model, args.attributes or table
