"""`facet nightly`: one night now, or every night on a schedule."""

import argparse
import contextlib
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
    project.check_clone(args.root)
    kind = project.section(project.params(args.root), "source", "kind")["kind"]
    if kind == "drawn":
        raise InputError("source.kind is drawn: nothing can arrive there; `facet profile nightly` sets nights up")
    if args.serve:
        return _serve(args)
    from flows import messages
    from flows.commands import server
    from flows.nightly import INTERRUPTED, nightly
    from flows.reproduce import leave

    try:
        server.check()
    except server.ServerUnreachable as error:
        messages.send("Facet: the night could not start", str(error))
        raise
    try:
        state = nightly(root=args.root, night=args.night, return_state=True)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        leave()
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
    try:
        schedule = Cron(args.cron, timezone=zone)
    except ValueError as error:
        raise InputError(
            f'{args.cron!r} is not a cron schedule ({error}); expected five fields, as in "0 2 * * *"'
        ) from None
    print(f"nights start at {args.cron!r}, {zone} time", file=sys.stderr)
    nightly.serve(
        name="nightly", schedule=schedule, limit=1, parameters={"root": str(args.root.resolve())},
        entrypoint_type=EntrypointType.MODULE_PATH,  # that of a file would put the folder flows/ first on the path
    )  # fmt: skip
    return 0


def time_zone() -> str:
    """The name of this machine's time zone, UTC if the machine does not say."""
    named = os.environ.get("TZ", "").removeprefix(":")
    linked = Path("/etc/localtime").resolve().as_posix().partition("zoneinfo/")[2]
    for name in (named, linked):
        with contextlib.suppress(Exception):
            return zoneinfo.ZoneInfo(name).key
    return "UTC"
