"""`facet studio`: the Neural Photo Editor in a browser on this machine."""

import argparse
import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from facet.base.errors import InputError
from facet.cli.arguments import SYSTEM, add_root, count

if TYPE_CHECKING:
    from facet.studio.trained import Trained

EXTRA = ("fastapi", "starlette", "uvicorn")  # packages of the extra `studio`
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Edit a photo in a browser on this machine: sliders for attributes, the contextual brush, the latent as a "
        "board, all systems side by side. Saves the photo as `facet edit` would, and gives the spec and the command "
        "line for a folder of others."
    )
    command.epilog = (
        "examples:\n  facet studio photo.jpg\n  facet studio photos --edited edited\n  facet studio --sample"
    )
    command.add_argument(
        "path", type=Path, nargs="?", metavar="PHOTO|FOLDER", help="what to open; the page opens photos, too"
    )
    command.add_argument(
        "--edited", type=Path, metavar="OUT", help="show what a `facet edit` of FOLDER into OUT said of each photo"
    )
    command.add_argument("--sample", action="store_true", help="begin with a face that the model draws")
    command.add_argument("--system", default=SYSTEM, help=f"the system to begin with (default: {SYSTEM})")
    command.add_argument(
        "--model", type=Path, metavar="FOLDER", help="use a model folder instead of a project's systems"
    )
    command.add_argument(
        "--attributes",
        type=Path,
        metavar="FILE",
        help="the attributes table of --model (default: the one it belongs with)",
    )
    add_root(command)
    command.add_argument("--port", type=count, metavar="N", help="the port (default: 8642, or any that is free)")
    command.add_argument(
        "--host", default=LOOPBACK[0], help=f"the address to listen at (default: {LOOPBACK[0]}, this machine alone)"
    )
    command.add_argument(
        "--yes-anyone-can-edit", action="store_true", help="listen at a --host that other machines can reach"
    )
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    _check(args)
    try:
        from facet.studio.folder import Folder
        from facet.studio.launch import serve
        from facet.studio.server import Settings
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise InputError(f"{error.name} is not installed; run `pip install -e '.[studio]'` in the clone") from None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged photos are refused with a reason
    prepared = args.root / "data" / "prepared"
    settings = Settings(
        systems=_systems(args),
        folder=None if args.path is None else Folder(args.path, args.edited),
        prepared=prepared if prepared.exists() else None,
        sample=args.sample,
    )
    serve(settings, host=args.host, port=args.port, browser=not args.no_browser)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.host not in LOOPBACK and not args.yes_anyone_can_edit:
        raise InputError(
            f"--host {args.host}: other machines could reach the studio, unencrypted, and whoever learns its address "
            "sees the photos that are open; add --yes-anyone-can-edit if that is what you want"
        )
    if args.edited is not None and args.path is None:
        raise InputError("--edited belongs to a FOLDER; name it, too")
    if args.attributes is not None and args.model is None:
        raise InputError("--attributes belongs to --model; name the model folder, too")
    if args.port is not None and args.port > 65_535:
        raise InputError(f"--port {args.port}: expected 0 to 65535")


def _systems(args: argparse.Namespace) -> "dict[str, Trained]":
    from facet.studio import trained

    if args.model is None:
        return trained.of_project(args.root, args.system)
    judges = args.root / "data" / "judges"
    return trained.of_folder(args.model, args.attributes, judges if judges.exists() else None)
