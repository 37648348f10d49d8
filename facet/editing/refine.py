"""Latents closer to the photo than the encoder's: hybrid inversion (Zhu et al. 2016, arXiv:1609.03552,
section 3.3), a few gradient steps from the encoder's latent."""

import torch
from torch import Tensor

from facet.editing.editor import Editor

RATE = 0.05  # of Adam, in spreads of training latents
STAY = 0.002  # weight of the squared distance from the encoder's latent, in spreads, against the mean absolute error


def refine(editor: Editor, x: Tensor, latent: Tensor, steps: int) -> Tensor:
    """Images (N, C, S, S) in [-1, 1] and their latents (N, d) -> latents that decode closer to them.

    The description stays: only the z of (z, y) moves. Each face is refined by itself."""
    free, spread = editor.system.z_dim, editor.spread.clamp(min=1e-6)
    start, fixed = latent[:, :free] / spread[:free], latent[:, free:]
    moved = start.clone().requires_grad_(True)
    adam = torch.optim.Adam([moved], lr=RATE)
    with torch.enable_grad():
        for _ in range(steps):
            picture = editor.system.decode(torch.cat([moved * spread[:free], fixed], dim=1)).float()
            error = (picture - x).abs().mean((1, 2, 3)) + STAY * (moved - start).square().mean(1)
            adam.zero_grad()
            error.sum().backward()
            adam.step()
    return torch.cat([moved.detach() * spread[:free], fixed], dim=1)
