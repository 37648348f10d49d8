"""Whether new pictures are like those that a model learned from: each dimension of their latents, and the share of
every attribute, against the training split.

PSI, the population stability index, over tenths of the training values: below .1 alike, from .25 on another population
(the credit industry's rule of thumb). Few people scatter: with n of them PSI is 9 / n in the mean even where nothing
changed, which is taken off; everybody is seen once. KS, the two-sample Kolmogorov-Smirnov test, and a test of two
shares for attributes say whether chance would do; over all dimensions and attributes by Holm's correction."""

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
SHIFTED = 0.25  # PSI of another population
SHARE = 0.1  # change of an attribute's share from where on it is told
FEWEST = 30  # people below which nothing can be said
REFERENCE = 20_000  # training latents compared with, at most


@dataclasses.dataclass(frozen=True)
class Drift:
    """What differs, most first; `alert` where it is large and no chance."""

    people: int  # new ones, each seen once
    psi_mean: float | None
    psi_worst: float | None
    dimensions: list[dict[str, Any]]  # name, psi, ks, p, shifted
    attributes: list[dict[str, Any]]  # name, before, now, p, shifted

    @property
    def alert(self) -> bool:
        """Whether somebody should look."""
        return any(row["shifted"] for row in (*self.dimensions, *self.attributes))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"alert": self.alert}

    def __str__(self) -> str:
        if self.psi_mean is None:
            return f"{self.people} people in the new pictures are too few to compare"
        found = [f"{row['name']} (PSI {row['psi']:.2f})" for row in self.dimensions if row["shifted"]][:3]
        found += [
            f"{row['name']} {100 * row['before']:.0f} -> {100 * row['now']:.0f} %"
            for row in self.attributes
            if row["shifted"]
        ][:5]
        if not found:
            return f"no drift in {self.people:,} new people (mean PSI {self.psi_mean:.3f})"
        return f"DRIFT in {self.people:,} new people: {', '.join(found)}; mean PSI {self.psi_mean:.2f}"


def compare(
    reference: np.ndarray,
    latents: np.ndarray,
    before: Mapping[str, np.ndarray],
    now: Mapping[str, np.ndarray],
) -> Drift:
    """Latents (n, d) of the training split and (m, d) of new pictures; labels of -1, 0 unknown and +1 by attribute."""
    if len(latents) < FEWEST or len(reference) < FEWEST:
        return Drift(len(latents), None, None, [], [])
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
    return Drift(len(latents), float(psi.mean()), float(psi.max()), dimensions, attributes)


def stability(reference: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """PSI (d,) of latents (m, d) against reference (n, d), over tenths of the reference, less what scatter alone would
    give; never below 0."""
    n, m = len(reference), len(latents)
    found = np.empty(reference.shape[1])
    for k in range(reference.shape[1]):
        edges = np.quantile(reference[:, k], np.linspace(0, 1, BINS + 1)[1:-1])
        expected = np.bincount(np.searchsorted(edges, reference[:, k]), minlength=BINS) / n
        seen = np.bincount(np.searchsorted(edges, latents[:, k]), minlength=BINS) / m
        expected, seen = (np.maximum(share, 0.5 / size) for share, size in ((expected, n), (seen, m)))
        found[k] = ((seen - expected) * np.log(seen / expected)).sum()
    return np.maximum(found - (BINS - 1) * (1 / n + 1 / m), 0)


def _share(labels: np.ndarray) -> tuple[int, int]:
    """How often it is present, of how many known."""
    return int((labels > 0).sum()), int((labels != 0).sum())


def _two_shares(first: int, n: int, second: int, m: int) -> float:
    """p value of equal shares (normal approximation, pooled)."""
    if not n or not m:
        return 1.0
    pooled = (first + second) / (n + m)
    error = np.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n + 1 / m))
    return float(2 * norm.sf(abs(first / n - second / m) / error))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Compare the pictures of one arrival with those that the champion learned from, by its encoder."""

    prepared: Path  # folder written by `prepare`
    champion: Path  # model folder
    shard: str  # the arrival: its pictures' image_id begins so
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
        raise InputError(f"{params.champion} sees {system.crop} at {system.size} pixels; {params.prepared} differs")
    table = faces.ok
    new = table["image_id"].str.startswith(f"{params.shard}/").to_numpy()
    old = np.flatnonzero((table["split"] == "train").to_numpy() & ~new)
    old = old[np.unique(faces.people()[old], return_index=True)[1]]
    if len(old) > REFERENCE:
        old = np.sort(np.random.default_rng(params.seed).choice(old, REFERENCE, replace=False))

    def encoded(rows: np.ndarray) -> np.ndarray:
        found = [np.zeros((0, system.z_dim), np.float32)]
        for start in range(0, len(rows), params.batch_size):
            x = images.gather(pixels, rows[start : start + params.batch_size]).to(device)
            with torch.inference_mode(), compute.autocast(device, params.precision):
                found.append(system.encode(x).float()[:, : system.z_dim].cpu().numpy())
        return np.concatenate(found)

    labels = dict(zip(faces.meta.attributes, faces.labels().T, strict=True))
    # one picture of everybody: pictures of one person are no independent witnesses
    places = np.flatnonzero(new)[np.unique(faces.people()[new], return_index=True)[1]]
    drift = compare(
        encoded(old),
        encoded(places),
        {name: values[old] for name, values in labels.items()},
        {name: values[places] for name, values in labels.items()},
    )
    write_json(params.report, drift.to_json() | {"told": str(drift)})
    log.info("%s", drift)


if __name__ == "__main__":
    run_stage(Params, run)
