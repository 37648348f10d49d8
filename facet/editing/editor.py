"""A trained system and its attributes table, together the one object that edits faces."""

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facet import systems
from facet.base import compute
from facet.base.errors import InputError
from facet.base.params import need
from facet.editing import compositing, table
from facet.editing.spec import Spec, rivals
from facet.systems import System

NORMAL_QUANTILE = 3.0902  # 99.9 % of N(0, 1) lie below


@dataclasses.dataclass(frozen=True)
class Moves:
    """What a spec comes to for each face: for every attribute that moves, the signed multiples of its direction.

    `strengths` is (N, attributes); `asked` says for each what the spec wrote, or `exclusive` for a rival turned off."""

    attributes: tuple[str, ...]
    asked: tuple[str, ...]
    strengths: Tensor
    states: Tensor  # (N, attributes) read off the latent beforehand: probability of being present
    shift: Tensor  # (N, d), what is added to the latents


@dataclasses.dataclass(frozen=True)
class EditResult:
    """Images (N, C, S, S) in [-1, 1], mask (N, 1, S, S) in [0, 1], latents (N, d)."""

    y: Tensor  # what the user gets
    mask: Tensor  # the share of the change that reached the photo; 0 where y is the photo bit for bit
    fade: Tensor  # the share of the photo's own detail that had to go, (N, 1, S, S) as the mask
    reconstruction: Tensor
    edited: Tensor  # the decoder's picture of the edited latent
    latent: Tensor
    edited_latent: Tensor
    moves: Moves


class Editor:
    """Edits faces by specs. With `clip`, an edited latent stays within the .1 % to 99.9 % quantiles of training
    latents, or within its own value where that was outside already."""

    def __init__(
        self,
        system: System,
        attributes: table.AttributeTable,
        *,
        device: torch.device,
        precision: str = "fp32",
        clip: bool = False,
    ):
        self.system = system
        self.table = attributes
        self.device = device
        self.precision = precision
        self.clip = clip
        self._vectors: dict[tuple[str, str], Tensor] = {
            (d.attribute, d.estimator): torch.from_numpy(d.vector).to(device) for d in attributes.directions
        }
        self._weights = {name: torch.from_numpy(r.weights).to(device) for name, r in attributes.readouts.items()}
        self._low = torch.tensor(attributes.meta.latent_low, device=device)
        self._high = torch.tensor(attributes.meta.latent_high, device=device)

    @classmethod
    def load(
        cls, model: Path, attributes: Path, device: torch.device, *, precision: str = "fp32", clip: bool = False
    ) -> "Editor":
        """From a model folder and the attributes table made for it; InputError where they do not belong together."""
        stage = f"train_gan@{model.name}" if model.parent.name == "models" else f"train_encoder@{model.name}"
        system = systems.load(need(model, stage), device)
        found = table.read(attributes)
        meta = found.meta
        mine = (system.name, system.crop, system.split_hash, system.z_dim, system.y_dim)
        if mine != (meta.system, meta.crop, meta.split_hash, meta.z_dim, meta.y_dim):
            raise InputError(
                f"{attributes} ({meta.system}, crop {meta.crop}, {meta.z_dim}+{meta.y_dim} dimensions, split "
                f"{meta.split_hash[:8]}) was not made for {model} ({system.name}, crop {system.crop}, "
                f"{system.z_dim}+{system.y_dim} dimensions, split {system.split_hash[:8]}); run `dvc repro attributes`"
            )
        return cls(system, found, device=device, precision=precision, clip=clip)

    def clipped(self) -> "Editor":
        """The same editor with `clip`; what it holds is shared."""
        other = copy.copy(self)
        other.clip = True
        return other

    @property
    def spread(self) -> Tensor:
        """The standard deviation (d,) of training latents, of which the table holds the .1 % and 99.9 % quantiles."""
        return (self._high - self._low) / (2 * NORMAL_QUANTILE)

    def parse(self, text: str) -> Spec:
        """The spec that `text` writes, checked against what this system can edit."""
        return self.table.parse(text)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Images in [-1, 1] -> float32 latents."""
        with compute.autocast(self.device, self.precision):
            return self.system.encode(x.to(self.device)).float()

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """Latents -> float32 images in [-1, 1]."""
        with compute.autocast(self.device, self.precision):
            return self.system.decode(latent.to(self.device)).float().clamp(-1, 1)

    def logits(self, latent: Tensor, attribute: str) -> Tensor:
        """How present the attribute is, read off the latents: (N,) logits."""
        return latent @ self._weights[attribute] + self.table.readouts[attribute].bias

    def need(self, latent: Tensor, attribute: str, on: bool) -> Tensor:
        """The share (N,) of a full move that takes each face to the target: 1 where the read-out says it is on the
        other side, falling to 0 where it is as far on this side as the median training face."""
        readout = self.table.readouts[attribute]
        logits, middle = self.logits(latent, attribute), readout.present if on else readout.absent
        if abs(middle) < 1e-3 or (middle > 0) != on:  # a read-out that cannot tell: always the full move
            return torch.ones_like(logits)
        return (1 - logits / middle).clamp(0, 1)

    def step(self, latent: Tensor, attribute: str, estimator: str, on: bool, spared: Sequence[str] = ()) -> Tensor:
        """The shift (N, d) of strength 1 towards presence or absence. Towards presence, rivals that are there leave
        in step with it, but for the `spared`."""
        vector = self._vectors[attribute, estimator]
        if not on:
            return -vector.expand_as(latent)
        shift = vector.expand_as(latent)
        for rival in self._leaving(attribute, estimator, spared):
            shift = shift - self.need(latent, rival, on=False)[:, None] * self._vectors[rival, estimator]
        return shift

    def _leaving(self, attribute: str, estimator: str, spared: Sequence[str]) -> list[str]:
        return [r for r in rivals(attribute) if (r, estimator) in self._vectors and r not in spared]

    def moves(self, latent: Tensor, spec: Spec) -> Moves:
        """What the spec comes to for each of these latents."""
        named = [change.attribute for change in spec.changes]
        names, asked, strengths = [], [], []
        shift = torch.zeros_like(latent)
        for change in spec.changes:
            direction = self.table.chosen(change.attribute)
            reach, margin = self.table.meta.max_strength, self.table.meta.margin
            if change.add is None:
                full = direction.target(change.towards, reach, margin)
                amount = full * self.need(latent, change.attribute, change.on)
            else:
                unit = direction.unit(change.towards, table.STRENGTH_LEVEL, reach)
                amount = torch.full_like(latent[:, 0], unit * abs(change.add))
            shift = shift + amount[:, None] * self.step(
                latent, change.attribute, direction.estimator, change.towards, spared=named
            )
            names.append(change.attribute)
            asked.append(str(change).partition("=")[2])
            strengths.append(amount if change.towards else -amount)
            if change.towards:
                for rival in self._leaving(change.attribute, direction.estimator, named):
                    names.append(rival)
                    asked.append("exclusive")
                    strengths.append(-amount * self.need(latent, rival, on=False))
        empty = latent[:, :0]
        return Moves(
            attributes=tuple(names),
            asked=tuple(asked),
            strengths=torch.stack(strengths, 1) if strengths else empty,
            states=torch.stack([self.logits(latent, name).sigmoid() for name in names], 1) if names else empty,
            shift=shift,
        )

    def move(self, latent: Tensor, shift: Tensor) -> Tensor:
        """latent + shift, kept within the usual range where `clip` is set."""
        moved = latent + shift
        if self.clip:
            moved = moved.clamp(torch.minimum(self._low, latent), torch.maximum(self._high, latent))
        return moved

    def edit(self, latent: Tensor, spec: Spec, scale: float = 1.0) -> Tensor:
        """The edited latents; `scale` stretches the whole edit (the strength columns of a contact sheet)."""
        return self.move(latent, scale * self.moves(latent, spec).shift)

    def gates(self, attributes: Sequence[str]) -> compositing.Gates:
        """Compositing thresholds for an edit of these attributes."""
        return table.gates([self.table.chosen(name) for name in attributes])

    def apply(self, x: Tensor, spec: Spec, mode: str, user: Tensor | None = None) -> EditResult:
        """Photos (N, C, S, S) in [-1, 1] -> edited photos by one of compositing.MODES, with all that led there.

        Faces that the spec leaves alone come back bit for bit (in mode `decode`, as their reconstruction)."""
        x = x.to(self.device)
        latent = self.encode(x)
        return self.apply_to(x, latent, self.decode(latent), spec, mode, user)

    def apply_to(
        self, x: Tensor, latent: Tensor, reconstruction: Tensor, spec: Spec, mode: str, user: Tensor | None = None
    ) -> EditResult:
        """`apply` for photos whose latents and reconstructions are at hand: one decode per spec."""
        moves = self.moves(latent, spec)
        edited_latent = self.move(latent, moves.shift)
        moved = (edited_latent != latent).any(1).view(-1, 1, 1, 1)
        edited = torch.where(moved, self.decode(edited_latent), reconstruction)
        gates = self.gates([change.attribute for change in spec.changes])
        y, mask, fade = compositing.composite(x, reconstruction, edited, mode, gates, user)
        return EditResult(y, mask, fade, reconstruction, edited, latent, edited_latent, moves)


def quantiles(latents: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The .1 % and 99.9 % quantiles of each dimension, as float32."""
    low, high = np.quantile(latents.astype(np.float64), [0.001, 0.999], axis=0).astype(np.float32)
    return tuple(low.tolist()), tuple(high.tolist())
