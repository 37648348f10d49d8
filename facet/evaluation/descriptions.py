"""Descriptions that a system reads from photos, and the effect of each entry on the picture (Perarnau et al. 2016):
test faces with one attribute at a time, and faces from z ~ N(0, I) and training descriptions."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facet.base import compute, images
from facet.editing.directions import choose_rows
from facet.editing.spec import exclusive_with
from facet.evaluation.digits import groups
from facet.evaluation.exam import Exam
from facet.evaluation.exhibits import in_columns
from facet.evaluation.rows import Row, estimate_json
from facet.metrics.classification import balanced_accuracy

SHOWN = 8  # rows of the sheets
INVERTED = "Male"  # is set to the other state instead of on
FIRST = (  # the attributes of the paper, shown before others
    "Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Gray_Hair",
    "Heavy_Makeup", "Male", "Mouth_Slightly_Open", "Mustache", "Pale_Skin", "Receding_Hairline", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Hat",
)  # fmt: skip


def description_rows(exam: Exam) -> list[Row]:
    """Per attribute: how often the sign of the entry that the encoder reads is that of the label on test faces, the
    share of the commoner label, and the difference of the two (`above`, with an interval over people)."""
    system, rows = exam.editor.system, []
    if not system.y_dim:
        return []
    for name in (name for name in system.attributes if name in exam.judge.attributes):
        labels = exam.labels[:, exam.column(name)]
        read = exam.latents[:, system.z_dim + system.attributes.index(name)].cpu().numpy() > 0
        known = np.flatnonzero(labels)
        right = read[known] == (labels[known] > 0)
        common = labels[known] == (1 if 2 * (labels[known] > 0).sum() >= len(known) else -1)
        gain = exam.means(known, {"above": right.astype(np.float64) - common})
        rows.append(
            {
                "attribute": name,
                "accuracy": estimate_json(exam.share(known, right)),
                "balanced_accuracy": estimate_json(balanced_accuracy(read, labels, people=exam.people)),
                "majority": estimate_json(exam.share(known, common)),
                "above": estimate_json(gain["above"]),
            }
        )
    return rows


def description_sheets(exam: Exam, known: np.ndarray) -> dict[str, Image.Image]:
    """By file name: `variations` of test photos, and faces `generated` from descriptions drawn from `known` (n, y_dim).
    None without descriptions, nor for digits, which have sheets of their own."""
    system = exam.editor.system
    if not system.y_dim or groups(exam):
        return {}
    names = columns_of(system.attributes)
    photos = exam.rows[choose_rows(SHOWN, len(exam.rows), exam.seed)]
    x = images.gather(exam.pixels, photos).to(exam.editor.device)
    latent = exam.editor.encode(x)
    drawn = drawn_latents(exam, known)
    of_photos, generated = (
        [(_caption(name), exam.editor.decode(switched(exam, start, name))) for name in names]
        for start in (latent, drawn)
    )
    return {
        "variations": in_columns(
            [("photo", x), ("recon- struction", exam.editor.decode(latent)), *of_photos],
            title="Test photos, one attribute at a time",
            side=64,
        ),
        "generated": in_columns(
            [("as drawn", exam.editor.decode(drawn)), *generated],
            title="Generated: one z a row, one attribute at a time",
            side=64,
        ),
    }


def columns_of(attributes: Sequence[str]) -> list[str]:
    """The attributes that get a column: the paper's, then others, up to the number of the paper."""
    others = [name for name in attributes if name not in FIRST]
    return [*(name for name in FIRST if name in attributes), *others][: len(FIRST)]


def drawn_latents(exam: Exam, known: np.ndarray) -> Tensor:
    """Latents (SHOWN, d): z ~ N(0, I), each with a description of `known`."""
    system = exam.editor.system
    z = torch.randn(SHOWN, system.z_dim, generator=compute.generator(exam.seed, 15))
    y = known[np.random.default_rng((exam.seed, 15)).integers(len(known), size=SHOWN)]
    return torch.cat([z, torch.from_numpy(y).float()], dim=1).to(exam.editor.device)


def switched(exam: Exam, latent: Tensor, name: str) -> Tensor:
    """Latents (n, d) with one attribute on and those that exclude it off; Male in its other state."""
    system, moved = exam.editor.system, latent.clone()
    entry = system.z_dim + system.attributes.index(name)
    if name == INVERTED:
        moved[:, entry] = torch.where(latent[:, entry] > 0, -1.0, 1.0)
        return moved
    for other in set(exclusive_with(name)) & set(system.attributes):
        moved[:, system.z_dim + system.attributes.index(other)] = -1.0
    moved[:, entry] = 1.0
    return moved


def _caption(name: str) -> str:
    return f"{name} flipped" if name == INVERTED else name
