"""All edits of one case, decoded once and judged.

Notation: x photo, r = G(E(x)) reconstruction, e = decoded edit, y = what the user gets. Three contrasts are kept apart:
x -> r is the autoencoder's loss, r -> e is the edit, x -> y is what the user gets."""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from facet.base import compute
from facet.editing import compositing
from facet.editing.editor import EditResult
from facet.editing.spec import Change, Spec
from facet.editing.table import LEVELS, STRENGTH_LEVEL
from facet.evaluation.exam import Exam
from facet.evaluation.rows import concatenated
from facet.evaluation.samples import Shown
from facet.metrics.success import Case

TARGET = "target"  # the setting `on` or `off`
MAIN = "s80"  # the strength of 80 % success on validation, at which directions are compared
NAMED = (MAIN, "s90", "s95", TARGET)  # the settings that the report describes in full
CONTROLS = ("random", "shuffled")
LEVEL = 127.5  # 8-bit levels in one unit of [-1, 1]


@dataclasses.dataclass(frozen=True)
class Details:
    """Further numbers of a named setting, for n faces."""

    e: np.ndarray  # (n, K) logits of judge B on the decoded edit
    other: np.ndarray  # (n,) bool: judge A sees the attribute in y
    change: np.ndarray  # (n,) mean |y - x| in levels
    outside: np.ndarray  # (n,) largest |y - x| in levels where the mask is 0
    mask: np.ndarray  # (n,) mean mask


@dataclasses.dataclass(frozen=True)
class Reencoded:
    """The result encoded again."""

    drift: np.ndarray  # (n,) |E(y) - (z + s v)| / |s v|
    undo: np.ndarray  # (n,) mean |G(E(y) - s v) - r| in levels
    features: np.ndarray  # (n, d) of judge A on y


@dataclasses.dataclass(frozen=True)
class Trial:
    """One edit of the n faces of a case."""

    y: np.ndarray  # (n, K) logits of judge B on what the user gets
    details: Details | None = None
    reencoded: Reencoded | None = None


@dataclasses.dataclass(frozen=True)
class TriedCase:
    """All edits of one case, by setting."""

    case: Case
    r: np.ndarray  # (n, K) logits of judge B on the reconstructions
    trials: dict[str, Trial]
    factors: dict[str, float]  # setting -> multiples of the strength of 80 % success


def settings(exam: Exam, case: Case, strengths: Sequence[float]) -> dict[str, Change]:
    """The edits to try: s80, s90, s95, the target on or off, and `x…` for multiples of the calibrated strength."""
    direction = exam.editor.table.chosen(case.attribute)
    reach, sign = exam.editor.table.meta.max_strength, case.sign
    unit = direction.unit(case.on, STRENGTH_LEVEL, reach)
    changes = {
        f"s{level}": Change(case.attribute, add=sign * direction.unit(case.on, level, reach) / unit)
        for level in LEVELS
        if level >= STRENGTH_LEVEL
    }
    changes[TARGET] = Change(case.attribute, on=case.on)
    return changes | {f"x{factor:g}": Change(case.attribute, add=sign * factor) for factor in strengths}


def try_case(exam: Exam, case: Case, strengths: Sequence[float]) -> TriedCase:
    """Decode and judge every setting of one case, and the two control directions, which should have no effect."""
    changes = settings(exam, case, strengths)
    parts: dict[str, list[Trial]] = {name: [] for name in (*changes, *CONTROLS)}
    reconstructed = []
    for part, x, latent in exam.batches(case.faces):
        r = exam.editor.decode(latent)
        reconstructed.append(exam.judge.logits(r).cpu().numpy())
        done: dict[Change, Trial] = {}  # settings that amount to the same edit are decoded once
        for name, change in changes.items():
            if change not in done:
                done[change] = _edited(exam, x, latent, r, change, named=name in NAMED, reencode=name == MAIN)
            parts[name].append(done[change])
        for control in CONTROLS:
            parts[control].append(_control(exam, case, part, x, latent, r, control))
    return TriedCase(
        case,
        np.concatenate(reconstructed),
        {name: joined(batches) for name, batches in parts.items()},
        {name: abs(change.add) for name, change in changes.items() if change.add is not None},
    )


def _edited(exam: Exam, x: Tensor, latent: Tensor, r: Tensor, change: Change, *, named: bool, reencode: bool) -> Trial:
    result = exam.editor.apply_to(x, latent, r, Spec((change,)), exam.mode)
    y = exam.judge.logits(result.y).cpu().numpy()
    if not named:
        return Trial(y)
    difference = (result.y - x).abs() * LEVEL  # (n, C, S, S)
    column = exam.other.attributes.index(change.attribute)
    details = Details(
        e=y if exam.mode == "decode" else exam.judge.logits(result.edited).cpu().numpy(),
        other=exam.other.predict(result.y)[:, column].cpu().numpy(),
        change=difference.mean((1, 2, 3)).cpu().numpy(),
        outside=(difference * (result.mask == 0)).amax((1, 2, 3)).cpu().numpy(),
        mask=result.mask.mean((1, 2, 3)).cpu().numpy(),
    )
    return Trial(y, details, _reencoded(exam, result, r) if reencode else None)


def _reencoded(exam: Exam, result: EditResult, r: Tensor) -> Reencoded:
    shift = result.edited_latent - result.latent
    latent = exam.editor.encode(result.y)
    undone = exam.editor.decode(latent - shift)
    return Reencoded(
        drift=((latent - result.edited_latent).norm(dim=1) / shift.norm(dim=1).clamp(min=1e-9)).cpu().numpy(),
        undo=((undone - r).abs() * LEVEL).mean((1, 2, 3)).cpu().numpy(),
        features=exam.other.features(result.y).cpu().numpy(),
    )


def _control(exam: Exam, case: Case, part: slice, x: Tensor, latent: Tensor, r: Tensor, control: str) -> Trial:
    """The edit at the calibrated strength with each face's step replaced by one of the same length in a direction
    unrelated to the attribute: random for each face, or estimated from shuffled labels."""
    changes = exam.editor.changes(latent, Spec((Change(case.attribute, add=1.0 if case.on else -1.0),)))
    length = changes.shift.norm(dim=1, keepdim=True)
    if control == "random":
        noise = compute.generator(exam.seed, 11, exam.column(case.attribute), int(case.on), part.start)
        direction = torch.randn(latent.shape, generator=noise).to(latent.device)
    else:
        direction = exam.shuffled[case.attribute].to(latent.device).expand_as(latent)
        direction = direction if case.on else -direction
    shift = direction * (length / direction.norm(dim=1, keepdim=True).clamp(min=1e-9))
    edited = exam.editor.decode(exam.editor.move(latent, shift))
    y, *_ = compositing.composite(x, r, edited, exam.mode, exam.editor.gates([case.attribute]))
    return Trial(exam.judge.logits(y).cpu().numpy())


def edited_pictures(exam: Exam, cases: Sequence[TriedCase]) -> Shown:
    """All edits at the calibrated strength as judge A sees them."""
    parts = [(tried.trials[MAIN].reencoded, tried.case.faces) for tried in cases]
    return Shown(
        concatenated([edit.features for edit, _ in parts if edit is not None]),
        exam.people[concatenated([faces for edit, faces in parts if edit is not None]).astype(np.int64)],
    )


T = TypeVar("T", Trial, Details, Reencoded)


def joined(parts: Sequence[T]) -> T:
    """The same trial of several batches as one."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(parts[0]):
        column = [getattr(part, field.name) for part in parts]
        if column[0] is None:
            values[field.name] = None
        elif isinstance(column[0], np.ndarray):
            values[field.name] = np.concatenate(column)
        else:
            values[field.name] = joined(column)
    return type(parts[0])(**values)
