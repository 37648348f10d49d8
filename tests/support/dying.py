"""Work that is killed at each of its file operations in turn."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MOST = 60  # file operations of any work that is tested like this


class Killed(BaseException):
    """Ends work inside this process as kill -9 ends a process."""


class Kill:
    """Does some work, whose file operation of this number never happens."""

    def __init__(self, number: int, operations: tuple[str, ...]):
        self.number = number
        self.operations = operations  # methods of Path that count
        self.happened = False

    def __call__(self, work: Callable[[], object]) -> None:
        calls = 0

        def counted(name: str) -> Callable[..., object]:
            real = getattr(Path, name)

            def call(path: Path, *words: object, **more: object) -> object:
                nonlocal calls
                calls += 1
                if calls == self.number:
                    raise Killed
                return real(path, *words, **more)

            return call

        with pytest.MonkeyPatch.context() as patched:
            for name in self.operations:
                patched.setattr(Path, name, counted(name))
            try:
                work()
            except Killed:
                self.happened = True


def kills(*operations: str, least: int) -> Iterator[Kill]:
    """A kill at the first of some file operations (methods of Path), one at the second, and so on; each must be called
    with the work. The last one comes too late, so the work ends undisturbed; at least `least` come before."""
    for number in range(1, MOST):
        kill = Kill(number, operations)
        yield kill
        if not kill.happened:
            assert number > least, f"only {number - 1} of {operations} to be killed at"
            return
    raise AssertionError(f"still killed at operation {MOST - 1}")
