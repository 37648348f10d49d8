"""Files that are read at any place from any thread, of which few are open at a time: a growing data set has one zip a
night, and systems allow a process some hundred open files."""

import os
import threading
from pathlib import Path

MOST = 16  # open files; a thread that reads a further one opens it nonetheless


class _Open:
    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.readers = 0  # threads that are reading it now


class Handles:
    """Open files by path, the one read last at the end."""

    def __init__(self, most: int = MOST):
        self._most = most
        self._open: dict[Path, _Open] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, length: int, offset: int) -> bytes:
        """`length` bytes of a file from `offset`, fewer at its end; OSError if it cannot be read."""
        with self._lock:
            file = self._open.pop(path, None) or _Open(os.open(path, os.O_RDONLY))
            self._open[path] = file
            file.readers += 1
        try:
            return os.pread(file.descriptor, length, offset)
        finally:
            with self._lock:
                file.readers -= 1
                self._close_oldest()

    def _close_oldest(self) -> None:
        idle = [path for path, file in self._open.items() if not file.readers]
        for path in idle[: max(len(self._open) - self._most, 0)]:
            os.close(self._open.pop(path).descriptor)

    def close(self) -> None:
        """Close all files, which nobody reads any more."""
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1].descriptor)
