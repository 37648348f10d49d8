"""Edits of one editor before judge A, which looks at what users get: the composited image.

A face takes part if the judge is certain of its state (probability <= .3 or >= .7) and the label agrees. Side effects
compare the judge's answers on the edited face with those on the photo, over the judged attributes except the edited one
and those that exclude it, which are meant to change with it."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facet.base import images
from facet.editing import compositing
from facet.editing.editor import Editor
from facet.editing.spec import Spec, exclusive_with
from facet.editing.table import REGION
from facet.metrics import success as metric
from facet.metrics.success import Case, Outcome


class AttributeJudge(Protocol):
    """The part of facet.judges.judge.Judge that calibration needs."""

    attributes: tuple[str, ...]
    judged: tuple[bool, ...]
    thresholds: Tensor

    def probabilities(self, x: Tensor) -> Tensor: ...


def probabilities_of(judge: AttributeJudge, pixels: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """The judge's probabilities (n, K) float32 on the images `rows` (n,) of images.npy."""
    batches = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
    parts = [judge.probabilities(images.gather(pixels, batch)).cpu() for batch in batches]
    return torch.cat(parts).numpy() if parts else np.zeros((0, len(judge.attributes)), np.float32)


@dataclasses.dataclass(frozen=True)
class CalibrationCase(Case):
    """A case with the images and latents of its faces in memory; `faces` are rows of images.npy."""

    x: Tensor  # (n, C, S, S)
    latent: Tensor  # (n, d)
    reconstruction: Tensor
    before: np.ndarray  # (n, K) bool: the judge's answers on the photos


class Bench:
    """Tries edits of one editor before one judge, `batch_size` faces at a time, by one compositing mode."""

    def __init__(self, editor: Editor, judge: AttributeJudge, *, mode: str, batch_size: int):
        self.editor, self.judge, self.mode, self.batch_size = editor, judge, mode, batch_size
        self.column = {name: k for k, name in enumerate(judge.attributes)}

    def outcome(self, case: CalibrationCase, y: Tensor) -> Outcome:
        """Success and side effects from the judge's answers on edited faces."""
        after = (self.judge.probabilities(y) >= self.judge.thresholds).cpu().numpy()
        others = metric.side_effect_columns(
            case.attribute, self.judge.attributes, self.judge.judged, exclusive_with(case.attribute)
        )
        outcome = metric.outcome(case.before, after, self.column[case.attribute], case.on, others)
        # the report's shares are rounded to single precision
        return Outcome(outcome.success, outcome.side_effects.astype(np.float32).astype(np.float64))

    def shift(self, case: CalibrationCase, estimator: str) -> Tensor:
        """The step (n, d) of strength 1."""
        return self.editor.step(case.latent, case.attribute, estimator, case.on)

    def at(
        self,
        case: CalibrationCase,
        shift: Tensor,
        strength: float,
        gates: compositing.Gates,
        rows: np.ndarray | None = None,
    ) -> Outcome:
        """The outcome of `strength` times `shift` for some rows of the case, all of them by default."""

        def edited(part: CalibrationCase, chosen: np.ndarray) -> Tensor:
            moved = self.editor.move(part.latent, strength * shift[chosen])
            decoded = self.editor.decode(moved)
            y, *_ = compositing.composite(part.x, part.reconstruction, decoded, self.mode, gates)
            return y

        return self._in_batches(case, np.arange(len(case.faces)) if rows is None else rows, edited)

    def by_spec(self, case: CalibrationCase, spec: Spec) -> Outcome:
        """The outcome of a spec, as users write it."""

        def edited(part: CalibrationCase, chosen: np.ndarray) -> Tensor:
            return self.editor.apply_to(part.x, part.latent, part.reconstruction, spec, self.mode).y

        return self._in_batches(case, np.arange(len(case.faces)), edited)

    def _in_batches(
        self, case: CalibrationCase, rows: np.ndarray, edited: Callable[[CalibrationCase, np.ndarray], Tensor]
    ) -> Outcome:
        outcomes = []
        for start in range(0, len(rows), self.batch_size):
            chosen = rows[start : start + self.batch_size]
            part = take(case, chosen)
            outcomes.append(self.outcome(part, edited(part, chosen)))
        return Outcome(
            np.concatenate([outcome.success for outcome in outcomes]),
            np.concatenate([outcome.side_effects for outcome in outcomes]),
        )

    def fade(self, cases: Sequence[CalibrationCase], estimator: str) -> tuple[float, float]:
        """70th and 95th percentile of the channel mean of |D| at strength 1 over up to `batch_size` faces a case: the
        change at which the photo's own detail begins to fade, and at which it is gone (mode `replace`)."""
        sizes = [size.flatten() for size in self._sizes(cases, estimator)]
        low, high = np.quantile(torch.cat(sizes).cpu().numpy(), [0.70, 0.95])
        low = max(float(low), compositing.LEVEL)
        return low, max(float(high), 2 * low)

    def region(self, cases: Sequence[CalibrationCase], estimator: str) -> np.ndarray:
        """Where the attribute acts: the mean of |D| over faces and channels as (REGION, REGION) uint8, 255 where it is
        at its 98th percentile or above."""
        mean = torch.stack([size.mean(0) for size in self._sizes(cases, estimator)]).mean(0)  # (S, S)
        cells = F.adaptive_avg_pool2d(mean[None, None], REGION)[0, 0].cpu().numpy()
        share = cells / max(float(np.quantile(cells, 0.98)), 1e-6)
        return np.rint(255 * share.clip(0, 1)).astype(np.uint8)

    def _sizes(self, cases: Sequence[CalibrationCase], estimator: str) -> Iterator[Tensor]:
        """The channel mean of |D| (n, S, S) at strength 1 over up to `batch_size` faces of each case."""
        for case in cases:
            part = take(case, np.arange(min(self.batch_size, len(case.faces))))
            edited = self.editor.decode(self.editor.move(part.latent, self.shift(part, estimator)))
            yield (edited - part.reconstruction).abs().mean(1)

    def first_successes(
        self, case: CalibrationCase, shift: Tensor, strengths: Sequence[float], gates: compositing.Gates
    ) -> np.ndarray:
        """The lowest of ascending `strengths` at which each face shows the target (n,), infinity if none does.

        Faces that have succeeded are not tried again, so a strong direction costs little."""
        first = np.full(len(case.faces), np.inf)
        for strength in strengths:
            remaining = np.flatnonzero(np.isinf(first))
            if not len(remaining):
                break
            success = self.at(case, shift, strength, gates, remaining).success
            first[remaining[success]] = strength
        return first


def take(case: CalibrationCase, rows: np.ndarray) -> CalibrationCase:
    """Some faces of a case."""
    return CalibrationCase(
        case.attribute,
        case.on,
        case.faces[rows],
        case.x[rows],
        case.latent[rows],
        case.reconstruction[rows],
        case.before[rows],
    )
