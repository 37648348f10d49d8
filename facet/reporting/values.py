"""Numbers and names as the pages of the report write them."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from facet.reporting.inputs import Json

Estimate = Mapping[str, Any]  # {value, low, high, n}
ON_OFF = {"add": "on", "remove": "off"}


def readable(name: str) -> str:
    """An attribute, a file or a data set as a heading: Mouth_Slightly_Open -> Mouth slightly open."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:].lower() if words.isascii() else words


def data_set(source: str) -> str:
    """The name of a data set: `celeba`, or the place of own pictures, as inputs.read writes it into `source`."""
    kind, _, place = source.partition(" ")
    return place or kind


def faces_of(source: str, what: str = "faces") -> str:
    """celeba faces, or faces of arrivals/faces."""
    return f"{what} of {data_set(source)}" if " " in source else f"{source.replace('_', ' ')} {what}"


def spec(text: str) -> str:
    """An edit spec in words: `Smiling=on, Blond_Hair=+1` -> Smiling on, Blond Hair +1."""
    return text.replace("_", " ").replace("=", " ")


def formatted(estimate: Estimate | float | None, kind: str = "number") -> Markup:
    """A value with its interval, n in the hover title. Kinds: number, percent, points, db, levels, sum, share."""
    if estimate is None:
        return Markup('<span class="none">–</span>')
    if not isinstance(estimate, Mapping):
        return Markup("<b>{}</b>").format(plain(estimate, kind))
    if estimate["value"] is None:
        return Markup('<span class="none" title="not defined, n = {}">–</span>').format(estimate["n"])
    low, high = estimate["low"], estimate["high"]
    exact = low is None or (low == high == estimate["value"])
    interval = Markup("") if exact else Markup(" <small>{}</small>").format(span(low, high, kind))
    return Markup('<span class="num" title="n = {}"><b>{}</b>{}</span>').format(
        grouped(estimate["n"]), plain(estimate["value"], kind), interval
    )


def plain(value: float, kind: str) -> str:
    """A number in its unit, with a true minus sign."""
    return _plain(value, kind).replace("-", "\u2212")


def _plain(value: float, kind: str) -> str:
    if kind == "percent":
        return f"{_percent(value)} %"
    if kind == "points":
        return f"{100 * value:.2f} %"
    if kind == "db":
        return f"{value:.1f} dB"
    if kind == "levels":
        return f"{value:.1f}"
    if kind == "sum":
        return grouped(round(value))
    if kind == "share":
        return f"{value:.3f}"
    return f"{value:.3g}" if abs(value) < 1000 else grouped(round(value))


def span(low: float, high: float, kind: str) -> str:
    """An interval in a unit that stands beside it already."""
    ends = [plain(end, kind).removesuffix(" dB").removesuffix(" %") for end in (low, high)]
    return (" to " if low < 0 else " – ").join(ends)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if abs(value) < 0.1 and value else f"{100 * value:.0f}"


def grouped(n: int) -> str:
    """12,345."""
    return f"{n:,}"


def millions(n: int) -> str:
    """In millions, three significant digits: 1.2 M, 0.31 M."""
    return f"{n / 1e6:.3g} M"


def signed(value: float) -> str:
    """Two decimals and a sign: +0.25, −1.30."""
    return f"{value:+.2f}".replace("-", "\u2212")


def short(estimate: Estimate | None, kind: str) -> str:
    """A value without its interval; a dash if there is none."""
    return "–" if not estimate or estimate["value"] is None else plain(estimate["value"], kind)


def grade(estimate: Estimate | None, goal: float, *, up: bool = True) -> str:
    """`good` if the value meets the goal, `near` if it misses but its interval holds the goal, `bad` otherwise; `none`
    without a value. `up` means that more is better."""
    if not estimate or estimate["value"] is None:
        return "none"
    better = estimate["value"] >= goal if up else estimate["value"] <= goal
    if better:
        return "good"
    edge = estimate["high"] if up else estimate["low"]
    return "near" if edge is not None and ((edge >= goal) if up else (edge <= goal)) else "bad"


def complement(estimate: Estimate) -> Json:
    """The estimate of 1 - share."""
    ends = [None if estimate[end] is None else 1 - estimate[end] for end in ("value", "high", "low")]
    return dict(zip(("value", "low", "high"), ends, strict=True)) | {"n": estimate["n"]}
