"""Two photos exchange descriptions and keep their z (Perarnau et al. 2016), for systems that take one.

Measured on test faces without compositing: the share in which judge B sees what the other face's description says."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facet.base import images
from facet.evaluation.exam import Exam
from facet.evaluation.exhibits import in_columns
from facet.evaluation.rows import Row, concatenated, estimates_json
from facet.metrics.intervals import Estimate, wilson

SHOWN = 8  # pairs of the sheet


def swap_rows(exam: Exam, pairs: int) -> list[Row]:
    """For all attributes together and each: over both faces of up to `pairs` pairs, the share of attributes that differ
    between the two in which judge B's answer on the result is the donor's (`swapped`), and of those that are the same
    in which it stays (`kept`); beside both the plain reconstruction, a floor of the first.

    An attribute counts if both labels are known and judge B reads both photos as labelled."""
    system, judge = exam.editor.system, exam.judge
    seen = [name in system.attributes and judged for name, judged in zip(judge.attributes, judge.judged, strict=True)]
    columns = np.flatnonzero(seen)
    first, second = exam.pairs(pairs)
    if not system.y_dim or not len(columns) or not len(first):
        return []
    takers, donors = np.concatenate([first, second]), np.concatenate([second, first])
    table = _agreement(exam, takers, donors, columns)
    by_attribute = {"all": {name: _shares(values) for name, values in table.items()}}
    for k, column in enumerate(columns):
        by_attribute[judge.attributes[column]] = {name: values[:, k] for name, values in table.items()}
    rows = []
    for attribute, shares in by_attribute.items():
        people = {name: len(np.unique(exam.people[takers[np.isfinite(values)]])) for name, values in shares.items()}
        means = {name: _with_width(mean, people[name]) for name, mean in exam.means(takers, shares).items()}
        rows.append({"attribute": attribute, **estimates_json(means)})
    return rows


def _agreement(exam: Exam, takers: np.ndarray, donors: np.ndarray, columns: np.ndarray) -> dict[str, np.ndarray]:
    """1 where judge B's answer (n, columns) is the donor's label, 0 where not; NaN if an attribute does not count."""
    right = (exam.answers(exam.logits) == (exam.labels > 0)) & (exam.labels != 0)
    counts = (right[takers] & right[donors])[:, columns]
    labels, donated = exam.labels[takers][:, columns], exam.labels[donors][:, columns]
    logits: dict[str, list[np.ndarray]] = {"": [], "_reconstruction": []}
    for part, _, latent in exam.batches(takers):
        given = exam.latents[torch.from_numpy(donors[part]).to(latent.device)]
        for way, shown in (("", described_as(exam, latent, given)), ("_reconstruction", latent)):
            logits[way].append(exam.judge.logits(exam.editor.decode(shown)).cpu().numpy())
    agrees = {way: exam.answers(concatenated(parts))[:, columns] == (donated > 0) for way, parts in logits.items()}
    return {
        name + way: np.where(counts & which, agreed, np.nan)
        for name, which in (("swapped", labels != donated), ("kept", labels == donated))
        for way, agreed in agrees.items()
    }


def _with_width(share: Estimate, people: int) -> Estimate:
    """The share, with Wilson's interval for that many people if all faces agree, which no resample can vary."""
    if share.low != share.high:
        return share
    bound = wilson(round(share.value * people), people)
    return Estimate(share.value, bound.low, bound.high, share.n)


def _shares(values: np.ndarray) -> np.ndarray:
    """Mean over attributes (n, K) for each face, NaNs left out; NaN if there are only NaNs."""
    known = np.isfinite(values)
    count = known.sum(1)
    total = np.where(known, values, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def described_as(exam: Exam, latent: Tensor, donor: Tensor) -> Tensor:
    """z of latents (n, d) with y of others."""
    z_dim = exam.editor.system.z_dim
    return torch.cat([latent[:, :z_dim], donor[:, z_dim:]], dim=1)


def swap_sheets(exam: Exam) -> dict[str, Image.Image]:
    """`swap`, pairs in rows: both photos, their reconstructions, and each with the other's description."""
    first, second = exam.pairs(SHOWN)
    if not exam.editor.system.y_dim or not len(first):
        return {}
    a, b = (images.gather(exam.pixels, exam.rows[faces]).to(exam.editor.device) for faces in (first, second))
    of_a, of_b = exam.editor.encode(a), exam.editor.encode(b)
    columns = [("photo A", a), ("photo B", b)]
    columns += [
        (caption, exam.editor.decode(latent))
        for caption, latent in (
            ("A reconstructed", of_a),
            ("B reconstructed", of_b),
            ("A described as B", described_as(exam, of_a, of_b)),
            ("B described as A", described_as(exam, of_b, of_a)),
        )
    ]
    return {"swap": in_columns(columns, title="Two photos exchange descriptions", side=128)}
