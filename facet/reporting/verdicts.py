"""The measures of the gate in words that people read."""

MEASURES = {  # of facet/nights/gate.py: what each says, and its unit
    "success": ("edits that succeed", "percent"),
    "preservation": ("other attributes left alone", "percent"),
    "reconstruction": ("L2 of reconstructions, as a share", "share"),
    "kernel_distance": ("kernel distance of reconstructions to photos, in thousandths", "number"),
    "gap": ("widest gap in success between groups", "percent"),
}


def shown(value: float, unit: str, *, signed: bool = False) -> str:
    """A value for people: shares as per cent, differences of them in points; a measure whose differences are a `share`
    of it is a number itself."""
    sign = "+" if signed else ""
    if unit == "percent":
        return f"{100 * value:{sign}.1f}{' points' if signed else ' %'}"
    if unit == "share" and signed:
        return f"{100 * value:{sign}.1f} %"
    return f"{value:{sign}.3g}" if abs(value) < 1000 else f"{value:{sign}.0f}"


def between(low: float, high: float, unit: str) -> str:
    """An interval of differences, its unit once."""
    return f"{shown(low, unit, signed=True).split()[0]} to {shown(high, unit, signed=True)}"
