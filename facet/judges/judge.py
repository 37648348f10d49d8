"""Judges: two attribute classifiers that score edits and never enter a training loss, a direction or a system. Their
networks, their files, and the `Judge` that is loaded from them.

Judge A is a small residual network (calibration and model selection), judge B a plain convolutional one of another seed
on the other half of the training identities (published numbers); an edit that convinces only A exploits A's flaws.

A judge's probabilities refer to a population with as many faces that have the attribute as lack it (temperature and
bias are fitted on validation with both states weighing half), so p = .3 or .7 is the same margin for every attribute,
however rare; the prevalence stands in the card. Of a real-valued attribute p is its value v: p = (v + 1) / 2."""

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from facet.base import checkpoints
from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_json
from facet.base.params import need
from facet.base.tables import FacesMeta

Which = Literal["a", "b"]
WHICH: tuple[Which, Which] = ("a", "b")
FEATURES = 128  # dimensions of the penultimate features
CARD = "judges.json"
DIGITS = tuple("0123456789")


def conv(inputs: int, outputs: int, *, kernel: int, stride: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU: (N, inputs, S, S) -> (N, outputs, S / stride, S / stride)."""
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """(N, inputs, S, S) -> (N, outputs, S / 2, S / 2): the largest of 2x2, then two convolutions beside a 1x1 path."""

    def __init__(self, *, inputs: int, outputs: int):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.first = conv(inputs, outputs, kernel=3, stride=1)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        return (self.second(self.first(x)) + self.skip(x)).relu()


class Classifier(nn.Module):
    """Images (N, channels, S, S) in [-1, 1] -> logits (N, attributes), through a body that ends on a grid of about 8x8.

    The grid is flattened, not averaged: faces are aligned, so each cell always shows the same part of the face."""

    def __init__(self, body: nn.Module, *, cells: int, attributes: int, dropout: float):
        super().__init__()
        self.body = body
        self.project = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(cells, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU(inplace=True)
        )
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(FEATURES, attributes)

    def features(self, x: Tensor) -> Tensor:
        return self.project(self.body(x).flatten(1))  # (N, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.features(x)))


def residual_body(*, channels: int, width: int, halvings: int) -> nn.Module:
    """Judge A: (N, channels, S, S) -> (N, 2 width, S / 2^halvings, …)."""
    widths = [width * 2**level for level in range(halvings)]
    return nn.Sequential(
        conv(channels, width, kernel=4, stride=2),
        *(Residual(inputs=i, outputs=o) for i, o in itertools.pairwise(widths)),
        conv(widths[-1], 2 * width, kernel=1, stride=1),
    )


def plain_body(*, channels: int, width: int, halvings: int) -> nn.Module:
    """Judge B: (N, channels, S, S) -> (N, 2 width, S / 2^halvings, …)."""
    widths = [width * 2**level for level in range(halvings)]
    layers: list[nn.Module] = [conv(channels, width, kernel=4, stride=2)]
    for i, o in itertools.pairwise(widths):
        layers += [conv(i, o, kernel=3, stride=1), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, conv(widths[-1], 2 * width, kernel=3, stride=1))


BODIES = {"a": residual_body, "b": plain_body}


def build(which: Which, *, size: int, channels: int, width: int, attributes: int, dropout: float) -> Classifier:
    """The network of judge A or B, in channels-last memory."""
    halvings = max(1, round(math.log2(size / 8)))  # 2 for 32 pixels, 3 for 64, 4 for 128
    body = BODIES[which](channels=channels, width=width, halvings=halvings)
    cells = 2 * width * (size // 2**halvings) ** 2
    network = Classifier(body, cells=cells, attributes=attributes, dropout=dropout)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """Numbers that turn one judge's raw outputs into probabilities and answers: one per attribute each."""

    width: int
    temperatures: tuple[float, ...]  # calibrated logit = raw / temperature + bias
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]  # on the probability

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        lists = {name: tuple(value[name]) for name in ("temperatures", "biases", "thresholds")}
        return cls(width=value["width"], **lists)


def digit_classes(attributes: Sequence[str]) -> dict[str, list[int]]:
    """Columns of ten attributes of which a picture shows exactly one: {"Digit": those of Digit_0 .. Digit_9}; two
    digits give "Left" and "Right", faces give nothing."""
    places: dict[str, dict[str, int]] = {}
    for column, name in enumerate(attributes):
        place, _, digit = name.rpartition("_")
        if digit in DIGITS:
            places.setdefault(place, {})[digit] = column
    return {place: [columns[d] for d in DIGITS] for place, columns in places.items() if len(columns) == len(DIGITS)}


def save(
    folder: Path,
    networks: Mapping[Which, Classifier],
    calibrations: Mapping[Which, Calibration],
    meta: FacesMeta,
    judged: Sequence[bool],
    *,
    channels: int,
) -> None:
    """Write both judges to `folder` in one step: a.safetensors, b.safetensors, judges.json. `meta` describes the images
    they were trained on, `judged` says which attributes they see well enough."""
    with replacing_folder(folder) as aside:
        for which, network in networks.items():
            state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
            safetensors.torch.save_file(state, aside / f"{which}.safetensors")
        write_json(
            aside / CARD,
            {
                "attributes": list(meta.attributes),
                "judged": list(judged),
                "crop": meta.crop,
                "size": meta.size,
                "channels": channels,
                "split_hash": meta.split_hash,
                "calibration": {which: calibrations[which].to_json() for which in WHICH},
            },
        )


class Judge:
    """A trained judge of images (N, C, S, S) in [-1, 1], of the crop and size it was trained on."""

    def __init__(
        self,
        network: Classifier,
        calibration: Calibration,
        *,
        attributes: tuple[str, ...],
        judged: tuple[bool, ...],
        crop: str,
        size: int,
        channels: int,
        device: torch.device,
    ):
        self.network = network.to(device).eval().requires_grad_(False)
        self.attributes = attributes
        self.judged = judged
        self.crop = crop
        self.size = size
        self.channels = channels
        self.device = device
        self.thresholds = torch.tensor(calibration.thresholds, device=device)
        self._slopes = 1 / torch.tensor(calibration.temperatures, device=device)
        self._biases = torch.tensor(calibration.biases, device=device)

    @classmethod
    def load(
        cls,
        folder: Path,
        which: Which,
        device: torch.device | str,
        *,
        crop: str | None = None,
        size: int | None = None,
    ) -> Self:
        """Load judge `a` or `b` from the folder written by `train_judge`; InputError if it was trained on another crop
        or size than the given ones."""
        path = need(folder / CARD, "train_judge")
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            calibration = Calibration.from_json(card["calibration"][which])
            attributes = tuple(card["attributes"])
            for name, expected, actual in (("crop", crop, card["crop"]), ("size", size, card["size"])):
                if expected is not None and expected != actual:
                    raise InputError(
                        f"{folder}: these judges were trained with {name} {actual}, not {expected}; prepare the images "
                        f"with {name} {actual} or train the judges anew (dvc repro train_judge)"
                    )
            network = build(
                which,
                size=card["size"],
                channels=card["channels"],
                width=calibration.width,
                attributes=len(attributes),
                dropout=0.0,
            )
            weights = checkpoints.read_weights(need(folder / f"{which}.safetensors", "train_judge"))
            checkpoints.check_finite(folder / f"{which}.safetensors", weights)
            network.load_state_dict(weights)
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise InputError(
                f"{folder} does not hold usable judges ({error}); run `dvc repro -f train_judge`"
            ) from error
        return cls(
            network,
            calibration,
            attributes=attributes,
            judged=tuple(card["judged"]),
            crop=card["crop"],
            size=card["size"],
            channels=card["channels"],
            device=torch.device(device),
        )

    def logits(self, x: Tensor, batch_size: int = 256) -> Tensor:
        """Calibrated logits (N, K) of balanced probabilities; float32, on the judge's device."""
        return self._map(self.network, x, batch_size) * self._slopes + self._biases

    def probabilities(self, x: Tensor, batch_size: int = 256) -> Tensor:
        """Balanced probabilities (N, K) that each attribute is present."""
        return self.logits(x, batch_size).sigmoid()

    def predict(self, x: Tensor, batch_size: int = 256) -> Tensor:
        """Answers (N, K): bool, probability at or above the attribute's threshold."""
        return self.probabilities(x, batch_size) >= self.thresholds

    def features(self, x: Tensor, batch_size: int = 256) -> Tensor:
        """Penultimate features (N, 128), for distances between sets of images."""
        return self._map(self.network.features, x, batch_size)

    def trunk(self, x: Tensor, batch_size: int = 256) -> Tensor:
        """What the trunk sees on its grid of about 8 x 8, (N, channels, rows, columns)."""
        return self._map(self.network.body, x, batch_size)

    @torch.no_grad()  # no system may be trained through a judge
    def _map(self, function: Any, x: Tensor, batch_size: int) -> Tensor:
        expected = (self.channels, self.size, self.size)
        if x.ndim != 4 or tuple(x.shape[1:]) != expected:
            raise InputError(
                f"a judge of {self.crop} at {self.size} pixels takes images (N, {', '.join(map(str, expected))}), "
                f"not {tuple(x.shape)}; prepare the images with that crop and size"
            )
        batches = [
            function(batch.to(self.device, torch.float32, memory_format=torch.channels_last)).float()
            for batch in x.split(batch_size)
        ]
        return torch.cat(batches)
