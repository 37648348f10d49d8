"""Arguments, output and questions that several commands share."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from facet.base.errors import InputError

SYSTEM = "vigan"  # the system that edits unless another is named


class Formatter(argparse.HelpFormatter):
    """Wrap descriptions to the terminal's width, but keep the lines of a usage example."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example"):
            return text
        return super()._fill_text(text, width, indent)


class PrintCompletion(argparse.Action):
    """Print a shell's completion script for the whole command line, and exit."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        import shtab

        for action in _actions(parser):
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell=values))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def add_root(command: argparse._ActionsContainer) -> None:
    """Add --root, the project to work on; `main` turns it into a folder."""
    command.add_argument(
        "--root",
        type=Path,
        metavar="FOLDER",
        help="the project, the folder of dvc.yaml (default: the current folder or the nearest clone above it)",
    )


def add_json(command: argparse.ArgumentParser, what: str = "print JSON") -> None:
    """Add --json."""
    command.add_argument("--json", action="store_true", help=what)


def add_removal(command: argparse.ArgumentParser) -> None:
    """Add the flags of a command that removes something; `confirm` reads them."""
    command.add_argument("--dry-run", action="store_true", help="show what would be removed; remove nothing")
    command.add_argument("--yes", action="store_true", help="remove it without asking")
    add_json(command, "with --dry-run: print JSON")


def count(text: str) -> int:
    """An argument that is a whole number, 0 or more."""
    return _at_least(0, text)


def positive(text: str) -> int:
    """An argument that is a whole number, 1 or more."""
    return _at_least(1, text)


def _at_least(least: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"{text} is less than {least}")
    return value


def check_dry_json(args: argparse.Namespace) -> None:
    """InputError if --json was given without the --dry-run whose result it prints."""
    if args.json and not args.dry_run:
        raise InputError("--json prints the result of a dry run; add --dry-run")


def print_json(value: Any) -> None:
    """Print a value as JSON, indented, with its keys in their order; paths as text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def confirm(args: argparse.Namespace, question: str, show: Callable[[], Any]) -> bool:
    """Show what would be removed and ask, unless --yes was given; InputError if there is no terminal to ask on."""
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise InputError("there is no terminal to confirm the removal on; add --yes, or --dry-run to see what would go")
    show()
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:  # Ctrl-D
        return False
    return answer.strip().lower() in ("y", "yes")
