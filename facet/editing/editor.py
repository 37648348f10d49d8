"""The editor: a trained system and its attributes table, which together edit faces."""

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
from facet.editing.spec import Spec, exclusive_with
from facet.systems import System

NORMAL_QUANTILE = 3.0902  # 99.9 % of N(0, 1) lie below


@dataclasses.dataclass(frozen=True)
class AppliedChanges:
    """The changes that a spec makes to each of N faces, one entry per attribute that moves."""

    attributes: tuple[str, ...]  # those of the spec, and those that it turns off because they exclude one of these
    requested: tuple[str, ...]  # the value in the spec, or `exclusive` for an attribute turned off
    strengths: Tensor  # (N, attributes) signed multiples of the direction
    states: Tensor  # (N, attributes) probability of being present, read from the latent beforehand
    shift: Tensor  # (N, d), added to the latents


@dataclasses.dataclass(frozen=True)
class EditResult:
    """Images (N, C, S, S) in [-1, 1], mask (N, 1, S, S) in [0, 1], latents (N, d)."""

    y: Tensor  # the edited image that the user gets
    mask: Tensor  # share of the change that reached the photo; 0 where y is the photo bit for bit
    fade: Tensor  # share of the photo's own detail that was removed, (N, 1, S, S) as the mask
    reconstruction: Tensor
    edited: Tensor  # the decoded edited latent
    latent: Tensor
    edited_latent: Tensor
    applied: AppliedChanges


class Editor:
    """Edits faces by specs. With `clip`, an edited latent stays within the .1 % to 99.9 % quantiles of training
    latents, or at its own value if that was outside already."""

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
        """Load a model folder and the attributes table made for it; InputError if they do not belong together."""
        stage = f"train_gan@{model.name}" if model.parent.name == "models" else f"train_encoder@{model.name}"
        system = systems.load(need(model, stage), device)
        attribute_table = table.read(attributes)
        meta = attribute_table.meta
        expected = (system.name, system.crop, system.split_hash, system.z_dim, system.y_dim)
        if expected != (meta.system, meta.crop, meta.split_hash, meta.z_dim, meta.y_dim):
            raise InputError(
                f"{attributes} ({meta.system}, crop {meta.crop}, {meta.z_dim}+{meta.y_dim} dimensions, split "
                f"{meta.split_hash[:8]}) was not made for {model} ({system.name}, crop {system.crop}, "
                f"{system.z_dim}+{system.y_dim} dimensions, split {system.split_hash[:8]}); run `dvc repro attributes`"
            )
        return cls(system, attribute_table, device=device, precision=precision, clip=clip)

    def clipped(self) -> "Editor":
        """The same editor with `clip`; everything else is shared."""
        other = copy.copy(self)
        other.clip = True
        return other

    @property
    def spread(self) -> Tensor:
        """The standard deviation (d,) of training latents, from their .1 % and 99.9 % quantiles in the table."""
        return (self._high - self._low) / (2 * NORMAL_QUANTILE)

    def parse(self, text: str) -> Spec:
        """Parse a spec, checked against the attributes that this system can edit."""
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
        """Logits (N,) of the attribute being present, read from the latents."""
        return latent @ self._weights[attribute] + self.table.readouts[attribute].bias

    def need(self, latent: Tensor, attribute: str, on: bool) -> Tensor:
        """The share (N,) of a full move that takes each face to the target: 1 if the read-out puts it on the other
        side, falling to 0 if it is as far on the target side as the median training face."""
        readout = self.table.readouts[attribute]
        logits, middle = self.logits(latent, attribute), readout.present if on else readout.absent
        if abs(middle) < 1e-3 or (middle > 0) != on:  # a read-out that cannot see it: always the full move
            return torch.ones_like(logits)
        return (1 - logits / middle).clamp(0, 1)

    def step(self, latent: Tensor, attribute: str, estimator: str, on: bool, spared: Sequence[str] = ()) -> Tensor:
        """The shift (N, d) of strength 1 towards presence or absence. Towards presence, the attributes that exclude it
        are removed at the same rate, except the `spared`."""
        vector = self._vectors[attribute, estimator]
        if not on:
            return -vector.expand_as(latent)
        shift = vector.expand_as(latent)
        for other in self._removed_with(attribute, estimator, spared):
            shift = shift - self.need(latent, other, on=False)[:, None] * self._vectors[other, estimator]
        return shift

    def _removed_with(self, attribute: str, estimator: str, spared: Sequence[str]) -> list[str]:
        return [
            other for other in exclusive_with(attribute) if (other, estimator) in self._vectors and other not in spared
        ]

    def changes(self, latent: Tensor, spec: Spec) -> AppliedChanges:
        """The changes that the spec makes to each of these latents."""
        named = [change.attribute for change in spec.changes]
        names, requested, strengths = [], [], []
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
            requested.append(str(change).partition("=")[2])
            strengths.append(amount if change.towards else -amount)
            if change.towards:
                for other in self._removed_with(change.attribute, direction.estimator, named):
                    names.append(other)
                    requested.append("exclusive")
                    strengths.append(-amount * self.need(latent, other, on=False))
        empty = latent[:, :0]
        return AppliedChanges(
            attributes=tuple(names),
            requested=tuple(requested),
            strengths=torch.stack(strengths, 1) if strengths else empty,
            states=torch.stack([self.logits(latent, name).sigmoid() for name in names], 1) if names else empty,
            shift=shift,
        )

    def move(self, latent: Tensor, shift: Tensor) -> Tensor:
        """latent + shift, kept within the usual range if `clip` is set."""
        moved = latent + shift
        if self.clip:
            moved = moved.clamp(torch.minimum(self._low, latent), torch.maximum(self._high, latent))
        return moved

    def edit(self, latent: Tensor, spec: Spec, scale: float = 1.0) -> Tensor:
        """The edited latents; `scale` stretches the whole edit (the strength columns of a contact sheet)."""
        return self.move(latent, scale * self.changes(latent, spec).shift)

    def gates(self, attributes: Sequence[str]) -> compositing.Gates:
        """Compositing thresholds for an edit of these attributes."""
        return table.gates([self.table.chosen(name) for name in attributes])

    def apply(self, x: Tensor, spec: Spec, mode: str, user: Tensor | None = None) -> EditResult:
        """Images (N, C, S, S) in [-1, 1] -> images edited in one of modes.MODES, with all intermediate results.

        Faces that the spec leaves unchanged come back bit for bit (in mode `decode`, as their reconstruction)."""
        x = x.to(self.device)
        latent = self.encode(x)
        return self.apply_to(x, latent, self.decode(latent), spec, mode, user)

    def apply_to(
        self, x: Tensor, latent: Tensor, reconstruction: Tensor, spec: Spec, mode: str, user: Tensor | None = None
    ) -> EditResult:
        """`apply` for images whose latents and reconstructions are known: one decode per spec."""
        applied = self.changes(latent, spec)
        edited_latent = self.move(latent, applied.shift)
        moved = (edited_latent != latent).any(1).view(-1, 1, 1, 1)
        edited = torch.where(moved, self.decode(edited_latent), reconstruction)
        gates = self.gates([change.attribute for change in spec.changes])
        y, mask, fade = compositing.composite(x, reconstruction, edited, mode, gates, user)
        return EditResult(y, mask, fade, reconstruction, edited, latent, edited_latent, applied)


def quantiles(latents: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The .1 % and 99.9 % quantiles of each dimension, as float32."""
    low, high = np.quantile(latents.astype(np.float64), [0.001, 0.999], axis=0).astype(np.float32)
    return tuple(low.tolist()), tuple(high.tolist())
