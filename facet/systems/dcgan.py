"""DCGAN (Radford, Metz, Chintala 2016, arXiv:1511.06434) as Photoshop 2.0 uses it: a generator and a discriminator of
strided convolutions for 64-pixel faces; its encoders are in dcgan_encoders.py.

The profile `paper` is DCGAN-tensorflow of 2016: kernel 5, width 64, uniform prior, batch norm in both, two generator
updates per batch, Adam 2e-4. The default differs for measured reasons (benchmarks/gan_losses.py)."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from facet.base import checkpoints, compute
from facet.base.errors import InputError
from facet.base.limits import BatchSize, BelowOne, Count, Limit, Natural, NonNegative, Positive
from facet.losses import adversarial
from facet.losses.latent import kl_to_normal, reparametrise
from facet.nets import ranks
from facet.nets.augment import diff_augment
from facet.nets.blocks import down, halvings, init_dcgan, init_he
from facet.nets.decoder import Decoder
from facet.nets.ema import Ema
from facet.nets.modes import evaluating
from facet.nets.variational import Variational
from facet.systems import Data, Prior, SystemTrainer
from facet.training.loop import Batch

NAME = "dcgan"
CRITIC_STEPS = 50  # steps after a warm-up in which only the discriminator is updated


class Discriminator(nn.Module):
    """Images (N, C, S, S) in [-1, 1] -> logits (N,), positive for real."""

    def __init__(self, *, width: int, kernel: int, norm: str, size: int, channels: int):
        super().__init__()
        stages = halvings(size, least=4)
        first = "none" if norm == "batch" else norm  # no batch norm next to the pixels
        layers = [down(channels, width, kernel=kernel, norm=first)]
        layers += [down(width << i, width << (i + 1), kernel=kernel, norm=norm) for i in range(stages - 1)]
        self.trunk = nn.ModuleList(layers)
        head = nn.Linear((width << (stages - 1)) * (size >> stages) ** 2, 1)
        self.head = nn.utils.parametrizations.spectral_norm(head) if norm == "spectral" else head

    def features(self, x: Tensor) -> list[Tensor]:
        """The activations after each strided convolution, largest first."""
        outputs = []
        for layer in self.trunk:
            x = layer(x)
            outputs.append(x)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(self.features(x)[-1])

    def logits(self, last: Tensor) -> Tensor:
        """Logits (N,) from the last activation of `features`."""
        logits: Tensor = self.head(last.flatten(1)).squeeze(1)
        return logits


def sample_prior(prior: str, count: int, z_dim: int, generator: torch.Generator) -> Tensor:
    """z (count, z_dim) from N(0, I) for `normal`, from U(-1, 1) for `uniform`."""
    if prior == "normal":
        return torch.randn(count, z_dim, generator=generator)
    if prior == "uniform":
        return 2 * torch.rand(count, z_dim, generator=generator) - 1
    raise ValueError(f"prior {prior!r} is neither normal nor uniform")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GanSettings:
    """Settings of the adversarial training of generator and discriminator."""

    z_dim: Count
    width: Count  # channels of G before the pixels, which double with every halving of the side
    width_d: Count  # channels of D after its first convolution
    width_e: Count  # channels of the warm-up's encoder after its first convolution
    kernel: Annotated[int, Limit(2)]
    blur: bool  # a fixed filter after the generator's last layer (Karras et al. 2020, section B)
    prior: Literal["normal", "uniform"]
    warmup: Natural  # first steps, in which G is the decoder of a VAE
    warmup_rate: Positive  # learning rate of the warm-up
    warmup_kl: NonNegative  # weight of the KL term beside the mean absolute error
    loss: Literal["nonsaturating", "hinge"]
    norm: Literal["batch", "spectral", "none"]  # normalisation in D
    r1_gamma: NonNegative  # weight of the R1 penalty; 0 leaves it out
    r1_every: Count  # steps between R1 penalties (lazy regularisation, Karras et al. 2020)
    augment: bool  # DiffAugment
    generator_updates: Count  # generator updates per discriminator update
    learning_rate_g: NonNegative
    learning_rate_d: NonNegative
    beta1: BelowOne
    ema: BelowOne  # decay of the averaged generator; 0 keeps the raw one
    batch_size: BatchSize
    steps: Count
    flip: bool
    train_on: Literal["train", "all"]  # the split to train on; the paper's GAN saw its test images too


class GanTrainer(SystemTrainer):
    """One discriminator update and `generator_updates` generator updates per step."""

    name, kind = NAME, "gan"
    advice = "Raise r1_gamma, lower learning_rate_d"
    settings: GanSettings

    def __init__(self, settings: GanSettings, data: Data, *, seed: int, device: torch.device, precision: str):
        if settings.warmup and settings.prior != "normal":
            raise InputError(f"warmup {settings.warmup} needs prior normal, not {settings.prior}")
        super().__init__(settings, data, seed=seed, device=device, precision=precision)
        self.generator, self.discriminator = networks(settings, data)
        start = compute.generator(seed, 0)
        init_dcgan(self.generator, start)
        # Without batch norm, weights from N(0, 0.02) are too small: no signal reaches the logits and D does not learn.
        (init_dcgan if settings.norm == "batch" else init_he)(self.discriminator, start)
        for network in (self.generator, self.discriminator):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = Ema(self.generator, decay=settings.ema)
        betas = (settings.beta1, 0.999)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), settings.learning_rate_g, betas, fused=True)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), settings.learning_rate_d, betas, fused=True)
        self.warmup = variational(data, z_dim=settings.z_dim, width=settings.width_e)
        self.warmup.init(start)
        self.warmup.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        both = [*self.warmup.parameters(), *self.generator.parameters()]
        self.adam_w = torch.optim.Adam(both, settings.warmup_rate, betas, fused=True)
        self.modules: dict[str, nn.Module] = {
            "generator": self.generator, "discriminator": self.discriminator, "ema": self.ema.network,
            "warmup": self.warmup,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {"g": self.adam_g, "d": self.adam_d, "w": self.adam_w}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        terms = self._warmup_step(step, batch) if step <= self.settings.warmup else self._adversarial_step(step, batch)
        if self.settings.ema:
            self.ema.update(self.generator, step)
        return terms

    def _warmup_step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        """One step of a VAE whose decoder is G: mean absolute error and KL divergence from the prior."""
        with compute.autocast(self.device, self.precision):
            mu, logvar = self.warmup(batch.x)
            x_hat = self.generator(reparametrise(mu.float(), logvar.float(), compute.generator(self.seed, 3, step)))
        pixel, kl = (x_hat.float() - batch.x).abs().mean(), kl_to_normal(mu.float(), logvar.float())
        self.adam_w.zero_grad()
        (pixel + self.settings.warmup_kl * kl).backward()
        self.adam_w.step()
        return {"pixel": pixel, "kl": kl}

    def _adversarial_step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        settings = self.settings
        noise = compute.generator(self.seed, 1, step)
        augment = self._augmentation(noise)
        z = ranks.part(sample_prior(settings.prior, len(batch.x) * ranks.count(), settings.z_dim, noise))
        z = z.to(self.device)

        with compute.autocast(self.device, self.precision):
            fake = self.generator(z)
            self.discriminator.requires_grad_(True)
            real_logits = self.discriminator(augment(batch.x))
            fake_logits = self.discriminator(augment(fake.detach()))
            loss_d = adversarial.DISCRIMINATOR_LOSSES[settings.loss](real_logits.float(), fake_logits.float())
        terms = {"discriminator": loss_d, "d_real": real_logits.mean(), "d_fake": fake_logits.mean()}
        self.adam_d.zero_grad()
        loss_d.backward()
        if settings.r1_gamma and step % settings.r1_every == 0:
            x = batch.x.detach().requires_grad_(True)
            r1 = adversarial.r1_penalty(self.discriminator(augment(x)), x)
            (settings.r1_gamma * settings.r1_every * r1).backward()
            terms["r1"] = r1
        self.adam_d.step()

        if settings.warmup and step <= settings.warmup + CRITIC_STEPS:
            return terms  # a warm generator waits for its critic to catch up
        self.discriminator.requires_grad_(False)
        for update in range(settings.generator_updates):
            with compute.autocast(self.device, self.precision):
                fake = self.generator(z) if update else fake
                logits = self.discriminator(augment(fake))
                loss_g = adversarial.GENERATOR_LOSSES[settings.loss](logits.float())
            self.adam_g.zero_grad()
            loss_g.backward()
            self.adam_g.step()
        terms["generator"] = loss_g
        return terms

    def _augmentation(self, noise: torch.Generator) -> Callable[[Tensor], Tensor]:
        return (lambda x: diff_augment(x, noise)) if self.settings.augment else (lambda x: x)

    @property
    def averaged(self) -> nn.Module:
        """The generator to save: the averaged one unless `ema` is 0."""
        return self.ema.network if self.settings.ema else self.generator

    def samples(self, count: int) -> Tensor:
        """Images (count, C, S, S) from the averaged generator, from the same z every time."""
        z = sample_prior(self.settings.prior, count, self.settings.z_dim, compute.generator(self.seed, 2))
        with evaluating(self.averaged):
            images: Tensor = self.averaged(z.to(self.device))
        return images.cpu()

    def kept(self) -> dict[str, nn.Module]:
        """The generator (averaged) and the discriminator; after a warm-up its encoder too."""
        parts: dict[str, nn.Module] = {"generator": self.averaged, "discriminator": self.discriminator}
        return parts | ({"warmup": self.warmup} if self.settings.warmup else {})


def networks(settings: GanSettings, data: Data) -> tuple[Decoder, Discriminator]:
    """Generator and discriminator of the sizes in `settings`, untrained."""
    shape: dict[str, Any] = {"kernel": settings.kernel, "size": data.size, "channels": data.channels}
    generator = Decoder(inputs=settings.z_dim, width=settings.width, blur=settings.blur, **shape)
    return generator, Discriminator(width=settings.width_d, norm=settings.norm, **shape)


def variational(data: Data, *, z_dim: int, width: int) -> Variational:
    """An untrained Gaussian encoder for these images, for the warm-up and for `in_domain`, which starts from it."""
    return Variational(
        z_dim=z_dim, width=width, size=data.size, channels=data.channels, attributes=len(data.attributes)
    )


def load_gan(folder: Path) -> tuple[Decoder, Discriminator, GanSettings, Data]:
    """The networks that `GanTrainer.save` wrote, on the CPU, in eval mode."""
    card = checkpoints.read_card(folder)
    settings, data = GanSettings(**card["settings"]), Data.from_json(card["data"])
    generator, discriminator = networks(settings, data)
    checkpoints.load_weights(folder, {"generator": generator, "discriminator": discriminator})
    return generator.eval(), discriminator.eval(), settings, data


def prior(folder: Path, device: torch.device) -> Prior:
    """The distribution of z in the training of a GAN folder."""
    settings = GanSettings(**checkpoints.read_card(folder)["settings"])
    name = "z ~ N(0, I)" if settings.prior == "normal" else "z uniform in [-1, 1]"
    return Prior(name, lambda count, random: sample_prior(settings.prior, count, settings.z_dim, random).to(device))
