"""Progress of long work: a bar on a terminal, a line every ten seconds in a log file."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LINE_EVERY = 10.0  # seconds between lines in a log
BAR_EVERY = 0.2  # seconds between redraws on a terminal
BAR_WIDTH = 30  # characters


def progress(items: Iterable[T], total: int, unit: str, *, size: Callable[[T], int] | None = None) -> Iterator[T]:
    """Yield `items` and report on stderr how many of `total` units are done, the rate and the time left.

    `size` gives the units of one item (for a batch of 64 images `size=len`); without it each item is one unit.
    Work shorter than the first interval writes nothing to a log."""
    terminal = sys.stderr.isatty()
    every = BAR_EVERY if terminal else LINE_EVERY
    start = last = time.monotonic()
    done, shown = 0, False
    for item in items:
        yield item
        done += size(item) if size is not None else 1
        now = time.monotonic()
        if now - last >= every:
            _show(done, total, unit, now - start, terminal)
            last, shown = now, True
    if shown and terminal:
        _show(done, total, unit, time.monotonic() - start, terminal)
        print(file=sys.stderr)


def _show(done: int, total: int, unit: str, seconds: float, terminal: bool) -> None:
    rate = done / seconds if seconds > 0 else 0.0
    left = duration((total - done) / rate) if rate > 0 else "?"
    speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    text = f"{done:,}/{total:,} {unit}, {speed} {unit}/s, {left} left"
    if terminal:
        filled = BAR_WIDTH * done // max(total, 1)
        print(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {text}\x1b[K", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds in words: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
