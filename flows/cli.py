"""The `facet` command. Prefect is imported only by the commands that need it."""

import argparse
import contextlib
import dataclasses
import os
import sys
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facet.base import project
from facet.base.errors import FacetError
from flows import champions, profiles

PEOPLE = 100_000  # numbers between the people of two seeds


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

    _edit_command(commands)

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
        help="keep the numbers of this run in docs/records, for the papers' pages",
        description="Keep the numbers in reports/ as docs/records/NAME.json, which stage `report` shows beside later "
        "runs of other data. No picture and no path is kept. The reports must be those of params.yaml.",
    )
    record.add_argument("name", nargs="?", metavar="NAME", help="default: the profile")
    record.add_argument("--speed", type=Path, metavar="FILE", help="written by benchmarks/systems.py --json")
    record.add_argument("--list", action="store_true", help="list the records")
    _root(record)
    record.set_defaults(run=_record)

    champions.add_parser(commands, _root)
    _nightly_commands(commands)
    return parser


def _nightly_commands(commands: Any) -> None:
    night = commands.add_parser(
        "nightly",
        help="take in what arrived, train what is stale, let what is no worse go live",
        description="One night now, or every night by --serve: arrivals flow in, stale stages run, a candidate that is "
        "no worse than the champion goes live. Set up with `facet profile nightly`; `nightly` in params.yaml.",
    )
    night.add_argument("--night", metavar="NAME", help="default: today's date")
    night.add_argument("--serve", action="store_true", help="stay and run by the schedule, on the server of "
                       "PREFECT_API_URL")  # fmt: skip
    night.add_argument("--cron", default="0 2 * * *", help='with --serve (default: "0 2 * * *", at two)')
    _root(night)
    night.set_defaults(run=_nightly)

    backfill = commands.add_parser(
        "backfill",
        help="a night for each of these folders of pictures, in the order of their names",
        description="A night for each folder of pictures and labels, in the order of their names, which name the "
        "nights. Those that are done are passed over; the folders stay as they are.",
    )
    backfill.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    _root(backfill)
    backfill.set_defaults(run=_backfill)

    arrivals = commands.add_parser(
        "arrivals",
        help="what a night would make of the arrivals; changes nothing",
        description="Look at what lies in the drop folder, or in a folder of deliveries, as a night would: labels, "
        "pictures, what is there already. Nothing is changed. The exit code is 1 where something is bad.",
    )
    arrivals.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="default: the drop folder")
    _root(arrivals)
    arrivals.set_defaults(run=_arrivals)

    doctor = commands.add_parser(
        "doctor",
        help="what is wrong with a set-up, and how to mend it",
        description="Look at Python, packages, params.yaml, disk, GPU, Prefect server, schedule, worker, remote, "
        "champions, arrivals and messages. The exit code is 1 where something must be mended.",
    )
    _root(doctor)
    doctor.set_defaults(run=_doctor)

    gc = commands.add_parser(
        "gc",
        help="remove what neither workspace, tags nor champions need",
        description="Remove from dvc's cache what neither the workspace nor a tag nor any champion needs. Shows what "
        "would go; --yes does it.",
    )
    gc.add_argument("--remote", metavar="NAME", help="from this remote as well")
    gc.add_argument("--yes", action="store_true", help="do it")
    _root(gc)
    gc.set_defaults(run=_gc)

    draw = commands.add_parser(
        "draw",
        help="draw faces with labels, to try the pipeline with",
        description="Draw faces that nobody has, with true labels, in CelebA's layout.",
    )
    draw.add_argument("folder", type=Path, metavar="FOLDER")
    draw.add_argument("--count", type=_positive, default=1000)
    draw.add_argument("--seed", type=int, choices=range(10_000), metavar="N", default=1, help="draws other people")
    draw.set_defaults(run=_draw)


def _edit_command(commands: Any) -> None:
    edit = commands.add_parser(
        "edit",
        help="edit the faces of a folder of photos",
        description="Edit the faces of ordinary photos: a folder, a zip, a list of paths (.txt) or one file. OUT gets "
        "photos of the same names, sizes, formats and metadata with the change in them, manifest.parquet and "
        "contact.html. What cannot be edited is copied, with the reason in the manifest. Run it again to go on.",
    )
    edit.add_argument("photos", type=Path, metavar="PHOTOS")
    edit.add_argument("out", type=Path, metavar="OUT")
    edit.add_argument(
        "--set",
        required=True,
        dest="spec",
        metavar="SPEC",
        help='"Smiling=on, Blond_Hair=+1"; a wrong name lists all',
    )
    edit.add_argument("--system", default="vigan", help="one of params.yaml's systems (default: vigan)")
    edit.add_argument("--candidate", action="store_true", help="the model trained last, not the champion")
    edit.add_argument("--model", type=Path, metavar="FOLDER", help="a model folder instead of a system")
    edit.add_argument("--attributes", type=Path, metavar="FILE", help="its attributes table, where it is elsewhere")
    edit.add_argument("--faces", choices=("largest", "all"), default="largest", help="of each photo (default: largest)")
    edit.add_argument("--aligned", action="store_true", help="photos are framed as CelebA's aligned pictures")
    edit.add_argument("--landmarks", type=Path, metavar="CSV", help="faces that somebody else found")
    edit.add_argument(
        "--mask", type=Path, metavar="PATH", help="a grey picture that limits the edit, or a folder of them"
    )
    edit.add_argument(
        "--mode", default="auto", help="auto, add, replace, ian or decode (default: add for colours, else replace)"
    )
    edit.add_argument(
        "--refine", type=_count, default=0, metavar="STEPS", help="bring latents nearer to the photo first"
    )
    edit.add_argument(
        "--clip", action="store_true", help="keep edited latents in the range of training latents: weaker"
    )
    edit.add_argument("--unless-already", action="store_true", help="leave faces alone that show it already")
    edit.add_argument("--off-frontal", action="store_true", help="edit faces that are turned away, too")
    edit.add_argument("--lossless", action="store_true", help="write PNG")
    edit.add_argument("--strip-gps", action="store_true", help="take out where photos were taken")
    edit.add_argument(
        "--c2pa",
        nargs=2,
        type=Path,
        metavar=("CERTIFICATE", "KEY"),
        help="PEM files that sign content credentials",
    )
    edit.add_argument("--no-copy", action="store_true", help="do not copy what cannot be edited")
    edit.add_argument("--dry-run", action="store_true", help="say how much there is to do and how long it would take")
    edit.add_argument("--workers", type=int, default=0, help="threads (default: the cores)")
    edit.add_argument(
        "--engine",
        choices=("threads", "processes", "dask"),
        help="spread shards over workers as a Prefect flow (default: all in this process, without Prefect)",
    )
    edit.add_argument("--jobs", type=_positive, help="workers of the engine (default: the cores)")
    edit.add_argument("--address", help="of a Dask cluster (default: a local one)")
    edit.add_argument(
        "--sheet", type=_count, default=100, metavar="N", help="most photos on contact.html (default: 100)"
    )
    _root(edit)
    edit.set_defaults(run=_edit)


def _root(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, default=Path(), help="folder of dvc.yaml (default: here)")


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value


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
    from flows.reproduce import StageFailed, leave, reproduce

    try:
        reproduce(stages=args.stages or None, root=args.root, jobs=args.jobs, force=args.force)
    except StageFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        return _unreachable(error, None)
    except KeyboardInterrupt:
        leave()
    return 0


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


def _nightly(args: argparse.Namespace) -> int:
    try:
        kind = project.params(args.root)["source"]["kind"]
    except (FacetError, KeyError, TypeError) as error:
        return _misfit(f"params.yaml has no source.kind ({error})")
    if kind == "drawn":
        return _misfit("source.kind is drawn: nothing can arrive there; set nights up with `facet profile nightly`")
    from flows.nightly import INTERRUPTED, nightly
    from flows.reproduce import leave

    if args.serve:
        return _serve(args)
    try:
        state = nightly(root=args.root, night=args.night, return_state=True)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        leave()
    except RuntimeError as error:
        return _unreachable(error, "Facet: no night could begin")
    return 0 if state.is_completed() else 1


def _serve(args: argparse.Namespace) -> int:
    from prefect.schedules import Cron
    from prefect.settings import PREFECT_API_URL

    from flows.nightly import nightly

    if not PREFECT_API_URL.value():
        return _misfit(
            "a schedule needs a Prefect server that stays: `prefect server start`, then `export "
            "PREFECT_API_URL=http://127.0.0.1:4200/api` here"
        )
    zone = _time_zone()
    try:
        schedule = Cron(args.cron, timezone=zone)
    except ValueError as error:
        return _misfit(f'{args.cron!r} is no cron schedule ({error}); five fields are expected, as "0 2 * * *"')
    print(f"nights are due by {args.cron!r}, times of {zone}", file=sys.stderr)
    nightly.serve(name="nightly", schedule=schedule, limit=1, parameters={"root": str(args.root.resolve())})
    return 0


def _time_zone() -> str:
    """The name of this machine's time zone, as far as it says so."""
    named = os.environ.get("TZ", "").removeprefix(":")
    linked = Path("/etc/localtime").resolve().as_posix().partition("zoneinfo/")[2]
    for name in (named, linked):
        with contextlib.suppress(Exception):
            return zoneinfo.ZoneInfo(name).key
    return "UTC"


def _unreachable(error: RuntimeError, title: str | None) -> int:
    """Say that the server does not answer, to people too where a title is given; anything else goes on up."""
    if "Failed to reach API" not in str(error):
        raise error
    words = f"the Prefect server of PREFECT_API_URL does not answer ({error}); start it, or unset PREFECT_API_URL"
    if title:
        from flows import messages

        messages.send(title, words)
    print(f"error: {words}", file=sys.stderr)
    return 1


def _backfill(args: argparse.Namespace) -> int:
    from flows.nightly import done, nightly

    missing = [str(folder) for folder in args.folders if not folder.is_dir()]
    if missing:
        return _misfit(f"{missing[0]} is no folder; expected folders of pictures with their labels")
    for folder in sorted(args.folders, key=lambda folder: folder.resolve().name):
        name = folder.resolve().name
        if done(args.root, name):
            print(f"{name}: done already")
        elif not nightly(root=args.root, night=name, drop=folder.resolve(), return_state=True).is_completed():
            print(f"error: {name} failed; see above, mend it and run this again", file=sys.stderr)
            return 1
    return 0


def _arrivals(args: argparse.Namespace) -> int:
    from facet.nights.intake import Settings as Intake
    from facet.nights.intake import take_in
    from facet.nights.settings import Settings
    from flows import tracked_data

    try:
        params = project.params(args.root)
        settings, source = Settings.of(params), params["source"]
        if source["kind"] != "shards":
            return _misfit(f"source.kind is {source['kind']}, which takes in no arrivals; see `facet profile nightly`")
        place = args.root / settings.arrivals
        drop = args.folder or place / "drop"
        if settings.pull and args.folder is None:
            drop = tracked_data.read(args.root, settings.pull).folder
        if not drop.is_dir():
            return _misfit(f"{drop} is no folder; expected deliveries of pictures with their labels")
        look = Intake(
            drop=drop, root=args.root / source["root"], quarantine=place / "quarantine", settle=0.0, look=True
        )
        found = take_in(look, "arrivals")
    except FacetError as error:
        return _misfit(str(error))
    print(f"what a night would make of {drop}:")
    for line in (*found.lines(), *found.bad_ones):
        print(f"  {line}")
    return 1 if found.refused or found.bad else 0


def _doctor(args: argparse.Namespace) -> int:
    from flows.doctor import examine

    worst = 0
    for finding in examine(args.root):
        print(finding)
        worst = max(worst, int(finding.level == "FAIL"))
    return worst


def _gc(args: argparse.Namespace) -> int:
    from flows import garbage

    return garbage.run(args)


def _draw(args: argparse.Namespace) -> int:
    from facet.base.files import replacing_folder
    from facet.base.threads import worker_count
    from facet.sources import drawn

    if args.folder.exists():
        return _misfit(f"{args.folder} exists; name a new folder")
    with replacing_folder(args.folder) as aside:
        apart = args.seed * PEOPLE
        drawn.write(aside, count=args.count, seed=args.seed, workers=worker_count(0), graded=False, apart=apart)
    print(f"wrote {args.count} faces to {args.folder}")
    return 0


def _edit(args: argparse.Namespace) -> int:
    import logging
    import warnings

    from facet.photos.editor import Options
    from facet.photos.faces.align import TURNED_AWAY
    from facet.photos.folder.job import Job, JobError
    from facet.photos.folder.run import edit_folder, estimate

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # of the Prefect client
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damage in photos, which the manifest tells
    try:
        model, attributes = _model(args)
        judges = args.root / "data" / "judges"
        job = Job(
            photos=args.photos,
            out=args.out,
            model=model,
            attributes=attributes,
            judges=judges if judges.exists() else None,
            options=Options(
                spec=args.spec,
                mode=args.mode,
                faces=args.faces,
                aligned=args.aligned,
                clip=args.clip,
                refine=args.refine,
                unless_already=args.unless_already,
                away=0.0 if args.off_frontal else TURNED_AWAY,
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
        if args.dry_run:
            print(estimate(job))
            return 0
        if args.engine is None:
            summary = edit_folder(job, sheet=args.sheet)
        else:
            from flows.edit_folder import edit_on

            one = dataclasses.replace(job, workers=args.workers or 1)
            summary = edit_on(one, args.engine, jobs=args.jobs, address=args.address, sheet=args.sheet)
        print(summary)
        shown = f"{args.out / 'contact.html'} shows what was done, " if args.sheet else ""
        print(f"wrote {args.out}; {shown}manifest.parquet tells all")
        return 1 if summary.in_vain else 0
    except FacetError as error:
        return _misfit(str(error))
    except JobError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


def _model(args: argparse.Namespace) -> tuple[Path, Path | None]:
    """Model folder and attributes table of an edit; InputError where params.yaml has no such system."""
    if args.model is not None:
        return args.model, args.attributes
    from facet.nights.champions import latest_paths, live_paths

    find = latest_paths if args.candidate else live_paths
    model, table = find(args.root, args.system)
    return model, args.attributes or table


def _brush(args: argparse.Namespace) -> int:
    from facet.nights.champions import live_paths
    from facet.photos.brush import brush_photo

    try:
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
    except FacetError as error:
        return _misfit(str(error))
    except OSError as error:
        return _misfit(f"{error.filename}: {error.strerror}")
    return 0


def _record(args: argparse.Namespace) -> int:
    from flows import records

    try:
        if args.list:
            print("\n".join(records.about(args.root)) or "no record yet; `facet record` writes one")
            return 0
        path = records.record(args.root, args.name, args.speed)
        print(f"wrote {path}; `dvc repro report` shows it on the papers' pages")
    except FacetError as error:
        return _misfit(str(error))
    return 0


def _misfit(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
