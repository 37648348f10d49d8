"""Measures of two models on the same test faces, and whether one is shown to be no worse than the other.

Both edit and reconstruct the same faces, and judge B scores the edits. For each measure the lower end of the 95 %
interval of the paired difference must stay above minus the tolerance (a test of non-inferiority)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from facet.base.errors import InputError
from facet.base.limits import Natural
from facet.editing.spec import Change, Spec
from facet.evaluation import reconstructions
from facet.evaluation.exam import Exam
from facet.evaluation.rows import estimate_json, six_digits
from facet.metrics import kid
from facet.metrics.intervals import Estimate, bootstrap, paired_difference
from facet.metrics.subgroups import FEWEST, cells
from facet.nights.settings import GateSettings
from facet.reporting.verdicts import MEASURES, between, shown

LEAST_PEOPLE = 2 * kid.FEWEST  # with test faces
GROUPS = ("Male", "Young")  # attributes whose combinations are the groups of people, if the judges see both


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareSettings(GateSettings):
    """Tolerances and sizes of the gate, and the seed of its draws."""

    seed: Natural


@dataclasses.dataclass(frozen=True)
class Scores:
    """One model on the frozen faces: arrays over edits (e,) and over reconstructed faces (r,)."""

    success: np.ndarray  # (e,) 1.0 if judge B sees the edit, else 0.0
    preservation: np.ndarray  # (e,) share of the other attributes left alone
    people: np.ndarray  # (e,) the person on each edited face
    groups: np.ndarray  # (e,) the person's group, "" if unknown
    l2: np.ndarray  # (r,) distance of photo and reconstruction
    features: np.ndarray  # (r, d) judge A's features of the reconstructions

    def means(self) -> dict[str, float | None]:
        """Mean success, preservation and L2; None without edits."""
        scores = {"success": self.success, "preservation": self.preservation, "l2": self.l2}
        return {name: six_digits(float(np.nanmean(values))) if len(values) else None for name, values in scores.items()}


@dataclasses.dataclass(frozen=True)
class Measure:
    """One comparison; a positive difference is a gain of the candidate."""

    name: str
    candidate: float
    champion: float
    difference: Estimate
    tolerance: float
    floor: Estimate | None = None  # of real photos of some people against those of others, in the measure's unit

    @property
    def holds(self) -> bool:
        """True if the candidate is shown to be no worse."""
        return bool(self.difference.low >= -self.tolerance)

    @property
    def reason(self) -> str:
        """The reason if the measure does not hold."""
        how = "worse" if self.difference.high < 0 else "not shown to be no worse"
        unit = MEASURES[self.name][1]
        mine, theirs = shown(self.candidate, unit), shown(self.champion, unit)
        gain = shown(self.difference.value, unit, signed=True)
        interval = between(self.difference.low, self.difference.high, unit)
        allowed = shown(-self.tolerance, unit, signed=True)
        name = self.name.replace("_", " ")
        return f"{name} is {how}: {mine} against {theirs}, a gain of {gain} ({interval}, must stay above {allowed})"

    def to_json(self) -> dict[str, Any]:
        floor = {} if self.floor is None else {"floor": estimate_json(self.floor)}
        return {
            "name": self.name,
            "candidate": six_digits(float(self.candidate)),
            "champion": six_digits(float(self.champion)),
            "difference": estimate_json(self.difference),
            "tolerance": six_digits(self.tolerance),
            "holds": self.holds,
            **floor,
        }


def compare(
    settings: CompareSettings, candidate: Exam, champion: Exam, names: Sequence[str]
) -> tuple[list[Measure], Scores]:
    """The measures of a candidate against another model on edits of these attributes, and the candidate's scores."""
    own, theirs = (score(settings, one, names) for one in (candidate, champion))
    places = reconstructions.places(candidate, settings.reconstructions)
    draws: dict[str, Any] = {"seed": settings.seed, "count": settings.bootstrap}
    measures = []
    for name, mine, other, tolerance in (
        ("success", own.success, theirs.success, settings.success),
        ("preservation", own.preservation, theirs.preservation, settings.preservation),
    ):
        known = np.isfinite(mine) & np.isfinite(other)
        if known.any():
            difference = paired_difference(mine[known], other[known], clusters=own.people[known], **draws)
            measures.append(Measure(name, mine[known].mean(), other[known].mean(), difference, tolerance))
    level, people = float(theirs.l2.mean()), candidate.people[places]
    difference = paired_difference(theirs.l2 / level, own.l2 / level, clusters=people, **draws)
    measures.append(Measure("reconstruction", own.l2.mean(), level, difference, settings.reconstruction))
    real = np.concatenate([candidate.other.features(x).cpu().numpy() for _, x, _ in candidate.batches(places)])
    measures.append(_kernel_distance(settings, real, own.features, theirs.features, people))
    if len(set(own.groups) - {""}) > 1:
        measures.append(_gap(settings, own.success, theirs.success, own.groups, own.people))
    return measures, own


def score(settings: CompareSettings, exam: Exam, names: Sequence[str]) -> Scores:
    """The model's scores on edits of these attributes, and on reconstructions."""
    success, preservation, people, groups = [], [], [], []
    cell = np.full(len(exam.rows), "", "<U32")
    if all(name in exam.judge.attributes for name in GROUPS):
        first, second = (exam.labels[:, exam.column(name)] for name in GROUPS)
        cell = cells(first, second, GROUPS)
    for name in names:
        for on in (True, False):
            case = exam.case(name, on, settings.faces)
            for part, x, latent in exam.batches(case.faces):
                places = case.faces[part]
                result = exam.editor.apply_to(
                    x, latent, exam.editor.decode(latent), Spec((Change(name, on=on),)), exam.mode
                )
                after = exam.judge.logits(result.y).cpu().numpy()
                outcome = exam.outcome(dataclasses.replace(case, faces=places), after)
                success.append(outcome.success.astype(float))
                preservation.append(1 - outcome.side_effects)
                people.append(exam.people[places])
                groups.append(cell[places])
    places = reconstructions.places(exam, settings.reconstructions)
    l2, features = [], []
    for _, x, latent in exam.batches(places):
        y = exam.editor.decode(latent)
        l2.append(reconstructions.compare(x, y)["l2"].double().cpu().numpy())
        features.append(exam.other.features(y).cpu().numpy())
    joined = [
        np.concatenate(part) if part else np.zeros(0) for part in (success, preservation, people, groups, l2, features)
    ]
    return Scores(*joined)


def _kernel_distance(
    settings: CompareSettings, real: np.ndarray, own: np.ndarray, theirs: np.ndarray, people: np.ndarray
) -> Measure:
    """The kernel distance of reconstructions to photos of other people, in thousandths. The unit of its tolerance is
    what chance alone makes: the half-width of the interval of photos of half of the people against the others."""
    count = len(np.unique(people))
    if count < LEAST_PEOPLE:
        raise InputError(f"test faces of {count} people are too few for the gate; at least {LEAST_PEOPLE} are needed")
    mine, other = (1000 * kid.distance(real, one, people=people, other_people=people) for one in (own, theirs))
    floor = (1000 * kid.floor_distance(real, people=people, seed=settings.seed)).estimate()
    return Measure(
        "kernel_distance",
        mine.value,
        other.value,
        (other - mine).estimate(),
        settings.kernel_distance_floors * (floor.high - floor.low) / 2,
        floor,
    )


def _gap(
    settings: CompareSettings, own: np.ndarray, theirs: np.ndarray, groups: np.ndarray, people: np.ndarray
) -> Measure:
    """The widest gap in success between groups of people; narrower is better."""
    names, codes = np.unique(groups, return_inverse=True)
    entering = [k for k, name in enumerate(names) if name and (codes == k).sum() >= FEWEST]

    def gap(success: np.ndarray, chosen: np.ndarray) -> float:
        counts = np.bincount(codes[chosen], minlength=len(names))[entering]
        sums = np.bincount(codes[chosen], success[chosen], len(names))[entering]
        shares = sums[counts > 0] / counts[counts > 0]
        return float(shares.max() - shares.min()) if len(shares) > 1 else 0.0

    difference = bootstrap(
        lambda chosen: gap(theirs, chosen) - gap(own, chosen),
        len(own),
        seed=settings.seed,
        clusters=people,
        count=min(settings.bootstrap, 500),
    )
    everyone = np.arange(len(own))
    return Measure("gap", gap(own, everyone), gap(theirs, everyone), difference, settings.gap)
