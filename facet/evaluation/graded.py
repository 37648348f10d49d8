"""The effect of a real-valued entry of a description: on the same test faces it is set to seven values from -1 to +1
and decoded, and judge B reads the value from each picture (ViGAN's sliders: Gorijala and Dukkipati 2017, figure 7).

The floor is what judge B reads while another entry, drawn for each face, is set to the same values: it also rises for a
system in which every entry moves everything."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facet.base import compute, images
from facet.editing.directions import choose_rows
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, estimate_json, estimates_json, six_digits
from facet.metrics.graded import never_falls, rising, spearman
from facet.metrics.intervals import UNDEFINED, Estimate, bootstrap
from facet.pictures import sheets

VALUES = np.linspace(-1, 1, 7)
ENDS = 5 / 6  # beyond it a photo's value is closer to -1 or +1 than to the next of VALUES
SHOWN = 6  # faces of a sheet


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One attribute set to each of VALUES on n faces: judged values in [-1, 1]."""

    attribute: str
    faces: np.ndarray  # (n,) indices into Exam.rows
    judged: np.ndarray  # (n, 7)
    other: np.ndarray | None  # (n, 7) of the same attribute while another entry is set; None if there is no other


def sweeps(exam: Exam, count: int) -> list[Sweep]:
    """One sweep for every real-valued attribute that the system describes and the judges see, on up to `count` test
    faces whose value is known; none for systems without a description."""
    return [_sweep(exam, name, count) for name in _names(exam)]


def _names(exam: Exam) -> list[str]:
    system, seen = exam.editor.system, dict(zip(exam.judge.attributes, exam.judge.judged, strict=True))
    return [name for name in system.attributes if system.y_dim and name in exam.ranges and seen.get(name)]


def _sweep(exam: Exam, name: str, count: int) -> Sweep:
    system = exam.editor.system
    known = np.flatnonzero(exam.values[:, exam.column(name)])
    faces = known[choose_rows(count, len(known), exam.seed)]
    own = system.attributes.index(name)
    random = compute.generator(exam.seed, 15, own)
    others = (own + torch.randint(1, max(system.y_dim, 2), (len(faces),), generator=random)) % system.y_dim
    return Sweep(
        name,
        faces,
        _judged(exam, name, faces, torch.full_like(others, own)),
        _judged(exam, name, faces, others) if system.y_dim > 1 else None,
    )


def _judged(exam: Exam, name: str, faces: np.ndarray, entries: Tensor) -> np.ndarray:
    """Judge B's values of an attribute (n, 7) while one entry of each face's description (n,) takes each of VALUES."""
    column = exam.column(name)
    parts = []
    for part, _, latent in exam.batches(faces):
        pictures = (exam.editor.decode(described(exam, latent, entries[part], value)) for value in VALUES.tolist())
        logits = torch.stack([exam.judge.logits(picture)[:, column] for picture in pictures], 1)  # (n, 7)
        parts.append((logits.double() / 2).tanh().cpu().numpy())  # 2 p - 1
    return np.concatenate(parts) if parts else np.zeros((0, len(VALUES)))


def described(exam: Exam, latent: Tensor, entries: Tensor, value: float) -> Tensor:
    """Latents (n, d) with one entry of each description (n,) set to a value."""
    moved = latent.clone()
    moved[torch.arange(len(latent)), exam.editor.system.z_dim + entries] = value
    return moved


def graded_rows(exam: Exam, swept: Sequence[Sweep]) -> list[Row]:
    """One row per attribute and value: the mean judged value, and that of the floor."""
    rows = []
    for sweep in swept:
        judged = _means(exam, sweep.faces, sweep.judged)
        other = _means(exam, sweep.faces, sweep.other) if sweep.other is not None else [UNDEFINED] * len(VALUES)
        for value, own, floor in zip(VALUES.tolist(), judged, other, strict=True):
            rows.append(
                {
                    "attribute": sweep.attribute,
                    "value": six_digits(value),
                    "judged": estimate_json(own),
                    "floor": estimate_json(floor),
                }
            )
    return rows


def _means(exam: Exam, faces: np.ndarray, judged: np.ndarray) -> list[Estimate]:
    return list(exam.means(faces, {str(i): judged[:, i] for i in range(len(VALUES))}).values())


def summary_rows(exam: Exam, swept: Sequence[Sweep]) -> list[Row]:
    """One row per attribute. `spearman`: of judged and set values, mean over faces; `monotone`: share of faces whose
    judged values never fall; `rising`: share of the steps that rise; `range`: judged at +1 minus judged at -1;
    `range_photos`: the same of photos whose own value is near the ends. `floor_…`: the same of the floor."""
    rows = []
    for sweep in swept:
        row: Row = {"attribute": sweep.attribute, "faces": len(sweep.faces)}
        row |= estimates_json(_numbers(exam, sweep.faces, sweep.judged))
        row["mean_monotone"] = bool(never_falls(sweep.judged.mean(0))) if len(sweep.faces) else False
        row["range_photos"] = estimate_json(_range_of_photos(exam, sweep.attribute))
        floor = _numbers(exam, sweep.faces, sweep.other) if sweep.other is not None else {}
        row |= estimates_json({f"floor_{name}": floor.get(name, UNDEFINED) for name in NUMBERS})
        rows.append(row)
    return rows


NUMBERS = ("spearman", "monotone", "rising", "range")


def _numbers(exam: Exam, faces: np.ndarray, judged: np.ndarray) -> dict[str, Estimate]:
    columns = {
        "spearman": spearman(judged, VALUES),
        "rising": rising(judged),
        "range": judged[:, -1] - judged[:, 0],
    }
    numbers = exam.means(faces, columns) | {"monotone": exam.share(faces, never_falls(judged))}
    return {name: numbers[name] for name in NUMBERS}


def _range_of_photos(exam: Exam, name: str) -> Estimate:
    column = exam.column(name)
    true, judged = exam.values[:, column], np.tanh(exam.logits[:, column].astype(np.float64) / 2)
    ends = np.flatnonzero(np.abs(true) > ENDS)
    high, judged = true[ends] > 0, judged[ends]

    def spread(indices: np.ndarray) -> float:
        up = high[indices]
        if up.all() or not up.any():
            return float("nan")
        return float(judged[indices][up].mean() - judged[indices][~up].mean())

    return bootstrap(spread, len(ends), seed=exam.seed, clusters=exam.people[ends], count=exam.resamples)


def graded_sheets(exam: Exam, swept: Sequence[Sweep]) -> dict[str, Image.Image]:
    """By file name: test faces in rows, the photo and its picture at each of VALUES in columns."""
    by_name = {}
    for sweep in swept:
        faces = sweep.faces[:SHOWN]
        if not len(faces):
            continue
        entries = torch.full((len(faces),), exam.editor.system.attributes.index(sweep.attribute))
        columns: list[list[np.ndarray]] = [[] for _ in range(1 + len(VALUES))]
        for part, x, latent in exam.batches(faces):
            columns[0] += list(images.to_pixels(x))
            for column, value in zip(columns[1:], VALUES.tolist(), strict=True):
                column += list(images.to_pixels(exam.editor.decode(described(exam, latent, entries[part], value))))
        low, high = exam.ranges[sweep.attribute]
        name = sweep.attribute.replace("_", " ")
        by_name[f"graded_{sweep.attribute.lower()}"] = sheets.sheet(
            list(zip(*columns, strict=True)),
            ["photo", *(f"{value:+.2g}" if value else "0" for value in VALUES.tolist())],
            title=f"{name} set from -1 (in the data {low:.3g}) to +1 ({high:.3g})",
            scale=2,
        )
    return by_name
