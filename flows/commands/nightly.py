"""`facet nightly`: one night now, or every night on a schedule."""

import argparse
import contextlib
import datetime
import functools
import os
import sys
import zoneinfo
from pathlib import Path

from facet.base import project
from facet.base.errors import InputError
from facet.cli.arguments import add_root


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run one night now, or one every night with --serve: new images are taken in, stale stages run, and a "
        "candidate that is no worse than the champion goes live. `facet profile nightly` sets it up; its settings are "
        "the section `nightly` of params.yaml."
    )
    command.epilog = 'examples:\n  facet nightly\n  facet nightly --serve --cron "30 1 * * *"'
    command.add_argument("--night", metavar="NAME", help="the night's name (default: today's date)")
    command.add_argument(
        "--serve",
        action="store_true",
        help="keep running and start nights on schedule, on the server of PREFECT_API_URL",
    )
    command.add_argument(
        "--cron", default="0 2 * * *", help='the schedule of --serve (default: "0 2 * * *", two o\'clock every night)'
    )
    add_root(command)
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    """Run the command; whatever prevents a night is also sent, since nobody may be looking."""
    from flows import messages

    try:
        return _start(args)
    except Exception as error:
        messages.send("Facet: the night could not start", str(error) or type(error).__name__)
        raise


def _start(args: argparse.Namespace) -> int:
    project.check_clone(args.root)
    kind = project.section(project.params(args.root), "source", "kind")["kind"]
    if kind == "drawn":
        raise InputError("source.kind is drawn: nothing can arrive there; `facet profile nightly` sets nights up")
    from flows import server

    server.prepare(args.root)
    if args.serve:
        check_cron(args.cron)
    server.check(args.root)
    return _serve(args) if args.serve else _run_now(args)


def _run_now(args: argparse.Namespace) -> int:
    from flows import server
    from flows.nightly import INTERRUPTED, nightly
    from flows.reproduce import leave

    try:
        state = server.running(functools.partial(nightly, root=args.root, night=args.night, return_state=True))
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        leave()
    if state.name == "Busy":
        print(f"error: {state.message}", file=sys.stderr)
        return 1
    return 0 if state.is_completed() else 1


def _serve(args: argparse.Namespace) -> int:
    from prefect.schedules import Cron
    from prefect.settings import PREFECT_API_URL
    from prefect.types.entrypoint import EntrypointType

    from flows.nightly import nightly

    if not PREFECT_API_URL.value():
        raise InputError(
            "a schedule needs a Prefect server that keeps running: `prefect server start`, then `export "
            "PREFECT_API_URL=http://127.0.0.1:4200/api` here"
        )
    zone = time_zone()
    print(f"nights start at {args.cron!r}, {zone} time", file=sys.stderr)
    nightly.serve(
        name="nightly", schedule=Cron(args.cron, timezone=zone), limit=1,
        parameters={"root": str(args.root.resolve())},
        entrypoint_type=EntrypointType.MODULE_PATH,  # that of a file would put the folder flows/ first on the path
    )  # fmt: skip
    return 0


def check_cron(cron: str) -> None:
    """InputError unless a schedule has five fields that some day fits; Prefect takes six, the last of them seconds, and
    a 31 February."""
    from prefect._vendor.croniter.croniter import croniter

    expected = 'expected five fields (minute, hour, day, month, weekday), as in "0 2 * * *"'
    if len(cron.split()) != 5:
        raise InputError(f"{cron!r} is not a cron schedule ({len(cron.split())} fields); {expected}")
    try:
        croniter(cron, datetime.datetime.now()).get_next()
    except ValueError as error:
        never = croniter.is_valid(cron)
        raise InputError(
            f"{cron!r} never comes: no month has that day; {expected}"
            if never
            else f"{cron!r} is not a cron schedule ({error}); {expected}"
        ) from None


def time_zone() -> str:
    """The name of this machine's time zone, UTC if the machine does not say."""
    named = os.environ.get("TZ", "").removeprefix(":")
    linked = Path("/etc/localtime").resolve().as_posix().partition("zoneinfo/")[2]
    for name in (named, linked):
        with contextlib.suppress(Exception):
            return zoneinfo.ZoneInfo(name).key
    return "UTC"
