"""The report of a calibration: strength curves of every attribute, and the comparison of the estimators.

Its keys say `off_target` for side effects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facet.calibration.bench import Bench
from facet.calibration.calibrator import MATCHED_LEVEL, Calibrated, EstimatorTrial, best_trial
from facet.calibration.curves import monotone
from facet.editing.directions import Readout
from facet.editing.spec import Change, Spec
from facet.editing.table import LEVELS
from facet.metrics.classification import auroc, balanced_accuracy
from facet.metrics.intervals import Estimate, bootstrap_mean, paired_difference, share
from facet.metrics.success import Case, Outcome

RESAMPLES = 500  # bootstrap resamples behind each interval
DIRECTIONS = ((True, "add"), (False, "remove"))


class Report:
    """Builds the report. `bench` edits by the finished table; `latents` (v, d) and `labels` (v, attributes) are those
    of the images `rows` (v,), the valid split; `people` (images,) is the person on every image."""

    def __init__(
        self,
        calibrated: Calibrated,
        bench: Bench,
        latents: np.ndarray,
        labels: np.ndarray,
        *,
        rows: np.ndarray,
        people: np.ndarray,
        seed: int,
    ) -> None:
        self.calibrated, self.bench = calibrated, bench
        self.latents, self.labels, self.rows = latents, labels, rows
        self.people, self.seed = people, seed

    def to_json(self) -> dict[str, Any]:
        table = self.calibrated.table
        names = tuple(dict.fromkeys(direction.estimator for direction in table.directions))
        return {
            "system": table.meta.system,
            "crop": table.meta.crop,
            "judge": "a",
            "split": "valid",
            "mode": table.meta.mode,
            "matched_success": MATCHED_LEVEL / 100,
            "training_faces": int(max(d.n_positive + d.n_negative for d in table.directions)),
            "attributes": {name: self._attribute(name) for name in table.attributes},
            "estimators": self._comparison(names),
            "refused": table.meta.refused,
            "not_judged": self.calibrated.not_judged,
        }

    def _attribute(self, name: str) -> dict[str, Any]:
        table, trials = self.calibrated.table, self.calibrated.trials.get(name)
        chosen = table.chosen(name)
        entry: dict[str, Any] = {
            "n_positive": chosen.n_positive,
            "n_negative": chosen.n_negative,
            "judged": chosen.judged,
            "chosen": chosen.estimator,
            "readout": self._readout(table.readouts[name], self.labels[:, table.attributes.index(name)]),
            "relative_error": {
                d.estimator: float(np.linalg.norm(d.standard_error) / np.linalg.norm(d.vector))
                for d in table.directions
                if d.attribute == name
            },
        }
        if trials is None:
            return entry
        cases = self.calibrated.cases[name]
        return entry | {
            "strengths": {
                "add": {str(level): chosen.add[level] for level in LEVELS},
                "remove": {str(level): chosen.remove[level] for level in LEVELS},
            },
            "curves": {word: self._curve(self.calibrated.curves[name][on], cases[on]) for on, word in DIRECTIONS},
            "estimators": {estimator: self._trial(trial, cases) for estimator, trial in trials.items()},
            "set": {
                word: self._outcome(self.bench.by_spec(cases[on], Spec((Change(name, on=on),))), cases[on])
                for on, word in ((True, "on"), (False, "off"))
            },
        }

    def _readout(self, readout: Readout, labels: np.ndarray) -> dict[str, Any]:
        """Accuracy of the read-out on valid latents."""
        logits, people = self.latents @ readout.weights + readout.bias, self.people[self.rows]
        return {
            "balanced_accuracy": balanced_accuracy(logits > 0, labels, people=people).to_json(),
            "auroc": auroc(logits, labels, people=people).to_json(),
        }

    def _curve(self, outcomes: Sequence[Outcome], case: Case) -> list[dict[str, Any]]:
        smooth = monotone([outcome.success.mean() for outcome in outcomes])
        return [
            {"strength": float(strength), "monotone": float(height), **self._outcome(outcome, case)}
            for strength, outcome, height in zip(self.calibrated.grid, outcomes, smooth, strict=True)
        ]

    def _trial(self, trial: EstimatorTrial, cases: Mapping[bool, Case]) -> dict[str, Any]:
        both = np.concatenate([cases[on].faces for on, _ in DIRECTIONS])
        entry: dict[str, Any] = {"off_target": self._mean(trial.side_effects, both).to_json()}
        for on, word in DIRECTIONS:
            entry[word] = self._outcome(trial.outcomes[on], cases[on]) | {
                "strength": trial.strengths[on],
                "matched": trial.matched[on],
                "highest_success": trial.highest[on],
            }
        return entry

    def _outcome(self, outcome: Outcome, case: Case) -> dict[str, Any]:
        return {
            "success": share(outcome.success, self.people[case.faces]).to_json(),
            "off_target": self._mean(outcome.side_effects, case.faces).to_json(),
        }

    def _mean(self, values: np.ndarray, faces: np.ndarray) -> Estimate:
        known = np.isfinite(values)
        return bootstrap_mean(values[known], seed=self.seed, clusters=self._people(faces[known]), count=RESAMPLES)

    def _people(self, faces: np.ndarray) -> np.ndarray:
        """The person on each of the images `faces` (n,)."""
        return np.asarray(self.people[faces.astype(np.int64)])

    def _comparison(self, names: Sequence[str]) -> dict[str, Any]:
        """Side effects at matched success over all attributes; differences in pairs, over the cases that both
        estimators of a pair can match, resampled by person."""
        trials = self.calibrated.trials
        each: dict[str, Any] = {}
        for name in names:
            (values,), faces = self._pooled((name,))
            each[name] = {
                "off_target": bootstrap_mean(
                    values, seed=self.seed, clusters=self._people(faces), count=RESAMPLES
                ).to_json(),
                "matched": sum(sum(own[name].matched.values()) for own in trials.values()),
                "cases": 2 * len(trials),
                "chosen": sum(best_trial(own).direction.estimator == name for own in trials.values()),
            }
        differences = []
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                (a, b), faces = self._pooled((first, second))
                difference = paired_difference(a, b, seed=self.seed, clusters=self._people(faces), count=RESAMPLES)
                differences.append({"first": first, "second": second, "off_target": difference.to_json()})
        return {"each": each, "differences": differences}

    def _pooled(self, estimators: Sequence[str]) -> tuple[list[np.ndarray], np.ndarray]:
        """Side effects of each estimator on the faces of all cases that every one of them matches, and the faces."""
        values: list[list[np.ndarray]] = [[] for _ in estimators]
        faces: list[np.ndarray] = []
        for name, own in self.calibrated.trials.items():
            for on in (True, False):
                if all(own[estimator].matched[on] for estimator in estimators):
                    side_effects = np.stack([own[estimator].outcomes[on].side_effects for estimator in estimators])
                    defined = np.isfinite(side_effects).all(0)
                    for parts, row in zip(values, side_effects[:, defined], strict=True):
                        parts.append(row)
                    faces.append(self.calibrated.cases[name][on].faces[defined])
        none = np.zeros(0)
        return [np.concatenate(parts) if parts else none for parts in values], (
            np.concatenate(faces) if faces else none
        )
