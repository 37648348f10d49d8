"""Differences of a score between groups of people (Male x Young): each group's mean, and the largest gap."""

import dataclasses

import numpy as np

from facet.metrics.intervals import RESAMPLES, Estimate, bootstrap_mean, by_cluster, percentile, resampled

FEWEST = 20  # images below which a group's mean is shown but does not enter the gap
PERMUTATIONS = 1_000


@dataclasses.dataclass(frozen=True)
class Gap:
    """Means by group, largest minus smallest, and how often a random regrouping of people has as large a gap."""

    groups: dict[str, Estimate]
    gap: Estimate  # max - min over groups of at least FEWEST images; never negative, so read it with p
    p: float  # permutation p value of "no difference"; correct over many scores with `intervals.holm`

    def to_json(self) -> dict[str, object]:
        groups = {name: estimate.to_json() for name, estimate in self.groups.items()}
        return {"groups": groups, "gap": self.gap.to_json(), "p": self.p if np.isfinite(self.p) else None}


def cells(first: np.ndarray, second: np.ndarray, names: tuple[str, str]) -> np.ndarray:
    """Labels (n,) of two attributes -> group names (n,) such as "Male, not Young"; "" if either is unknown."""
    parts = [np.where(labels > 0, name, f"not {name}") for labels, name in zip((first, second), names, strict=True)]
    joined = np.char.add(np.char.add(parts[0], ", "), parts[1])
    return np.where((first != 0) & (second != 0), joined, "")


def gap(
    values: np.ndarray, groups: np.ndarray, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES
) -> Gap:
    """One number per image (n,) and group names (n,), "" left out -> the gap. With the
    person on each image (n,) in `clusters`, people are resampled, and people exchange their groups by chance."""
    known = (groups != "") & np.isfinite(values)
    values, groups = np.asarray(values, np.float64)[known], np.asarray(groups)[known]
    clusters = None if clusters is None else np.asarray(clusters)[known]
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    means = {
        str(name): bootstrap_mean(
            values[codes == g], seed=seed, clusters=None if clusters is None else clusters[codes == g], count=count
        )
        for g, name in enumerate(names)
    }
    entering = np.flatnonzero(sizes >= FEWEST)
    if len(entering) < 2:
        return Gap(means, Estimate(float("nan"), float("nan"), float("nan"), len(values)), float("nan"))

    def spread(indices: np.ndarray, members: np.ndarray) -> float:
        totals = np.bincount(members[indices], values[indices], len(names))[entering]
        counts = np.bincount(members[indices], minlength=len(names))[entering]
        present = totals[counts > 0] / counts[counts > 0]
        return float(present.max() - present.min()) if len(present) > 1 else float("nan")

    everyone = np.arange(len(values))
    value = spread(everyone, codes)
    draws = [spread(chosen, codes) for chosen in resampled(len(values), seed=seed, clusters=clusters, count=count)]
    rng = np.random.default_rng(seed)
    people = everyone if clusters is None else clusters
    as_large = sum(spread(everyone, exchanged(codes, people, rng)) >= value for _ in range(PERMUTATIONS))
    p = (as_large + 1) / (PERMUTATIONS + 1)
    return Gap(means, percentile(value, np.array(draws), len(values)), p)


def exchanged(codes: np.ndarray, people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The group (n,) of each image after every person took those of another: the images of a person keep their values
    and stay together. Who has more images than the other takes the other's groups in turn."""
    order, starts = by_cluster(people)
    sizes = np.diff(np.append(starts, len(codes)))
    other = np.repeat(rng.permutation(len(sizes)), sizes)
    turn = np.arange(len(codes)) - np.repeat(starts, sizes)
    taken = np.empty_like(codes)
    taken[order] = codes[order][starts[other] + turn % sizes[other]]
    return taken
