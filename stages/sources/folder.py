"""A folder or zip of pictures of one's own, with a table of labels or one folder per class."""

from pathlib import Path

from stages.params import InputError
from stages.sources.labels import Listing


def read(root: Path) -> Listing:
    """Every picture below `root` with its labels."""
    raise InputError(f"{root}: kind `folder` is not there yet")
