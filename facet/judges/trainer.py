"""Training of a judge: its half of the training identities, augmentation, and the update step.

Of a real-valued attribute a judge learns the value v in [-1, 1] itself: (v + 1) / 2 takes the place of 0 or 1 as the
target of the cross entropy, which is lowest at the expected value."""

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facet.base import compute
from facet.base.tables import Faces
from facet.judges import judge
from facet.judges.judge import Which
from facet.training.loop import Batch, set_rate

MAX_WEIGHT = 10.0  # cap on the weight of a rare state, so that a handful of faces cannot dominate the loss
SHIFT, SCALE, ROTATION = 0.03, 0.05, 0.07  # share of the side, share of the size, radians
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.25, 0.3
COARSEST = 0.5  # share of the side, in the down-and-up resize that makes photos as soft as reconstructions
MIXING = 0.2  # parameter of mixup's beta distribution


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Numbers of one judge's training."""

    steps: int
    width: int  # channels after the first convolution
    learning_rate: float  # peak of a warm-up and cosine schedule
    weight_decay: float
    dropout: float
    label_smoothing: float
    seed: int
    precision: str


def halves(faces: Faces, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the two halves of the training split. No identity is in both; an image without one counts as a person of
    its own."""
    rows = faces.rows("train")
    groups = faces.people()[rows]
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    first = names[order[np.cumsum(sizes[order]) <= len(rows) / 2]]
    member = np.isin(groups, first)
    return rows[member], rows[~member]


class JudgeTrainer:
    """One judge's network, its running average (which is what gets saved) and its optimiser."""

    def __init__(
        self, which: Which, settings: Settings, faces: Faces, rows: np.ndarray, *, channels: int, device: torch.device
    ):
        self.which, self.settings, self.device = which, settings, device
        torch.manual_seed(settings.seed)  # the initial weights
        sizes = {"size": faces.meta.size, "channels": channels, "attributes": len(faces.meta.attributes)}
        self.network = judge.build(which, **sizes, width=settings.width, dropout=settings.dropout).to(device)
        self.average = judge.build(which, **sizes, width=settings.width, dropout=settings.dropout).to(device)
        self.average.load_state_dict(self.network.state_dict())
        self.weights = state_weights(faces.labels()[rows])
        self.weights[:, torch.from_numpy(faces.meta.real)] = 1.0  # all values weigh the same
        self.weights = self.weights.to(device)
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=settings.learning_rate,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.modules: dict[str, nn.Module] = {"network": self.network, "average": self.average}
        self.optimisers: dict[str, torch.optim.Optimizer] = {"adamw": self.optimiser}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        settings = self.settings
        random = compute.generator(settings.seed, step)
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=random)))  # dropout: from (seed, step) alone
        x = augment(batch.x, random)
        known, target = (batch.y != 0).float(), (batch.y.float() + 1) / 2
        weight = known * torch.where(batch.y > 0, self.weights[1], self.weights[0])
        target = target * (1 - settings.label_smoothing) + settings.label_smoothing / 2
        x, partner, share = mix(x, random)
        self.network.train()
        with compute.autocast(self.device, settings.precision):
            logits = self.network(x)
        each = [
            (
                weight[order]
                * functional.binary_cross_entropy_with_logits(logits.float(), target[order], reduction="none")
            )
            for order in (torch.arange(len(x), device=x.device), partner)
        ]
        loss = (share * each[0] + (1 - share) * each[1]).sum() / weight.sum().clamp(min=1)
        set_rate(self.optimiser, settings.learning_rate * schedule(step, settings.steps))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self._update_average(step)
        return {f"loss_{self.which}": loss.detach()}

    def check(self, step: int, *, last: bool = False) -> str | None:
        return None

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Move the average a little towards the network: a window of about a tenth of the run, shorter at its start."""
        decay = min(1 - 10 / max(self.settings.steps, 11), step / (step + 10))
        average, current = self.average.state_dict(), self.network.state_dict()
        for name, value in average.items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - decay)
            else:
                value.copy_(current[name])


def schedule(step: int, steps: int) -> float:
    """Share of the peak learning rate at step 1..steps: a linear warm-up of 5 %, then a cosine down to 0."""
    warm = max(1, steps // 20)
    if step < warm:
        return step / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def state_weights(labels: np.ndarray) -> Tensor:
    """(2, attributes): weights of the absent and the present state that give each half of the loss, up to MAX_WEIGHT;
    from labels (n, attributes)."""
    share = np.stack([(labels < 0).sum(0), (labels > 0).sum(0)]) / np.maximum((labels != 0).sum(0), 1)
    return torch.from_numpy(np.minimum(0.5 / np.maximum(share, 1e-9), MAX_WEIGHT)).float()


def augment(x: Tensor, random: torch.Generator) -> Tensor:
    """Images (N, C, S, S) in [-1, 1], moved, recoloured and half of them softened, so that a decoder's output looks
    familiar to the judge."""
    count, size = len(x), x.shape[-1]

    def uniform(spread: float, *shape: int) -> Tensor:
        return (torch.rand((count, *shape), generator=random) * 2 - 1).mul_(spread).to(x.device)

    angle, zoom = uniform(ROTATION), 1 + uniform(SCALE)
    cos, sin = (angle.cos() * zoom).view(-1, 1, 1), (angle.sin() * zoom).view(-1, 1, 1)
    shift = uniform(2 * SHIFT, 2, 1, 1)
    across = (torch.arange(size, device=x.device) * 2 + 1) / size - 1  # -1..1
    down = across.view(-1, 1)
    grid = torch.stack([cos * across - sin * down + shift[:, 0], sin * across + cos * down + shift[:, 1]], -1)
    x = functional.grid_sample(x.contiguous(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    contrast, colour = 1 + uniform(CONTRAST, 1, 1, 1), 1 + uniform(SATURATION, 1, 1, 1)
    grey = x.mean(1, keepdim=True).mul_(contrast * (1 - colour)).add_(uniform(BRIGHTNESS, 1, 1, 1))
    x = x.mul_(contrast * colour).add_(grey)

    soft = count // 2
    small = round(size * (COARSEST + (0.9 - COARSEST) * float(torch.rand((), generator=random))))
    coarse = functional.interpolate(x[:soft], small, mode="bilinear", antialias=True, align_corners=False)
    x[:soft] = functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    return x.clamp_(-1, 1).contiguous(memory_format=torch.channels_last)


def mix(x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mixup (Zhang et al. 2018): each image blended with a partner, the partners' order and the share of the first."""
    seed = int(torch.randint(1 << 62, (), generator=random))
    share = float(np.random.default_rng(seed).beta(MIXING, MIXING))
    partner = torch.randperm(len(x), generator=random).to(x.device)
    return x.lerp(x[partner], 1 - share), partner, share
