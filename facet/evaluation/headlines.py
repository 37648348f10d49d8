"""The evaluation's headline numbers and plots, from the sections of its report."""

from collections.abc import Mapping, Sequence

import numpy as np

from facet.evaluation.rows import Row, flat_row, six_digits
from facet.evaluation.trials import TARGET

PLOTTED = ("edits", "curves", "entanglement", "controls", "reconstruction", "samples", "graded")


def headlines(sections: Mapping[str, Sequence[Row]]) -> dict[str, float | None]:
    """The few numbers that `dvc metrics` shows (it ignores lists): means over attributes and directions."""
    target = [row for row in sections["edits"] if row["setting"] == TARGET]
    means = {row["name"]: row["value"]["value"] for row in sections["summary"]}
    in_use = next(row for row in sections["reconstruction"] if row.get("note") == "in use")
    sets = {row["name"]: row for row in sections["samples"]}
    numbers = {
        "success_mean": means["success"],
        "success_add": means["success_add"],
        "success_remove": means["success_remove"],
        "success_worst": min((row["success"]["value"] for row in target), default=None),
        "flips_mean": means["flips"],
        "success_s80": means["success_s80"],
        "flips_s80": means["flips_s80"],
        "flips_matched": means.get("flips_matched"),
        "unmatched": means.get("unmatched"),
        "control_random": means["random"],
        "psnr": in_use["psnr"]["value"],
        "ssim_loss": in_use["ssim_loss"]["value"],
        "l2": in_use["l2"]["value"],
        "l1": in_use["l1"]["value"],
        **{
            f"kid_{name}": sets[row]["judge_kid"]["value"] if row in sets else None
            for name, row in (
                ("samples", "prior"),
                ("reconstructions", "reconstructions"),
                ("edits", "edits"),
                ("floor", "real photos"),
            )
        },
        "latents_auroc": _mean(sections["latents"], "auroc"),
    }
    return {name: six_digits(value) for name, value in numbers.items()}


def _mean(rows: Sequence[Row], name: str) -> float | None:
    """The mean of one number over the rows that define it."""
    values = [row[name]["value"] for row in rows if name in row and row[name]["value"] is not None]
    return float(np.mean(values)) if values else None


def plots(sections: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The sections that `dvc plots` draws, as flat tables."""
    return {name: [flat_row(row) for row in sections[name]] for name in PLOTTED if sections[name]}
