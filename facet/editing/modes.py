"""The names of the ways to composite an edit, without the code that does it: commands that only read settings load no
torch."""

from collections.abc import Sequence

from facet.base.errors import InputError

MODES = ("ian", "ian_code", "add", "replace", "decode")  # see facet/editing/compositing.py


def check_mode(mode: str, modes: Sequence[str] = MODES) -> None:
    """InputError if the mode is not one of `modes`."""
    if mode not in modes:
        raise InputError(f"mode {mode!r} is unknown; choose one of {', '.join(modes)}")
