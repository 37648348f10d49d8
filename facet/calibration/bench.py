"""How strong one unit of an edit is: strengths that flip 50, 80, 90 and 95 % of judged validation faces, and which
estimator does it with the fewest flips of other attributes.

Judge A looks at what users get: the composited output. A face takes part where the judge is certain of its state
(probability <= .3 or >= .7) and the label agrees. Off-target flips compare the judge's answers on the output with those
on the photo, over the judged attributes except the edited one and its rivals, which are meant to change with it."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from facet.editing import compositing
from facet.editing.editor import Editor
from facet.editing.spec import Spec, rivals
from facet.editing.table import LEVELS, Strengths

MATCHED = 80  # per cent success at which estimators are compared


class AttributeJudge(Protocol):
    """What calibration needs of facet.judges.judge.Judge."""

    attributes: tuple[str, ...]
    thresholds: Tensor

    def probabilities(self, x: Tensor) -> Tensor: ...


@dataclasses.dataclass(frozen=True)
class Case:
    """Faces that lack an attribute and should get it (`on`), or have it and should lose it.

    `faces` (n,) numbers them, so that the same face is known again elsewhere."""

    attribute: str
    on: bool
    faces: np.ndarray
    x: Tensor  # (n, C, S, S)
    latent: Tensor  # (n, d)
    reconstruction: Tensor
    before: Tensor  # (n, K) bool: the judge's answers on the photos


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an edit did to each face of a case."""

    success: np.ndarray  # (n,) bool: the judge sees the target
    off_target: np.ndarray  # (n,) share of the other judged attributes whose answer changed; NaN if there is none


class Bench:
    """Tries edits of one editor before one judge, `batch_size` faces at a time, by one compositing mode."""

    def __init__(self, editor: Editor, judge: AttributeJudge, judged: Sequence[bool], *, mode: str, batch_size: int):
        self.editor, self.judge, self.mode, self.batch_size = editor, judge, mode, batch_size
        self.judged = np.array(judged)
        self.column = {name: k for k, name in enumerate(judge.attributes)}

    def others(self, attribute: str) -> np.ndarray:
        """The judge's columns that an edit of `attribute` should leave alone."""
        own = [self.column[name] for name in (attribute, *rivals(attribute)) if name in self.column]
        return np.flatnonzero(self.judged & ~np.isin(np.arange(len(self.judged)), own))

    def outcome(self, case: Case, y: Tensor) -> Outcome:
        """Compare the judge's answers on edited faces with the target and with those on the photos."""
        after = self.judge.probabilities(y) >= self.judge.thresholds
        others = torch.from_numpy(self.others(case.attribute)).to(after.device)
        changed = (after != case.before)[:, others].float().mean(1)
        return Outcome(
            (after[:, self.column[case.attribute]] == case.on).cpu().numpy(), changed.cpu().numpy().astype(np.float64)
        )

    def shift(self, case: Case, estimator: str) -> Tensor:
        """The step (n, d) of strength 1."""
        return self.editor.step(case.latent, case.attribute, estimator, case.on)

    def at(
        self, case: Case, shift: Tensor, strength: float, gates: compositing.Gates, rows: np.ndarray | None = None
    ) -> Outcome:
        """The outcome of `strength` times `shift` for the rows of the case (all of them where None)."""
        rows = np.arange(len(case.faces)) if rows is None else rows
        success, off_target = [], []
        for start in range(0, len(rows), self.batch_size):
            part = take(case, rows[start : start + self.batch_size])
            moved = self.editor.move(part.latent, strength * shift[rows[start : start + self.batch_size]])
            edited = self.editor.decode(moved)
            y, *_ = compositing.composite(part.x, part.reconstruction, edited, self.mode, gates)
            outcome = self.outcome(part, y)
            success.append(outcome.success)
            off_target.append(outcome.off_target)
        return Outcome(np.concatenate(success), np.concatenate(off_target))

    def asked(self, case: Case, spec: Spec) -> Outcome:
        """The outcome of a spec, as users write it."""
        success, off_target = [], []
        for start in range(0, len(case.faces), self.batch_size):
            part = take(case, np.arange(start, min(start + self.batch_size, len(case.faces))))
            y = self.editor.apply_to(part.x, part.latent, part.reconstruction, spec, self.mode).y
            outcome = self.outcome(part, y)
            success.append(outcome.success)
            off_target.append(outcome.off_target)
        return Outcome(np.concatenate(success), np.concatenate(off_target))

    def fade(self, cases: Sequence[Case], estimator: str) -> tuple[float, float]:
        """70th and 95th percentile of the channel mean of |D| at strength 1 over up to `batch_size` faces a case: where
        the photo's own detail begins to give way, and where it has gone (mode `replace`)."""
        sizes = []
        for case in cases:
            part = take(case, np.arange(min(self.batch_size, len(case.faces))))
            edited = self.editor.decode(self.editor.move(part.latent, self.shift(part, estimator)))
            sizes.append((edited - part.reconstruction).abs().mean(1).flatten())
        low, high = np.quantile(torch.cat(sizes).cpu().numpy(), [0.70, 0.95])
        low = max(float(low), compositing.LEVEL)
        return low, max(float(high), 2 * low)

    def first_flips(
        self, case: Case, shift: Tensor, strengths: Sequence[float], gates: compositing.Gates
    ) -> np.ndarray:
        """The lowest of ascending `strengths` at which each face shows the target (n,), infinity where none does.

        Faces that have flipped are not tried again, so a strong direction costs little."""
        found = np.full(len(case.faces), np.inf)
        for strength in strengths:
            left = np.flatnonzero(np.isinf(found))
            if not len(left):
                break
            flipped = self.at(case, shift, strength, gates, left).success
            found[left[flipped]] = strength
        return found


def take(case: Case, rows: np.ndarray) -> Case:
    """Some faces of a case."""
    return Case(
        case.attribute,
        case.on,
        case.faces[rows],
        case.x[rows],
        case.latent[rows],
        case.reconstruction[rows],
        case.before[rows],
    )


def monotone(success: np.ndarray) -> np.ndarray:
    """The nearest curve that never falls, by pooling adjacent violators (equal weights)."""
    blocks: list[tuple[float, int]] = []
    for value in success:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(count, value) for value, count in blocks])


def strengths_at(strengths: np.ndarray, success: np.ndarray) -> Strengths:
    """Where the rising part of the curve `success` over ascending `strengths` first reaches each of LEVELS, linear
    between its points; None where it never does. Beyond its peak an edit breaks the face, so nothing is read there."""
    curve = monotone(success[: int(np.argmax(success)) + 1])
    found: Strengths = {}
    for level in LEVELS:
        above = np.flatnonzero(curve >= level / 100 - 1e-9)
        if not len(above):
            found[level] = None
            continue
        i = above[0]
        if i == 0 or curve[i] == curve[i - 1]:
            found[level] = float(strengths[i])
        else:
            share = (level / 100 - curve[i - 1]) / (curve[i] - curve[i - 1])
            found[level] = float(strengths[i - 1] + share * (strengths[i] - strengths[i - 1]))
    return found


def curve_of_first_flips(first: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Share of faces that had flipped by each strength."""
    return (first[:, None] <= strengths[None]).mean(0)


def eligible(probabilities: np.ndarray, labels: np.ndarray, on: bool) -> np.ndarray:
    """Rows whose state is certain to the judge, (n,) probabilities, and to the label: sources of an edit to `on`."""
    source = (probabilities <= 0.3) & (labels < 0) if on else (probabilities >= 0.7) & (labels > 0)
    return np.flatnonzero(source)
