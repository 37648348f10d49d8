"""The interpolation figures of the papers: test photos outermost, between them straight lines through their latents.

Brock et al. 2017, figure 6, and the figure of that paper's code (6 x 9: samples, then interpolations); Perarnau et al.
2016, who move z and y together. If a system has a flow, the lines are straight before it."""

import torch
from PIL import Image
from torch import Tensor

from facet.base import compute, images
from facet.evaluation.exam import Exam
from facet.evaluation.exhibits import in_columns
from facet.evaluation.samples import Pictures

ROWS = 6
STEPS = 7  # pictures from one reconstruction to the other, both included
FIGURE_OF = "ian"  # the system whose published code draws samples above interpolations
FIGURE_ROWS = 3  # of samples, and of interpolations below them
SIDE = 128  # pixels of a picture


def interpolation_sheets(exam: Exam, prior: Pictures | None) -> dict[str, Image.Image]:
    """By file name: `interpolation`, and for the introspective network `ian_figure`; none if there are fewer than two
    faces."""
    first, second = exam.pairs(ROWS)
    if not len(first):
        return {}
    device = exam.editor.device
    a, b = (images.gather(exam.pixels, exam.rows[faces]).to(device) for faces in (first, second))
    between = [exam.editor.decode(latent) for latent in latents_between(exam, a, b)]
    inner = [f"{step}/{STEPS - 1}" for step in range(1, STEPS - 1)]
    captions = ["photo A", "reconstruction", *inner, "reconstruction", "photo B"]
    columns = [a, *between, b]
    by_name = {
        "interpolation": in_columns(
            list(zip(captions, columns, strict=True)), title="Interpolation between test photos", side=SIDE
        )
    }
    if exam.editor.system.name == FIGURE_OF and prior is not None:
        shown = min(FIGURE_ROWS, len(a))
        samples = prior(0, FIGURE_ROWS * len(columns)).unflatten(0, (FIGURE_ROWS, len(columns)))
        mixed = [torch.cat([samples[:, j], column[:shown]]) for j, column in enumerate(columns)]
        rows = ["samples"] * FIGURE_ROWS + ["interpolations"] * shown
        by_name["ian_figure"] = in_columns(
            [("", column) for column in mixed],
            rows,
            title="Samples; test photos, their reconstructions, and between",
            side=SIDE,
        )
    return by_name


@torch.no_grad()
def latents_between(exam: Exam, a: Tensor, b: Tensor) -> list[Tensor]:
    """STEPS batches of latents (n, d), from those of photos a (n, C, S, S) to those of photos b, ends included."""
    system, shares = exam.editor.system, [step / (STEPS - 1) for step in range(STEPS)]
    interpolate = getattr(system, "interpolate", None)
    if interpolate is None:
        start, end = exam.editor.encode(a), exam.editor.encode(b)
        return [torch.lerp(start, end, share) for share in shares]
    with compute.autocast(exam.editor.device, exam.editor.precision):
        return [interpolate(a, b, share).float() for share in shares]
