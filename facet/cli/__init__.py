"""The `facet` command: the library's own commands, and in a clone the project's.

Nothing slow is imported before a command runs, so `--help` and shell completion answer at once."""

import argparse
import importlib
import os
import select
import sys
from collections.abc import Sequence

from facet.base import project
from facet.base.errors import FacetError
from facet.base.version import VERSION
from facet.cli import clone
from facet.cli.arguments import Formatter, PrintCompletion

# The commands in the order of --help, each with its line there. The library's are modules of facet.cli.
LIBRARY = {
    "edit": "edit the faces in a folder of photos",
    "studio": "edit a photo in a browser: sliders, brush, latent; then a folder by command",
    "brush": "paint on an aligned photo with the contextual brush",
    "export": "write a trained system as ONNX graphs",
    "draw": "draw faces with labels, or photo-like scenes, to try Facet on",
    "networks": "fetch the networks that find faces in photos",
    "champion": "show, promote, roll back or prune the models that edit",
}
# The project's commands work on a clone and are modules of flows.commands.
PROJECT = {
    "reproduce": "run every stage whose inputs changed, as a Prefect flow",
    "profile": "write the numbers of a profile to params.yaml",
    "record": "keep the numbers of this run in docs/records",
    "nightly": "take in new images, retrain what is stale, promote a model that is no worse",
    "backfill": "run one night for each of several folders of images",
    "arrivals": "show what a night would do with the waiting deliveries",
    "doctor": "find what is wrong with a setup, and how to fix it",
    "gc": "remove cached data that neither the workspace, a tag nor a champion needs",
}
FLOWS_EXTRA = ("dvc", "httpx", "jsonschema", "networkx", "prefect")  # packages that only the project's commands import


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 the work failed, 2 bad input, 130 interrupted."""
    command_line = parser()
    args, unknown = command_line.parse_known_args(argv)
    if unknown and args.run is not clone.refuse:  # a refused command has no flags of its own to check
        command_line.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        if "root" in args:
            args.root = project.find_root(args.root)
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _left_by_its_reader():
            raise
        return 141  # as a program that SIGPIPE ends
    except FacetError as error:
        message, code = str(error), error.exit_code
    except OSError as error:
        if error.filename is None:
            raise
        message, code = f"{error.filename}: {error.strerror}", 2
    except ModuleNotFoundError as error:
        if error.name not in FLOWS_EXTRA:
            raise
        message, code = f"{error.name} is not installed; run `pip install -e '.[flows]'` in the clone", 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    print(f"error: {message}", file=sys.stderr)
    return code


def _left_by_its_reader() -> bool:
    """True if nobody reads the output any more, as after `| head`; it then goes nowhere, so that Python's last flush
    does not fail, too."""
    output = select.poll()
    output.register(sys.stdout, 0)  # errors are always reported
    if not output.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def parser() -> argparse.ArgumentParser:
    """The parser of every command; outside a clone the project's commands only say that they need one."""
    facet = argparse.ArgumentParser(
        prog="facet",
        description="Train generative models of faces, learn what attributes do to them, and edit folders of photos.",
        epilog="example:\n  facet edit photos edited --set Smiling=on",
        formatter_class=Formatter,
    )
    facet.add_argument("--version", action="version", version=f"facet {VERSION}")
    facet.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=("bash", "zsh", "tcsh"),
        metavar="SHELL",
        help="print the completion script for bash, zsh or tcsh",
    )
    commands = facet.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, line in LIBRARY.items():
        command = commands.add_parser(name, help=line, formatter_class=Formatter)
        importlib.import_module(f"facet.cli.{name}").add_arguments(command)
    root = clone.find()
    for name, line in PROJECT.items():
        if root is None:
            command = commands.add_parser(name, help=f"{line} (needs a clone)", formatter_class=Formatter)
            clone.add_refusal(command, name)
        else:
            command = commands.add_parser(name, help=line, formatter_class=Formatter)
            clone.load(f"flows.commands.{name}").add_arguments(command)
    return facet
