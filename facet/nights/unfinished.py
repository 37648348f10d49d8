"""Deliveries that cannot be taken in yet: uploads that have not ended, and time stamps that say nothing."""

import datetime
import fnmatch
import os
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from facet.base.junk import is_junk

# Names that programs give a file until it is whole.
UPLOADS = (
    "*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.opdownload", "*.tmp", "*.temp", "*.upload",
    "*.uploading", "*.incomplete", "*.inprogress", "*.aria2", "*.!ut", "*.!qb", "*.!sync", "*.bc!",
    "*.ffs_tmp",
    ".pending-*", ".rsync-partial", ".~tmp~",
)  # fmt: skip
RANDOM = (  # endings that rsync and S3 clients add: .photo.jpg.Ab3dEf, photo.jpg.6Ea9B2c1
    r"\..+\.\w+\.[A-Za-z0-9]{6}",
    r".+\.(?:jpe?g|png|webp|bmp|gif|tiff?|csv|parquet|txt|zip)\.(?=\w*[0-9])(?=\w*[A-Za-z])[A-Za-z0-9]{8}",
)
LOCKS = ("~$*", ".~lock.*#", "*.laccdb")  # of office programs in which a file is open
CLOCK_SKEW = 60.0  # seconds that the clock of another machine may be ahead

_UPLOAD = re.compile("|".join([*map(fnmatch.translate, UPLOADS), *RANDOM]), re.IGNORECASE)
_LOCK = re.compile("|".join(map(fnmatch.translate, LOCKS)), re.IGNORECASE)


def why_unfinished(name: str) -> str:
    """Why a file of this name, without its path, is not whole yet; an empty string if nothing says so."""
    if _UPLOAD.fullmatch(name):
        return "is an upload that has not ended; remove it if it was given up"
    if _LOCK.fullmatch(name):
        return "says that a program has its file open; close the file, or remove the lock if it was left behind"
    return ""


def why_waiting(path: Path, *, settle: float | None, own: Collection[str] = ()) -> tuple[bool, str]:
    """Whether a delivery, a file or a folder, changed less than `settle` seconds ago (None: that does not matter), and
    else why it cannot be taken in, or an empty string. Of a folder the entries named `own` are looked at, or all."""
    now, newest, latest, unfinished = time.time(), path, 0.0, ""
    for one in (path, *_entries(path, own)):
        if not unfinished and (why := why_unfinished(one.name)):
            unfinished = f"{one.relative_to(path.parent)} {why}"
        try:
            changed = 0.0 if is_junk(one.name) and not why_unfinished(one.name) else one.stat().st_mtime
        except OSError:  # removed meanwhile, or a link to nothing
            continue
        if changed > latest:
            newest, latest = one, changed
    if settle is not None and latest > now + max(settle, CLOCK_SKEW):
        when = datetime.datetime.fromtimestamp(min(latest, 253e9), datetime.UTC).isoformat(" ", "seconds")
        name = newest.relative_to(path.parent)
        return False, (
            f"{name} has a time stamp in the future ({when}), so nothing says whether it is still arriving; "
            f"`touch` it, or correct the clock it comes from"
        )
    if settle is not None and now - latest < settle:
        return True, ""
    return False, unfinished


def _entries(path: Path, own: Collection[str]) -> Iterator[Path]:
    """Everything below a folder, hidden entries included, without what is inside junk."""
    if not path.is_dir():
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        if own and here == path:
            folders[:], files = [name for name in folders if name in own], [name for name in files if name in own]
        yield from (here / name for name in (*folders, *files))
        folders[:] = [name for name in folders if not is_junk(name)]
