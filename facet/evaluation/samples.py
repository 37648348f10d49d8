"""Distances of generated pictures to photos in judge A's features (judge B judges edits), beside the distance of real
photos to real photos. Named `judge_…` because the features are our judge's: these numbers are not FID or KID.

No picture is compared with a photo of the person it shows (facet/metrics/kid.py), so that perfect reconstructions lie
as far away as photos of other people: at 0, the floor."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facet import systems
from facet.base import compute, images
from facet.base.tables import Faces
from facet.editing.directions import choose_rows
from facet.evaluation.exam import Exam
from facet.evaluation.latents import Population
from facet.evaluation.rows import Row, concatenated, estimate_json
from facet.metrics.frechet import frechet
from facet.metrics.kid import kid
from facet.metrics.neighbours import memorisation
from facet.metrics.people import People
from facet.metrics.prdc import NEIGHBOURS, prdc

FEWEST = 2 * NEIGHBOURS + 2  # people in a set, below which it is not compared
PAIRS = 12  # of samples and training photos on the sheet

Pictures = Callable[[int, int], Tensor]  # (first, how many) -> pictures (n, C, S, S) in [-1, 1]


@dataclasses.dataclass(frozen=True)
class Pair:
    """A sample and the training photo nearest to it, uint8 (S, S, C)."""

    sample: np.ndarray
    photo: np.ndarray


@dataclasses.dataclass(frozen=True)
class Shown:
    """A set of pictures as judge A sees it, and whom each shows; nobody's pictures are samples."""

    features: np.ndarray  # (n, d)
    people: People

    @property
    def persons(self) -> int:
        """The number of people; every sample is another one."""
        return len(self.features) if self.people is None else len(np.unique(self.people))

    def some(self, count: int, seed: int) -> "Shown":
        """Up to `count` of the pictures, drawn by seed."""
        chosen = choose_rows(count, len(self.features), seed)
        return Shown(self.features[chosen], None if self.people is None else self.people[chosen])


@dataclasses.dataclass(frozen=True)
class Sampled:
    """Pictures from a system's prior, decoded by the networks that edit, and what was drawn."""

    note: str
    pictures: Pictures


def sample_rows(
    exam: Exam, population: Population, prior: Sampled | None, edited: Shown, faces: Faces, *, count: int
) -> tuple[list[Row], list[Row], list[Pair]]:
    """Distances of each set of pictures to test photos, the memorisation check, and its closest pairs. All sets have
    the same number of pictures if there are enough, so that the bias of the Fréchet distance is the same.

    real photos: other people's photos (valid split), the floor. prior: draws from the prior. posterior: decoded draws
    from a Gaussian fitted to training latents. reconstructions, edits: of test photos."""
    everyone, valid, train = np.arange(len(exam.rows)), faces.rows("valid"), faces.rows("train")
    n = min(count, len(everyone), len(valid) or count)
    places = everyone[choose_rows(n, len(everyone), exam.seed)]
    real = Shown(features(exam, photos(exam, exam.rows[places]), len(places)), exam.people[places])
    others = valid[choose_rows(n, len(valid), exam.seed)]
    drawn = population.draw(n, compute.generator(exam.seed, 13))
    kept = exam.latents[torch.from_numpy(places).to(exam.latents.device)]
    sampled = {"posterior": Sampled("decoded draws from a Gaussian of training latents", decoded(exam, drawn))}
    if prior is not None:
        sampled = {"prior": prior} | sampled
    sets = {
        "real photos": (
            "the floor: photos of other people",
            Shown(features(exam, photos(exam, others), len(others)), faces.people()[others]),
        ),
        "reconstructions": (
            "of the same test photos, never compared with photos of the same person",
            Shown(features(exam, decoded(exam, kept), n), exam.people[places]),
        ),
        "edits": (
            "test photos edited at the calibrated strength, all attributes, never compared with the same person",
            edited.some(n, exam.seed),
        ),
        **{name: (one.note, Shown(features(exam, one.pictures, n), None)) for name, one in sampled.items()},
    }
    rows = [
        _row(exam, name, note, real, other)
        for name, (note, other) in sets.items()
        if min(real.persons, other.persons) >= FEWEST
    ]
    checks: list[Row] = []
    pairs: list[Pair] = []
    compared = train[choose_rows(4 * n, len(train), exam.seed)]
    known = features(exam, photos(exam, compared), len(compared))
    for name, one in sampled.items():
        check = memorisation(
            sets[name][1].features, known, real.features, test_people=real.people, seed=exam.seed, pairs=PAIRS
        )
        checks.append({"name": name, "training_faces": len(known), "ratio": estimate_json(check.ratio)})
        if not pairs:
            pairs = [
                Pair(_one(exam, one.pictures, int(i), n), exam.pixels[compared[j]]) for i, j in check.closest.tolist()
            ]
    return rows, checks, pairs


def _one(exam: Exam, pictures: Pictures, index: int, count: int) -> np.ndarray:
    """One of `count` pictures, from the batch it was made in."""
    start = index // exam.batch_size * exam.batch_size
    return images.to_pixels(pictures(start, min(exam.batch_size, count - start))[index - start, None])[0]


def _row(exam: Exam, name: str, note: str, real: Shown, other: Shown) -> Row:
    x, y, people, others = real.features, other.features, real.people, other.people
    shares = prdc(x, y, people=people, fake_people=others, seed=exam.seed)
    return {
        "name": name,
        "note": note,
        "people": other.persons,
        "judge_kid": estimate_json(kid(x, y, people=people, other_people=others)),
        "judge_frechet": estimate_json(frechet(x, y, people=people, other_people=others, seed=exam.seed)),
        **{key: estimate_json(value) for key, value in shares.items()},
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


def prior_of(exam: Exam, gan: Path) -> Sampled | None:
    """Draws from the prior in the training of `gan`, decoded by the exam's system, which may have been tuned since; the
    same for the same (first, how many). None if the system has no prior of its own."""
    module = systems.module(exam.editor.system.name)
    if not hasattr(module, "prior"):
        return None
    prior = module.prior(gan, exam.editor.device)

    def pictures(start: int, count: int) -> Tensor:
        return exam.editor.decode(prior.draw(count, compute.generator(exam.seed, 12, start)))

    return Sampled(f"decoded draws: {prior.name}", pictures)
