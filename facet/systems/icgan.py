"""IcGAN (Perarnau et al. 2016, arXiv:1611.06355): a GAN conditional on attributes y, inverted by two encoders
(icgan_encoders.py). `variant` is `perarnau`, or `cs230` for the report of Sun, Li and Xu.

D must also reject real images with a wrong y (Reed et al. 2016), a term that the report omits but its code has. Ours
are the warm-up of G as the decoder of a conditional VAE, since training from scratch shows nothing after minutes on a
CPU (0 turns it off), and R1 instead of batch norm in D if `norm` is none."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from facet.base import checkpoints, compute
from facet.base.errors import InputError
from facet.base.limits import BatchSize, BelowOne, Count, Natural, NonNegative, Positive, Share
from facet.losses import adversarial
from facet.losses.latent import kl_to_normal, reparametrise
from facet.nets import ranks
from facet.nets.blocks import down, halvings, init_dcgan, init_he
from facet.nets.decoder import SIDE, Decoder
from facet.nets.descriptions import Descriptions
from facet.nets.ema import Ema
from facet.nets.modes import evaluating
from facet.nets.residual import Residual
from facet.nets.variational import Variational
from facet.systems import Data, Prior, SystemTrainer
from facet.training.loop import Batch

NAME = "icgan"
CRITIC_STEPS = 50  # steps after a warm-up in which only the discriminator is updated


class Discriminator(nn.Module):
    """Images (N, C, S, S) and y (N, K) -> logits (N,), positive for a real image with the attributes y.

    y is concatenated after the first convolution, repeated over its grid."""

    def __init__(self, *, labels: int, width: int, norm: str, dropout: float, size: int, channels: int):
        super().__init__()
        stages = halvings(size, least=SIDE)
        widths = [width << i for i in range(stages)]
        self.first = down(channels, width, kernel=4, norm="none" if norm == "batch" else norm)
        widths_in = [width + labels, *widths[1:]]
        self.trunk = nn.Sequential(
            *(
                nn.Sequential(down(a, b, kernel=4, norm=norm), nn.Dropout(dropout))
                for a, b in zip(widths_in, widths[1:], strict=False)
            )
        )
        self.head = nn.Linear(widths[-1] * (size >> stages) ** 2, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.first(x)  # (N, width, S/2, S/2)
        maps = y[:, :, None, None].to(h.dtype).expand(-1, -1, *h.shape[2:])
        h = self.trunk(torch.cat([h, maps], dim=1).contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.head(h.flatten(1)).squeeze(1)
        return logits


def wrong_labels(y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each row of y (N, K) a random row that differs from it, and a mask (N,) of the rows that have one."""
    differs = (y[:, None] != y[None]).any(2)  # (N, N)
    keys = torch.rand(differs.shape, generator=generator).to(y.device).masked_fill(~differs, -1.0)
    return y[keys.argmax(1)], differs.any(1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GanSettings:
    """Settings of the adversarial training of generator and discriminator."""

    variant: Literal["perarnau", "cs230"]
    z_dim: Count
    width: Count  # channels of G before the pixels (both papers: 64)
    width_d: Count  # channels of D after its first convolution (perarnau: 64, cs230: 128)
    width_e: Count  # channels of the warm-up's encoder after its first convolution
    blur: bool  # a fixed filter after the generator's last layer (ours)
    norm: Literal["batch", "spectral", "none"]  # normalisation in D
    dropout: BelowOne  # dropout in D (cs230: 0.3)
    wrong_label: Share  # weight of the wrong-label term; generated images have the weight 1 - wrong_label
    warmup: Natural  # first steps, in which G is the decoder of a conditional VAE
    warmup_rate: Positive  # learning rate of the warm-up
    warmup_kl: NonNegative  # weight of the KL term beside the mean absolute error
    residual: bool  # true: the warm-up's z is the encoder's output minus its regression on y
    r1_gamma: NonNegative  # weight of the R1 penalty; 0 leaves it out
    r1_every: Count  # steps between R1 penalties
    learning_rate_g: NonNegative
    learning_rate_d: NonNegative
    beta1: BelowOne
    ema: BelowOne
    batch_size: BatchSize
    steps: Count
    flip: bool
    train_on: Literal["train", "all"]


class GanTrainer(SystemTrainer):
    """One discriminator update and one generator update per step."""

    name, kind = NAME, "gan"
    advice = "Raise r1_gamma, lower learning_rate_d"
    settings: GanSettings

    def __init__(self, settings: GanSettings, data: Data, *, seed: int, device: torch.device, precision: str):
        super().__init__(settings, data, seed=seed, device=device, precision=precision)
        self.generator, self.discriminator, self.descriptions = networks(settings, data)
        self.warmup = warmup_encoder(settings, data)
        start = compute.generator(seed, 30)
        init_dcgan(self.generator, start)
        (init_dcgan if settings.norm == "batch" else init_he)(self.discriminator, start)
        self.warmup.init(start)
        self.residual = Residual(settings.z_dim, len(data.attributes))
        for network in (self.generator, self.discriminator, self.warmup, self.descriptions, self.residual):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = Ema(self.generator, decay=settings.ema)
        betas = (settings.beta1, 0.999)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), settings.learning_rate_g, betas, fused=True)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), settings.learning_rate_d, betas, fused=True)
        both = [*self.warmup.parameters(), *self.generator.parameters()]
        self.adam_w = torch.optim.Adam(both, settings.warmup_rate, betas, fused=True)
        self.modules: dict[str, nn.Module] = {
            "generator": self.generator, "discriminator": self.discriminator, "ema": self.ema.network,
            "warmup": self.warmup, "descriptions": self.descriptions, "residual": self.residual,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {"g": self.adam_g, "d": self.adam_d, "w": self.adam_w}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        y = batch.y.float()
        self.descriptions.add(ranks.whole(y))
        update = self._warmup_step if step <= self.settings.warmup else self._adversarial_step
        terms = update(step, batch.x, y)
        if self.settings.ema:
            self.ema.update(self.generator, step)
        return terms

    def _warmup_step(self, step: int, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        with compute.autocast(self.device, self.precision):
            mu, logvar = (output.float() for output in self.warmup(x))
            if self.settings.residual:
                self.residual.follow(mu, y)
            mu = self.residual(mu, y)
            x_hat = self.generator(reparametrise(mu, logvar, compute.generator(self.seed, 31, step)), y)
        pixel, kl = (x_hat.float() - x).abs().mean(), kl_to_normal(mu, logvar)
        self.adam_w.zero_grad()
        (pixel + self.settings.warmup_kl * kl).backward()
        self.adam_w.step()
        return {"pixel": pixel, "kl": kl}

    def _adversarial_step(self, step: int, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        settings = self.settings
        noise = compute.generator(self.seed, 32, step)
        z = ranks.drawn(torch.randn, len(x), settings.z_dim, generator=noise).to(self.device)
        everyone = ranks.whole(y)
        y_fake = ranks.part(everyone[torch.randperm(len(everyone), generator=noise).to(self.device)])
        y_wrong, is_wrong = map(ranks.part, wrong_labels(everyone, noise))
        if settings.dropout:  # masks depend on (seed, step) and the rank
            torch.manual_seed(int(torch.randint(1 << 62, (), generator=noise)) + ranks.rank())

        with compute.autocast(self.device, self.precision):
            fake = self.generator(z, y_fake)
            self.discriminator.requires_grad_(True)
            on_real, on_fake = self.discriminator(x, y).float(), self.discriminator(fake.detach(), y_fake).float()
            on_wrong = self.discriminator(x, y_wrong).float() if settings.wrong_label else None
        terms = {"d_real": on_real.mean(), "d_fake": on_fake.mean()}
        loss_d = softplus(-on_real).mean() + (1 - settings.wrong_label) * softplus(on_fake).mean()
        if on_wrong is not None:
            terms["d_wrong"] = on_wrong.mean()
            loss_d = loss_d + settings.wrong_label * (is_wrong * softplus(on_wrong)).mean()
        terms["discriminator"] = loss_d
        self.adam_d.zero_grad()
        loss_d.backward()
        if settings.r1_gamma and step % settings.r1_every == 0:
            real = x.detach().requires_grad_(True)
            terms["r1"] = adversarial.r1_penalty(self.discriminator(real, y), real)
            (settings.r1_gamma * settings.r1_every * terms["r1"]).backward()
        self.adam_d.step()

        if settings.warmup and step <= settings.warmup + CRITIC_STEPS:
            return terms  # a warm generator waits for its critic to catch up
        self.discriminator.requires_grad_(False)
        with compute.autocast(self.device, self.precision):
            logits = self.discriminator(fake, y_fake)
        terms["generator"] = adversarial.nonsaturating_generator(logits.float())
        self.adam_g.zero_grad()
        terms["generator"].backward()
        self.adam_g.step()
        return terms

    @property
    def averaged(self) -> nn.Module:
        """The generator to save: the averaged one unless `ema` is 0."""
        return self.ema.network if self.settings.ema else self.generator

    def samples(self, count: int) -> Tensor:
        """Images (count, C, S, S) from the averaged generator, from the same z and descriptions every time."""
        draw = compute.generator(self.seed, 33)
        z = torch.randn(count, self.settings.z_dim, generator=draw).to(self.device)
        with evaluating(self.averaged):
            images: Tensor = self.averaged(z, self.descriptions.draw(count, draw))
        return images.cpu()

    def kept(self) -> dict[str, nn.Module]:
        """The generator (averaged), discriminator and descriptions; after a warm-up its encoder and regression too."""
        parts: dict[str, nn.Module] = {
            "generator": self.averaged, "discriminator": self.discriminator, "descriptions": self.descriptions,
        }  # fmt: skip
        return parts | ({"warmup": self.warmup, "residual": self.residual} if self.settings.warmup else {})


def networks(settings: GanSettings, data: Data) -> tuple[Decoder, Discriminator, Descriptions]:
    """Generator and discriminator of the sizes in `settings`, untrained, and the descriptions."""
    shape: dict[str, Any] = {"size": data.size, "channels": data.channels}
    labels = len(data.attributes)
    return (
        Decoder(  # of z from N(0, I) and y; the papers' first convolution on a 1 x 1 image is a linear layer
            inputs=settings.z_dim + labels,
            width=settings.width,
            kernel=4,
            hidden=16 * settings.width if settings.variant == "cs230" else 0,
            blur=settings.blur,
            **shape,
        ),
        Discriminator(labels=labels, width=settings.width_d, norm=settings.norm, dropout=settings.dropout, **shape),
        Descriptions(labels),
    )


def warmup_encoder(settings: GanSettings, data: Data) -> Variational:
    """The untrained encoder of the warm-up."""
    return Variational(
        z_dim=settings.z_dim,
        width=settings.width_e,
        size=data.size,
        channels=data.channels,
        attributes=len(data.attributes),
    )


def load_gan(folder: Path) -> tuple[Decoder, Descriptions, GanSettings, Data]:
    """Generator (eval mode) and descriptions of a GAN folder."""
    card = checkpoints.read_card(folder)
    if card["system"] != NAME or card["kind"] != "gan":
        raise InputError(f"{folder} holds {card['system']} ({card['kind']}), not an icgan GAN")
    settings, data = GanSettings(**card["settings"]), Data.from_json(card["data"])
    generator, _, descriptions = networks(settings, data)
    checkpoints.load_weights(folder, {"generator": generator, "descriptions": descriptions})
    return generator.eval(), descriptions, settings, data


def prior(folder: Path, device: torch.device) -> Prior:
    """The distribution of z and y in the training of a GAN folder."""
    _, descriptions, settings, _ = load_gan(folder)
    descriptions.to(device)

    def draw(count: int, random: torch.Generator) -> Tensor:
        z = torch.randn(count, settings.z_dim, generator=random).to(device)
        return torch.cat([z, descriptions.draw(count, random)], dim=1)

    return Prior("z ~ N(0, I), descriptions of training photos", draw)
