"""Encoders for DCGAN: the six of Photoshop 2.0 (its figure 9), which use a frozen generator, and our `in_domain`.

`in_domain` is the encoder of a VAE/GAN (Larsen et al. 2016, arXiv:1512.09300) on real images. It starts from the
trained generator and discriminator and tunes the generator along with the encoder, with pixel, feature, adversarial,
prior and attribute terms. The name is from Zhu et al. 2020 (arXiv:2004.00049), who keep the generator fixed."""

import copy
import dataclasses
import itertools
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facet.base import checkpoints, compute
from facet.base.limits import BelowOne, Count, NonNegative, Positive, Share, UpToOne
from facet.losses import adversarial
from facet.losses.latent import attribute_loss, kl_to_normal, reparametrise
from facet.losses.reconstruction import RECONSTRUCTION_LOSSES, centre_weights, weighted_l1
from facet.nets import ranks
from facet.nets.blocks import SLOPE, halvings, init_he
from facet.nets.decoder import Decoder
from facet.nets.ema import Ema
from facet.nets.modes import evaluating
from facet.nets.norm import BatchNorm1d, BatchNorm2d
from facet.nets.variational import Variational
from facet.systems import Data
from facet.systems.dcgan import NAME, Discriminator, GanSettings, load_gan, networks, variational
from facet.training.loop import Batch, half_cosine, set_rate


def fully_connected(data: Data, z_dim: int) -> nn.Sequential:
    """FC Encoder: images (N, C, S, S) -> (N, z_dim) by four linear layers with ReLU. The widths are our choice."""
    sizes = [data.channels * data.size**2, 1024, 512, 256]
    layers: list[nn.Module] = [nn.Flatten()]
    for size_in, size_out in itertools.pairwise(sizes):
        layers += [nn.Linear(size_in, size_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], z_dim))


def deep_conv(data: Data, z_dim: int, width: int) -> nn.Sequential:
    """Deep Conv Encoder: images (N, C, S, S) -> (N, z_dim) by nine 3 x 3 convolutions, each with batch norm and leaky
    ReLU, and one linear layer."""
    plan = [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2), (8, 1)]  # (times width, stride)
    channels, layers = data.channels, list[nn.Module]()
    for times, stride in plan:
        layers += [
            nn.Conv2d(channels, times * width, 3, stride=stride, padding=1, bias=False),
            BatchNorm2d(times * width),
            nn.LeakyReLU(SLOPE),
        ]
        channels = times * width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * (-(-data.size // 16)) ** 2, z_dim))


class Transfer(nn.Module):
    """The discriminator's convolutions and a new head: images (N, C, S, S) -> (N, z_dim).

    With `freeze` the convolutions stay in eval mode (Photoshop 2.0); otherwise they are tuned (Heinrich's DIGITS)."""

    def __init__(self, discriminator: Discriminator, head: nn.Module, *, freeze: bool):
        super().__init__()
        self.trunk = copy.deepcopy(discriminator.trunk).requires_grad_(not freeze)
        self.head = head
        self.freeze = freeze

    def train(self, mode: bool = True) -> "Transfer":
        super().train(mode)
        if self.freeze:
            self.trunk.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.trunk:
            x = layer(x)  # last: (N, 8*width, 4, 4) for 64 pixels
        z: Tensor = self.head(x)
        return z


def transfer_head(channels: int, side: int, z_dim: int) -> nn.Module:
    """Transfer Learning Encoder: one linear layer on standardised features, because those of a discriminator without
    batch norm have any scale. (A norm without scale and shift is equivalent to another linear layer.)"""
    features = channels * side**2
    return nn.Sequential(nn.Flatten(), BatchNorm1d(features, affine=False), nn.Linear(features, z_dim))


def extended_head(channels: int, side: int, z_dim: int) -> nn.Module:
    """Extended Transfer: one 3 x 3 convolution and two linear layers, with batch norm and leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        BatchNorm2d(channels),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
        nn.Linear(channels * side**2, 2 * channels, bias=False),
        BatchNorm1d(2 * channels),
        nn.LeakyReLU(SLOPE),
        nn.Linear(2 * channels, z_dim),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrozenSettings:
    """Settings of the paper's encoders, which use the frozen generator."""

    architecture: Literal["fc", "deep_conv", "transfer", "extended"]
    loss: Literal["l2", "l1", "ssim"]
    width: Count  # channels after deep_conv's first convolution
    freeze: bool  # true: the transferred convolutions are not tuned
    learning_rate: NonNegative
    beta1: BelowOne
    batch_size: Count
    steps: Count
    flip: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class InDomainSettings:
    """Settings of the encoder that is trained together with the generator."""

    width: Count
    learning_rate: NonNegative
    learning_rate_d: NonNegative
    final_rate: UpToOne  # the share of themselves to which the learning rates fall, along a half cosine
    beta1: BelowOne
    ema: BelowOne
    centre: Positive  # weight of the face's centre over the border in the pixel term
    kl: NonNegative  # weight of the KL term, a sum over z
    feature: NonNegative  # weight of the distance of D's features
    adversarial: NonNegative  # weight of the critic's answers on reconstructions
    adversarial_from: Share  # share of the steps without the critic
    attribute: NonNegative  # weight of the attribute term
    batch_size: Count
    steps: Count
    flip: bool


def settings_class(variant: str) -> type[FrozenSettings] | type[InDomainSettings]:
    """The settings that a variant of `train_encoder` takes."""
    return InDomainSettings if variant.startswith("in_domain") else FrozenSettings


class FrozenTrainer:
    """E learns to minimise the distance of G(E(x)) from x; G is frozen in eval mode (Photoshop 2.0, section on
    encoders)."""

    def __init__(self, settings: FrozenSettings, gan: Path, *, seed: int, device: torch.device, precision: str):
        self.settings, self.device, self.precision = settings, device, precision
        self.generator, discriminator, self.gan_settings, self.data = load_gan(gan)
        self.encoder = frozen_encoder(settings, self.data, self.gan_settings, discriminator)
        start = compute.generator(seed, 3)
        fresh = self.encoder.head if isinstance(self.encoder, Transfer) else self.encoder
        init_he(fresh, start)
        if self.gan_settings.prior == "normal":  # codes start at the scale of the prior
            last = [module for module in fresh.modules() if isinstance(module, nn.Linear)][-1]
            nn.init.normal_(last.weight, std=last.in_features**-0.5, generator=start)
        self.generator.requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.encoder.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        trained = [weight for weight in self.encoder.parameters() if weight.requires_grad]
        self.adam = torch.optim.Adam(trained, settings.learning_rate, (settings.beta1, 0.999), fused=True)
        self.modules: dict[str, nn.Module] = {"encoder": self.encoder}
        self.optimisers: dict[str, torch.optim.Optimizer] = {"e": self.adam}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        with compute.autocast(self.device, self.precision):
            x_hat = self.generator(self.encoder(batch.x))
        loss = RECONSTRUCTION_LOSSES[self.settings.loss](x_hat.float(), batch.x)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return {self.settings.loss: loss}

    def check(self, step: int, *, last: bool = False) -> str | None:
        return None

    def reconstruct(self, x: Tensor) -> Tensor:
        with evaluating(self.encoder):
            x_hat: Tensor = self.generator(self.encoder(x.to(self.device)))
        return x_hat.cpu()

    def save(self, folder: Path, variant: str) -> None:
        card = _card(variant, self.settings, self.gan_settings, self.data)
        checkpoints.save(folder, {"encoder": self.encoder, "generator": self.generator}, card)


class InDomainTrainer:
    """E, G and D learn together from reconstructions of real images, as in a VAE/GAN."""

    def __init__(self, settings: InDomainSettings, gan: Path, *, seed: int, device: torch.device, precision: str):
        self.settings, self.seed, self.device, self.precision = settings, seed, device, precision
        self.generator, self.discriminator, self.gan_settings, self.data = load_gan(gan)
        self.encoder = variational(self.data, z_dim=self.gan_settings.z_dim, width=settings.width)
        self.encoder.init(compute.generator(seed, 4))
        start_from_warmup(self.encoder, gan, self.gan_settings)
        self.weights = centre_weights(self.data.size, peak=settings.centre).to(device)
        for network in (self.encoder, self.generator, self.discriminator):
            network.to(device, memory_format=torch.channels_last).train().requires_grad_(True)  # type: ignore[call-overload]
        self.ema_e, self.ema_g = Ema(self.encoder, decay=settings.ema), Ema(self.generator, decay=settings.ema)
        betas = (settings.beta1, 0.999)
        self.trained = [*self.encoder.parameters(), *self.generator.parameters()]
        self.critic = list(self.discriminator.parameters())
        self.adam = torch.optim.Adam(self.trained, settings.learning_rate, betas, fused=True)
        self.adam_d = torch.optim.Adam(self.critic, settings.learning_rate_d, betas, fused=True)
        self.modules: dict[str, nn.Module] = {
            "encoder": self.encoder, "generator": self.generator, "discriminator": self.discriminator,
            "ema_e": self.ema_e.network, "ema_g": self.ema_g.network,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {"eg": self.adam, "d": self.adam_d}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        settings = self.settings
        self._set_rates(step)
        noise = compute.generator(self.seed, 6, step)
        critic_on = step > settings.adversarial_from * settings.steps
        terms: dict[str, Tensor] = {}
        with compute.autocast(self.device, self.precision):
            mu, logvar = self.encoder(batch.x)
            x_hat = self.generator(reparametrise(mu.float(), logvar.float(), noise))
            terms["pixel"] = weighted_l1(x_hat.float(), batch.x, self.weights)
            terms["kl"] = kl_to_normal(mu.float(), logvar.float())
            terms["attribute"] = attribute_loss(self.encoder.attributes(mu).float(), batch.y)
            if critic_on:
                real, fake = self.discriminator.features(batch.x), self.discriminator.features(x_hat)
                on_real, on_fake = (self.discriminator.logits(features[-1]).float() for features in (real, fake))
                terms["feature"] = feature_distance(real, fake)
                terms["adversarial"] = adversarial.hinge_generator(on_fake)
        weights = {
            "pixel": 1.0, "kl": settings.kl, "attribute": settings.attribute,
            "feature": settings.feature, "adversarial": settings.adversarial,
        }  # fmt: skip
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.adam.zero_grad()
        loss.backward(inputs=self.trained, retain_graph=critic_on)
        if critic_on:  # both players step from the same pass through D
            terms["discriminator"] = adversarial.hinge_discriminator(on_real, on_fake)
            self.adam_d.zero_grad()
            terms["discriminator"].backward(inputs=self.critic)
            self.adam_d.step()
        self.adam.step()
        self.ema_e.update(self.encoder, step)
        self.ema_g.update(self.generator, step)
        return terms

    def _set_rates(self, step: int) -> None:
        settings = self.settings
        share = half_cosine(step / settings.steps, final=settings.final_rate)
        for adam, rate in ((self.adam, settings.learning_rate), (self.adam_d, settings.learning_rate_d)):
            set_rate(adam, rate * share)

    def check(self, step: int, *, last: bool = False) -> str | None:
        return None

    def reconstruct(self, x: Tensor) -> Tensor:
        with evaluating(self.ema_e.network, self.ema_g.network):
            x_hat: Tensor = self.ema_g.network(self.ema_e.network(x.to(self.device))[0])
        return x_hat.cpu()

    def save(self, folder: Path, variant: str) -> None:
        card = _card(variant, self.settings, self.gan_settings, self.data)
        parts = {"encoder": self.ema_e.network, "generator": self.ema_g.network, "discriminator": self.discriminator}
        checkpoints.save(folder, parts, card)


def feature_distance(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Mean over layers of the mean absolute difference of activations, in units of the layer's mean absolute activation
    on real images. No gradient flows to the real side."""
    distances = []
    for a, b in zip(real, fake, strict=True):
        a = a.detach()
        distances.append((a - b).abs().mean() / (ranks.mean(a.abs().mean()) + 1e-6))
    return torch.stack(distances).mean()


def encoder_trainer(
    variant: str, settings: Any, gan: Path, *, seed: int, device: torch.device, precision: str
) -> FrozenTrainer | InDomainTrainer:
    """The trainer of a variant, from the GAN in folder `gan`."""
    trainer = InDomainTrainer if isinstance(settings, InDomainSettings) else FrozenTrainer
    return trainer(settings, gan, seed=seed, device=device, precision=precision)


def frozen_encoder(settings: FrozenSettings, data: Data, gan: GanSettings, discriminator: Discriminator) -> nn.Module:
    """The untrained network of one of the paper's encoders."""
    stages = halvings(data.size, least=4)
    channels, side = gan.width_d << (stages - 1), data.size >> stages
    if settings.architecture == "fc":
        return fully_connected(data, gan.z_dim)
    if settings.architecture == "deep_conv":
        return deep_conv(data, gan.z_dim, settings.width)
    if settings.architecture == "transfer":
        return Transfer(discriminator, transfer_head(channels, side, gan.z_dim), freeze=settings.freeze)
    if settings.architecture == "extended":
        return Transfer(discriminator, extended_head(channels, side, gan.z_dim), freeze=settings.freeze)
    raise ValueError(f"architecture {settings.architecture!r} is none of fc, deep_conv, transfer, extended")


def start_from_warmup(encoder: Variational, gan: Path, settings: GanSettings) -> None:
    """Load the weights of the warm-up's encoder, if the GAN has one of the same size."""
    if settings.warmup and checkpoints.has_network(gan, "warmup", encoder):
        checkpoints.load_weights(gan, {"warmup": encoder})


def _card(variant: str, settings: Any, gan: GanSettings, data: Data) -> dict[str, Any]:
    return {
        "system": NAME,
        "kind": "encoder",
        "variant": variant,
        "data": data.to_json(),
        "settings": dataclasses.asdict(settings),
        "gan_settings": dataclasses.asdict(gan),
    }


class Dcgan:
    """A trained DCGAN with one of its encoders: implements `facet.systems.System`."""

    name = NAME
    y_dim = 0

    def __init__(self, encoder: nn.Module, generator: Decoder, data: Data, z_dim: int, device: torch.device):
        self.crop, self.size, self.channels = data.crop, data.size, data.channels
        self.attributes, self.split_hash = data.attributes, data.split_hash
        self.z_dim, self.device = z_dim, device
        self.encoder = encoder.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
        self.generator = generator.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]

    def encode(self, x: Tensor) -> Tensor:
        z = self.encoder(x.to(self.device, memory_format=torch.channels_last))
        latent: Tensor = z[0] if isinstance(z, tuple) else z
        return latent.float()

    def decode(self, latent: Tensor) -> Tensor:
        x: Tensor = self.generator(latent.to(self.device))
        return x.float()


def load(folder: Path, card: dict[str, Any], device: torch.device) -> Dcgan:
    """The system in an encoder folder."""
    gan, data = GanSettings(**card["gan_settings"]), Data.from_json(card["data"])
    settings = settings_class(card["variant"])(**card["settings"])
    generator, discriminator = networks(gan, data)
    if isinstance(settings, InDomainSettings):
        encoder: nn.Module = variational(data, z_dim=gan.z_dim, width=settings.width)
    else:
        encoder = frozen_encoder(settings, data, gan, discriminator)
    checkpoints.load_weights(folder, {"encoder": encoder, "generator": generator})
    return Dcgan(encoder, generator, data, gan.z_dim, device)
