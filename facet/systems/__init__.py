"""The generative systems. Each is one module here that offers `NAME`, `GanSettings`, `GanTrainer` (a `SystemTrainer`),
`sampler` and `load`; where encoders are trained apart, <name>_encoders.py offers `load`, with `settings_class` and
`encoder_trainer`.

What every trained system can do, whatever its mathematics, is the protocol `System`; all code after training is
written against it. A system may offer more, which `evaluate` then shows: `interpolate(start, end, share)`, the latents
between two batches of images where straight lines in latents are not meant, and `features(x)`, what its encoder knows
without labels, beside which its module offers `untrained`, the same networks before training."""

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from facet.base import checkpoints
from facet.base.errors import InputError
from facet.base.params import check
from facet.training.loop import collapsed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """What the networks must fit; stored in every model.json."""

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


class SystemTrainer:
    """The networks and optimisers of one system in training, for `facet.training.loop.train`."""

    name: ClassVar[str]
    kind: ClassVar[str]  # joint: what it saves encodes too | gan: encoders are trained apart
    advice: ClassVar[str]  # where the generator collapses
    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]

    def __init__(self, settings: Any, data: Data, *, seed: int, device: torch.device, precision: str):
        """InputError where a setting is out of its limits, or none of its choices."""
        self.settings = check(settings)
        if settings.batch_size < 2:
            raise InputError(f"batch_size {settings.batch_size}: expected 2 or more, whose statistics can be taken")
        self.data, self.seed, self.device, self.precision = data, seed, device, precision
        torch.manual_seed(seed)  # of what layers draw by themselves: where spectral norm starts

    def samples(self, count: int) -> Tensor:
        """Images (count, C, S, S) from the generator to keep, on the CPU, from the same codes every time."""
        raise NotImplementedError

    def kept(self) -> dict[str, nn.Module]:
        """The networks that a model folder holds, by name."""
        raise NotImplementedError

    def check(self, step: int) -> str | None:
        """What to say where the generator has collapsed, or None."""
        return collapsed(self.samples(32), step, self.advice)

    def save(self, folder: Path) -> None:
        """Write the model folder, with all settings."""
        card = {
            "system": self.name,
            "kind": self.kind,
            "data": self.data.to_json(),
            "settings": dataclasses.asdict(self.settings),
        }
        checkpoints.save(folder, self.kept(), card)


def names() -> tuple[str, ...]:
    """The systems there are: the modules of this package that define NAME."""
    folder = Path(__file__).parent
    return tuple(sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__" and "_" not in path.stem))


def module(name: str) -> ModuleType:
    """The module of one system; InputError lists the names."""
    if name not in names():
        raise InputError(f"system {name!r} is unknown; choose one of {', '.join(names())}")
    return importlib.import_module(f"facet.systems.{name}")


def encoders(name: str) -> ModuleType:
    """The module of a system's separate encoders, which offers `settings_class`, `encoder_trainer` and `load`."""
    path = Path(__file__).parent / f"{module(name).NAME}_encoders.py"
    if not path.exists():
        raise InputError(f"system {name!r} has no encoders of its own: stage `train_gan` trains all of it")
    return importlib.import_module(f"facet.systems.{name}_encoders")


def load(folder: Path, device: torch.device) -> System:
    """The trained system in a model folder that can encode and decode."""
    card = checkpoints.read_card(folder)
    try:
        found = encoders if card.get("kind") == "encoder" else module
        system: System = found(card["system"]).load(folder, card, device)
    except (AttributeError, KeyError, TypeError) as error:  # settings that this code does not know, or that it misses
        raise InputError(
            f"{folder / checkpoints.CARD} is not that of a system which this version can load ({error}); train it anew"
        ) from error
    return system
