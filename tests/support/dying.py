"""Work that is killed at each of its file operations in turn."""

from collections.abc import Callable
from pathlib import Path

import pytest

MOST = 60  # operations of any work tested so


class Killed(BaseException):
    """What kill -9 is to a process, to work in this one."""


def killed_at(last: int, work: Callable[[], object], *operations: str) -> bool:
    """Do `work`, whose operation of that number (of these methods of Path) never happens; whether it was killed."""
    calls = 0

    def counted(name: str) -> Callable[..., object]:
        real = getattr(Path, name)

        def call(self: Path, *words: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls == last:
                raise Killed
            return real(self, *words, **more)

        return call

    with pytest.MonkeyPatch.context() as patched:
        for name in operations:
            patched.setattr(Path, name, counted(name))
        try:
            work()
        except Killed:
            return True
    return False
