"""The gate: decides if a candidate may replace the champion.

Both models edit and reconstruct the same frozen test faces, and judge B scores the edits. A candidate passes if it is
shown to be no worse: for each measure the lower end of the 95 % interval of the paired difference must stay above minus
the tolerance (a test of non-inferiority).

The first gate freezes the test faces: they are never trained on and never change, whatever is delivered later. Both
models are scored by the same judges in the same run, so a new judge scores both anew."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facet.base import compute, images
from facet.base.errors import InputError
from facet.base.files import hash_of, write_json
from facet.base.limits import Count, Natural
from facet.base.params import Device, Precision, run_stage
from facet.base.tables import Faces, read_faces
from facet.editing.editor import Editor
from facet.editing.spec import Change, Spec
from facet.evaluation import reconstructions
from facet.evaluation.exam import Exam
from facet.evaluation.rows import six_digits
from facet.judges.judge import Judge
from facet.metrics import kid
from facet.metrics.intervals import Estimate, bootstrap, paired_difference
from facet.metrics.subgroups import FEWEST, cells
from facet.nights import verdicts
from facet.nights.champions import TABLE
from facet.nights.settings import GateSettings
from facet.reporting.verdicts import MEASURES, between, shown

log = logging.getLogger(__name__)

GROUPS = ("Male", "Young")  # attributes whose combinations are the groups of people, if the judges see both


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params(GateSettings):
    """Compare a candidate with the champion on the frozen test faces."""

    system: str
    prepared: Path  # folder written by `prepare`
    judges: Path  # folder written by `train_judge`
    candidate: Path  # model folder
    attributes: Path  # attributes table of the candidate
    champion: Path  # model folder with attributes.parquet; a missing folder means that there is no champion yet
    frozen: Path  # JSON of the frozen test faces; written if it is missing
    verdict: Path  # out: JSON
    seed: Natural
    threads: Count
    device: Device
    precision: Precision


@dataclasses.dataclass(frozen=True)
class Scores:
    """One model on the frozen faces: arrays over edits (e,) and over reconstructed faces (r,)."""

    success: np.ndarray  # (e,) 1.0 if judge B sees the edit, else 0.0
    preservation: np.ndarray  # (e,) share of the other attributes left alone
    l2: np.ndarray  # (r,) distance of photo and reconstruction
    features: np.ndarray  # (r, d) judge A's features of the reconstructions


@dataclasses.dataclass(frozen=True)
class Measure:
    """One comparison; a positive difference is a gain of the candidate."""

    name: str
    candidate: float
    champion: float
    difference: Estimate
    tolerance: float

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
        numbers = {name: six_digits(value) for name, value in self.difference.to_json().items()}
        return {
            "name": self.name,
            "candidate": six_digits(float(self.candidate)),
            "champion": six_digits(float(self.champion)),
            "difference": numbers,
            "tolerance": self.tolerance,
            "holds": self.holds,
        }


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    faces = _frozen(faces, params.frozen)
    judge, other = (
        Judge.load(params.judges, which, device, crop=faces.meta.crop, size=faces.meta.size) for which in ("b", "a")
    )

    def exam(model: Path, table: Path) -> Exam:
        editor = Editor.load(model, table, device, precision=params.precision)
        own, wanted = (editor.system.crop, editor.system.size), (faces.meta.crop, faces.meta.size)
        if own != wanted:
            raise InputError(f"{model} has crop and size {own}, the test faces {wanted}; they must be the same")
        return Exam.open(
            editor, judge, other, faces, pixels, shuffled={}, mode=params.mode, batch_size=params.batch_size,
            seed=params.seed, resamples=params.bootstrap,
        )  # fmt: skip

    candidate = exam(params.candidate, params.attributes)
    champion = exam(params.champion, params.champion / TABLE) if params.champion.exists() else None
    verdict = judge_candidate(params, candidate, champion)
    verdict |= {
        "system": params.system,
        "judges": verdicts.judges_hash(params.judges),
        "frozen": hash_of(params.frozen),
        "test_faces": len(candidate.rows),
        "test_people": len(np.unique(candidate.people)),
    }
    write_json(params.verdict, verdict)
    log.info("%s: %s", params.system, verdicts.summary(verdict))


def judge_candidate(params: Params, candidate: Exam, champion: Exam | None) -> dict[str, Any]:
    """The verdict: `promote`, `reasons`, `measures`, `scores` and `attributes`."""
    if champion is None:
        names = list(candidate.judged)
        own, *_ = _score(params, candidate, names)
        success = float(own.success.mean()) if len(own.success) else 0.0
        good = success >= params.least_success
        reason = (
            f"{100 * success:.1f} % of {len(own.success):,} edits of {len(names)} attributes succeed; the first "
            f"champion needs {100 * params.least_success:.1f} %"
        )
        scores = _means(own)
        return {"promote": good, "reasons": [reason], "measures": [], "scores": scores, "attributes": names}
    lost = [name for name in champion.judged if name not in candidate.judged]
    names = [name for name in champion.judged if name in candidate.judged]
    if not names:
        raise InputError(f"{params.candidate} edits none of the champion's attributes ({', '.join(champion.judged)})")
    (own, people, groups), (theirs, *_) = (_score(params, one, names) for one in (candidate, champion))
    measures = _measures(params, candidate, own, theirs, people, groups)
    reasons = [f"{name} can no longer be edited: {candidate.reasons[name]}" for name in lost]
    reasons += [measure.reason for measure in measures if not measure.holds]
    promote = not reasons
    if promote:
        points = 100 * measures[0].difference.value
        reasons = [f"no worse in {len(measures)} measures, within the tolerances; success {points:+.1f} points"]
    return {
        "promote": promote,
        "reasons": reasons,
        "measures": [measure.to_json() for measure in measures],
        "scores": _means(own),
        "attributes": names,
    }


def _means(own: Scores) -> dict[str, float | None]:
    scores = {"success": own.success, "preservation": own.preservation, "l2": own.l2}
    return {name: six_digits(float(np.nanmean(values))) if len(values) else None for name, values in scores.items()}


def _measures(
    params: Params, exam: Exam, own: Scores, theirs: Scores, people: np.ndarray, groups: np.ndarray
) -> list[Measure]:
    places = reconstructions.places(exam, params.reconstructions)
    draws: dict[str, Any] = {"seed": params.seed, "count": params.bootstrap}
    measures = []
    for name, mine, other, tolerance in (
        ("success", own.success, theirs.success, params.success),
        ("preservation", own.preservation, theirs.preservation, params.preservation),
    ):
        known = np.isfinite(mine) & np.isfinite(other)
        if known.any():
            difference = paired_difference(mine[known], other[known], clusters=people[known], **draws)
            measures.append(Measure(name, mine[known].mean(), other[known].mean(), difference, tolerance))
    level = float(theirs.l2.mean())
    difference = paired_difference(theirs.l2 / level, own.l2 / level, clusters=exam.people[places], **draws)
    measures.append(Measure("reconstruction", own.l2.mean(), level, difference, params.reconstruction))
    real = _features(exam, places)
    measures.append(_kernel_distance(params, real, own.features, theirs.features, exam.people[places]))
    if len(set(groups) - {""}) > 1:
        measures.append(_gap(params, own.success, theirs.success, groups, people))
    return measures


def _score(params: Params, exam: Exam, names: list[str]) -> tuple[Scores, np.ndarray, np.ndarray]:
    """The model's scores on edits of these attributes, and the person and the group of each edited face."""
    success, preservation, people, groups = [], [], [], []
    cell = np.full(len(exam.rows), "", "<U32")
    if all(name in exam.judge.attributes for name in GROUPS):
        first, second = (exam.labels[:, exam.column(name)] for name in GROUPS)
        cell = cells(first, second, GROUPS)
    for name in names:
        for on in (True, False):
            case = exam.case(name, on, params.faces)
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
    places = reconstructions.places(exam, params.reconstructions)
    l2, features = [], []
    for _, x, latent in exam.batches(places):
        y = exam.editor.decode(latent)
        l2.append(reconstructions.compare(x, y)["l2"].double().cpu().numpy())
        features.append(exam.other.features(y).cpu().numpy())
    joined = [
        np.concatenate(part) if part else np.zeros(0) for part in (success, preservation, l2, features, people, groups)
    ]
    return Scores(*joined[:4]), joined[4], joined[5]


def _features(exam: Exam, places: np.ndarray) -> np.ndarray:
    """Judge A's features of the photos themselves."""
    return np.concatenate([exam.other.features(x).cpu().numpy() for _, x, _ in exam.batches(places)])


def _kernel_distance(
    params: Params, real: np.ndarray, own: np.ndarray, theirs: np.ndarray, people: np.ndarray
) -> Measure:
    """The kernel distance of reconstructions to photos of other people, in thousandths."""
    if len(np.unique(people)) < kid.FEWEST:
        raise InputError(
            f"test faces of {len(np.unique(people))} people are too few for the gate; {kid.FEWEST} are needed"
        )
    mine, other = (1000 * kid.distance(real, one, people=people, other_people=people) for one in (own, theirs))
    return Measure("kernel_distance", mine.value, other.value, (other - mine).estimate(), params.kernel_distance)


def _gap(params: Params, own: np.ndarray, theirs: np.ndarray, groups: np.ndarray, people: np.ndarray) -> Measure:
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
        seed=params.seed,
        clusters=people,
        count=min(params.bootstrap, 500),
    )
    everyone = np.arange(len(own))
    return Measure("gap", gap(own, everyone), gap(theirs, everyone), difference, params.gap)


def _frozen(faces: Faces, path: Path) -> Faces:
    """The faces with the frozen test split; the first call freezes the present one."""
    table = faces.table
    test = table[(table["split"] == "test") & (table["row"] >= 0)]
    if not path.exists():
        if len(test) < 4:
            raise InputError(f"{len(test)} test faces are too few for a gate; at least 4 are needed")
        write_json(path, {"sha256": sorted(test["sha256"])})
    try:
        wanted = set(json.loads(path.read_text(encoding="utf-8"))["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); restore it from a copy, or remove it to freeze the present test faces"
        ) from None
    missing = len(wanted - set(test["sha256"]))
    if missing:
        raise InputError(
            f"{missing} of the {len(wanted)} frozen test faces of {path} are no longer in the test split; restore "
            "them, or remove the file to freeze the present ones (scores then start anew)"
        )
    keep = table["sha256"].isin(wanted) | (table["split"] != "test")
    return Faces(table.assign(split=table["split"].where(keep, "later")), faces.meta)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_stage(Params, run)
