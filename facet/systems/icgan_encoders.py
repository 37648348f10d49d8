"""The two encoders that invert a conditional GAN (Perarnau et al. 2016, section 3.2, arXiv:1611.06355): E_z learns from
generated pairs, E_y from real images; both minimise the squared error.

Ours, each a setting: `pixel`, a term for the distance of G(E_z(x), y) from the real x, since the paper's E_z never sees
a real image; `residual`, which removes from E_z(x) its regression on y; and `warm`, which starts E_z as the encoder of
G's warm-up."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facet.base import checkpoints, compute
from facet.base.errors import InputError
from facet.base.limits import BelowOne, Count, NonNegative, UpToOne
from facet.losses.latent import description_error
from facet.nets import ranks
from facet.nets.blocks import halvings, init_he, same_padding
from facet.nets.decoder import SIDE, Decoder
from facet.nets.ema import Ema
from facet.nets.modes import evaluating
from facet.nets.norm import BatchNorm1d, BatchNorm2d
from facet.nets.residual import Residual
from facet.systems import Data
from facet.systems.icgan import NAME, GanSettings, load_gan, networks, warmup_encoder
from facet.training.loop import Batch, half_cosine, set_rate

KERNEL = 5


class Encoder(nn.Module):
    """Images (N, C, S, S) in [-1, 1] -> (N, outputs): convolutions with batch norm and ReLU, then two linear layers."""

    def __init__(self, *, outputs: int, width: int, hidden: int, size: int, channels: int):
        super().__init__()
        stages = halvings(size, least=SIDE)
        widths = [channels, *(width << i for i in range(stages))]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            conv = nn.Conv2d(a, b, KERNEL, stride=2, padding=same_padding(KERNEL), bias=False)
            layers += [conv, BatchNorm2d(b), nn.ReLU()]
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(widths[-1] * (size >> stages) ** 2, hidden, bias=False),
            BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layers(x)
        return outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """Settings of E_z and E_y, which are trained together."""

    width: Count  # channels of both encoders after the first convolution (the paper: 32)
    hidden_z: Count  # units of E_z's linear layer (the paper: 4096)
    hidden_y: Count  # units of E_y's linear layer (the paper: 512)
    warm: bool  # true: E_z has the architecture and the first weights of the warm-up's encoder
    pixel: NonNegative  # weight of the mean absolute error of G(E_z(x), y) on real images; the paper: 0
    residual: bool  # true: z is E_z's output minus its regression on y; the paper: false
    threshold: bool  # true: an image's y is -1 or +1, as in the paper; false: E_y's output clipped to [-1, 1]
    learning_rate: NonNegative
    final_rate: UpToOne  # the share of itself to which the learning rate falls, along a half cosine
    beta1: BelowOne
    ema: BelowOne
    batch_size: Count
    steps: Count
    flip: bool


def settings_class(variant: str) -> type[EncoderSettings]:
    """The settings that a variant of `train_encoder` takes."""
    return EncoderSettings


class EncoderTrainer:
    """E_z learns from images of G, E_y from real ones; G is not changed."""

    def __init__(self, settings: EncoderSettings, gan: Path, *, seed: int, device: torch.device, precision: str):
        self.settings, self.seed, self.device, self.precision = settings, seed, device, precision
        self.generator, _, self.gan_settings, self.data = load_gan(gan)
        self.encoder_z, self.encoder_y = encoders(settings, self.gan_settings, self.data)
        self.residual = Residual(self.gan_settings.z_dim, len(self.data.attributes))
        start = compute.generator(seed, 40)
        init_he(self.encoder_z, start)
        init_he(self.encoder_y, start)
        if settings.warm:
            if not checkpoints.has_network(gan, "warmup", self.encoder_z):
                raise InputError(f"{gan} has no warm-up encoder to start from; set warm: false")
            checkpoints.load_weights(gan, {"warmup": self.encoder_z})
            if settings.residual:
                checkpoints.load_weights(gan, {"residual": self.residual})
        self.residual.to(device)
        self.generator.requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        both = (self.encoder_z, self.encoder_y)
        for network in both:
            network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.ema_z, self.ema_y = (Ema(network, decay=settings.ema) for network in both)
        weights = [*self.encoder_z.parameters(), *self.encoder_y.parameters()]
        self.adam = torch.optim.Adam(weights, settings.learning_rate, (settings.beta1, 0.999), fused=True)
        self.modules: dict[str, nn.Module] = {
            "encoder_z": self.encoder_z, "encoder_y": self.encoder_y,
            "ema_z": self.ema_z.network, "ema_y": self.ema_y.network, "residual": self.residual,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {"e": self.adam}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        settings, y = self.settings, batch.y.float()
        share = half_cosine(step / settings.steps, final=settings.final_rate)
        set_rate(self.adam, settings.learning_rate * share)
        noise = compute.generator(self.seed, 41, step)
        z = ranks.drawn(torch.randn, len(y), self.gan_settings.z_dim, generator=noise).to(self.device)
        everyone = ranks.whole(y)
        y_fake = ranks.part(everyone[torch.randperm(len(everyone), generator=noise).to(self.device)])
        terms: dict[str, Tensor] = {}
        with compute.autocast(self.device, self.precision):
            with torch.no_grad():
                fake = self.generator(z, y_fake)
            z_x = mean_of(self.encoder_z(batch.x)).float() if settings.pixel or settings.residual else None
            if z_x is not None and settings.residual:
                self.residual.follow(z_x, y)
            z_fake = self.residual(mean_of(self.encoder_z(fake)), y_fake)
            terms["z"] = (z_fake - z).square().mean()
            terms["y"] = description_error(self.encoder_y(batch.x).float(), y)
            if z_x is not None and settings.pixel:
                terms["pixel"] = (self.generator(self.residual(z_x, y), y).float() - batch.x).abs().mean()
        loss = terms["z"] + terms["y"] + (settings.pixel * terms["pixel"] if settings.pixel else 0)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self.ema_z.update(self.encoder_z, step)
        self.ema_y.update(self.encoder_y, step)
        return terms

    def check(self, step: int, *, last: bool = False) -> str | None:
        return None

    @property
    def averaged(self) -> tuple[nn.Module, nn.Module]:
        """E_z and E_y to save: the averaged ones unless `ema` is 0."""
        return (self.ema_z.network, self.ema_y.network) if self.settings.ema else (self.encoder_z, self.encoder_y)

    def reconstruct(self, x: Tensor) -> Tensor:
        encoder_z, encoder_y = self.averaged
        with evaluating(encoder_z, encoder_y):
            x = x.to(self.device)
            y = described(encoder_y(x), self.settings.threshold)
            x_hat: Tensor = self.generator(self.residual(mean_of(encoder_z(x)), y), y)
        return x_hat.cpu()

    def save(self, folder: Path, variant: str) -> None:
        encoder_z, encoder_y = self.averaged
        card = {
            "system": NAME,
            "kind": "encoder",
            "variant": variant,
            "data": self.data.to_json(),
            "settings": dataclasses.asdict(self.settings),
            "gan_settings": dataclasses.asdict(self.gan_settings),
        }
        parts = {
            "encoder_z": encoder_z, "encoder_y": encoder_y, "residual": self.residual, "generator": self.generator
        }  # fmt: skip
        checkpoints.save(folder, parts, card)


def mean_of(encoded: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """z from the output of an encoder; a Gaussian encoder returns mean and log variance."""
    return encoded[0] if isinstance(encoded, tuple) else encoded


def described(y: Tensor, threshold: bool) -> Tensor:
    """The output of E_y as a description in [-1, 1]."""
    return torch.where(y > 0, 1.0, -1.0) if threshold else y.clamp(-1, 1)


def encoders(settings: EncoderSettings, gan: GanSettings, data: Data) -> tuple[nn.Module, Encoder]:
    """E_z and E_y, untrained."""
    shape = {"width": settings.width, "size": data.size, "channels": data.channels}
    encoder_z: nn.Module = Encoder(outputs=gan.z_dim, hidden=settings.hidden_z, **shape)
    if settings.warm:
        encoder_z = warmup_encoder(gan, data)
    return encoder_z, Encoder(outputs=len(data.attributes), hidden=settings.hidden_y, **shape)


def encoder_trainer(
    variant: str, settings: EncoderSettings, gan: Path, *, seed: int, device: torch.device, precision: str
) -> EncoderTrainer:
    """The trainer of both encoders, from the GAN in folder `gan`."""
    return EncoderTrainer(settings, gan, seed=seed, device=device, precision=precision)


class Icgan:
    """A trained IcGAN: implements `facet.systems.System`. A latent is z, then y in [-1, 1]."""

    name = NAME

    def __init__(
        self, encoder_z: nn.Module, encoder_y: nn.Module, residual: Residual, generator: Decoder, threshold: bool,
        data: Data, z_dim: int, device: torch.device,
    ):  # fmt: skip
        self.crop, self.size, self.channels = data.crop, data.size, data.channels
        self.attributes, self.split_hash = data.attributes, data.split_hash
        self.z_dim, self.y_dim, self.device, self.threshold = z_dim, len(data.attributes), device, threshold
        self.encoder_z, self.encoder_y, self.residual, self.generator = encoder_z, encoder_y, residual, generator
        for network in (encoder_z, encoder_y, residual, generator):
            network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]

    def encode(self, x: Tensor) -> Tensor:
        x = x.to(self.device, memory_format=torch.channels_last)
        y = described(self.encoder_y(x).float(), self.threshold)
        return torch.cat([self.residual(mean_of(self.encoder_z(x)), y), y], dim=1)

    def decode(self, latent: Tensor) -> Tensor:
        z, y = latent.to(self.device).split([self.z_dim, self.y_dim], dim=1)
        x: Tensor = self.generator(z, y)
        return x.float()


def load(folder: Path, card: dict[str, Any], device: torch.device) -> Icgan:
    """The system in an encoder folder."""
    gan, data = GanSettings(**card["gan_settings"]), Data.from_json(card["data"])
    settings = EncoderSettings(**card["settings"])
    generator, _, _ = networks(gan, data)
    encoder_z, encoder_y = encoders(settings, gan, data)
    residual = Residual(gan.z_dim, len(data.attributes))
    checkpoints.load_weights(
        folder, {"encoder_z": encoder_z, "encoder_y": encoder_y, "residual": residual, "generator": generator}
    )
    return Icgan(encoder_z, encoder_y, residual, generator, settings.threshold, data, gan.z_dim, device)
