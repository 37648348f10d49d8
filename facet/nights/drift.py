"""Drift of newcomers: their latents compared with those of people held out of training (the valid split), their
attributes with those of the train and valid splits.

Held out, because an encoder places the very photos it was trained on unlike all others, so newcomers of the same
population would differ from them.

PSI, the population stability index, is taken over deciles of the earlier people's values of each dimension: below 0.1
the populations are alike, from 0.25 they differ (the credit industry's rule of thumb). With n people its mean is 9 / n
even without any change, which is subtracted. Each person counts once. The two-sample Kolmogorov-Smirnov test for
dimensions and a test of two shares for attributes rule out chance, with Holm's correction over all of them."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import ks_2samp, norm

from facet import systems
from facet.base import compute, images
from facet.base.errors import InputError
from facet.base.files import write_json
from facet.base.limits import Count, Natural
from facet.base.params import Device, Precision, run_stage
from facet.base.tables import read_faces
from facet.metrics.intervals import holm

log = logging.getLogger(__name__)

BINS = 10
SHIFTED = 0.25  # least PSI that is reported
SHARE = 0.1  # least change of an attribute's share that is reported
FEWEST = 30  # people needed for a comparison
REFERENCE = 20_000  # most latents to compare with


@dataclasses.dataclass(frozen=True)
class Drift:
    """Differences of newcomers from earlier people, the largest first."""

    people: int  # newcomers, each counted once
    reference: int  # people held out of training, each counted once
    psi_mean: float | None
    psi_worst: float | None
    dimensions: list[dict[str, Any]]  # name, psi, ks, p, shifted
    attributes: list[dict[str, Any]]  # name, before, now, p, shifted

    @property
    def alert(self) -> bool:
        """True if a difference is large and not due to chance."""
        return any(row["shifted"] for row in (*self.dimensions, *self.attributes))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"alert": self.alert, "summary": str(self)}

    def __str__(self) -> str:
        if self.psi_mean is None and self.people < FEWEST:
            return f"{self.people:,} new people are too few for a comparison"
        if self.psi_mean is None:
            return f"{self.reference:,} people held out of training are too few for a comparison"
        shifted = [f"{row['name']} (PSI {row['psi']:.2f})" for row in self.dimensions if row["shifted"]][:3]
        shifted += [
            f"{row['name']} {100 * row['before']:.0f} -> {100 * row['now']:.0f} %"
            for row in self.attributes
            if row["shifted"]
        ][:5]
        if not shifted:
            return f"no drift in {self.people:,} new people (mean PSI {self.psi_mean:.3f})"
        return f"DRIFT in {self.people:,} new people: {', '.join(shifted)}; mean PSI {self.psi_mean:.2f}"


def compare(
    reference: np.ndarray,
    latents: np.ndarray,
    before: Mapping[str, np.ndarray],
    now: Mapping[str, np.ndarray],
) -> Drift:
    """Compare newcomers with earlier people.

    `reference` and `latents` are latents (n, d) of people held out of training and (m, d) of newcomers; `before` and
    `now` are labels of earlier people and newcomers by attribute: -1, +1, 0 unknown."""
    if len(latents) < FEWEST or len(reference) < FEWEST:
        return Drift(len(latents), len(reference), None, None, [], [])
    psi = stability(reference, latents)
    tests = [ks_2samp(reference[:, k], latents[:, k], method="asymp") for k in range(reference.shape[1])]
    names = sorted(set(before) & set(now))
    shares = [(*_share(before[name]), *_share(now[name])) for name in names]
    p_dimensions = np.array([float(test.pvalue) for test in tests])
    p_attributes = np.array([_two_shares(*one) for one in shares])
    real = holm(np.concatenate([p_dimensions, p_attributes]))
    dimensions: list[dict[str, Any]] = [
        {
            "name": f"z{k}",
            "psi": float(psi[k]),
            "ks": float(tests[k].statistic),
            "p": float(p_dimensions[k]),
            "shifted": bool(real[k] and psi[k] >= SHIFTED),
        }
        for k in range(len(psi))
    ]
    attributes: list[dict[str, Any]] = [
        {
            "name": name,
            "before": first / n,
            "now": second / m,
            "p": float(p),
            "shifted": bool(is_real and abs(first / n - second / m) >= SHARE),
        }
        for name, (first, n, second, m), p, is_real in zip(names, shares, p_attributes, real[len(psi) :], strict=True)
        if n and m
    ]
    dimensions.sort(key=lambda row: -row["psi"])
    attributes.sort(key=lambda row: -abs(row["before"] - row["now"]))
    return Drift(len(latents), len(reference), float(psi.mean()), float(psi.max()), dimensions, attributes)


def stability(reference: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """PSI (d,) of latents (m, d) against reference (n, d), over deciles of the reference, less its mean without any
    change; 0 or more."""
    n, m = len(reference), len(latents)
    psi = np.empty(reference.shape[1])
    for k in range(reference.shape[1]):
        edges = np.quantile(reference[:, k], np.linspace(0, 1, BINS + 1)[1:-1])
        expected = np.bincount(np.searchsorted(edges, reference[:, k]), minlength=BINS) / n
        seen = np.bincount(np.searchsorted(edges, latents[:, k]), minlength=BINS) / m
        expected, seen = (np.maximum(share, 0.5 / size) for share, size in ((expected, n), (seen, m)))
        psi[k] = ((seen - expected) * np.log(seen / expected)).sum()
    return np.maximum(psi - (BINS - 1) * (1 / n + 1 / m), 0)


def _share(labels: np.ndarray) -> tuple[int, int]:
    """Number of labels that are present, and of those that are known."""
    return int((labels > 0).sum()), int((labels != 0).sum())


def _two_shares(first: int, n: int, second: int, m: int) -> float:
    """p value of equal shares first / n and second / m (normal approximation, pooled)."""
    if not n or not m:
        return 1.0
    pooled = (first + second) / (n + m)
    error = np.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n + 1 / m))
    return float(2 * norm.sf(abs(first / n - second / m) / error))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Compare the photos of one shard with those of people that the champion did not learn from, by its encoder."""

    prepared: Path  # folder written by `prepare`
    champion: Path  # model folder
    shard: str  # name of the shard, with which the image_id of its photos begins
    report: Path  # out: JSON
    batch_size: Count
    seed: Natural
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    system = systems.load(params.champion, device)
    if (system.crop, system.size, system.channels) != (faces.meta.crop, faces.meta.size, faces.meta.channels):
        raise InputError(
            f"{params.champion} was trained on {system.crop} at {system.size} pixels; {params.prepared} differs"
        )
    table = faces.ok
    split, new = table["split"].to_numpy(), table["image_id"].str.startswith(f"{params.shard}/").to_numpy()
    earlier, held_out, newcomers = (
        _one_each(faces.people(), rows)
        for rows in (~new & np.isin(split, ("train", "valid")), ~new & (split == "valid"), new)
    )
    if len(held_out) > REFERENCE:
        held_out = np.sort(np.random.default_rng(params.seed).choice(held_out, REFERENCE, replace=False))

    def encoded(rows: np.ndarray) -> np.ndarray:
        latents = [np.zeros((0, system.z_dim), np.float32)]
        for start in range(0, len(rows), params.batch_size):
            x = images.gather(pixels, rows[start : start + params.batch_size]).to(device)
            with torch.inference_mode(), compute.autocast(device, params.precision):
                latents.append(system.encode(x).float()[:, : system.z_dim].cpu().numpy())
        return np.concatenate(latents)

    labels = dict(zip(faces.meta.attributes, faces.labels().T, strict=True))
    drift = compare(
        encoded(held_out),
        encoded(newcomers),
        {name: values[earlier] for name, values in labels.items()},
        {name: values[newcomers] for name, values in labels.items()},
    )
    write_json(params.report, drift.to_json())
    log.info("%s", drift)


def _one_each(people: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The row of one chosen photo of every person, since photos of one person are not independent."""
    rows = np.flatnonzero(chosen)
    return rows[np.unique(people[rows], return_index=True)[1]]


if __name__ == "__main__":
    run_stage(Params, run)
