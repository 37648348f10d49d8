"""The gate: decides if a candidate may replace the champion.

Both models edit and reconstruct the same frozen test faces (facet/nights/frozen_faces.py). A candidate passes if it is
shown to be no worse in every measure (facet/nights/comparison.py). Those that pass are compared once more, on a reserve
of people whom rejected candidates never saw, with the best champion so far and the first (facet/nights/standards.py).

All models are scored by the same judges in the same run, so a new judge scores all anew."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facet.base import compute, images
from facet.base.errors import InputError
from facet.base.files import hash_of, write_json
from facet.base.limits import Count
from facet.base.params import Device, Precision, run_stage
from facet.base.tables import Faces, read_faces
from facet.editing.editor import Editor
from facet.evaluation.exam import Exam
from facet.judges.judge import Judge
from facet.nights import verdicts
from facet.nights.champions import TABLE, Champions
from facet.nights.comparison import CompareSettings, Measure, compare, score
from facet.nights.frozen_faces import frozen_faces
from facet.nights.standards import TITLES, standards

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params(CompareSettings):
    """Compare a candidate with the champion on the frozen test faces, then with earlier champions on the reserve."""

    system: str
    prepared: Path  # folder written by `prepare`
    judges: Path  # folder written by `train_judge`
    candidate: Path  # model folder
    attributes: Path  # attributes table of the candidate
    champion: Path  # model folder with attributes.parquet; a missing folder means that there is no champion yet
    store: Path  # store of champions, with the earlier ones
    frozen: Path  # JSON of the frozen test faces; written if it is missing
    verdict: Path  # out: JSON
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    frozen = frozen_faces(faces, params.frozen, seed=params.seed)
    judge, other = (
        Judge.load(params.judges, which, device, crop=faces.meta.crop, size=faces.meta.size) for which in ("b", "a")
    )

    def exam(model: Path, table: Path, on: Faces) -> Exam:
        editor = Editor.load(model, table, device, precision=params.precision)
        own, wanted = (editor.system.crop, editor.system.size), (faces.meta.crop, faces.meta.size)
        if own != wanted:
            raise InputError(f"{model} has crop and size {own}, the test faces {wanted}; they must be the same")
        return Exam.open(
            editor, judge, other, on, pixels, shuffled={}, mode=params.mode, batch_size=params.batch_size,
            seed=params.seed, resamples=params.bootstrap,
        )  # fmt: skip

    candidate = exam(params.candidate, params.attributes, frozen.nightly)
    there = params.champion.exists()
    champion = exam(params.champion, params.champion / TABLE, frozen.nightly) if there else None
    given = {"judges": verdicts.judges_hash(params.judges), "frozen": hash_of(params.frozen)}
    verdict = judge_candidate(params, candidate, champion)
    if champion is not None and verdict["promote"]:
        on_reserve = functools.partial(exam, on=frozen.reserve)
        verdict |= against_standards(params, given, verdict, on_reserve)
    verdict |= given | {
        "system": params.system,
        "test_faces": len(candidate.rows),
        "test_people": len(np.unique(candidate.people)),
    }
    write_json(params.verdict, verdict)
    log.info("%s: %s", params.system, verdicts.summary(verdict))


def judge_candidate(params: Params, candidate: Exam, champion: Exam | None) -> dict[str, Any]:
    """The verdict on the nightly faces: `promote`, `reasons`, `measures`, `standards`, `scores` and `attributes`."""
    if champion is None:
        return _first(params, candidate)
    lost = [name for name in champion.judged if name not in candidate.judged]
    names = _shared(champion, candidate)
    if not names:
        raise InputError(f"{params.candidate} edits none of the champion's attributes ({', '.join(champion.judged)})")
    measures, own = compare(params, candidate, champion, names)
    reasons = [f"{name} can no longer be edited: {candidate.reasons[name]}" for name in lost]
    reasons += [measure.reason for measure in measures if not measure.holds]
    return {
        "promote": not reasons,
        "reasons": reasons or [_no_worse(measures)],
        "measures": [measure.to_json() for measure in measures],
        "standards": [],
        "scores": own.means(),
        "attributes": names,
    }


def _first(params: Params, candidate: Exam) -> dict[str, Any]:
    """The verdict on the first candidate of a system."""
    names = list(candidate.judged)
    own = score(params, candidate, names)
    success = float(own.success.mean()) if len(own.success) else 0.0
    reason = (
        f"{100 * success:.1f} % of {len(own.success):,} edits of {len(names)} attributes succeed; the first "
        f"champion needs {100 * params.least_success:.1f} %"
    )
    return {
        "promote": success >= params.least_success,
        "reasons": [reason],
        "measures": [],
        "standards": [],
        "scores": own.means(),
        "attributes": names,
    }


def against_standards(
    params: Params, given: dict[str, str], verdict: dict[str, Any], exam: Callable[[Path, Path], Exam]
) -> dict[str, Any]:
    """`promote`, `reasons` and `standards` of a verdict after the comparison with earlier champions: one entry for each
    of them with `against`, `version`, `measures`, `faces` and `people`. One that cannot be loaded or edits other
    attributes is left out, as the reasons say."""
    store = Champions(params.store)
    titles: dict[str, list[str]] = {}
    for name, version in standards(store, params.system, **given).items():
        titles.setdefault(version, []).append(TITLES[name])
    candidate = exam(params.candidate, params.attributes) if titles else None
    reasons, entries, passed = [], [], []
    for version, names in titles.items():
        assert candidate is not None
        folder, against = store.folder(params.system, version), " and ".join(names)
        try:
            standard = exam(folder, folder / TABLE)
        except InputError as error:
            passed.append(f"not compared with {against} ({version}): {error}")
            continue
        shared = _shared(standard, candidate)
        if not shared:
            passed.append(f"not compared with {against} ({version}), which edits other attributes")
            continue
        measures, _ = compare(params, candidate, standard, shared)
        reasons += [f"against {against} ({version}), {one.reason}" for one in measures if not one.holds]
        entries.append(
            {
                "against": against,
                "version": version,
                "measures": [measure.to_json() for measure in measures],
                "faces": len(candidate.rows),
                "people": len(np.unique(candidate.people)),
            }
        )
        passed.append(f"nor worse than {against} ({version}) on {len(candidate.rows):,} faces kept for that")
    return {
        "promote": not reasons,
        "reasons": reasons or [*verdict["reasons"], *passed],
        "standards": entries,
    }


def _shared(one: Exam, other: Exam) -> list[str]:
    """The attributes that both edit, in the order of the first."""
    return [name for name in one.judged if name in other.judged]


def _no_worse(measures: Sequence[Measure]) -> str:
    points = 100 * measures[0].difference.value
    return f"no worse in {len(measures)} measures, within the tolerances; success {points:+.1f} points"


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_stage(Params, run)
