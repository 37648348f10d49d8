"""Where the numbers of params.yaml may lie."""

import math
from typing import NamedTuple


class Limit(NamedTuple):
    """Where a number may lie: from `low` to `high`, without the ends that are `open`."""

    low: float
    high: float = math.inf
    open: str = ""  # "", "low", "high" or "both"

    def holds(self, value: float) -> bool:
        above = value > self.low if self.open in ("low", "both") else value >= self.low
        below = value < self.high if self.open in ("high", "both") else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.open in ("low", "both") else f"{self.low:g} or more"
        high = f"below {self.high:g}" if self.open in ("high", "both") else f"at most {self.high:g}"
        return low if self.high == math.inf else f"{low}, {high}"


ANY = Limit(-math.inf)
COUNT, AT_LEAST_0, POSITIVE = Limit(1), Limit(0), Limit(0, open="low")
SHARE, BELOW_1 = Limit(0, 1), Limit(0, 1, "high")
LIMITS = {  # one word for one thing: of fields with these names, in every stage and system
    "seed": AT_LEAST_0, "threads": COUNT, "batch_size": COUNT, "steps": COUNT, "log_every": COUNT,
    "workers": AT_LEAST_0,
    # sizes
    "size": Limit(8), "z_dim": COUNT, "width": COUNT, "width_a": COUNT, "width_b": COUNT, "width_d": COUNT,
    "width_e": COUNT, "kernel": Limit(2), "hidden": AT_LEAST_0, "hidden_y": COUNT, "hidden_z": COUNT,
    "kernels": AT_LEAST_0,
    # terms of losses
    "adversarial": AT_LEAST_0, "attribute": AT_LEAST_0, "centre": POSITIVE, "feature": AT_LEAST_0, "kl": AT_LEAST_0,
    "orthogonal": AT_LEAST_0, "pixel": AT_LEAST_0, "r1_gamma": AT_LEAST_0, "recognition": AT_LEAST_0,
    "warmup_kl": AT_LEAST_0, "label_smoothing": BELOW_1, "wrong_label": SHARE,
    # training
    "adversarial_from": SHARE, "beta1": BELOW_1, "dropout": BELOW_1, "edits": SHARE, "ema": BELOW_1,
    "final_rate": Limit(0, 1, "low"), "generator_updates": COUNT, "kl_ramp": AT_LEAST_0, "learning_rate": AT_LEAST_0,
    "learning_rate_d": AT_LEAST_0, "learning_rate_g": AT_LEAST_0, "learning_rate_v": AT_LEAST_0, "noise": AT_LEAST_0,
    "r1_every": COUNT, "warmup": AT_LEAST_0, "warmup_rate": POSITIVE, "weight_decay": AT_LEAST_0,
    # measurement
    "bootstrap": COUNT, "calibration_faces": COUNT, "faces": COUNT, "flips_goal": SHARE, "graded": COUNT,
    "margin": Limit(0, 10, "low"), "max_strength": POSITIVE, "megabytes": POSITIVE, "min_auroc": SHARE,
    "min_balanced_accuracy": SHARE, "min_count": Limit(2), "reconstructions": COUNT, "ridge": AT_LEAST_0,
    "samples": COUNT,
    "semi_supervised": AT_LEAST_0, "sheet_faces": COUNT, "strengths": POSITIVE, "strokes": COUNT, "success_goal": SHARE,
    "validation_faces": COUNT,
}  # fmt: skip
