"""A trained refiner: its folder, and what it does to a composite."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from facet.base import checkpoints, compute
from facet.base.compatibility import difference
from facet.base.errors import InputError
from facet.refining.network import MULTIPLE, UNet
from facet.systems import Data, System

KIND = "refiner"
FOLDER = "refiner"  # name of the folder inside a model folder


class Refiner:
    """Draws the masked part of a composite as sharply as the photo around it.

    refiner = Refiner.load(folder, device)
    refined = refiner.refine(refining.paste(photo, refining.enlarge(decoded, refiner.large), mask), mask)"""

    def __init__(self, folder: Path, card: dict[str, Any], device: torch.device, precision: str):
        data = Data.from_json(card["data"])
        self.system: str = card["system"]
        self.crop, self.size, self.channels, self.split_hash = data.crop, data.size, data.channels, data.split_hash
        self.large: int = card["large"]  # side of the pictures it was trained on
        self.device, self.precision = device, precision
        self.network = UNet(channels=data.channels, width=card["settings"]["width"])
        checkpoints.load_weights(folder, {"refiner": self.network})
        self.network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]

    @classmethod
    def load(cls, folder: Path, device: torch.device, *, precision: str = "auto") -> "Refiner":
        """The refiner in a folder that stage `train_refiner` wrote."""
        card = checkpoints.read_card(folder)
        path = folder / checkpoints.CARD
        if card.get("kind") != KIND:
            raise InputError(f"{path} describes no refiner; expected a folder that stage `train_refiner` wrote")
        try:
            return cls(folder, card, device, precision)
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} does not describe a refiner of this version ({error}); train it again") from error

    def check(self, folder: Path, system: System, model: Path) -> None:
        """Raise InputError unless the refiner in `folder` was trained for the system in the folder `model`."""
        found = difference(self, system)
        if self.system != system.name:
            found = ("system", self.system, system.name)
        if found is not None:
            name, mine, wanted = found
            raise InputError(
                f"{folder} was trained for {name} {mine}, but {model} has {name} {wanted}; train the refiner again "
                f"(dvc repro train_refiner)"
            )

    @torch.no_grad()
    def refine(self, composite: Tensor, mask: Tensor) -> Tensor:
        """Composites (N, C, L, L) in [-1, 1], a decoded picture pasted into a photo by the masks (N, 1, L, L) in
        [0, 1] -> float32 pictures (N, C, L, L) in [-1, 1] on the refiner's device, which equal the composites bit for
        bit where the mask is 0.

        L is `large`; other sides work as far as faces have about that size in them, and are multiples of 16."""
        expected = (len(composite), self.channels, *composite.shape[2:])
        if composite.shape != expected or mask.shape != (expected[0], 1, *expected[2:]):
            raise ValueError(f"composite {tuple(composite.shape)}, mask {tuple(mask.shape)}: expected (N, C, L, L) and "
                             f"(N, 1, L, L) of {self.channels} channels")  # fmt: skip
        if any(side % MULTIPLE for side in expected[2:]):
            raise ValueError(f"composite {tuple(composite.shape)}: expected sides that are multiples of {MULTIPLE}")
        composite = composite.to(self.device, torch.float32, memory_format=torch.channels_last)
        with compute.autocast(self.device, self.precision):
            refined: Tensor = self.network(composite, mask.to(self.device, torch.float32))
        return refined.clamp(-1, 1)


def enlarge(pictures: Tensor, side: int) -> Tensor:
    """Decoded pictures (N, C, S, S) in [-1, 1] -> (N, C, side, side) in [-1, 1], as the refiner was trained on them: by
    a bicubic filter, which is that of OpenCV, as it enlarges edits (facet/photos/faces/change.py)."""
    return interpolate(pictures, size=(side, side), mode="bicubic", align_corners=False).clamp(-1, 1)


def reduce(pictures: Tensor, side: int) -> Tensor:
    """Large pictures (N, C, L, L) in [-1, 1] -> (N, C, side, side), as systems see them."""
    return interpolate(pictures, size=(side, side), mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)


def paste(photos: Tensor, pictures: Tensor, masks: Tensor) -> Tensor:
    """Composites of photos and pictures (N, C, L, L): the pictures where the masks (N, 1, L, L) are 1, and the photos,
    bit for bit, where they are 0."""
    return torch.where(masks > 0, photos + masks * (pictures - photos), photos)


def refiner_of(model: Path) -> Path | None:
    """The refiner of a model folder: in the folder, or where the pipeline puts it beside data/models; None if there is
    none."""
    system = checkpoints.read_card(model)["system"]
    places = [model / FOLDER, model.parent.parent / "refiners" / system]
    return next((place for place in places if (place / checkpoints.CARD).exists()), None)


@dataclasses.dataclass(frozen=True)
class Card:
    """What model.json says of a refiner."""

    data: Data
    system: str
    large: int
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "kind": KIND,
            "data": self.data.to_json(),
            "large": self.large,
            "settings": self.settings,
        }
