"""The generative systems, listed in SYSTEMS. Each is one module here that offers `NAME`, `GanSettings`, `GanTrainer` (a
`SystemTrainer`), `prior` and `load`. A system in ENCODERS trains its encoders separately: its <name>_encoders.py
offers `load`, `settings_class` and `encoder_trainer`.

Every trained system implements the protocol `System`, and all code after training is written against it. A system may
offer more, which `evaluate` then shows: `interpolate(start, end, share)`, the latents between two batches of images if
a straight line between latents is not the right path, and `features(x)`, what its encoder has learned without labels;
its module then offers `untrained`, the same networks before training."""

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from facet.base import checkpoints
from facet.base.errors import InputError
from facet.base.params import check
from facet.training.loop import collapsed, spread

SYSTEMS = ("dcgan", "ian", "icgan", "vigan")
ENCODERS = ("dcgan", "icgan")  # systems whose encoders stage `train_encoder` trains


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """The data that a system's networks are made for; stored in every model.json."""

    crop: str
    size: int
    channels: int
    attributes: tuple[str, ...]
    split_hash: str

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"attributes": list(self.attributes)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Data":
        return cls(**(value | {"attributes": tuple(value["attributes"])}))


class System(Protocol):
    """A trained system, ready to edit. A latent is one float32 tensor (N, z_dim + y_dim)."""

    name: str
    crop: str
    size: int
    channels: int
    attributes: tuple[str, ...]
    split_hash: str
    z_dim: int
    y_dim: int

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, C, S, S) in [-1, 1] -> latents (N, z_dim + y_dim)."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Latents -> images (N, C, S, S) in [-1, 1]."""
        ...


@dataclasses.dataclass(frozen=True)
class Prior:
    """The distribution that a system's samples are drawn from."""

    name: str  # as reports say it: "z ~ N(0, I)"
    draw: Callable[[int, torch.Generator], Tensor]  # latents (count, z_dim + y_dim), which `System.decode` takes


class SystemTrainer:
    """The networks and optimisers of one system in training, for `facet.training.loop.train`."""

    name: ClassVar[str]
    kind: ClassVar[str]  # "joint" if the saved model can encode, "gan" if encoders are trained separately
    advice: ClassVar[str]  # advice for a collapsed generator
    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    _untrained = -1.0  # spread of the samples before the first step

    def __init__(self, settings: Any, data: Data, *, seed: int, device: torch.device, precision: str):
        """InputError if a setting is outside its limits or not among its choices."""
        self.settings = check(settings)
        self.data, self.seed, self.device, self.precision = data, seed, device, precision
        torch.manual_seed(seed)  # for what layers draw by themselves, such as the start vectors of spectral norm

    def samples(self, count: int) -> Tensor:
        """Images (count, C, S, S) from the generator to keep, on the CPU, from the same codes at every call."""
        raise NotImplementedError

    def kept(self) -> dict[str, nn.Module]:
        """The networks that the model folder will hold, by name."""
        raise NotImplementedError

    def check(self, step: int, *, last: bool = False) -> str | None:
        """An error message if the generator has collapsed, else None."""
        samples = self.samples(32)
        if not step:
            self._untrained = spread(samples)
            return None
        return collapsed(samples, step, self.advice, untrained=self._untrained if last else -1.0)

    def save(self, folder: Path) -> None:
        """Write the model folder, with all settings."""
        card = {
            "system": self.name,
            "kind": self.kind,
            "data": self.data.to_json(),
            "settings": dataclasses.asdict(self.settings),
        }
        checkpoints.save(folder, self.kept(), card)


def module(name: str) -> ModuleType:
    """The module of one system; InputError lists the names."""
    if name not in SYSTEMS:
        raise InputError(f"system {name!r} is unknown; choose one of {', '.join(SYSTEMS)}")
    return importlib.import_module(f"facet.systems.{name}")


def encoders(name: str) -> ModuleType:
    """The module of a system's separate encoders, which offers `settings_class`, `encoder_trainer` and `load`."""
    if name not in ENCODERS:
        module(name)  # an unknown system is the first thing to report
        raise InputError(f"system {name!r} has no separate encoders: stage `train_gan` trains all of it")
    return importlib.import_module(f"facet.systems.{name}_encoders")


def code_files(name: str) -> tuple[Path, ...]:
    """The files here that decide what a training of this system ends with."""
    folder = Path(__file__).parent
    names = ["__init__", name, *([f"{name}_encoders"] if name in ENCODERS else [])]
    return tuple(folder / f"{stem}.py" for stem in names)


def load(folder: Path, device: torch.device) -> System:
    """The trained system in a model folder that can encode and decode."""
    card = checkpoints.read_card(folder)
    try:
        module_of = encoders if card.get("kind") == "encoder" else module
        system: System = module_of(card["system"]).load(folder, card, device)
    except (AttributeError, KeyError, TypeError) as error:  # missing settings, or settings that this code lacks
        raise InputError(
            f"{folder / checkpoints.CARD} does not describe a system that this version can load ({error}); train it "
            f"again"
        ) from error
    return system
