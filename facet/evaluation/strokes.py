"""The Neural Photo Editor's two showcase strokes, measured: a dark stroke on the forehead should bring hair, a white
one on the mouth teeth (Brock et al. 2017, figure 1); by a fixed number of steps as in its code, and until it shows."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from facet.base import images
from facet.editing import brush
from facet.editing.brush import Stroke
from facet.editing.directions import choose_rows
from facet.evaluation.exam import Exam
from facet.evaluation.exhibits import in_columns
from facet.evaluation.rows import Row, estimate_json
from facet.metrics import success as metric
from facet.pictures import crops

MODE = "ian"  # the editor's own mask
SHOWN = 8  # faces of the sheet
STEPS = 12  # of the published brush
PLACES, TRIES = 8, 1_000  # random places of the control, each for an eighth of the faces, and draws to find them
REACH, HOLD = 0.75, 20.0  # of ours: chosen on validation faces with judge A, the same for all strokes and systems


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A stroke on the aligned 178 x 218 frame (place and side in its pixels), and the attributes of which one should
    be seen on faces that lacked them all."""

    name: str
    place: tuple[float, float]
    side: float
    colour: tuple[float, float, float]
    raises: tuple[str, ...]
    until: bool = False  # paint until it shows, instead of STEPS steps

    def stroke(self, crop: crops.Crop) -> Stroke:
        """The stroke in coordinates of a crop."""
        left, top, right, bottom = crop.box
        width = right - left
        x, y = (self.place[0] - left) / width, (self.place[1] - top) / (bottom - top)
        if self.until:
            return Stroke("reach", x, y, self.side / width, colour=self.colour, reach=REACH, hold=HOLD)
        return Stroke("paint", x, y, self.side / width, colour=self.colour, steps=STEPS)


FOREHEAD = Experiment("dark stroke on the forehead", (89, 76), 40, (-0.85, -0.9, -0.95), ("Bangs", "Black_Hair"))
MOUTH = Experiment("white stroke on the mouth", (89, 152), 14, (1.0, 1.0, 1.0), ("Mouth_Slightly_Open",))
EXPERIMENTS = (
    FOREHEAD,
    MOUTH,
    *(
        dataclasses.replace(experiment, name=f"{experiment.name}, until it shows", until=True)
        for experiment in (FOREHEAD, MOUTH)
    ),
)


def stroke_rows(exam: Exam, count: int) -> list[Row]:
    """Per experiment and attribute, on up to `count` test faces that certainly lack its attributes: the share on which
    judge B, by its calibrated threshold, sees the attribute after the stroke (`seen`); after a stroke of the same size
    and colour at a random other place (`control`); and the difference (`above`). A last row per experiment for any of
    its attributes. `outside` is the largest change in levels where the mask is 0."""
    crop = crops.crop(exam.editor.table.meta.crop)
    rows: list[Row] = []
    for experiment in EXPERIMENTS:
        names = [name for name in experiment.raises if name in exam.judge.attributes]
        columns = [exam.column(name) for name in names]
        if not columns:
            continue
        lacking = np.flatnonzero(_lack(exam, columns))
        faces = lacking[choose_rows(count, len(lacking), exam.seed)]
        seen, outside = answers_after(exam, faces, experiment.stroke(crop), columns)
        control = np.full(seen.shape, np.nan)
        for part, place in zip(np.array_split(np.arange(len(faces)), PLACES), elsewhere(experiment, crop, exam.seed)):
            moved = dataclasses.replace(experiment, place=place).stroke(crop)
            control[part], _ = answers_after(exam, faces[part], moved, columns)
        shares = {name: (seen[:, k], control[:, k]) for k, name in enumerate(names)}
        if len(names) > 1:
            shares[" or ".join(names)] = (seen.max(1), control.max(1))
        rows += [_row(exam, faces, experiment, name, outside, *share) for name, share in shares.items()]
    return rows


def _lack(exam: Exam, columns: Sequence[int]) -> np.ndarray:
    """(t,) bool: the test faces that lack all of these attributes, by the label and with certainty by judge B."""
    probabilities = metric.probability(exam.logits)
    lacking = [metric.eligible(probabilities[:, column], exam.labels[:, column], on=True) for column in columns]
    return np.asarray(np.all(lacking, axis=0))


def answers_after(exam: Exam, faces: np.ndarray, stroke: Stroke, columns: Sequence[int]) -> tuple[np.ndarray, float]:
    """Judge B's answers (n, columns) on test faces after a stroke, 0 or 1, and the largest change in levels where the
    mask is 0."""
    answers, outside = [np.zeros((0, len(columns)))], 0.0
    for _, x, _ in exam.batches(faces):
        result = brush.paint(exam.editor, x, [stroke], MODE)
        answers.append(exam.answers(exam.judge.logits(result.y).cpu().numpy())[:, columns].astype(np.float64))
        changed = (result.y - x).abs() * (result.mask == 0)
        outside = max(outside, 127.5 * float(changed.max()))
    return np.concatenate(answers), outside


def elsewhere(experiment: Experiment, crop: crops.Crop, seed: int) -> list[tuple[float, float]]:
    """PLACES random places on the frame for the same brush, whole within the crop and clear of the experiment's own
    stroke; fewer if there are hardly any."""
    left, top, right, bottom = crop.box
    half, rng = experiment.side / 2, np.random.default_rng((seed, 17))
    tried = rng.uniform((left + half, top + half), (right - half, bottom - half), size=(TRIES, 2))
    clear = (np.abs(tried - experiment.place) >= experiment.side).any(1)
    return [(float(x), float(y)) for x, y in tried[clear][:PLACES]]


def _row(
    exam: Exam,
    faces: np.ndarray,
    experiment: Experiment,
    name: str,
    outside: float,
    seen: np.ndarray,
    control: np.ndarray,
) -> Row:
    known = np.isfinite(control)
    return {
        "deed": experiment.name,
        "attribute": name,
        "seen": estimate_json(exam.share(faces, seen > 0)),
        "control": estimate_json(exam.share(faces[known], control[known] > 0)),
        "above": estimate_json(exam.means(faces, {"above": seen - control})["above"]),
        "outside": outside,
    }


def stroke_sheet(exam: Exam) -> Image.Image:
    """Test faces in rows: the photo; for each experiment the decoded picture, the photo with the change, the mask."""
    crop = crops.crop(exam.editor.table.meta.crop)
    faces = choose_rows(SHOWN, len(exam.rows), exam.seed)
    x = images.gather(exam.pixels, exam.rows[faces]).to(exam.editor.device)
    columns: list[tuple[str, torch.Tensor]] = [
        ("photo", x),
        ("reconstruction", exam.editor.decode(exam.editor.encode(x))),
    ]
    for experiment in EXPERIMENTS:
        painted = brush.paint(exam.editor, x, [experiment.stroke(crop)], MODE)
        columns += [
            (f"{experiment.name}: decoded", painted.edited),
            ("into the photo", painted.y),
            ("mask", 2 * painted.mask - 1),
        ]
    return in_columns(columns, title="The contextual brush", side=128)
