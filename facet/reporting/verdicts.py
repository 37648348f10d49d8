"""The measures of the nightly gate in words."""

MEASURES = {  # title and unit of each measure in facet/nights/gate.py
    "success": ("edits that succeed", "percent"),
    "preservation": ("other attributes left alone", "percent"),
    "reconstruction": ("L2 of reconstructions, as a share", "share"),
    "kernel_distance": ("kernel distance of reconstructions to photos, in thousandths", "number"),
    "gap": ("widest gap in success between groups", "percent"),
}


def shown(value: float, unit: str, *, signed: bool = False) -> str:
    """A value in its unit; signed values are differences. Shares are in per cent, their differences in points. The unit
    `share` is for measures whose differences are shares of the measure, which is itself a plain number."""
    sign = "+" if signed else ""
    if unit == "percent":
        return f"{100 * value:{sign}.1f}{' points' if signed else ' %'}"
    if unit == "share" and signed:
        return f"{100 * value:{sign}.1f} %"
    return f"{value:{sign}.3g}" if abs(value) < 1000 else f"{value:{sign}.0f}"


def between(low: float, high: float, unit: str) -> str:
    """An interval of differences, with its unit once."""
    return f"{shown(low, unit, signed=True).split()[0]} to {shown(high, unit, signed=True)}"
