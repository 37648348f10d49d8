"""Contact sheets of what averages hide: the least convincing edits, and samples beside their nearest training photo."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from facet.base import images
from facet.editing.spec import Change, Spec
from facet.evaluation.exam import Exam
from facet.evaluation.samples import Pair
from facet.evaluation.trials import TARGET, TriedCase
from facet.pictures import sheets

FACES = 6  # of each case on the sheet of least convincing edits


def in_columns(
    columns: Sequence[tuple[str, Tensor]], rows: Sequence[str] | None = None, *, title: str, side: int
) -> Image.Image:
    """A sheet of columns of pictures (N, C, S, S), one row for each of the N, enlarged to about `side` pixels."""
    pixels = [images.to_pixels(pictures) for _, pictures in columns]
    table = [[column[i] for column in pixels] for i in range(len(pixels[0]))]
    scale = max(1, side // pixels[0].shape[1])
    return sheets.sheet(table, [name for name, _ in columns], rows, title=title, scale=scale)


def least_convincing(exam: Exam, cases: Sequence[TriedCase]) -> Image.Image:
    """One row per attribute and direction: of the test faces behind the numbers, those in whose edit judge B sees the
    target least, each photo beside its edit. A row of fewer than FACES is filled with grey."""
    rows, names = [], []
    for tried in cases:
        case = tried.case
        logits = case.sign * tried.trials[TARGET].y[:, exam.column(case.attribute)]
        worst = case.faces[np.argsort(logits, kind="stable")[:FACES]]
        spec = Spec((Change(case.attribute, on=case.on),))
        row: list[np.ndarray] = []
        for _, x, latent in exam.batches(worst):
            result = exam.editor.apply_to(x, latent, exam.editor.decode(latent), spec, exam.mode)
            for photo, edited in zip(images.to_pixels(x), images.to_pixels(result.y), strict=True):
                row += [photo, edited]
        row += [np.full_like(row[0], 235)] * (2 * FACES - len(row))
        rows.append(row)
        names.append(str(spec).replace("_", " "))
    title = "Least convincing edits: photo, edited photo"
    return sheets.sheet(rows, ["photo", "edited"] * FACES, names, title=title, scale=1)


def closest(pairs: Sequence[Pair]) -> Image.Image:
    """Two rows: samples above the training photos nearest to them, closest pair first."""
    samples, photos = [pair.sample for pair in pairs], [pair.photo for pair in pairs]
    numbers = [str(i + 1) for i in range(len(pairs))]
    title = "Samples above their nearest training photos"
    return sheets.sheet([samples, photos], numbers, ["sample", "photo"], title=title, scale=1)
