"""Introspective adversarial network (Brock et al. 2017, arXiv:1609.07093): a VAE whose encoder reads the features of
the discriminator, which gets no gradient from reconstruction. `variant` is `full` (multiscale dilated convolutions, RGB
beta block) or `simple` (the public editor's default: plain transposed convolutions).

Losses and update order are those of the public code, because the paper's formulas cannot be minimised as written. Ours
are two settings that 0 turns off: `warmup`, first steps in which trunk, head and generator learn as a plain VAE, since
training from scratch shows nothing after minutes on a CPU; and `attribute`, the loss of a linear read-out of attributes
from the mean, without which small traits are lost."""

import dataclasses
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from facet.base import checkpoints, compute
from facet.base.limits import BatchSize, BelowOne, Count, Limit, Natural, NonNegative, Positive, UpToOne
from facet.losses.latent import attribute_loss, kl_to_normal, reparametrise
from facet.losses.orthogonal import orthogonal_penalty
from facet.losses.reconstruction import centre_weights, weighted_l1
from facet.nets import ranks
from facet.nets.blocks import SLOPE, down, halvings, init_dcgan, init_he, transposed
from facet.nets.decoder import SIDE, Decoder
from facet.nets.ema import Ema
from facet.nets.made import Iaf
from facet.nets.mdc import Mdc, MdcResidual, RgbBeta
from facet.nets.minibatch import MinibatchDiscrimination
from facet.nets.modes import evaluating
from facet.nets.norm import BatchNorm1d, BatchNorm2d
from facet.nets.prior import GaussianPrior
from facet.systems import Data, Prior, SystemTrainer
from facet.training.loop import Batch, half_cosine, set_rate

NAME = "ian"
KERNEL_DIMS = 5  # dimensions of each kernel of minibatch discrimination
CRITIC_STEPS = 50  # steps after a warm-up before the generator is trained against the discriminator
REAL, RECONSTRUCTED, GENERATED = range(3)


class Trunk(nn.Module):
    """Images (N, C, S, S) in [-1, 1] -> the activations of all convolutions, largest first; the last is (N, 8 * width,
    4, 4) for 64 pixels. Discriminator and encoder share it."""

    def __init__(self, *, width: int, kernel: int, size: int, channels: int):
        super().__init__()
        widths = [channels, *(width << i for i in range(halvings(size, least=SIDE)))]
        norms = ["none"] + ["batch"] * (len(widths) - 2)
        self.layers = nn.ModuleList(
            down(a, b, kernel=kernel, norm=norm) for (a, b), norm in zip(itertools.pairwise(widths), norms, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


class Head(nn.Module):
    """The trunk's last activation -> mean and log variance of q(z | x), each (N, z_dim), batch-normalised if `norm` is
    batch, as in the public code; `attributes` reads attribute logits (N, K) linearly from the mean."""

    def __init__(self, *, features: int, hidden: int, norm: str, z_dim: int, attributes: int):
        super().__init__()
        self.hidden = nn.Sequential(nn.Flatten())
        if hidden:
            self.hidden.extend([nn.Linear(features, hidden, bias=False), BatchNorm1d(hidden), nn.ReLU()])
        self.to_mu, self.to_log_sigma = (
            nn.Sequential(
                nn.Linear(hidden or features, z_dim, bias=norm == "none"),
                BatchNorm1d(z_dim) if norm == "batch" else nn.Identity(),
            )
            for _ in range(2)
        )
        self.attributes = nn.Linear(z_dim, attributes)

    def embed(self, last: Tensor) -> Tensor:
        """The activations (N, hidden) of the linear layer, which are the features of the paper's table 1; those of the
        trunk if there is no such layer."""
        h: Tensor = self.hidden(last)
        return h

    def forward(self, last: Tensor) -> tuple[Tensor, Tensor]:
        h = self.embed(last)
        return self.to_mu(h), 2 * self.to_log_sigma(h).clamp(-4, 2)


class Verdict(nn.Module):
    """The trunk's last activation -> logits (N, 3) of real, reconstructed and generated, or (N, 1) of real, by a global
    average, minibatch discrimination and a linear layer without bias."""

    def __init__(self, *, features: int, kernels: int, outputs: int):
        super().__init__()
        self.minibatch = MinibatchDiscrimination(features, kernels=kernels, dims=KERNEL_DIMS) if kernels else None
        self.linear = nn.Linear(features + kernels, outputs, bias=False)

    def forward(self, last: Tensor) -> Tensor:
        h = last.mean((2, 3))
        logits: Tensor = self.linear(self.minibatch(h) if self.minibatch is not None else h)
        return logits


class FullGenerator(nn.Module):
    """z (N, z_dim) -> images (N, C, S, S) in [-1, 1], with multiscale dilated blocks and beta-distributed colours."""

    def __init__(self, *, z_dim: int, width: int, kernel: int, size: int, channels: int):
        super().__init__()
        stages = halvings(size, least=SIDE)
        self.side = size >> stages
        widths = [width << (stages - 2), *(width << i for i in reversed(range(stages - 1)))]  # 4w, 4w, 2w, w at 64
        self.project = nn.Sequential(nn.Linear(z_dim, widths[0] * self.side**2), nn.LeakyReLU(SLOPE))
        blocks: list[nn.Module] = []
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            blocks += [
                transposed(a, b, kernel=kernel, bias=True),
                MdcResidual(b, dilations=(0, 2) if i == 0 else (0, 2, 3)),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(
            transposed(width, width, kernel=kernel, bias=False), BatchNorm2d(width), nn.LeakyReLU(SLOPE)
        )
        self.to_rgb = RgbBeta(width, colours=channels)

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).unflatten(1, (-1, self.side, self.side))
        x = self.blocks(x.contiguous(memory_format=torch.channels_last))  # (N, width, S/2, S/2)
        image: Tensor = self.to_rgb(self.last(x))
        return image


@dataclasses.dataclass(frozen=True, kw_only=True)
class GanSettings:
    """Settings of the joint training of trunk, head, verdict and generator."""

    variant: Literal["full", "simple"]
    z_dim: Count
    width: Count  # channels of the trunk after its first convolution and of G before the pixels (the code: 128)
    kernel: Annotated[int, Limit(2)]
    blur: bool  # a fixed filter after the simple generator's last layer (ours)
    hidden: Natural  # units of the encoder's linear layer (the code: 1000); 0 leaves it out
    norm: Literal["batch", "none"]  # normalisation of mean and log sigma (the code: batch); noisy with small batches
    kernels: Natural  # kernels of minibatch discrimination (the code: 500); 0 leaves it out
    iaf: Literal["none", "textbook", "published"]  # the frozen flow between head and generator
    prior: Literal["normal", "fitted"]  # samples before the flow: N(0, I), or a Gaussian fitted to the codes (ours)
    loss: Literal["ternary", "binary"]
    warmup: Natural  # first steps, a plain VAE that trains the trunk too
    pixel: NonNegative  # weight of the mean absolute error (the code: 6)
    centre: Positive  # weight of the face's centre over the border in the pixel term
    feature: NonNegative  # weight of the mean squared distance of the trunk's activations, a mean over layers
    kl: NonNegative  # weight of the KL term, a sum over z (the code: 1 / z_dim)
    adversarial: NonNegative  # weight of the verdict on reconstructed and generated images (the code: 1)
    attribute: NonNegative  # weight of the attribute term
    orthogonal: NonNegative  # weight of the orthogonal penalty on trunk and generator (the code: 0.001)
    learning_rate: NonNegative  # rate of head and generator, and of the trunk in the warm-up
    learning_rate_d: NonNegative  # rate of the trunk after the warm-up, slow enough for the head to follow
    learning_rate_v: NonNegative  # rate of the verdict
    final_rate: UpToOne  # the share of themselves to which the learning rates fall, along a half cosine
    beta1: BelowOne
    ema: BelowOne
    batch_size: BatchSize
    steps: Count
    flip: bool
    train_on: Literal["train", "all"]


class GanTrainer(SystemTrainer):
    """Steps alternate: even ones update generator and head, odd ones discriminator (trunk and verdict) and head."""

    name, kind = NAME, "joint"
    advice = "Lower adversarial or learning_rate_d"
    settings: GanSettings

    def __init__(self, settings: GanSettings, data: Data, *, seed: int, device: torch.device, precision: str):
        super().__init__(settings, data, seed=seed, device=device, precision=precision)
        self.networks = networks(settings, data)
        self.trunk, self.head, self.verdict, self.generator, self.iaf, self.prior = self.networks.values()
        start = compute.generator(seed, 50)
        for network in (self.trunk, self.head, self.verdict, self.generator):
            (init_he if network is self.trunk and settings.warmup else init_dcgan)(network, start)
            for module in network.modules():
                if isinstance(module, Mdc):
                    nn.init.normal_(module.weight, std=0.02, generator=start)
                elif isinstance(module, MinibatchDiscrimination):
                    module.init(start)
        self._init_head(start)
        for network in self.networks.values():
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weights = centre_weights(data.size, peak=settings.centre).to(device)
        self.emas = {name: Ema(self.networks[name], decay=settings.ema) for name in ("trunk", "head", "generator")}
        betas = (settings.beta1, 0.999)
        self.parts = {
            "z": list(self.head.parameters()),
            "g": list(self.generator.parameters()),
            "d": list(self.trunk.parameters()),
            "v": list(self.verdict.parameters()),
        }
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(weights, settings.learning_rate, betas, fused=True)
            for name, weights in self.parts.items()
        }
        self.modules: dict[str, nn.Module] = {name: self.networks[name] for name in ("trunk", "head", "verdict")}
        self.modules |= {"generator": self.generator, "prior": self.prior}
        self.modules |= {f"ema_{name}": ema.network for name, ema in self.emas.items()}

    def _init_head(self, start: torch.Generator) -> None:
        """Start with little noise for every image: the loss raises it quickly if that is cheap, but lowers it
        slowly."""
        (mu, _), (log_sigma, norm) = self.head.to_mu, self.head.to_log_sigma
        for layer in (mu, log_sigma):
            nn.init.xavier_uniform_(layer.weight, generator=start)
        if self.settings.norm == "batch":
            nn.init.constant_(norm.weight, 0.1)
            nn.init.constant_(norm.bias, -2.0)
        else:
            nn.init.normal_(log_sigma.weight, std=0.02 * log_sigma.in_features**-0.5, generator=start)
            nn.init.constant_(log_sigma.bias, -1.0)

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        warm = step <= self.settings.warmup
        self._set_rates(step, warm)
        noise = compute.generator(self.seed, 51, step)
        for optimiser in self.optimisers.values():
            optimiser.zero_grad()
        terms = self._warmup_step(batch, noise) if warm else self._introspective_step(step, batch, noise)
        for name, ema in self.emas.items():
            ema.update(self.networks[name], step)
        return terms

    def _warmup_step(self, batch: Batch, noise: torch.Generator) -> dict[str, Tensor]:
        with compute.autocast(self.device, self.precision):
            terms, *_ = self._reconstruct(batch, self.trunk(batch.x)[-1], noise)
        self._own(terms).backward()
        for name in ("z", "g", "d"):
            self.optimisers[name].step()
        return terms

    def _introspective_step(self, step: int, batch: Batch, noise: torch.Generator) -> dict[str, Tensor]:
        settings = self.settings
        adversarial_on = step > settings.warmup + (CRITIC_STEPS if settings.warmup else 0)
        judging = step % 2 == 1 or not adversarial_on  # this step updates the discriminator, not the generator
        z_g = self.prior(ranks.drawn(torch.randn, len(batch.x), settings.z_dim, generator=noise).to(self.device))
        with compute.autocast(self.device, self.precision):
            on_x = self.trunk(batch.x)
            terms, x_r, x_g = self._reconstruct(batch, on_x[-1].detach(), noise, z_g)
            with without_statistics(self.trunk):
                on_r, on_g = self.trunk(x_r), self.trunk(x_g)
            logits_x, logits_r, logits_g = (self.verdict(h[-1]).float() for h in (on_x, on_r, on_g))
            terms["feature"] = torch.stack(
                [(a.detach() - b).float().square().mean() for a, b in zip(on_x, on_r, strict=True)]
            ).mean()
        terms["adversarial"] = verdict_loss(logits_r, REAL) + verdict_loss(logits_g, REAL)
        terms["discriminator"] = (
            verdict_loss(logits_x, REAL) + verdict_loss(logits_r, RECONSTRUCTED) + verdict_loss(logits_g, GENERATED)
        )
        terms["d_right"] = accuracy(logits_x, logits_r, logits_g)
        own = self._own(terms)
        if adversarial_on:
            own = own + settings.feature * terms["feature"] + settings.adversarial * terms["adversarial"]
        if judging:
            own.backward(inputs=self.parts["z"], retain_graph=True)
            loss_d = terms["discriminator"]
            if settings.orthogonal:
                loss_d = loss_d + settings.orthogonal * orthogonal_penalty(self.trunk)
            loss_d.backward(inputs=[*self.parts["d"], *self.parts["v"]])
        else:
            if settings.orthogonal:
                own = own + settings.orthogonal * orthogonal_penalty(self.generator)
            own.backward(inputs=[*self.parts["z"], *self.parts["g"]])
        for name in ("z", "d", "v") if judging else ("z", "g"):
            self.optimisers[name].step()
        return terms

    def _reconstruct(
        self, batch: Batch, last: Tensor, noise: torch.Generator, z_g: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The terms of the VAE, the reconstruction from the trunk's last activation, and the images of `z_g`.

        Both come from one pass, because with two the running statistics of batch norm would fit neither."""
        mu, logvar = (output.float() for output in self.head(last))
        z = reparametrise(mu, logvar, noise)
        if self.settings.prior == "fitted":
            self.prior.follow(z)
        x = self.generator(self.iaf(z if z_g is None else torch.cat([z, z_g])))
        x_r, x_g = x[: len(z)], x[len(z) :]
        terms = {"pixel": weighted_l1(x_r.float(), batch.x, self.weights), "kl": kl_to_normal(mu, logvar)}
        if self.settings.attribute:
            terms["attribute"] = attribute_loss(self.head.attributes(mu).float(), batch.y)
        return terms, x_r, x_g

    def _own(self, terms: dict[str, Tensor]) -> Tensor:
        settings = self.settings
        loss = settings.pixel * terms["pixel"] + settings.kl * terms["kl"]
        return loss + settings.attribute * terms["attribute"] if "attribute" in terms else loss

    def _set_rates(self, step: int, warm: bool) -> None:
        settings = self.settings
        share = half_cosine(step / settings.steps, final=settings.final_rate)
        slow = {} if warm else {"d": settings.learning_rate_d}
        for name, optimiser in self.optimisers.items():
            rate = ({"v": settings.learning_rate_v} | slow).get(name, settings.learning_rate)
            set_rate(optimiser, rate * share)

    def averaged(self, name: str) -> nn.Module:
        """The network to save: the averaged one unless `ema` is 0."""
        return self.emas[name].network if self.settings.ema else self.networks[name]

    def samples(self, count: int) -> Tensor:
        """Images (count, C, S, S) from the averaged generator, from the same z every time."""
        eps = torch.randn(count, self.settings.z_dim, generator=compute.generator(self.seed, 52)).to(self.device)
        with evaluating(self.averaged("generator")):
            images: Tensor = self.averaged("generator")(self.iaf(self.prior(eps)))
        return images.cpu()

    def kept(self) -> dict[str, nn.Module]:
        """The averaged trunk, head and generator, the verdict, the frozen flow and the prior."""
        parts = {name: self.averaged(name) for name in self.emas}
        return parts | {"verdict": self.verdict, "iaf": self.iaf, "prior": self.prior}


def verdict_loss(logits: Tensor, label: int) -> Tensor:
    """Cross entropy in nats of logits (N, 3), or (N, 1) if all but real are one class, against one label for all."""
    if logits.shape[1] == 1:
        return softplus(-logits if label == REAL else logits).mean()
    return cross_entropy(logits, torch.full((len(logits),), label, device=logits.device))


def accuracy(*logits: Tensor) -> Tensor:
    """The share of right answers, from logits on real, reconstructed and generated images in this order."""
    right = [
        ((answers[:, 0] > 0) == (label == REAL)) if answers.shape[1] == 1 else answers.argmax(1) == label
        for label, answers in enumerate(logits)
    ]
    return torch.stack([r.float().mean() for r in right]).mean()


@contextmanager
def without_statistics(network: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch norms, which are of real images alone; they still normalise by the batch."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def networks(settings: GanSettings, data: Data) -> dict[str, Any]:
    """trunk, head, verdict, generator, iaf and prior of the sizes in `settings`, untrained."""
    shape: dict[str, Any] = {"size": data.size, "channels": data.channels}
    sized: dict[str, Any] = {"width": settings.width, "kernel": settings.kernel, **shape}
    stages = halvings(data.size, least=SIDE)
    widest = settings.width << (stages - 1)
    generator = (
        FullGenerator(z_dim=settings.z_dim, **sized)
        if settings.variant == "full"
        else Decoder(inputs=settings.z_dim, blur=settings.blur, bias=False, **sized)
    )
    return {
        "trunk": Trunk(**sized),
        "head": Head(
            features=widest * (data.size >> stages) ** 2,
            hidden=settings.hidden,
            norm=settings.norm,
            z_dim=settings.z_dim,
            attributes=len(data.attributes),
        ),
        "verdict": Verdict(features=widest, kernels=settings.kernels, outputs=3 if settings.loss == "ternary" else 1),
        "generator": generator,
        "iaf": nn.Identity() if settings.iaf == "none" else Iaf(settings.z_dim, degrees=settings.iaf),
        "prior": GaussianPrior(settings.z_dim),
    }


class Ian:
    """A trained IAN: implements `facet.systems.System`. A latent is z after the flow, which the brush edits too."""

    name = NAME
    y_dim = 0

    def __init__(self, parts: dict[str, Any], settings: GanSettings, data: Data, device: torch.device):
        self.crop, self.size, self.channels = data.crop, data.size, data.channels
        self.attributes, self.split_hash = data.attributes, data.split_hash
        self.z_dim, self.device = settings.z_dim, device
        for network in parts.values():
            network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self.trunk, self.head, _, self.generator, self.iaf, self.prior = parts.values()

    def _last(self, x: Tensor) -> Tensor:
        last: Tensor = self.trunk(x.to(self.device, memory_format=torch.channels_last))[-1]
        return last

    def _mean(self, x: Tensor) -> Tensor:
        """The mean of q(z | x), before the flow."""
        mu: Tensor = self.head(self._last(x))[0]
        return mu.float()

    def encode(self, x: Tensor) -> Tensor:
        latent: Tensor = self.iaf(self._mean(x))
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        x: Tensor = self.generator(latent.to(self.device))
        return x.float()

    def interpolate(self, start: Tensor, end: Tensor, share: float) -> Tensor:
        """Latents (N, z_dim) a `share` of the way from images (N, C, S, S) to others, along a line before the flow."""
        latent: Tensor = self.iaf(torch.lerp(self._mean(start), self._mean(end), share))
        return latent

    def features(self, x: Tensor) -> Tensor:
        """Images -> the activations (N, hidden) of the encoder's linear layer, 0 or more."""
        h: Tensor = self.head.embed(self._last(x))
        return h.float()


def load(folder: Path, card: dict[str, Any], device: torch.device) -> Ian:
    """The system in a folder written by `GanTrainer.save`."""
    settings, data = GanSettings(**card["settings"]), Data.from_json(card["data"])
    parts = networks(settings, data)
    checkpoints.load_weights(folder, parts)
    return Ian(parts, settings, data, device)


def untrained(folder: Path, x: Tensor, *, seed: int, device: torch.device) -> Ian:
    """The system in a folder as it was before its first step, if it was trained with `seed`. Its batch norms have the
    statistics of the images x (N, C, S, S), as in training."""
    card = checkpoints.read_card(folder)
    settings, data = GanSettings(**card["settings"]), Data.from_json(card["data"])
    trainer = GanTrainer(settings, data, seed=seed, device=device, precision="fp32")
    for module in (*trainer.trunk.modules(), *trainer.head.modules()):
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        trainer.head(trainer.trunk(x.to(device, memory_format=torch.channels_last))[-1])
    return Ian(trainer.networks, settings, data, device)


def prior(folder: Path, device: torch.device) -> Prior:
    """The distribution of z in the training of a model folder, through the flow."""
    card = checkpoints.read_card(folder)
    system = load(folder, card, device)
    name = "z ~ N(0, I)" if card["settings"]["prior"] == "normal" else "z from a Gaussian fitted to training codes"
    if card["settings"]["iaf"] != "none":
        name += ", through the flow"

    @torch.no_grad()
    def draw(count: int, random: torch.Generator) -> Tensor:
        latent: Tensor = system.iaf(system.prior(torch.randn(count, system.z_dim, generator=random).to(device)))
        return latent

    return Prior(name, draw)
