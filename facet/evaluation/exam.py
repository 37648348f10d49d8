"""The test faces of one trained system, and the judges' answers on the photos."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from facet.base import images
from facet.base.tables import Faces
from facet.editing.directions import choose_rows
from facet.editing.editor import Editor
from facet.editing.spec import exclusive_with
from facet.judges.judge import Judge
from facet.metrics import success as metric
from facet.metrics.intervals import UNDEFINED, Estimate, mean_draws, percentile, share
from facet.metrics.success import Case, Outcome


@dataclasses.dataclass(frozen=True)
class Exam:
    """Everything an evaluation needs, read once: photos stay on disk, latents (t, d) and logits (t, K) in memory. The
    faces of a case are indices into `rows`."""

    editor: Editor
    judge: Judge  # B, of the published numbers
    other: Judge  # A, reported beside it
    pixels: np.ndarray  # images.npy
    rows: np.ndarray  # (t,) of the test split
    labels: np.ndarray  # (t, K) in the judges' order: -1, 0 unknown, +1
    values: np.ndarray  # (t, K) labels, but the value in [-1, 1] of attributes that are real-valued
    ranges: Mapping[str, tuple[float, float]]  # real-valued attribute -> the values that -1 and +1 stand for
    people: np.ndarray  # (t,) the person on each photo, for intervals that resample people
    latents: Tensor  # (t, d)
    logits: np.ndarray  # (t, K) of judge B on the photos
    reasons: Mapping[str, str]  # attribute -> reason why it is not judged; "" if it is
    shuffled: Mapping[str, Tensor]  # attribute -> direction (d,) estimated from shuffled labels
    mode: str
    batch_size: int
    seed: int
    resamples: int

    @classmethod
    def open(
        cls,
        editor: Editor,
        judge: Judge,
        other: Judge,
        faces: Faces,
        pixels: np.ndarray,
        *,
        shuffled: Mapping[str, Tensor],
        mode: str,
        batch_size: int,
        seed: int,
        resamples: int,
    ) -> "Exam":
        """Encode and judge every test photo."""
        rows = faces.rows("test")
        latents, logits = [], []
        for start in range(0, len(rows), batch_size):
            x = images.gather(pixels, rows[start : start + batch_size]).to(editor.device)
            latents.append(editor.encode(x))
            logits.append(judge.logits(x).cpu())
        return cls(
            editor=editor,
            judge=judge,
            other=other,
            pixels=pixels,
            rows=rows,
            labels=faces.labels(judge.attributes)[rows],
            values=faces.descriptions(judge.attributes)[rows],
            ranges=faces.meta.ranges,
            people=faces.people()[rows],
            latents=torch.cat(latents),
            logits=torch.cat(logits).numpy(),
            reasons=_reasons(editor, judge),
            shuffled=shuffled,
            mode=mode,
            batch_size=batch_size,
            seed=seed,
            resamples=resamples,
        )

    @property
    def judged(self) -> tuple[str, ...]:
        """The attributes that can be edited and judged."""
        return tuple(name for name in self.judge.attributes if not self.reasons[name])

    def column(self, attribute: str) -> int:
        """The position of an attribute among the judges' answers."""
        return self.judge.attributes.index(attribute)

    @property
    def thresholds(self) -> np.ndarray:
        """Probabilities (K,) from which judge B says `present`."""
        return self.judge.thresholds.double().cpu().numpy()

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Judge B's answers (n, K), bool."""
        return metric.predicted(logits, self.thresholds)

    def others(self, attribute: str) -> np.ndarray:
        """(K,) bool: the judges' columns whose change is a side effect of an edit of `attribute`."""
        return metric.side_effect_columns(
            attribute, self.judge.attributes, self.judge.judged, exclusive_with(attribute)
        )

    def outcome(self, case: Case, logits: np.ndarray) -> Outcome:
        """The outcome that judge B's logits (n, K) or (strengths, n, K) on the edited faces of a case show."""
        before = self.answers(self.logits[case.faces])
        return metric.outcome(
            before, self.answers(logits), self.column(case.attribute), case.on, self.others(case.attribute)
        )

    def case(self, attribute: str, on: bool, count: int) -> Case:
        """Up to `count` faces whose state is certain to judge B (p <= .3 or >= .7) and to the label, drawn by seed."""
        column = self.column(attribute)
        probabilities = metric.probability(self.logits[:, column])
        certain = np.flatnonzero(metric.eligible(probabilities, self.labels[:, column], on))
        return Case(attribute, on, certain[choose_rows(count, len(certain), self.seed + 2 * column + on)])

    def batches(self, faces: np.ndarray) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Faces (n,) in batches: the slice of 0..n that each covers, its photos, its latents."""
        for start in range(0, len(faces), self.batch_size):
            part = slice(start, min(start + self.batch_size, len(faces)))
            x = images.gather(self.pixels, self.rows[faces[part]]).to(self.editor.device)
            yield part, x, self.latents[torch.from_numpy(faces[part]).to(self.latents.device)]

    def pairs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """At most `count` faces and as many others (n,), drawn by seed; no face is in both."""
        chosen = choose_rows(2 * count, len(self.rows), self.seed)
        half = len(chosen) // 2
        return chosen[:half], chosen[half : 2 * half]

    def share(self, faces: np.ndarray, flags: np.ndarray) -> Estimate:
        """The share of true flags (n,) over the faces, with an interval by person."""
        return share(flags, self.people[faces])

    def means(self, faces: np.ndarray, columns: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
        """The mean of each column (n,) over the faces, with intervals that resample people; NaNs are left out."""
        return means(columns, self.people[faces], seed=self.seed, resamples=self.resamples)


def means(columns: Mapping[str, np.ndarray], people: np.ndarray, *, seed: int, resamples: int) -> dict[str, Estimate]:
    """Means of columns (n,) with bootstrap intervals over whole people (n,); NaN entries are left out."""
    estimates: dict[str, Estimate] = {}
    by_mask: dict[bytes, list[str]] = {}
    for name, values in columns.items():
        by_mask.setdefault(np.isfinite(np.asarray(values, np.float64)).tobytes(), []).append(name)
    for mask, names in by_mask.items():
        keep = np.frombuffer(mask, bool)
        if not keep.any():
            estimates |= dict.fromkeys(names, UNDEFINED)
            continue
        table = np.stack([np.asarray(columns[name], np.float64)[keep] for name in names], 1)
        draws = mean_draws(table, seed=seed, clusters=people[keep], count=resamples)
        for k, name in enumerate(names):
            estimates[name] = percentile(float(table[:, k].mean()), draws[:, k], int(keep.sum()))
    return {name: estimates[name] for name in columns}


def _reasons(editor: Editor, judge: Judge) -> dict[str, str]:
    """The reason why each attribute cannot be edited and judged; "" if it can."""
    reasons = {}
    for name, seen in zip(judge.attributes, judge.judged, strict=True):
        reasons[name] = ""
        if name in editor.table.meta.refused:
            reasons[name] = f"no direction: {editor.table.meta.refused[name]}"
        elif name not in editor.table.attributes:
            reasons[name] = "no direction was estimated"
        elif not seen:
            reasons[name] = "the judges cannot see it reliably on real photos"
        elif not editor.table.chosen(name).judged:
            reasons[name] = "no calibrated strength: too few validation faces are certain"
    return reasons
