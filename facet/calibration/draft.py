"""Directions before calibration."""

from collections.abc import Sequence

import numpy as np

from facet.editing.directions import ESTIMATORS, EstimatorSettings, LatentStatistics, Sample
from facet.editing.table import LEVELS, Direction


def draft_directions(
    names: Sequence[str],
    estimators: Sequence[str],
    statistics: LatentStatistics,
    sample: Sample,
    settings: EstimatorSettings,
) -> tuple[Direction, ...]:
    """The directions of every estimator for the attributes `names`, of which `statistics` and `sample` are; the first
    estimator is the chosen one, and nothing is calibrated."""
    unknown: dict[int, float | None] = dict.fromkeys(LEVELS)
    estimates = {name: ESTIMATORS[name](statistics, sample, settings) for name in estimators}
    return tuple(
        Direction(
            attribute=name,
            estimator=estimator,
            chosen=estimator == estimators[0],
            vector=vectors[k].astype(np.float32),
            standard_error=errors[k].astype(np.float32),
            n_positive=int(statistics.positives[k]),
            n_negative=int(statistics.negatives[k]),
            judged=False,
            add=unknown,
            remove=unknown,
            best=(None, None),
            fade=None,
            region=None,
            colours=None,
        )
        for k, name in enumerate(names)
        for estimator, (vectors, errors) in estimates.items()
    )
