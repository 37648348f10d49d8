"""The Neural Photo Editor's two showcase strokes, measured: a dark stroke on the forehead should bring hair, a white
one on the mouth teeth (Brock et al. 2017, figure 1); by a fixed number of steps as in its code, and until it shows."""

import dataclasses

import numpy as np
import torch
from PIL import Image

from facet.base import images
from facet.editing import brush
from facet.editing.brush import Stroke
from facet.editing.directions import choose_rows
from facet.evaluation.exam import Exam
from facet.evaluation.exhibits import in_columns
from facet.evaluation.rows import Row, concatenated, estimate_json
from facet.metrics.intervals import wilson
from facet.pictures import crops

MODE = "ian"  # the editor's own mask
SHOWN = 8  # faces of the sheet
STEPS = 12  # of the published brush
REACH, HOLD = 0.75, 20.0  # of ours: chosen on validation faces with judge A, the same for all strokes and systems


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A stroke on the aligned 178 x 218 frame (place and side in its pixels), and the attributes of which one should
    become clearer on faces that lack them all."""

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
    """Per experiment and attribute: the share of `count` test faces without it whose logit by judge B rises; a last row
    per experiment for any of its attributes. `outside` is the largest change in levels where the mask is 0."""
    crop = crops.crop(exam.editor.table.meta.crop)
    rows: list[Row] = []
    for experiment in EXPERIMENTS:
        names = [name for name in experiment.raises if name in exam.judge.attributes]
        columns = [exam.column(name) for name in names]
        if not columns:
            continue
        lacking = np.flatnonzero((exam.labels[:, columns] < 0).all(1))
        faces = lacking[choose_rows(count, len(lacking), exam.seed)]
        rises: list[np.ndarray] = []
        outside = 0.0
        for part, x, _ in exam.batches(faces):
            painted = brush.paint(exam.editor, x, [experiment.stroke(crop)], MODE)
            after = exam.judge.logits(painted.y).cpu().numpy()[:, columns]
            rises.append(after > exam.logits[faces[part]][:, columns])
            changed = (painted.y - x).abs() * (painted.mask == 0)
            outside = max(outside, 127.5 * float(changed.max())) if len(x) else outside
        rose = concatenated(rises).reshape(len(faces), len(columns)).astype(bool)
        shares = {name: rose[:, k] for k, name in enumerate(names)}
        if len(names) > 1:
            shares[" or ".join(names)] = np.asarray(rose.any(1))
        rows += [
            {
                "deed": experiment.name,
                "attribute": name,
                "rises": estimate_json(wilson(int(share.sum()), len(share))),
                "outside": outside,
            }
            for name, share in shares.items()
        ]
    return rows


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
