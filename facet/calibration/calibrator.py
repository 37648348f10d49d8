"""How strong one unit of an edit is: the strengths at which edits succeed on 50, 80, 90 and 95 % of validation faces,
and the choice of the estimator that gets there with the fewest side effects. Judge A decides."""

import dataclasses

import numpy as np
import torch

from facet.base import images
from facet.base.progress import progress
from facet.base.tables import Faces
from facet.calibration.bench import AttributeJudge, Bench, CalibrationCase, probabilities_of
from facet.calibration.curves import strengths_at, success_by_strength
from facet.calibration.latents import GatheredLatents
from facet.editing import table
from facet.editing.editor import Editor
from facet.editing.table import AttributeTable, Direction
from facet.metrics.success import Outcome, eligible

MATCHED_LEVEL = 80  # per cent success at which estimators are compared
SLACK = 0.1  # by which the success of all faces may fall short of that of the coarse search
MIN_ELIGIBLE = 10  # faces of a case below which its strengths mean nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Numbers of the calibration."""

    calibration_faces: int  # most faces per attribute and direction
    max_strength: float  # the strongest edit tried, in class-mean gaps
    strengths: int  # steps from 0 to max_strength
    mode: str  # the compositing that users get
    seed: int
    batch_size: int


@dataclasses.dataclass(frozen=True)
class EstimatorTrial:
    """One estimator on the two cases of one attribute: strengths, and the outcome at matched success."""

    direction: Direction
    outcomes: dict[bool, Outcome]  # at the strength for MATCHED_LEVEL per cent, or the strongest if none reaches it
    strengths: dict[bool, float]
    matched: dict[bool, bool]
    highest: dict[bool, float]  # share of faces on which some strength succeeds

    @property
    def side_effects(self) -> np.ndarray:
        """Per face, additions first."""
        return np.concatenate([self.outcomes[True].side_effects, self.outcomes[False].side_effects])

    def rank(self) -> tuple[int, int, float, float]:
        """Sort key, smaller is better: the directions in which 80 % and then 90 % success are out of reach, how far the
        former fall short, then side effects."""
        unmatched = sum(not matched for matched in self.matched.values())
        below = sum(strengths[90] is None for strengths in (self.direction.add, self.direction.remove))
        shortfall = -sum(self.highest[on] for on in self.matched if not self.matched[on])
        return unmatched, below, shortfall, float(np.nanmean([0.0, *self.side_effects]))


def best_trial(trials: dict[str, EstimatorTrial]) -> EstimatorTrial:
    """The trial of the estimator that edits of an attribute should use."""
    return min(trials.values(), key=lambda trial: trial.rank())


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """The finished table and the trials behind it, by attribute."""

    table: AttributeTable
    grid: np.ndarray  # strengths tried
    cases: dict[str, dict[bool, CalibrationCase]]
    trials: dict[str, dict[str, EstimatorTrial]]  # by estimator
    curves: dict[str, dict[bool, list[Outcome]]]  # of the chosen estimator, over the grid
    not_judged: dict[str, str]  # attribute -> reason


class Calibrator:
    """Finds strengths and chooses estimators on the valid split."""

    def __init__(
        self,
        settings: Settings,
        faces: Faces,
        pixels: np.ndarray,
        latents: GatheredLatents,
        judge: AttributeJudge,
        editor: Editor,
    ):
        """`editor` holds the table of uncalibrated directions, `pixels` is images.npy."""
        self.settings, self.draft, self.editor, self.judge = settings, editor.table, editor, judge
        self.rows, self.latents, self.pixels = latents.valid_rows, latents.valid, pixels
        self.labels = faces.labels(editor.table.attributes)[self.rows]
        self.bench = Bench(editor, judge, mode=settings.mode, batch_size=settings.batch_size)
        self.grid = np.linspace(0, settings.max_strength, settings.strengths + 1)
        self.probabilities = probabilities_of(judge, pixels, self.rows, settings.batch_size)

    def run(self) -> Calibrated:
        names = self.draft.attributes
        directions: list[Direction] = []
        trials: dict[str, dict[str, EstimatorTrial]] = {}
        cases: dict[str, dict[bool, CalibrationCase]] = {}
        not_judged: dict[str, str] = {}
        curves: dict[str, dict[bool, list[Outcome]]] = {}
        for name in progress(names, len(names), "attributes"):
            drafts = [d for d in self.draft.directions if d.attribute == name]
            reason = self._cannot_judge(name)
            if reason:
                not_judged[name] = reason
                directions += drafts
                continue
            cases[name] = {on: self._case(name, on) for on in (True, False)}
            trials[name] = {direction.estimator: self._try(direction, cases[name]) for direction in drafts}
            best = best_trial(trials[name])
            for draft in drafts:
                if draft.estimator == best.direction.estimator:
                    direction, curves[name] = self._calibrate(best, cases[name])
                else:
                    direction = dataclasses.replace(trials[name][draft.estimator].direction, chosen=False)
                directions.append(direction)
        done = AttributeTable(tuple(directions), self.draft.readouts, self.draft.meta)
        return Calibrated(done, self.grid, cases, trials, curves, not_judged)

    def _cannot_judge(self, name: str) -> str | None:
        """The reason why the strengths of an attribute cannot be calibrated, or None."""
        if name not in self.judge.attributes:
            return "the judges were not trained on it"
        if not self.judge.judged[self.bench.column[name]]:
            return "the judges cannot see it reliably"
        for on in (True, False):
            count = len(self._eligible(name, on))
            if count < MIN_ELIGIBLE:
                return (
                    f"only {count} validation faces are certain to be {'without' if on else 'with'} it; "
                    f"{MIN_ELIGIBLE} are needed"
                )
        return None

    def _eligible(self, name: str, on: bool) -> np.ndarray:
        labels = self.labels[:, self.draft.attributes.index(name)]
        return np.flatnonzero(eligible(self.probabilities[:, self.bench.column[name]], labels, on))

    def _case(self, name: str, on: bool) -> CalibrationCase:
        candidates = self._eligible(name, on)
        key = (self.settings.seed, self.draft.attributes.index(name), int(on))
        order = np.random.default_rng(key).permutation(len(candidates))[: self.settings.calibration_faces]
        picked = candidates[np.sort(order)]
        device = self.editor.device
        latent = torch.from_numpy(self.latents[picked]).to(device)
        reconstruction = torch.cat([self.editor.decode(part) for part in latent.split(self.settings.batch_size)])
        before = torch.from_numpy(self.probabilities[picked]).to(device) >= self.judge.thresholds
        x = images.gather(self.pixels, self.rows[picked]).to(device)
        return CalibrationCase(name, on, self.rows[picked], x, latent, reconstruction, before.cpu().numpy())

    def _try(self, direction: Direction, cases: dict[bool, CalibrationCase]) -> EstimatorTrial:
        """Coarse search: each face's first success; then all faces at the strength for matched success."""
        both = list(cases.values())
        direction = dataclasses.replace(
            direction,
            judged=True,
            fade=self.bench.fade(both, direction.estimator),
            region=self.bench.region(both, direction.estimator),
        )
        gates = table.gates([direction])
        outcomes, strengths, matched, highest, by_level = {}, {}, {}, {}, {}
        for on, case in cases.items():
            shift = self.bench.shift(case, direction.estimator)
            grid = self.grid if self.settings.mode == "decode" else self.grid[1:]  # else strength 0 is the photo
            first = self.bench.first_successes(case, shift, grid.tolist(), gates)
            curve = success_by_strength(first, self.grid)
            by_level[on] = strengths_at(self.grid, curve)
            wanted, highest[on] = by_level[on][MATCHED_LEVEL], float(curve[-1])
            strengths[on] = self.settings.max_strength if wanted is None else wanted
            outcomes[on] = self.bench.at(case, shift, strengths[on], gates)
            # faces that succeed and fail again at higher strengths make the coarse curve too good
            matched[on] = wanted is not None and float(outcomes[on].success.mean()) >= MATCHED_LEVEL / 100 - SLACK
        direction = dataclasses.replace(direction, add=by_level[True], remove=by_level[False])
        return EstimatorTrial(direction, outcomes, strengths, matched, highest)

    def _calibrate(
        self, trial: EstimatorTrial, cases: dict[bool, CalibrationCase]
    ) -> tuple[Direction, dict[bool, list[Outcome]]]:
        """Fine search for the chosen estimator: every face at every strength."""
        direction = dataclasses.replace(trial.direction, chosen=True)
        gates = table.gates([direction])
        curves: dict[bool, list[Outcome]] = {}
        by_level, best = {}, {}
        for on, case in cases.items():
            shift = self.bench.shift(case, direction.estimator)
            curves[on] = [self.bench.at(case, shift, float(strength), gates) for strength in self.grid]
            success = np.array([outcome.success.mean() for outcome in curves[on]])
            by_level[on], best[on] = strengths_at(self.grid, success), float(self.grid[int(np.argmax(success))])
        direction = dataclasses.replace(
            direction, add=by_level[True], remove=by_level[False], best=(best[True], best[False])
        )
        return direction, curves
