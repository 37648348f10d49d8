"""The three verbs of a trained system as networks of plain tensors, which torch can trace into graphs."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facet.editing import table
from facet.editing.editor import Editor
from facet.editing.spec import exclusive_with
from facet.nets.residual import Residual
from facet.systems import System

BLIND = 1e-3  # a read-out whose median face is closer to 0 sees nothing, as in Editor.need


class FixedResidual(nn.Module):
    """A Residual whose regression is solved once; ONNX has no operator that solves equations."""

    slopes: Tensor  # (K, d)
    mean: Tensor  # (K,)

    def __init__(self, residual: Residual):
        super().__init__()
        self.seen = residual.moments.seen
        self.register_buffer("slopes", residual.slopes())
        self.register_buffer("mean", residual.moments.mean[residual.codes :].clone())

    def forward(self, codes: Tensor, descriptions: Tensor) -> Tensor:
        return codes - (descriptions - self.mean) @ self.slopes if self.seen else codes


class Verb(nn.Module):
    """`encode` or `decode` of a system, with its networks as modules, as torch's exporter wants them."""

    def __init__(self, system: System, verb: Callable[[System, Tensor], Tensor]):
        super().__init__()
        self.system, self.verb = copy.copy(system), verb
        for name, value in vars(system).items():
            if isinstance(value, nn.Module):
                part = FixedResidual(value) if isinstance(value, Residual) else value
                setattr(self.system, name, part)
                self.add_module(f"part_{name}", part)

    def forward(self, x: Tensor) -> Tensor:
        return self.verb(self.system, x)


def encode(system: System) -> nn.Module:
    """Images (N, C, S, S) in [-1, 1] -> latents (N, z_dim + y_dim)."""
    return Verb(system, lambda on, x: on.encode(x).float()).eval()


def decode(system: System) -> nn.Module:
    """Latents -> images (N, C, S, S) in [-1, 1]."""
    return Verb(system, lambda on, latent: on.decode(latent).float().clamp(-1, 1)).eval()


class Edit(nn.Module):
    """Latents (N, d), numbers to add (N, A) and targets (N, A) -> edited latents: `Editor.edit`, one column for each
    attribute that can be edited. A number is that of a spec, `Smiling=+1.5`, 0 for none; a target is 1 for `on`, -1 for
    `off`, 0 for none. At most one of the two may differ from 0."""

    strengths: Tensor  # (4, A): of a number to add, a number to remove, `on` and `off`
    vectors: Tensor  # (A, d)
    weights: Tensor  # (A, d) of the read-outs
    readouts: Tensor  # (3, A): bias, and the logit of the median training face with and without the attribute
    excluded: Tensor  # (P, d): the vectors of the attributes that others exclude

    def __init__(self, editor: Editor):
        super().__init__()
        meta, names = editor.table.meta, editor.table.attributes
        chosen = [editor.table.chosen(name) for name in names]
        readouts = [editor.table.readouts[name] for name in names]
        strengths = [
            [d.unit(add, table.STRENGTH_LEVEL, meta.max_strength) for d in chosen] for add in (True, False)
        ] + [[d.target(add, meta.max_strength, meta.margin) for d in chosen] for add in (True, False)]
        known = {(d.attribute, d.estimator): torch.from_numpy(d.vector) for d in editor.table.directions}
        pairs = [
            (names.index(d.attribute), names.index(other), known[other, d.estimator])
            for d in chosen
            for other in exclusive_with(d.attribute)
            if (other, d.estimator) in known
        ]
        self.turned_on, self.turned_off = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        self.register_buffer("strengths", torch.tensor(strengths))
        self.register_buffer("vectors", torch.stack([torch.from_numpy(d.vector) for d in chosen]))
        self.register_buffer("weights", torch.stack([torch.from_numpy(r.weights) for r in readouts]))
        self.register_buffer("readouts", torch.tensor([[r.bias, r.present, r.absent] for r in readouts]).T.contiguous())
        self.register_buffer("excluded", torch.stack([pair[2] for pair in pairs]) if pairs else self.vectors[:0])

    def forward(self, latent: Tensor, add: Tensor, target: Tensor) -> Tensor:
        bias, present, absent = self.readouts
        logits = latent @ self.weights.T + bias  # (N, A)
        to_present = torch.where(present >= BLIND, (1 - logits / present).clamp(0, 1), 1.0)
        to_absent = torch.where(absent <= -BLIND, (1 - logits / absent).clamp(0, 1), 1.0)
        up, down, on, off = self.strengths
        amount = torch.where(add > 0, up * add, down * add)
        amount = amount + torch.where(target > 0, on * to_present, 0.0) - torch.where(target < 0, off * to_absent, 0.0)
        shift = amount @ self.vectors  # (N, d)
        if len(self.excluded):
            spared = ((add != 0) | (target != 0)).float()
            rate = amount.clamp(min=0)[:, self.turned_on] * (to_absent * (1 - spared))[:, self.turned_off]  # (N, P)
            shift = shift - rate @ self.excluded
        return latent + shift
