"""How far long work has come: a bar on a terminal, one line every ten seconds where stderr is a log file."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LINE_EVERY = 10.0  # seconds between lines in a log
BAR_EVERY = 0.2  # seconds between redraws on a terminal
BAR_WIDTH = 30  # characters


def progress(items: Iterable[T], total: int, unit: str, *, size: Callable[[T], int] | None = None) -> Iterator[T]:
    """Hand `items` through and tell on stderr how many of `total` units are done, the rate and the time left.

    `size` says how many units one item holds (a batch of 64 images: `size=len`); without it each item is one unit.
    Work shorter than the first interval leaves a log silent."""
    terminal = sys.stderr.isatty()
    every = BAR_EVERY if terminal else LINE_EVERY
    begin = last = time.monotonic()
    done, shown = 0, False
    for item in items:
        yield item
        done += size(item) if size is not None else 1
        now = time.monotonic()
        if now - last >= every:
            _show(done, total, unit, now - begin, terminal)
            last, shown = now, True
    if shown and terminal:
        _show(done, total, unit, time.monotonic() - begin, terminal)
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
    """Seconds in words a person reads at a glance: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
