"""As much as each face needs: the weakest edit of which judge A is sure when it looks at the result.

Dyes are no part of the search: hair that is dyed has the colour that was asked for."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import torch

from facet.editing.editor import Editor
from facet.editing.spec import Spec
from facet.photos.batch import Start, in_colour, to_levels
from facet.photos.faces import change
from facet.photos.faces.change import Carried
from facet.photos.faces.dye import COLOURS, Dye, dye
from facet.photos.faces.regions import regions

# Strengths tried for `on` and `off`, in multiples of the calibrated one that flips 95 % of faces.
SCALES = (0.0, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.25, 1.5)
DYED = 1.25  # how far `on` and `off` dye hair, in ways to the mean colour of clear cases: half of those show it less
FARTHEST = 2.0  # strongest edit by `on` and `off`, in strengths of 1: beyond it, decoders paint what no photo shows

# What the judge sees in pictures (F, F, 3) of a batch: probabilities (BATCH, names).
Look = Callable[[Start, Iterable[np.ndarray]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Found:
    """The edits that were chosen for a batch."""

    changes: list[Carried]  # of the faces that do more than fill the batch
    after: np.ndarray  # (BATCH, names) what the judge sees
    latent: torch.Tensor  # (BATCH, d)
    strengths: np.ndarray  # (BATCH, attributes) signed multiples of their directions


class Search:
    """The search for a full batch of faces. Attributes that the spec moves by a number keep their strength."""

    def __init__(self, editor: Editor, start: Start, look: Look, covered: np.ndarray):
        """`covered` (BATCH,) bool: which faces show no hair to dye."""
        self.editor, self.start, self.look = editor, start, look
        numbers = editor.changes(start.latent, Spec(tuple(c for c in start.spec.changes if c.add is not None)))
        self._fixed, self._full = numbers.shift, start.applied.shift - numbers.shift
        self._scaled = np.array([name not in numbers.attributes for name in start.applied.attributes], bool)
        self._reconstruction = to_levels(start.reconstruction)
        chosen = {name: editor.table.chosen(name) for name in start.applied.attributes}
        asked = [change.attribute for change in start.spec.changes]
        self._dyes = {name: colours for name in asked if (colours := chosen[name].colours) is not None}
        usual = {name: direction.region for name, direction in chosen.items()}
        self._regions = [
            regions(face.head, len(face.large), usual, dyes=COLOURS if self._dyes else (), covered=bool(none))
            for face, none in zip(start.own, covered)
        ]
        self._searched = any(c.add is None and c.attribute not in self._dyes for c in start.spec.changes)
        self._ladder = self._multiples()
        self._each = np.arange(len(start.face_crops))

    def weakest(self, before: np.ndarray) -> Found:
        """The weakest edits of which the judge is sure, the strongest where it never is; `before` (BATCH, names) is
        what it sees in the photos.

        A search by halves over the ladder, since probabilities grow with strength, looks at quick composites. Then the
        judge looks at the change as it is carried back, and faces of which it is not sure rise step by step."""
        start, last = self.start, len(SCALES) - 1
        steps = np.full(len(self._each), last)
        if self._scaled.all():
            steps[start.sure(before)] = 0
        if self._searched:
            steps = self._halved(steps)
        changes: dict[int, Carried] = {}
        pictures: dict[int, np.ndarray] = {}
        rising = np.ones(len(steps), bool)
        while rising[: start.faces].any():
            edited, latent = self._at(steps)
            for i, (face, where) in enumerate(zip(start.own, self._regions, strict=True)):
                if rising[i]:
                    photo = face.large.astype(np.float32)
                    dye = self._dye(i) if steps[i] else None
                    changes[i] = change.carried(photo, self._reconstruction[i], edited[i], where.acts, dye)
                    pictures[i] = change.applied(change.redrawn(changes[i]))
            after = self.look(start, pictures.values())
            rising = ~start.sure(after, but=self._dyes) & (steps > 0) & (steps < last) & self._searched
            steps = steps + rising
        scales = self._ladder[self._each, steps][:, None]
        strengths = start.applied.strengths.cpu().numpy() * np.where(self._scaled, scales, 1)
        return Found(list(changes.values()), after, latent, strengths)

    def _halved(self, high: np.ndarray) -> np.ndarray:
        """The lowest steps of the ladder, at most `high`, of which the judge is sure by quick composites."""
        low = np.zeros_like(high)  # not sure
        while (high - low > 1).any():
            middle = np.where(high - low > 1, (low + high) // 2, high)
            sure = self.start.sure(self._quick(middle), but=self._dyes)
            high, low = np.where(sure, np.minimum(middle, high), high), np.where(sure, low, middle)
            low = np.minimum(low, high)
        return high

    def _quick(self, steps: np.ndarray) -> np.ndarray:
        edited, _ = self._at(steps)
        pictures = (
            change.quick(in_colour(face.crop), self._reconstruction[i], edited[i], where.acts)
            for i, (face, where) in enumerate(zip(self.start.own, self._regions, strict=True))
        )
        return self.look(self.start, pictures)

    def _dye(self, i: int) -> Dye | None:
        """The dye of a face's hair that the spec calls for: DYED for `on` and `off`, else as far as the number goes in
        steps between the mean faces."""
        hair = self._regions[i].hair
        asked = [change for change in self.start.spec.changes if change.attribute in self._dyes]
        if hair is None or not asked:
            return None
        one = next((change for change in asked if change.towards), asked[0])
        present, absent = self._dyes[one.attribute]
        column = self.start.applied.attributes.index(one.attribute)
        amount = DYED if one.add is None else abs(float(self.start.applied.strengths[i, column]))
        return dye(hair, present if one.towards else absent, min(amount, FARTHEST))

    def _at(self, steps: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        """The decoded edits (BATCH, S, S, 3) in levels, and their latents, at a step of the ladder for each face."""
        scales = torch.from_numpy(self._ladder[self._each, steps]).to(self._full.device)[:, None]
        latent = self.editor.move(self.start.latent, self._fixed + scales * self._full)
        return to_levels(self.editor.decode(latent)), latent

    def _multiples(self) -> np.ndarray:
        """The multiples of the calibrated strength to try for each face, (BATCH, len(SCALES)) float32, rising from 0.
        The last moves no attribute further than FARTHEST."""
        applied = self.start.applied
        strongest = applied.strengths.abs().amax(1).cpu().numpy() if applied.attributes else np.ones(1)
        most = np.minimum(SCALES[-1], FARTHEST / np.maximum(strongest, 1e-6))
        return np.asarray(np.array(SCALES) / SCALES[-1] * most[:, None], np.float32)
