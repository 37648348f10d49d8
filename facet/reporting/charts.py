"""Charts as inline SVG text. Colours are CSS classes of the page, so that they follow light and dark mode; every mark
shows its numbers in a hover title. Coordinates are rounded to a tenth of a pixel, so the same numbers give the same
text."""

import dataclasses
import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

Number = float | None


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve of points (x, y), with a band if `lows` and `highs` are given; a y of None interrupts it."""

    name: str
    style: str  # CSS class: one, two, three, faint
    xs: Sequence[float]
    ys: Sequence[Number]
    lows: Sequence[Number] = ()
    highs: Sequence[Number] = ()
    percent: bool = False

    def hover_text(self, x: float, y: float, i: int) -> str:
        """The hover text of one point."""
        interval = ""
        if self.lows and self.lows[i] is not None and self.highs[i] is not None:
            interval = f" ({number(self.lows[i], self.percent)} to {number(self.highs[i], self.percent)})"
        return f"{self.name} at {x:g}: {number(y, self.percent)}{interval}"


def number(value: Number, percent: bool = False) -> str:
    """A value with three significant digits, or a share in per cent."""
    if value is None:
        return "not defined"
    if percent:
        return f"{100 * value:.0f} %" if abs(value) >= 0.1 or value == 0 else f"{100 * value:.1f} %"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    low: float,
    high: float,
    width: int = 220,
    height: int = 130,
    ticks: Sequence[float] = (),
    x_ticks: Sequence[float] = (),
    percent: bool = False,
    marks: bool = True,
    rule: Number = None,
) -> Markup:
    """Curves over a common x axis, y from `low` to `high`; `rule` is a dashed horizontal line (a goal)."""
    left, right, top, bottom = 40, 8, 8, 18
    xs = [x for line in lines for x in line.xs] or [0.0, 1.0]
    first, last = min(xs), max(xs)
    span = high - low or 1.0

    def at_x(x: float) -> float:
        return left + (x - first) / ((last - first) or 1.0) * (width - left - right)

    def at_y(y: float) -> float:
        return top + (1 - (min(max(y, low), high) - low) / span) * (height - top - bottom)

    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
    ]
    for tick in ticks:
        y = at_y(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{left - 4}" y="{y + 3:.1f}" text-anchor="end">{number(tick, percent)}</text>'
        )
    parts += [
        f'<text class="tick" x="{at_x(tick):.1f}" y="{height - 4}" '
        f'text-anchor="{"end" if tick == last else "middle"}">{axis(tick)}</text>'
        for tick in x_ticks
    ]
    if rule is not None:
        y = at_y(rule)
        parts.append(f'<line class="rule" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts += [_band(line, at_x, at_y) for line in lines]
    for line in lines:
        for run in _runs(line):
            points = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for _, x, y in run)
            parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
        if marks:
            for run in _runs(line):
                parts += [
                    f'<circle class="dot {line.style}" cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="2.6">'
                    f"<title>{escape(line.hover_text(x, y, i))}</title></circle>"
                    for i, x, y in run
                ]
    return Markup("".join(parts) + "</svg>")


def axis(value: float) -> str:
    """The label of a tick of the x axis: 2000 as 2k."""
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _runs(line: Line) -> list[list[tuple[int, float, float]]]:
    runs: list[list[tuple[int, float, float]]] = [[]]
    for i, (x, y) in enumerate(zip(line.xs, line.ys, strict=True)):
        if y is None or not math.isfinite(y):
            runs.append([])
        else:
            runs[-1].append((i, x, y))
    return [run for run in runs if run]


def _band(line: Line, at_x: Callable[[float], float], at_y: Callable[[float], float]) -> str:
    if not line.lows:
        return ""
    known = [
        (x, low, high)
        for x, low, high in zip(line.xs, line.lows, line.highs, strict=True)
        if low is not None and high is not None
    ]
    if len(known) < 2:
        return ""
    upper = [f"{at_x(x):.1f},{at_y(high):.1f}" for x, _, high in known]
    lower = [f"{at_x(x):.1f},{at_y(low):.1f}" for x, low, _ in reversed(known)]
    return f'<polygon class="band {line.style}" points="{" ".join(upper + lower)}"/>'


def interval(
    value: Number,
    low: Number,
    high: Number,
    *,
    first: float = 0.0,
    last: float = 1.0,
    goal: Number = None,
    style: str = "one",
    title: str = "",
) -> Markup:
    """A dot with its interval on a track from `first` to `last`, and a tick at the goal; for table cells."""
    width, height = 110, 14
    parts = [f'<svg class="interval" viewBox="0 0 {width} {height}" role="img"><title>{escape(title)}</title>']
    parts.append(f'<line class="track" x1="4" x2="{width - 4}" y1="7" y2="7"/>')

    def at(x: float) -> float:
        return 4 + (min(max(x, first), last) - first) / ((last - first) or 1.0) * (width - 8)

    if goal is not None:
        parts.append(f'<line class="goal" x1="{at(goal):.1f}" x2="{at(goal):.1f}" y1="1" y2="13"/>')
    if low is not None and high is not None:
        parts.append(f'<line class="whisker {style}" x1="{at(low):.1f}" x2="{at(high):.1f}" y1="7" y2="7"/>')
    if value is not None:
        parts.append(f'<circle class="dot {style}" cx="{at(value):.1f}" cy="7" r="3.4"/>')
    return Markup("".join(parts) + "</svg>")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a heat map; its colour shows a value from -1 to 1."""

    value: Number
    title: str  # hover text
    mark: str = ""  # text in the cell
    own: bool = False  # cell of the diagonal, which is framed


def heat_map(title: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Cell]]) -> Markup:
    """A matrix of cells; the hue shows the sign of a value, the strength of the colour its size."""
    side, left, top = (
        (18 if len(columns) > 16 else 23),
        128,
        100,
    )  # two maps of twenty attributes fit side by side
    width, height = left + side * len(columns) + 66, top + side * len(rows) + 4
    parts = [
        f'<svg class="heat" viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
    ]
    for j, name in enumerate(columns):
        x = left + side * j + side / 2
        parts.append(
            f'<text class="label" transform="translate({x + 3:.1f} {top - 6}) rotate(-48)">{escape(name)}</text>'
        )
    for i, name in enumerate(rows):
        y = top + side * i
        parts.append(
            f'<text class="label" x="{left - 6}" y="{y + side / 2 + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        for j, cell in enumerate(cells[i]):
            x = left + side * j
            strength = 0.0 if cell.value is None else min(1.0, abs(cell.value))
            hue = "plus" if (cell.value or 0) >= 0 else "minus"
            frame = " own" if cell.own else ""
            parts.append(
                f'<g><title>{escape(cell.title)}</title><rect class="cell{frame}" x="{x}" y="{y}" width="{side - 1}" '
                f'height="{side - 1}"/><rect class="{hue}" fill-opacity="{strength:.2f}" x="{x}" y="{y}" '
                f'width="{side - 1}" height="{side - 1}"/>'
            )
            if cell.mark:
                dark = " strong" if strength > 0.55 else ""
                parts.append(
                    f'<text class="mark{dark}" x="{x + side / 2 - 0.5:.1f}" y="{y + side / 2 + 3.5:.1f}" '
                    f'text-anchor="middle">{escape(cell.mark)}</text>'
                )
            parts.append("</g>")
    return Markup("".join(parts) + "</svg>")


def nice_ticks(low: float, high: float, count: int = 3) -> list[float]:
    """A few round numbers between `low` and `high`."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    step = 10 ** math.floor(math.log10(span / count))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= count)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]
