"""Stage `attributes`: latents and labels -> what each attribute does to a latent, and how far to go.

Directions and read-outs come from the labels of the train split; strengths and the choice among the estimators come
from judge A on the valid split; the test split and judge B are never looked at."""

import dataclasses
import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images, check_latents
from facet.base.errors import InputError
from facet.base.files import write_json
from facet.base.limits import Count, Limit, Natural, NonNegative, Positive
from facet.base.params import Device, Precision, run_stage
from facet.base.progress import progress
from facet.base.tables import Faces, latents_meta, read_faces, read_latents
from facet.calibration.bench import (
    MATCHED,
    Bench,
    Case,
    Outcome,
    curve_of_first_flips,
    eligible,
    monotone,
    strengths_at,
)
from facet.editing import directions, table
from facet.editing.compositing import check_mode
from facet.editing.directions import ESTIMATORS, How, Readout, Sample, Sums
from facet.editing.editor import Editor, quantiles
from facet.editing.spec import Change, Spec
from facet.editing.table import LEVELS, AttributeTable, Direction, TableMeta
from facet.judges.judge import Judge
from facet.metrics.classification import auroc, balanced_accuracy
from facet.metrics.intervals import Estimate, bootstrap_mean, paired_difference, wilson
from facet.photos.faces.detect import landmarks_of

log = logging.getLogger(__name__)

SAMPLE_FACES = 20_000  # training faces for the estimators that need rows and for the quantiles
SLACK = 0.1  # how far the success of all faces may stay below that of the coarse search
MIN_ELIGIBLE = 10  # faces of a case below which its strengths mean nothing
SEARCHED_FACES = 100  # training pictures in which eyes and mouths are looked for
RESAMPLES = 500  # bootstrap draws behind each interval of the report


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Learn what each attribute does to the latents of one system, and calibrate how far to go."""

    latents: Path  # folder written by `encode`
    prepared: Path  # folder written by `prepare`
    model: Path  # model folder that made the latents
    judges: Path  # folder written by `train_judge`
    attributes: Path  # out: Parquet, one row per attribute and estimator
    report: Path  # out: JSON, the comparison of the estimators and the strength curves
    estimators: tuple[str, ...]  # among mean_difference, least_squares, svm, logistic, projection, conditional
    min_count: Annotated[int, Limit(2)]  # training faces with and without an attribute below which it gets no direction
    ridge: NonNegative  # of least_squares, as a share of the mean diagonal of A'A
    validation_faces: Count  # valid faces that the judge looks at, to find those it is certain of
    calibration_faces: Count  # per attribute and direction
    max_strength: Positive  # the strongest edit tried, in class-mean gaps
    strengths: Annotated[int, Limit(0, open="low")]  # steps from 0 to max_strength
    margin: Annotated[float, Limit(0, 10, open="low")]  # `on` and `off` in strengths that flip 95 % for judge A
    mode: str  # the compositing that users get
    seed: Natural
    batch_size: Count
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    check(params)
    device = compute.start(device=params.device, threads=params.threads)
    faces, meta = read_faces(params.prepared), latents_meta(params.latents)
    check_latents(meta, params.latents, faces.meta, params.prepared)
    system = systems.load(params.model, device)
    if "conditional" in params.estimators and not system.y_dim:
        raise InputError(
            f"the latents of {system.name} hold no description, so the estimator `conditional` has nothing to set; "
            f"take it out of systems.{system.name}.attributes.estimators"
        )
    check_images(system, params.model, faces.meta, params.prepared)
    judge = Judge.load(params.judges, "a", device, crop=faces.meta.crop, size=faces.meta.size)

    gathered = gather(params, faces)
    names = faces.meta.attributes
    refused = directions.refuse(names, gathered.sums, gathered.sample, params.min_count)
    kept = [k for k, name in enumerate(names) if name not in refused]
    if not kept:
        raise InputError(
            f"{params.prepared}: no attribute has {params.min_count} training faces on both sides; lower min_count or "
            f"add faces"
        )
    for name, reason in refused.items():
        log.warning("%s gets no direction: %s", name, reason)
    names = tuple(names[k] for k in kept)
    sums = gathered.sums.only(np.array(kept))
    sample = Sample(gathered.sample.latents, gathered.sample.labels[:, kept])
    readouts = dict(zip(names, directions.readouts(sums, sample), strict=True))
    entries = system.z_dim + np.array([system.attributes.index(name) for name in names]) if system.y_dim else None
    low, high = quantiles(gathered.sample.latents)
    draft = AttributeTable(
        _directions(params, names, sums, sample, How(params.ridge, entries)),
        readouts,
        TableMeta(
            system=system.name,
            crop=system.crop,
            split_hash=system.split_hash,
            z_dim=system.z_dim,
            y_dim=system.y_dim,
            mode=params.mode,
            max_strength=params.max_strength,
            margin=params.margin,
            latent_low=low,
            latent_high=high,
            refused=refused,
            landmarks=_landmarks(params, faces),
        ),
    )
    done, report = Calibrator(params, faces, gathered, judge, draft, Editor(system, draft, device=device,
        precision=params.precision)).run()  # fmt: skip
    table.write(params.attributes, done)
    write_json(params.report, report)
    log.info("%s: directions of %d attributes by %d estimators", system.name, len(names), len(params.estimators))


def _landmarks(params: Params, faces: Faces) -> tuple[float, ...] | None:
    """Where training pictures have their features, for the photo editor to cut faces alike."""
    train = faces.rows("train")
    shown = train[directions.choose_rows(SEARCHED_FACES, len(train), params.seed)]
    return landmarks_of(np.asarray(images.open_images(params.prepared)[shown]))


def check(params: Params) -> None:
    """InputError where the numbers cannot work."""
    unknown = [name for name in params.estimators if name not in ESTIMATORS]
    if unknown or len(set(params.estimators)) != len(params.estimators):
        raise InputError(f"estimators {' '.join(params.estimators)}: choose among {', '.join(ESTIMATORS)}, each once")
    check_mode(params.mode)
    if not params.margin > 0:
        raise InputError(f"margin {params.margin} must be positive: 1 takes the strength that flips 95 %")
    if params.max_strength <= 0 or params.strengths < 2 or params.calibration_faces < 1 or params.min_count < 2:
        raise InputError(
            "max_strength must be positive, strengths and min_count at least 2, calibration_faces at least 1"
        )


@dataclasses.dataclass(frozen=True)
class Gathered:
    """One pass over the latents: sums and a sample of the train split, and some faces of the valid split."""

    sums: Sums
    sample: Sample
    valid_rows: np.ndarray  # (v,) indices into images.npy
    valid_latents: np.ndarray  # (v, d) float32


def gather(params: Params, faces: Faces) -> Gathered:
    """Read the latents shard by shard, in the order of images.npy; memory does not grow with the data set."""
    meta = latents_meta(params.latents)
    dims, labels, ids = meta["z_dim"] + meta["y_dim"], faces.labels(), faces.ok["image_id"].to_numpy()
    train, valid = faces.rows("train"), faces.rows("valid")
    if not len(train):
        raise InputError(f"{params.prepared} has no training faces; check the split of stage `prepare`")
    sampled = train[directions.choose_rows(SAMPLE_FACES, len(train), params.seed)]
    valid = valid[directions.choose_rows(params.validation_faces, len(valid), params.seed)]
    sums, start = Sums.empty(labels.shape[1], dims), 0
    samples, valids = [], []
    in_split = np.zeros((3, len(ids)), bool)
    for mask, rows in zip(in_split, (train, sampled, valid), strict=True):
        mask[rows] = True
    columns = ("image_id", "z", "y") if meta["y_dim"] else ("image_id", "z")
    for shard in read_latents(params.latents, columns):
        z = np.concatenate([shard["z"], shard["y"]], axis=1) if "y" in shard else shard["z"]
        rows = slice(start, start + len(z))
        if not np.array_equal(shard["image_id"], ids[rows]):
            raise InputError(
                f"{params.latents} does not follow {params.prepared}/faces.parquet from row {start} on; run "
                f"`dvc repro encode`"
            )
        if not np.isfinite(z).all():
            raise InputError(f"{params.latents} holds latents that are not finite from row {start} on; train anew")
        is_train, is_sample, is_valid = in_split[:, rows]
        sums.add(z[is_train], labels[rows][is_train])
        samples.append(z[is_sample])
        valids.append(z[is_valid])
        start += len(z)
    if start != len(ids):
        raise InputError(f"{params.latents} holds {start} latents for {len(ids)} images; run `dvc repro encode`")
    return Gathered(sums, Sample(np.concatenate(samples), labels[sampled]), valid, np.concatenate(valids))


def _directions(params: Params, names: tuple[str, ...], sums: Sums, sample: Sample, how: How) -> tuple[Direction, ...]:
    """Every estimator's directions, the first estimator chosen, nothing calibrated."""
    unknown: dict[int, float | None] = dict.fromkeys(LEVELS)
    estimates = {name: ESTIMATORS[name](sums, sample, how) for name in params.estimators}
    return tuple(
        Direction(
            attribute=name,
            estimator=estimator,
            chosen=estimator == params.estimators[0],
            vector=vectors[k].astype(np.float32),
            standard_error=errors[k].astype(np.float32),
            n_positive=int(sums.positives[k]),
            n_negative=int(sums.negatives[k]),
            judged=False,
            add=unknown,
            remove=unknown,
            best=(None, None),
            fade=None,
        )
        for k, name in enumerate(names)
        for estimator, (vectors, errors) in estimates.items()
    )


@dataclasses.dataclass(frozen=True)
class Trial:
    """One estimator on the two cases of one attribute: strengths, and what happens at matched success."""

    direction: Direction
    outcomes: dict[bool, Outcome]  # at the strength for MATCHED per cent, or the strongest where nothing reaches it
    strengths: dict[bool, float]
    matched: dict[bool, bool]
    highest: dict[bool, float]  # the share of faces that some strength flips

    @property
    def off_target(self) -> np.ndarray:
        """Per face, additions first."""
        return np.concatenate([self.outcomes[True].off_target, self.outcomes[False].off_target])

    def rank(self) -> tuple[int, int, float, float]:
        """Smaller is better: signs in which 80 % and then 90 % success are out of reach, how far the former fall short,
        then off-target flips."""
        unmatched = sum(not matched for matched in self.matched.values())
        below = sum(strengths[90] is None for strengths in (self.direction.add, self.direction.remove))
        short = -sum(self.highest[on] for on in self.matched if not self.matched[on])
        return unmatched, below, short, float(np.nanmean([0.0, *self.off_target]))


class Calibrator:
    """Finds strengths and chooses estimators on the valid split, with judge A."""

    def __init__(
        self, params: Params, faces: Faces, gathered: Gathered, judge: Judge, draft: AttributeTable, editor: Editor
    ):
        self.params, self.draft, self.editor, self.judge = params, draft, editor, judge
        self.rows, self.latents = gathered.valid_rows, gathered.valid_latents
        self.pixels = images.open_images(params.prepared)
        self.labels = faces.labels(draft.attributes)[self.rows]
        self.bench = Bench(editor, judge, judge.judged, mode=params.mode, batch_size=params.batch_size)
        self.grid = np.linspace(0, params.max_strength, params.strengths + 1)
        self.probabilities = self._judge()

    def _judge(self) -> np.ndarray:
        """The judge's probabilities on the valid photos (v, K)."""
        size = self.params.batch_size
        batches = (self.rows[start : start + size] for start in range(0, len(self.rows), size))
        found = [self.judge.probabilities(images.gather(self.pixels, rows)).cpu() for rows in batches]
        return torch.cat(found).numpy() if found else np.zeros((0, len(self.judge.attributes)), np.float32)

    def run(self) -> tuple[AttributeTable, dict[str, Any]]:
        """The finished table and the report."""
        names = self.draft.attributes
        found: list[Direction] = []
        trials: dict[str, dict[str, Trial]] = {}
        cases: dict[str, dict[bool, Case]] = {}
        not_judged: dict[str, str] = {}
        curves: dict[str, dict[str, Any]] = {}
        for name in progress(names, len(names), "attributes"):
            own = [d for d in self.draft.directions if d.attribute == name]
            reason = self._cannot_judge(name)
            if reason:
                not_judged[name] = reason
                found += own
                continue
            cases[name] = {on: self._case(name, on) for on in (True, False)}
            trials[name] = {direction.estimator: self._try(direction, cases[name]) for direction in own}
            best = min(trials[name].values(), key=lambda trial: trial.rank())
            for direction in own:
                if direction.estimator == best.direction.estimator:
                    direction, curves[name] = self._calibrate(best, cases[name])
                else:
                    direction = dataclasses.replace(trials[name][direction.estimator].direction, chosen=False)
                found.append(direction)
        done = AttributeTable(tuple(found), self.draft.readouts, self.draft.meta)
        return done, self._report(done, trials, cases, curves, not_judged)

    def _cannot_judge(self, name: str) -> str | None:
        """Why the strengths of an attribute cannot be calibrated, or None."""
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
        k = self.draft.attributes.index(name)
        return eligible(self.probabilities[:, self.bench.column[name]], self.labels[:, k], on)

    def _case(self, name: str, on: bool) -> Case:
        candidates = self._eligible(name, on)
        key = (self.params.seed, self.draft.attributes.index(name), int(on))
        order = np.random.default_rng(key).permutation(len(candidates))[: self.params.calibration_faces]
        picked = candidates[np.sort(order)]
        device = self.editor.device
        latent = torch.from_numpy(self.latents[picked]).to(device)
        size = self.params.batch_size
        reconstruction = torch.cat([self.editor.decode(part) for part in latent.split(size)])
        before = torch.from_numpy(self.probabilities[picked]).to(device) >= self.judge.thresholds
        x = images.gather(self.pixels, self.rows[picked]).to(device)
        return Case(name, on, self.rows[picked], x, latent, reconstruction, before)

    def _try(self, direction: Direction, cases: dict[bool, Case]) -> Trial:
        """Coarse search: each face's first flip; then all faces at the strength for matched success."""
        direction = dataclasses.replace(
            direction, judged=True, fade=self.bench.fade(list(cases.values()), direction.estimator)
        )
        gates = table.gates([direction])
        outcomes, strengths, matched, highest, found = {}, {}, {}, {}, {}
        for on, case in cases.items():
            shift = self.bench.shift(case, direction.estimator)
            grid = self.grid if self.params.mode == "decode" else self.grid[1:]  # else strength 0 is the photo
            first = self.bench.first_flips(case, shift, grid.tolist(), gates)
            curve = curve_of_first_flips(first, self.grid)
            found[on] = strengths_at(self.grid, curve)
            wanted, highest[on] = found[on][MATCHED], float(curve[-1])
            strengths[on] = self.params.max_strength if wanted is None else wanted
            outcomes[on] = self.bench.at(case, shift, strengths[on], gates)
            # faces that flip and turn back at higher strengths make the coarse curve too good
            matched[on] = wanted is not None and float(outcomes[on].success.mean()) >= MATCHED / 100 - SLACK
        direction = dataclasses.replace(direction, add=found[True], remove=found[False])
        return Trial(direction, outcomes, strengths, matched, highest)

    def _calibrate(self, trial: Trial, cases: dict[bool, Case]) -> tuple[Direction, dict[str, Any]]:
        """Fine search for the chosen estimator: every face at every strength."""
        direction = dataclasses.replace(trial.direction, chosen=True)
        gates = table.gates([direction])
        curves: dict[str, Any] = {}
        found, best = {}, {}
        for on, case in cases.items():
            shift = self.bench.shift(case, direction.estimator)
            outcomes = [self.bench.at(case, shift, float(strength), gates) for strength in self.grid]
            success = np.array([outcome.success.mean() for outcome in outcomes])
            found[on], best[on] = strengths_at(self.grid, success), float(self.grid[int(np.argmax(success))])
            curves["add" if on else "remove"] = [
                {
                    "strength": float(strength),
                    "success": wilson(int(outcome.success.sum()), len(outcome.success)).to_json(),
                    "monotone": float(smooth),
                    "off_target": self._mean(outcome.off_target).to_json(),
                }
                for strength, outcome, smooth in zip(self.grid, outcomes, monotone(success), strict=True)
            ]
        best_ = (best[True], best[False])
        return dataclasses.replace(direction, add=found[True], remove=found[False], best=best_), curves

    def _mean(self, values: np.ndarray) -> Estimate:
        return bootstrap_mean(values[np.isfinite(values)], seed=self.params.seed, count=RESAMPLES)

    def _report(
        self,
        done: AttributeTable,
        trials: dict[str, dict[str, Trial]],
        cases: dict[str, dict[bool, Case]],
        curves: dict[str, dict[str, Any]],
        not_judged: dict[str, str],
    ) -> dict[str, Any]:
        editor = Editor(self.editor.system, done, device=self.editor.device, precision=self.editor.precision)
        bench = Bench(editor, self.judge, self.judge.judged, mode=self.params.mode, batch_size=self.params.batch_size)
        attributes: dict[str, Any] = {}
        for name in done.attributes:
            chosen = done.chosen(name)
            attributes[name] = {
                "n_positive": chosen.n_positive,
                "n_negative": chosen.n_negative,
                "judged": chosen.judged,
                "chosen": chosen.estimator,
                "readout": self._readout(done.readouts[name], self.labels[:, done.attributes.index(name)]),
                "relative_error": {
                    d.estimator: float(np.linalg.norm(d.standard_error) / np.linalg.norm(d.vector))
                    for d in done.directions
                    if d.attribute == name
                },
            }
            if name not in trials:
                continue
            attributes[name] |= {
                "strengths": {
                    "add": {str(level): chosen.add[level] for level in LEVELS},
                    "remove": {str(level): chosen.remove[level] for level in LEVELS},
                },
                "curves": curves[name],
                "estimators": {estimator: self._trial(trial) for estimator, trial in trials[name].items()},
                "set": {
                    word: self._outcome(bench.asked(cases[name][on], Spec((Change(name, on=on),))))
                    for on, word in ((True, "on"), (False, "off"))
                },
            }
        return {
            "system": done.meta.system,
            "crop": done.meta.crop,
            "judge": "a",
            "split": "valid",
            "mode": self.params.mode,
            "matched_success": MATCHED / 100,
            "training_faces": int(max(d.n_positive + d.n_negative for d in done.directions)),
            "attributes": attributes,
            "estimators": self._compare(trials, cases),
            "refused": done.meta.refused,
            "not_judged": not_judged,
        }

    def _readout(self, readout: Readout, labels: np.ndarray) -> dict[str, Any]:
        """How well the read-out tells the attribute on valid latents."""
        logits = self.latents @ readout.weights + readout.bias
        return {
            "balanced_accuracy": balanced_accuracy(logits > 0, labels).to_json(),
            "auroc": auroc(logits, labels).to_json(),
        }

    def _outcome(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "success": wilson(int(outcome.success.sum()), len(outcome.success)).to_json(),
            "off_target": self._mean(outcome.off_target).to_json(),
        }

    def _trial(self, trial: Trial) -> dict[str, Any]:
        told: dict[str, Any] = {"off_target": self._mean(trial.off_target).to_json()}
        for on, word in ((True, "add"), (False, "remove")):
            told[word] = self._outcome(trial.outcomes[on]) | {
                "strength": trial.strengths[on],
                "matched": trial.matched[on],
                "highest_success": trial.highest[on],
            }
        return told

    def _compare(self, trials: dict[str, dict[str, Trial]], cases: dict[str, dict[bool, Case]]) -> dict[str, Any]:
        """Off-target flips at matched success over all attributes; differences in pairs, over the cases that both
        estimators of a pair can match, resampled by face."""

        def pooled(estimators: tuple[str, ...]) -> tuple[list[np.ndarray], np.ndarray]:
            values: list[list[np.ndarray]] = [[] for _ in estimators]
            faces: list[np.ndarray] = []
            for name, own in trials.items():
                for on in (True, False):
                    if all(own[estimator].matched[on] for estimator in estimators):
                        off = np.stack([own[estimator].outcomes[on].off_target for estimator in estimators])
                        keep = np.isfinite(off).all(0)
                        for held, row in zip(values, off[:, keep], strict=True):
                            held.append(row)
                        faces.append(cases[name][on].faces[keep])
            none = np.zeros(0)
            return (
                [np.concatenate(held) if held else none for held in values],
                np.concatenate(faces) if faces else none,
            )

        table_: dict[str, Any] = {}
        names = self.params.estimators
        for name in names:
            (values,), faces = pooled((name,))
            table_[name] = {
                "off_target": bootstrap_mean(values, seed=self.params.seed, clusters=faces, count=RESAMPLES).to_json(),
                "matched": sum(sum(own[name].matched.values()) for own in trials.values()),
                "cases": 2 * len(trials),
                "chosen": sum(own[name].direction.estimator == self._best(own) for own in trials.values()),
            }
        differences = []
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                (a, b), faces = pooled((first, second))
                difference = paired_difference(a, b, seed=self.params.seed, clusters=faces, count=RESAMPLES)
                differences.append({"first": first, "second": second, "off_target": difference.to_json()})
        return {"each": table_, "differences": differences}

    @staticmethod
    def _best(own: dict[str, Trial]) -> str:
        return min(own.values(), key=lambda trial: trial.rank()).direction.estimator


if __name__ == "__main__":
    run_stage(Params, run)
