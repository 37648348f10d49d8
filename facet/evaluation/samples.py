"""Distances of generated pictures to photos in judge A's features (judge B judges edits), beside the distance of real
photos to real photos. Named `judge_…` because the features are our judge's: these numbers are not FID or KID."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facet import systems
from facet.base import compute, images
from facet.editing.directions import choose_rows
from facet.evaluation.exam import Exam
from facet.evaluation.latents import Population
from facet.evaluation.rows import Row, concatenated, estimate_json
from facet.metrics.frechet import frechet
from facet.metrics.kid import kid
from facet.metrics.neighbours import memorisation
from facet.metrics.prdc import NEIGHBOURS, prdc

SUBSETS, SUBSET = 50, 500  # of the kernel distance
FEWEST = 2 * NEIGHBOURS  # pictures of a set, below which it is not compared
PAIRS = 12  # of samples and training photos on the sheet

Pictures = Callable[[int, int], Tensor]  # (first, how many) -> pictures (n, C, S, S) in [-1, 1]


@dataclasses.dataclass(frozen=True)
class Pair:
    """A sample and the training photo nearest to it, uint8 (S, S, C)."""

    sample: np.ndarray
    photo: np.ndarray


def sample_rows(
    exam: Exam,
    population: Population,
    prior: Pictures | None,
    edited: Sequence[np.ndarray],
    valid: np.ndarray,
    train: np.ndarray,
    *,
    count: int,
) -> tuple[list[Row], list[Row], list[Pair]]:
    """Distances of each set of pictures to test photos, the memorisation check, and its closest pairs. All sets have
    the same number of pictures if there are enough, so that the bias of the Fréchet distance is the same.

    real photos: other people's photos (valid split), the floor. prior: draws from the generator's prior. posterior:
    decoded draws from a Gaussian fitted to training latents. reconstructions, edits: of test photos."""
    everyone = np.arange(len(exam.rows))
    n = min(count, len(everyone), len(valid) or count)
    real_places = everyone[choose_rows(n, len(everyone), exam.seed)]
    real = features(exam, photos(exam, exam.rows[real_places]), len(real_places))
    others = valid[choose_rows(n, len(valid), exam.seed)]
    drawn = population.draw(n, compute.generator(exam.seed, 13))
    device = exam.latents.device
    kept = exam.latents[torch.from_numpy(real_places).to(device)]
    edits = concatenated(edited)
    sets = {
        "real photos": ("the floor: photos of other people", features(exam, photos(exam, others), len(others))),
        "reconstructions": ("of the same test photos", features(exam, decoded(exam, kept), n)),
        "edits": (
            "test photos edited at the calibrated strength, all attributes",
            edits[choose_rows(n, len(edits), exam.seed)],
        ),
        "posterior": ("decoded draws from a Gaussian of training latents", features(exam, decoded(exam, drawn), n)),
    }
    sampled = {"posterior": decoded(exam, drawn)}
    if prior is not None:
        sampled = {"prior": prior} | sampled
        sets["prior"] = ("draws from the generator's prior", features(exam, prior, n))
    rows = [_row(exam, name, note, real, other) for name, (note, other) in sets.items() if len(other) >= FEWEST]
    checks: list[Row] = []
    pairs: list[Pair] = []
    compared = train[choose_rows(4 * n, len(train), exam.seed)]
    known = features(exam, photos(exam, compared), len(compared))
    for name, pictures in sampled.items():
        check = memorisation(sets[name][1], known, real, seed=exam.seed, pairs=PAIRS)
        checks.append({"name": name, "training_faces": len(known), "ratio": estimate_json(check.ratio)})
        if not pairs:
            pairs = [Pair(_one(exam, pictures, int(i), n), exam.pixels[compared[j]]) for i, j in check.closest.tolist()]
    return rows, checks, pairs


def _one(exam: Exam, pictures: Pictures, index: int, count: int) -> np.ndarray:
    """One of `count` pictures, from the batch it was made in."""
    start = index // exam.batch_size * exam.batch_size
    return images.to_pixels(pictures(start, min(exam.batch_size, count - start))[index - start, None])[0]


def _row(exam: Exam, name: str, note: str, real: np.ndarray, other: np.ndarray) -> Row:
    return {
        "name": name,
        "note": note,
        "judge_kid": estimate_json(kid(real, other, seed=exam.seed, subsets=SUBSETS, subset=SUBSET)),
        "judge_frechet": estimate_json(frechet(real, other, seed=exam.seed)),
        **{key: estimate_json(value) for key, value in prdc(real, other, seed=exam.seed).items()},
    }


def features(exam: Exam, pictures: Pictures, count: int) -> np.ndarray:
    """Judge A's features (count, d) of pictures made batch by batch."""
    parts = [
        exam.other.features(pictures(start, min(exam.batch_size, count - start))).cpu().numpy()
        for start in range(0, count, exam.batch_size)
    ]
    return concatenated(parts)


def photos(exam: Exam, rows: np.ndarray) -> Pictures:
    """Prepared photos by their rows."""
    return lambda start, count: images.gather(exam.pixels, rows[start : start + count]).to(exam.editor.device)


def decoded(exam: Exam, latents: Tensor) -> Pictures:
    """Decoded latents (n, d)."""
    return lambda start, count: exam.editor.decode(latents[start : start + count].to(exam.editor.device))


def prior_of(system: str, gan: Path, device: torch.device, precision: str, seed: int) -> Pictures | None:
    """Draws from a generator's prior, the same for the same (first, how many); None if the system has no generator of
    its own."""
    module = systems.module(system)
    if not hasattr(module, "sampler"):
        return None
    draw = module.sampler(gan, device)

    @torch.no_grad()
    def pictures(start: int, count: int) -> Tensor:
        with compute.autocast(device, precision):
            x: Tensor = draw(count, compute.generator(seed, 12, start))
        return x.float().clamp(-1, 1)

    return pictures
