"""Work that is killed at each of its file operations in turn."""

import builtins
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MOST = 400  # file operations of any work that is tested like this
# Functions that change files. Those of pathlib, shutil, zipfile and pandas end in one of them.
EVERYTHING = (
    *((os, name) for name in ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "link", "symlink", "fsync")),
    (builtins, "open"),
    (io, "open"),
)


class Killed(BaseException):
    """Ends work inside this process as kill -9 ends a process."""


class Kill:
    """Does some work, whose file operation of this number never happens, nor does any later one."""

    def __init__(self, number: int, operations: tuple[tuple[Any, str], ...]):
        self.number = number
        self.operations = operations  # objects and their functions that count
        self.happened = False

    def __call__(self, work: Callable[[], object]) -> None:
        calls = 0

        def counted(where: Any, name: str) -> Callable[..., object]:
            real = getattr(where, name)

            def call(*words: Any, **more: Any) -> object:
                nonlocal calls
                mode = more.get("mode", words[1] if len(words) > 1 else "r")
                if name != "open" or set(mode) & set("wax+"):
                    calls += 1
                    if calls >= self.number:
                        raise Killed
                return real(*words, **more)

            return call

        with pytest.MonkeyPatch.context() as patched:
            for where, name in self.operations:
                patched.setattr(where, name, counted(where, name))
            try:
                work()
            except Killed:
                self.happened = True


def kills(*operations: str, least: int) -> Iterator[Kill]:
    """A kill at the first of some file operations (methods of Path; none for every operation of any kind), one at the
    second, and so on; each must be called with the work. The last one comes too late, so the work ends undisturbed; at
    least `least` come before."""
    chosen = tuple((Path, name) for name in operations) or EVERYTHING
    for number in range(1, MOST):
        kill = Kill(number, chosen)
        yield kill
        if not kill.happened:
            assert number > least, f"only {number - 1} of {operations} to be killed at"
            return
    raise AssertionError(f"still killed at operation {MOST - 1}")
