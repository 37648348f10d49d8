"""Locks of files, each held by one process at a time. A lock lasts until its file is closed, also by processes that
inherited it, and a kill leaves none behind."""

import errno
import fcntl
import logging
import math
import time
from pathlib import Path

log = logging.getLogger(__name__)

HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # by another; anything else: the file system has no locks
PAUSE = 0.2  # seconds between two tries

FOREVER = math.inf


def take(file: int, path: Path, *, wait: float = 0.0) -> bool:
    """Lock an open file (descriptor `file`, at `path`); False if another still holds it after `wait` seconds.

    On a file system without locks it is True, with a warning."""
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in HELD:
                log.warning(
                    "%s is on a file system without locks (%s); let no other process write there", path, error.strerror
                )
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE)
