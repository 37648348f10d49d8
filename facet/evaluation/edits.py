"""What edits do to test faces: success, score shift, what else changes, how much of the picture moves.

Notation: x photo, r = G(E(x)), e = decoded edit, y = what the user gets. Three contrasts are kept apart: x -> r is what
the autoencoder lost, r -> e what the edit did, x -> y what the user gets. Every (attribute, direction, strength) is
decoded once; all numbers come from that."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from facet.base import compute
from facet.editing import compositing
from facet.editing.editor import EditResult
from facet.editing.spec import Change, Spec
from facet.editing.table import LEVELS, STRENGTH_LEVEL, TARGET_LEVEL
from facet.evaluation.exam import Case, Exam, Row, concatenated, exact, short, tell, told
from facet.metrics import success as metric
from facet.metrics.intervals import (
    UNDEFINED,
    Estimate,
    bootstrap,
    holm,
    mean_of_independent,
    quantile_of_normal,
    wilson,
)

TARGET = "target"  # the setting `on` or `off`
MAIN = "s80"  # the strength that flips 80 % on validation, where directions are compared
NAMED = (MAIN, "s90", "s95", TARGET)  # the settings that the report tells all about
CONTROLS = ("random", "shuffled")
ZERO_FACES = 16  # of a case, edited by nothing
LEVEL = 127.5  # 8-bit levels in one unit of [-1, 1]


@dataclasses.dataclass(frozen=True)
class Details:
    """What the named settings need beside judge B's logits, for n faces."""

    e: np.ndarray  # (n, K) logits of judge B on the decoded edit
    other: np.ndarray  # (n,) bool: judge A sees the attribute in y
    change: np.ndarray  # (n,) mean |y - x| in levels
    outside: np.ndarray  # (n,) largest |y - x| in levels where the mask is 0
    mask: np.ndarray  # (n,) mean mask


@dataclasses.dataclass(frozen=True)
class Again:
    """What comes of encoding the result again."""

    drift: np.ndarray  # (n,) |E(y) - (z + s v)| / |s v|
    undo: np.ndarray  # (n,) mean |G(E(y) - s v) - r| in levels
    features: np.ndarray  # (n, d) of judge A on y


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one edit did to the n faces of a case."""

    y: np.ndarray  # (n, K) logits of judge B on what the user gets
    details: Details | None = None
    again: Again | None = None


@dataclasses.dataclass(frozen=True)
class Tried:
    """All edits of one case: outcomes by setting, and judge B's logits on the reconstructions (n, K)."""

    case: Case
    r: np.ndarray
    outcomes: dict[str, Outcome]
    factors: dict[str, float]  # setting -> multiples of the strength that flips 80 %


def settings(exam: Exam, case: Case, strengths: Sequence[float]) -> dict[str, Change]:
    """The edits to try: s80, s90, s95, the target on or off, and `x…` for multiples of the calibrated strength."""
    direction = exam.editor.table.chosen(case.attribute)
    reach, sign = exam.editor.table.meta.max_strength, case.sign
    unit = direction.unit(case.on, STRENGTH_LEVEL, reach)
    found = {
        f"s{level}": Change(case.attribute, add=sign * direction.unit(case.on, level, reach) / unit)
        for level in LEVELS
        if level >= STRENGTH_LEVEL
    }
    found[TARGET] = Change(case.attribute, on=case.on)
    return found | {f"x{factor:g}": Change(case.attribute, add=sign * factor) for factor in strengths}


def try_case(exam: Exam, case: Case, strengths: Sequence[float]) -> Tried:
    """Decode and judge every setting of one case, and the two directions that should do nothing."""
    wanted = settings(exam, case, strengths)
    parts: dict[str, list[Outcome]] = {name: [] for name in (*wanted, *CONTROLS)}
    reconstructed = []
    for part, x, latent in exam.batches(case.faces):
        r = exam.editor.decode(latent)
        reconstructed.append(exam.judge.logits(r).cpu().numpy())
        done: dict[Change, Outcome] = {}  # settings that come to the same edit are decoded once
        for name, change in wanted.items():
            if change not in done:
                done[change] = _edited(exam, x, latent, r, change, named=name in NAMED, again=name == MAIN)
            parts[name].append(done[change])
        for control in CONTROLS:
            parts[control].append(_control(exam, case, part, x, latent, r, control))
    return Tried(
        case,
        np.concatenate(reconstructed),
        {name: joined(found) for name, found in parts.items()},
        {name: abs(change.add) for name, change in wanted.items() if change.add is not None},
    )


def _edited(exam: Exam, x: Tensor, latent: Tensor, r: Tensor, change: Change, *, named: bool, again: bool) -> Outcome:
    result = exam.editor.apply_to(x, latent, r, Spec((change,)), exam.mode)
    y = exam.judge.logits(result.y).cpu().numpy()
    if not named:
        return Outcome(y)
    difference = (result.y - x).abs() * LEVEL  # (n, C, S, S)
    column = exam.other.attributes.index(change.attribute)
    details = Details(
        e=y if exam.mode == "decode" else exam.judge.logits(result.edited).cpu().numpy(),
        other=exam.other.predict(result.y)[:, column].cpu().numpy(),
        change=difference.mean((1, 2, 3)).cpu().numpy(),
        outside=(difference * (result.mask == 0)).amax((1, 2, 3)).cpu().numpy(),
        mask=result.mask.mean((1, 2, 3)).cpu().numpy(),
    )
    return Outcome(y, details, _again(exam, result, r) if again else None)


def _again(exam: Exam, result: EditResult, r: Tensor) -> Again:
    shift = result.edited_latent - result.latent
    latent = exam.editor.encode(result.y)
    undone = exam.editor.decode(latent - shift)
    return Again(
        drift=((latent - result.edited_latent).norm(dim=1) / shift.norm(dim=1).clamp(min=1e-9)).cpu().numpy(),
        undo=((undone - r).abs() * LEVEL).mean((1, 2, 3)).cpu().numpy(),
        features=exam.other.features(result.y).cpu().numpy(),
    )


def _control(exam: Exam, case: Case, part: slice, x: Tensor, latent: Tensor, r: Tensor, control: str) -> Outcome:
    """The edit at the calibrated strength with each face's step turned to a direction of the same length that knows
    nothing of the attribute: random for each face, or estimated from shuffled labels."""
    moves = exam.editor.moves(latent, Spec((Change(case.attribute, add=1.0 if case.on else -1.0),)))
    length = moves.shift.norm(dim=1, keepdim=True)
    if control == "random":
        noise = compute.generator(exam.seed, 11, exam.column(case.attribute), int(case.on), part.start)
        turned = torch.randn(latent.shape, generator=noise).to(latent.device)
    else:
        turned = exam.shuffled[case.attribute].to(latent.device).expand_as(latent)
        turned = turned if case.on else -turned
    shift = turned * (length / turned.norm(dim=1, keepdim=True).clamp(min=1e-9))
    edited = exam.editor.decode(exam.editor.move(latent, shift))
    y, *_ = compositing.composite(x, r, edited, exam.mode, exam.editor.gates([case.attribute]))
    return Outcome(exam.judge.logits(y).cpu().numpy())


T = TypeVar("T", Outcome, Details, Again)


def joined(parts: Sequence[T]) -> T:
    """The same outcome of several batches as one."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(parts[0]):
        found = [getattr(part, field.name) for part in parts]
        if found[0] is None:
            values[field.name] = None
        elif isinstance(found[0], np.ndarray):
            values[field.name] = np.concatenate(found)
        else:
            values[field.name] = joined(found)
    return type(parts[0])(**values)


def success(exam: Exam, case: Case, logits: np.ndarray) -> np.ndarray:
    """Whether judge B sees the target: logits (n, K) or (strengths, n, K) -> (n,) or (strengths, n) bool."""
    return metric.flipped(logits, exam.thresholds, exam.column(case.attribute), case.sign)


def flips(exam: Exam, case: Case, logits: np.ndarray) -> np.ndarray:
    """Share of the other judged attributes whose answer is not the one on the photo; NaN if there is none."""
    return metric.off_target(exam.logits[case.faces], logits, exam.thresholds, exam.others(case.attribute))


def share(flags: np.ndarray) -> Estimate:
    """Share of true flags with Wilson's interval."""
    return wilson(int(flags.sum()), len(flags))


def edit_rows(exam: Exam, tried: Sequence[Tried]) -> list[Row]:
    """One row per attribute, direction and named setting."""
    return [_edit_row(exam, one, name) for one in tried for name in NAMED if name in one.outcomes]


def _edit_row(exam: Exam, tried: Tried, name: str) -> Row:
    case, outcome = tried.case, tried.outcomes[name]
    details, again = outcome.details, outcome.again
    assert details is not None
    direction = exam.editor.table.chosen(case.attribute)
    column, sign = exam.column(case.attribute), case.sign
    meta, level = exam.editor.table.meta, TARGET_LEVEL if name == TARGET else int(name[1:])
    strength = direction.unit(case.on, level, meta.max_strength)
    if name == TARGET:
        strength = direction.target(case.on, meta.max_strength, meta.margin)
    on_y, on_e = success(exam, case, outcome.y), success(exam, case, details.e)
    on_a = details.other == case.on
    shown = ~success(exam, case, tried.r)  # reconstructions that still show the source state
    before, r, e, y = (logits[:, column] for logits in (exam.logits[case.faces], tried.r, details.e, outcome.y))
    columns = {
        "flips": flips(exam, case, outcome.y),
        "flips_decoded": flips(exam, case, details.e),
        "shift": sign * (y - before),
        "shift_reconstruction": sign * (r - before),
        "shift_edit": sign * (e - r),
        "change": details.change,
        "mask": details.mask,
    }
    if again is not None:
        columns |= {"latent_drift": again.drift, "undo": again.undo}
    return {
        "attribute": case.attribute,
        "direction": case.word,
        "setting": name,
        "estimator": direction.estimator,
        "strength": float(f"{strength:.6g}"),
        "reached": (direction.add if case.on else direction.remove)[level] is not None,
        "success": tell(share(on_y)),
        "success_decoded": tell(share(on_e)),
        "success_a": tell(share(on_a)),
        "agreement": tell(share(on_a == on_y)),
        "success_where_shown": tell(share(on_y[shown])),
        "lost_in_reconstruction": tell(share(~shown)),
        "outside_max": tell(exact(float(details.outside.max(initial=0)), len(on_y))),
        **told(exam.means(case.faces, columns)),
    }


def curve_rows(exam: Exam, tried: Sequence[Tried]) -> list[Row]:
    """One row per attribute, direction and strength, the same faces at all of them; strength 0 is the photo."""
    rows = []
    for one in tried:
        case = one.case
        points = sorted({factor: name for name, factor in one.factors.items() if name.startswith("x")}.items())
        for factor, name in points:
            logits = one.outcomes[name].y
            numbers = exam.means(
                case.faces,
                {
                    "flips": flips(exam, case, logits),
                    "shift": case.sign * (logits - exam.logits[case.faces])[:, exam.column(case.attribute)],
                },
            )
            rows.append(
                {
                    "attribute": case.attribute,
                    "direction": case.word,
                    "strength": factor,
                    "success": tell(share(success(exam, case, logits))),
                    **told(numbers),
                }
            )
    return rows


def matched_rows(exam: Exam, tried: Sequence[Tried]) -> list[Row]:
    """Where each curve reaches 80 % on the test faces, and the share of other attributes left alone there: methods are
    compared at equal success, otherwise a weak edit always wins. Linear between strengths; people are resampled.

    `area` is the mean height of the success curve, `reached` the share of resamples that get to 80 %."""
    rows = []
    for one in tried:
        case = one.case
        points = sorted((factor, name) for name, factor in one.factors.items() if name.startswith("x"))
        factors = np.array([0.0] + [factor for factor, _ in points])
        logits = np.stack([exam.logits[case.faces]] + [one.outcomes[name].y for _, name in points])
        found = metric.curve(
            success(exam, case, logits),
            flips(exam, case, logits),
            factors,
            seed=exam.seed,
            clusters=exam.people[case.faces],
            count=exam.resamples,
        )
        rows.append(
            {
                "attribute": case.attribute,
                "direction": case.word,
                "success": metric.MATCHED,
                "strength": tell(found.strength),
                "preservation": tell(found.matched),
                "area": tell(found.area),
                "reached": short(found.reached),
            }
        )
    return rows


def entanglement_rows(exam: Exam, tried: Sequence[Tried]) -> list[Row]:
    """What an edit at the calibrated strength does to every judged attribute, additions and removals together.

    `shift`: mean change of the logit in the direction of the edit, over its standard deviation on real test photos.
    `flips`: share of faces whose answer changed. `sure`: the shift differs from 0 by Holm's test over all off-diagonal
    cells; the attribute's own cell and its rivals' are not tested."""
    names = list(exam.judged)
    columns = [exam.column(name) for name in names]
    cells: list[Row] = []
    p_values = []
    for name in names:
        own = [one for one in tried if one.case.attribute == name]
        if not own:
            continue
        # a removal seen backwards is an addition
        pairs = [(exam.logits[one.case.faces], one.outcomes[MAIN].y)[:: one.case.sign] for one in own]
        before, after = (np.concatenate(side)[:, columns] for side in zip(*pairs, strict=True))
        row = metric.entanglement_row(
            before,
            after,
            exam.thresholds[columns],
            exam.logits.std(0)[columns],
            seed=exam.seed,
            clusters=exam.people[np.concatenate([one.case.faces for one in own])],
            count=exam.resamples,
        )
        off_target = exam.others(name)[columns]
        p_values.append(
            [_p_of_no_shift(shift) if off else np.nan for shift, off in zip(row.shift, off_target, strict=True)]
        )
        cells += [
            {
                "attribute": name,
                "other": other,
                "off_target": bool(off_target[j]),
                "shift": tell(row.shift[j]),
                "flips": tell(row.flips[j]),
            }
            for j, other in enumerate(names)
        ]
    for cell, sure in zip(cells, holm(np.array(p_values)).ravel(), strict=True):
        cell["sure"] = bool(sure)
    return cells


def _p_of_no_shift(shift: Estimate) -> float:
    """Two-sided p of "the mean is 0" by the bootstrap's standard error: counting resamples could not go below 1 in
    their number, too coarse for Holm's test over hundreds of cells."""
    error = (shift.high - shift.low) / (2 * quantile_of_normal())
    return math.erfc(abs(shift.value) / max(error, 1e-12) / math.sqrt(2))


def control_rows(exam: Exam, tried: Sequence[Tried]) -> list[Row]:
    """What should do nothing, and what is the most there can be, per attribute and direction.

    random, shuffled: success of steps of equal length in directions that know nothing. ceiling: how often judge B sees
    the target state on real test photos that have it. zero: largest difference in levels of an edit of strength 0 to
    the photo (mode `decode`: to the reconstruction)."""
    rows = []
    for one in tried:
        case = one.case
        row: Row = {"attribute": case.attribute, "direction": case.word, "ceiling": tell(_ceiling(exam, case))}
        for control in CONTROLS:
            logits = one.outcomes[control].y
            row[control] = tell(share(success(exam, case, logits)))
            row[f"{control}_flips"] = tell(exam.means(case.faces, {"": flips(exam, case, logits)})[""])
        row["zero"] = tell(_zero(exam, case))
        rows.append(row)
    return rows


def _zero(exam: Exam, case: Case) -> Estimate:
    """The largest change of an edit of strength 0."""
    for _, x, latent in exam.batches(case.faces[:ZERO_FACES]):
        r = exam.editor.decode(latent)
        result = exam.editor.apply_to(x, latent, r, Spec((Change(case.attribute, add=0.0),)), exam.mode)
        base = r if exam.mode == "decode" else x
        return exact(float((result.y - base).abs().max()) * LEVEL, len(x))
    return UNDEFINED


def flip_rows(exam: Exam, tried: Sequence[Tried], setting: str) -> list[Row]:
    """How often each attribute is flipped by edits of others at one setting."""
    held: dict[str, list[np.ndarray]] = {name: [] for name in exam.judged}
    people: dict[str, list[np.ndarray]] = {name: [] for name in exam.judged}
    for one in tried:
        if setting not in one.outcomes:
            continue
        changed = exam.answers(one.outcomes[setting].y) != exam.answers(exam.logits[one.case.faces])
        for column in np.flatnonzero(exam.others(one.case.attribute)).tolist():
            name = exam.judge.attributes[column]
            if name in held:
                held[name].append(changed[:, column])
                people[name].append(one.case.faces)
    rows = []
    for name, parts in held.items():
        faces = concatenated(people[name]).astype(np.int64)
        rows.append(
            {
                "attribute": name,
                **told(exam.means(faces, {"flipped_by_others": concatenated(parts).astype(np.float64)})),
            }
        )
    return rows


def summary_rows(exam: Exam, tried: Sequence[Tried], matched: Sequence[Row]) -> list[Row]:
    """Means over all attributes and directions, each of which counts alike; intervals resample people. Edits are those
    to the target (on, off). `flips_matched`: at 80 % success, its interval as if attributes were independent."""
    numbers = {
        "success": over_cases(exam, tried, TARGET, success),
        "success_add": over_cases(exam, [one for one in tried if one.case.on], TARGET, success),
        "success_remove": over_cases(exam, [one for one in tried if not one.case.on], TARGET, success),
        "flips": over_cases(exam, tried, TARGET, flips),
        "success_s80": over_cases(exam, tried, MAIN, success),
        "flips_s80": over_cases(exam, tried, MAIN, flips),
        "random": over_cases(exam, tried, "random", success),
        "shuffled": over_cases(exam, tried, "shuffled", success),
    }
    kept = [Estimate(**row["preservation"]) for row in matched if None not in row["preservation"].values()]
    mean = mean_of_independent(kept or [UNDEFINED])
    numbers["flips_matched"] = Estimate(1 - mean.value, 1 - mean.high, 1 - mean.low, mean.n)
    ceilings = [_ceiling(exam, one.case) for one in tried]
    numbers["ceiling"] = mean_of_independent([ceiling for ceiling in ceilings if ceiling.n] or [UNDEFINED])
    return [{"name": name, "value": tell(value)} for name, value in numbers.items()]


def over_cases(
    exam: Exam, tried: Sequence[Tried], setting: str, measure: Callable[[Exam, Case, np.ndarray], np.ndarray]
) -> Estimate:
    """The mean over cases of each case's mean; people resampled over all cases at once."""
    parts = [measure(exam, one.case, one.outcomes[setting].y).astype(np.float64) for one in tried]
    number = np.concatenate([np.full(len(part), i) for i, part in enumerate(parts)] or [np.zeros(0)]).astype(np.int64)
    values, people = concatenated(parts), exam.people[concatenated([one.case.faces for one in tried]).astype(np.int64)]
    keep = np.isfinite(values)
    number, values, people = number[keep], values[keep], people[keep]
    if not len(values):
        return UNDEFINED

    def mean(indices: np.ndarray) -> float:
        size = np.bincount(number[indices], minlength=len(parts))
        total = np.bincount(number[indices], values[indices], len(parts))
        return float((total[size > 0] / size[size > 0]).mean())

    return bootstrap(mean, len(values), seed=exam.seed, clusters=people, count=exam.resamples)


def _ceiling(exam: Exam, case: Case) -> Estimate:
    """How often judge B sees the target state on real test photos that have it."""
    column = exam.column(case.attribute)
    real = exam.labels[:, column] == (1 if case.on else -1)
    return share(exam.answers(exam.logits)[real, column] == case.on)
