"""The test faces of one trained system, and what the judges say of the photos."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facet.base import images
from facet.base.tables import Faces
from facet.editing.directions import choose_rows
from facet.editing.editor import Editor
from facet.editing.spec import rivals
from facet.judges.judge import Judge
from facet.metrics import success as metric
from facet.metrics.intervals import UNDEFINED, Estimate, mean_draws, percentile

Row = dict[str, Any]  # one row of a section of the report: names, and numbers as {value, low, high, n}


@dataclasses.dataclass(frozen=True)
class Case:
    """Test faces that surely lack an attribute and get it (`on`), or surely have it and lose it."""

    attribute: str
    on: bool
    faces: np.ndarray  # (n,) places in Exam.rows

    @property
    def word(self) -> str:
        """As in the report."""
        return "add" if self.on else "remove"

    @property
    def sign(self) -> int:
        """Where a logit should go."""
        return 1 if self.on else -1


@dataclasses.dataclass(frozen=True)
class Exam:
    """Everything an evaluation looks at, read once: photos stay on disk, latents (t, d) and logits (t, K) in memory."""

    editor: Editor
    judge: Judge  # B: the published numbers
    other: Judge  # A: beside it
    pixels: np.ndarray  # images.npy
    rows: np.ndarray  # (t,) of the test split
    labels: np.ndarray  # (t, K) in the judges' order: -1, 0 unknown, +1
    values: np.ndarray  # (t, K) the same, and the value itself in [-1, 1] where it is real
    ranges: Mapping[str, tuple[float, float]]  # of real-valued attributes: what -1 and +1 stand for
    people: np.ndarray  # (t,) who is on each photo, for intervals that resample people
    latents: Tensor  # (t, d)
    logits: np.ndarray  # (t, K) of judge B on the photos
    reasons: Mapping[str, str]  # attribute -> why it is not judged; "" where it is
    shuffled: Mapping[str, Tensor]  # attribute -> direction (d,) that shuffled labels give
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
        """The place of an attribute among the judges' answers."""
        return self.judge.attributes.index(attribute)

    @property
    def thresholds(self) -> np.ndarray:
        """Probabilities (K,) from which judge B says `present`."""
        return self.judge.thresholds.double().cpu().numpy()

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Judge B's answers (n, K), bool."""
        return metric.predicted(logits, self.thresholds)

    def others(self, attribute: str) -> np.ndarray:
        """The judges' columns (K,) bool that an edit of `attribute` should leave alone; its rivals may change."""
        own = self.column(attribute)
        groups = [[own, *(self.column(rival) for rival in rivals(attribute) if rival in self.judge.attributes)]]
        return metric.counted(self.judge.judged, own, groups)

    def case(self, attribute: str, on: bool, count: int) -> Case:
        """Up to `count` faces whose state is certain to judge B (p <= .3 or >= .7) and to the label, drawn by seed."""
        column = self.column(attribute)
        certain = np.flatnonzero(metric.eligible(self.logits, self.labels, column, 1 if on else -1))
        return Case(attribute, on, certain[choose_rows(count, len(certain), self.seed + 2 * column + on)])

    def batches(self, faces: np.ndarray) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Places of `faces` (n,) in batches: where each batch lies in 0..n, its photos, its latents."""
        for start in range(0, len(faces), self.batch_size):
            part = slice(start, min(start + self.batch_size, len(faces)))
            x = images.gather(self.pixels, self.rows[faces[part]]).to(self.editor.device)
            yield part, x, self.latents[torch.from_numpy(faces[part]).to(self.latents.device)]

    def pairs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of at most `count` faces and of as many others (n,), drawn by seed; no face is in both."""
        chosen = choose_rows(2 * count, len(self.rows), self.seed)
        half = len(chosen) // 2
        return chosen[:half], chosen[half : 2 * half]

    def means(self, faces: np.ndarray, columns: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
        """The mean of each column (n,) over the faces, with intervals that resample people; NaNs are left out."""
        return means(columns, self.people[faces], seed=self.seed, resamples=self.resamples)


def means(columns: Mapping[str, np.ndarray], people: np.ndarray, *, seed: int, resamples: int) -> dict[str, Estimate]:
    """Means of columns (n,) with bootstrap intervals over whole people (n,); NaN entries are left out."""
    found: dict[str, Estimate] = {}
    by_mask: dict[bytes, list[str]] = {}
    for name, values in columns.items():
        by_mask.setdefault(np.isfinite(np.asarray(values, np.float64)).tobytes(), []).append(name)
    for mask, names in by_mask.items():
        keep = np.frombuffer(mask, bool)
        if not keep.any():
            found |= dict.fromkeys(names, UNDEFINED)
            continue
        table = np.stack([np.asarray(columns[name], np.float64)[keep] for name in names], 1)
        draws = mean_draws(table, seed=seed, clusters=people[keep], count=resamples)
        for k, name in enumerate(names):
            found[name] = percentile(float(table[:, k].mean()), draws[:, k], int(keep.sum()))
    return {name: found[name] for name in columns}


def told(values: Mapping[str, Estimate]) -> Row:
    """Estimates as {value, low, high, n}, six significant digits."""
    return {name: tell(value) for name, value in values.items()}


def tell(value: Estimate) -> dict[str, float | int | None]:
    """One estimate as {value, low, high, n}."""
    return {name: short(number) for name, number in value.to_json().items()}


def flat(row: Row) -> Row:
    """A row for a table: a number {value, low, high, n} becomes the columns name, name_low, name_high, name_n."""
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {name: value["value"]} | {f"{name}_{part}": value[part] for part in ("low", "high", "n")}
        else:
            found[name] = value
    return found


def short(number: float | int | None) -> Any:
    """Six significant digits."""
    return float(f"{number:.6g}") if isinstance(number, float) else number


def exact(value: float, n: int) -> Estimate:
    """A number without sampling error, such as the largest of n."""
    return Estimate(value, value, value, n)


def _reasons(editor: Editor, judge: Judge) -> dict[str, str]:
    """Why each attribute cannot be edited and judged; "" where it can."""
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


def concatenated(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays in one; empty float64 for none."""
    return np.concatenate(parts) if parts else np.zeros(0)
