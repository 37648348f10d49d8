"""The papers' experiments on digits, for test pictures of digits and systems that take a description.

IcGAN adds one to a digit (the CS230 report: 74.60 % clear and correct by eye); ViGAN changes one of two digits and
keeps the other. Both set the description and decode: no compositing. `clearly`: judge B gives the requested class .9 or
more."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from scipy.special import softmax
from torch import Tensor

from facet.base import images
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, estimate_json
from facet.pictures import sheets

CLEAR = 0.9
NEAR = 2.0  # pixels by which a digit's centre of mass may move
PLACES = ("Digit", "Left", "Right")
HALVES = ("Left", "Right")  # of a canvas of two digits, side by side
GRID = 8  # rows of the sheets


@dataclasses.dataclass(frozen=True)
class Group:
    """The ten classes of one place of the picture."""

    place: str
    columns: tuple[int, ...]  # in the judges' order
    entries: tuple[int, ...]  # of a latent


def classes(place: str) -> tuple[str, ...]:
    """The ten attributes of a place, in order."""
    return tuple(f"{place}_{digit}" for digit in range(10))


def groups(exam: Exam) -> list[Group]:
    """The places whose ten digits the system describes and the judges know; none for faces."""
    system, places = exam.editor.system, []
    for place in PLACES:
        names = classes(place)
        if system.y_dim and all(name in system.attributes and name in exam.judge.attributes for name in names):
            columns = tuple(exam.column(name) for name in names)
            entries = tuple(system.z_dim + system.attributes.index(name) for name in names)
            places.append(Group(place, columns, entries))
    return places


def digit_rows(exam: Exam) -> list[Row]:
    """Per place, over all test pictures and by the digit they show: how often the next digit is clear and correct, how
    often the other place keeps its digit, how often the changed digit, the other and both keep their position (the
    centre of mass of each half within NEAR pixels), and how often judge B reads the photo correctly."""
    rows: list[Row] = []
    places, faces = groups(exam), np.arange(len(exam.rows))
    for group in places:
        results = _next_digit(exam, group, [other for other in places if other is not group])
        shown = results.pop("shown")
        for source in ("all", *range(10)):
            chosen = np.ones(len(shown), bool) if source == "all" else shown == source
            if chosen.any():
                rows.append(
                    {"place": group.place, "source": str(source)}
                    | {name: estimate_json(exam.share(faces[chosen], value[chosen])) for name, value in results.items()}
                )
    return rows


def _next_digit(exam: Exam, group: Group, others: Sequence[Group]) -> dict[str, np.ndarray]:
    """The digit `shown` on each test picture (t,), and whether each of the report's conditions holds (t,) after the
    next digit was requested."""
    faces = np.arange(len(exam.rows))
    shown = exam.labels[:, group.columns].argmax(1)
    parts: dict[str, list[np.ndarray]] = {}
    for part, x, latent in exam.batches(faces):
        target = (shown[part] + 1) % 10
        edited = exam.editor.decode(described(latent, group, target))
        logits = exam.judge.logits(edited).cpu().numpy()
        chance = softmax(logits[:, group.columns], axis=1)
        sure = chance[np.arange(len(target)), target]
        conditions = {
            "clearly": sure >= CLEAR,
            "correct": chance.argmax(1) == target,
            "judge_on_photo": exam.logits[part][:, group.columns].argmax(1) == shown[part],
        }
        if others:
            kept = [
                logits[:, other.columns].argmax(1) == exam.labels[part][:, other.columns].argmax(1) for other in others
            ]
            conditions["other_kept"] = np.all(kept, axis=0)
            stays = [centre_shift(x[..., half], edited[..., half]) <= NEAR for half in _halves(x.shape[-1])]
            changed = HALVES.index(group.place)
            conditions |= {
                "changed_place_kept": stays[changed],
                "other_place_kept": stays[1 - changed],
                "place_kept": np.all(stays, axis=0),
            }
        for name, value in conditions.items():
            parts.setdefault(name, []).append(value)
    return {"shown": shown} | {name: np.concatenate(values) for name, values in parts.items()}


def described(latent: Tensor, group: Group, digits: np.ndarray) -> Tensor:
    """Latents (n, d) whose description says `digits` (n,) at one place."""
    moved = latent.clone()
    rows = torch.arange(len(latent), device=latent.device)
    entries = torch.tensor(group.entries, device=latent.device)
    moved[:, entries] = -1.0
    moved[rows, entries[torch.from_numpy(digits).to(latent.device)]] = 1.0
    return moved


def centre_shift(before: Tensor, after: Tensor) -> np.ndarray:
    """Distance in pixels (n,) by which the centre of mass of the light moves between images (n, C, H, W) in [-1, 1]."""
    centres = []
    for x in (before, after):
        light = (x.mean(1) + 1).clamp(min=0)  # (n, H, W), 0 for black
        total = light.sum((1, 2)).clamp(min=1e-6)
        rows = torch.arange(light.shape[1], device=x.device, dtype=light.dtype)
        columns = torch.arange(light.shape[2], device=x.device, dtype=light.dtype)
        centres.append(torch.stack([light.sum(2) @ rows / total, light.sum(1) @ columns / total], 1))
    distance: np.ndarray = (centres[1] - centres[0]).norm(dim=1).cpu().numpy()
    return distance


def _halves(width: int) -> tuple[slice, slice]:
    return slice(0, width // 2), slice(width // 2, width)


def digit_sheets(exam: Exam) -> dict[str, Image.Image]:
    """By file name: test pictures beside the next digit; and one row per picture's z with every digit requested."""
    by_name = {}
    for group in groups(exam):
        faces = np.arange(min(GRID * GRID, len(exam.rows)))
        shown = exam.labels[faces][:, group.columns].argmax(1)
        _, x, latent = next(exam.batches(faces))
        shown = shown[: len(x)]
        nexts = images.to_pixels(exam.editor.decode(described(latent, group, (shown + 1) % 10)))
        photos = images.to_pixels(x)
        rows = [
            [picture for i in range(start, min(start + GRID, len(x))) for picture in (photos[i], nexts[i])]
            for start in range(0, len(x) // GRID * GRID, GRID)
        ]
        if rows:
            by_name[f"add_one_{group.place.lower()}"] = sheets.sheet(
                rows, ["photo", "plus one"] * GRID, title=f"{group.place}: one more", scale=1
            )
        grid = [images.to_pixels(exam.editor.decode(described(latent, group, np.full(len(x), d)))) for d in range(10)]
        rows = [[photos[i], *(column[i] for column in grid)] for i in range(min(GRID, len(x)))]
        by_name[f"every_digit_{group.place.lower()}"] = sheets.sheet(
            rows, ["photo", *map(str, range(10))], title=f"{group.place}: one hand, every digit", scale=2
        )
    return by_name
