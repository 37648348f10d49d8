"""The section `nightly` of params.yaml."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from facet.base.errors import InputError
from facet.base.limits import Count, Limit, NonNegative, Positive, Share
from facet.base.params import from_mapping
from facet.editing.modes import check_mode
from facet.training.warm_start import LEAST_SHARE


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateSettings:
    """Tolerances and sizes of the gate. A tolerance is how much worse than a champion a candidate may be."""

    mode: str  # compositing of the edits (facet/editing/compositing.py)
    least_success: Share  # share of successful edits that the first champion needs
    success: NonNegative  # tolerance of the share of successful edits
    preservation: NonNegative  # tolerance of the share of other attributes left alone
    reconstruction: NonNegative  # tolerance of the reconstruction's L2, as a share of the champion's
    kernel_distance_floors: NonNegative  # tolerance of reconstructions' distance to photos, in half-widths of its floor
    gap: NonNegative  # tolerance of the widest gap in success between groups of people
    faces: Count  # most test faces per attribute and direction
    reconstructions: Count  # most test faces that are reconstructed
    bootstrap: Count  # resamples of every interval
    batch_size: Count  # faces per forward pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The section `nightly` of params.yaml."""

    systems: tuple[str, ...]  # systems that are trained, gated and promoted
    arrivals: Path  # folder of drop/, which holds deliveries, and quarantine/, which takes bad photos
    pull: str  # .dvc file of a data set that is fetched and takes the place of drop/; "" for none.
    settle: NonNegative  # seconds a delivery must be unchanged before it counts as complete
    hours: Positive  # hours after which training stops with a checkpoint; the next night continues
    start: Literal["scratch", "champion"]  # `champion`: training begins with the networks the champion's ended with.
    share: Annotated[float, Limit(LEAST_SHARE, 1)]  # share of the steps that such a training takes
    report: bool  # run evaluation and report after a promotion
    git: bool  # commit a promotion (dvc.lock, params.yaml, reports) and tag it as gto does: vigan@v0.0.3
    remote: str  # dvc remote that is pushed to after a promotion; "" for none.
    gate: GateSettings

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Settings":
        """The settings in the whole of params.yaml; InputError if a key, a value or a system does not fit."""
        hint = "`facet profile nightly --force` writes it anew"
        settings = from_mapping(cls, params.get("nightly") or {}, prefix="nightly.", hint=hint)
        check_mode(settings.gate.mode)
        systems = params.get("systems")
        if not isinstance(systems, Mapping) or not systems:
            raise InputError(f"params.yaml: `systems` names no system; {hint}")
        unknown = [name for name in settings.systems if name not in systems]
        if unknown or not settings.systems:
            raise InputError(
                f"params.yaml: nightly.systems names {unknown or 'none'}; choose among {', '.join(systems)}"
            )
        return settings
