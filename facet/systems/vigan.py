"""ViGAN (Gorijala and Dukkipati 2017, arXiv:1701.04568): a VAE whose decoder is the generator of a GAN and takes a
description c beside z, with a recogniser Q that must read c from generated images.

The losses are the paper's with corrected signs (its equations 4, 9 and 15 let a term fall without bound; 7 and 13 train
Q to be wrong). Ours beyond the paper, each a setting that 0 turns off: a pixel term; a warm-up as a plain conditional
VAE; `edits`, the share of generated images with the z of an encoded face, so that Q sees the results of edits; and
`noise` on the images that D and Q see.

The baselines of the paper's figure 5 are this trainer with terms switched off; networks that no term needs are not
trained. Without `adversarial`, `recognition` and `feature` there is no D and Q, and all steps are those of a
conditional VAE; without `pixel`, `kl` and `feature` there is no E, and G learns from draws of z alone, as in a
conditional GAN."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facet.base import checkpoints, compute
from facet.base.errors import InputError
from facet.base.limits import BatchSize, BelowOne, Count, Natural, NonNegative, Positive, Share, UpToOne
from facet.losses import adversarial
from facet.losses.latent import kl_to_normal, recognition_loss, reparametrise
from facet.losses.reconstruction import WEIGHTED_LOSSES, centre_weights
from facet.nets import ranks
from facet.nets.augment import instance_noise
from facet.nets.blocks import SLOPE, down, halvings, init_dcgan, init_he, transposed, up
from facet.nets.decoder import Decoder
from facet.nets.descriptions import Descriptions, one_hots, read
from facet.nets.ema import Ema
from facet.nets.modes import evaluating
from facet.nets.norm import BatchNorm1d, BatchNorm2d
from facet.nets.residual import Residual
from facet.nets.variational import Variational
from facet.systems import Data, Prior, System, SystemTrainer
from facet.training.loop import Batch, half_cosine, set_rate

NAME = "vigan"
SIDE = 8  # side of the grid between convolutions and linear layers, at 64 pixels
LEAD = 50  # steps that discriminator and recogniser train before the generator is trained against them


class PaperEncoder(nn.Module):
    """The paper's encoder: images (N, C, S, S) in [-1, 1] -> mean and log variance of q(z | x), each (N, z_dim)."""

    def __init__(self, *, z_dim: int, width: int, size: int, channels: int):
        super().__init__()
        widths = _widths(channels, width, size)
        side, hidden = size >> halvings(size, least=SIDE), 8 * width
        norms = ["none"] + ["batch"] * (len(widths) - 2)
        self.trunk = nn.Sequential(
            *(down(a, b, kernel=4, norm=norm) for (a, b), norm in zip(itertools.pairwise(widths), norms, strict=True)),
            nn.Flatten(),
            nn.Linear(widths[-1] * side**2, hidden, bias=False),
            BatchNorm1d(hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, hidden, bias=False),
            BatchNorm1d(hidden),
            nn.Tanh(),
        )
        self.to_mu = nn.Linear(hidden, z_dim)
        self.to_logvar = nn.Linear(hidden, z_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x)  # (N, 8 * width)
        return self.to_mu(h), self.to_logvar(h).clamp(-8, 4)


class PaperGenerator(nn.Module):
    """The paper's generator: z (N, z_dim) from N(0, I) and c (N, K) in [-1, 1] -> images (N, C, S, S) in [-1, 1].

    The paper has no table of it; this one mirrors the encoder, as InfoGAN's does (arXiv:1606.03657, appendix C)."""

    def __init__(self, *, z_dim: int, labels: int, width: int, size: int, channels: int):
        super().__init__()
        widths = _widths(channels, width, size)[:0:-1]  # widest first, without the pixels
        self.side, hidden = size >> halvings(size, least=SIDE), 8 * width
        self.project = nn.Sequential(
            nn.Linear(z_dim + labels, hidden, bias=False),
            BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, widths[0] * self.side**2, bias=False),
        )
        self.norm = BatchNorm2d(widths[0])
        self.ups = nn.Sequential(*(up(a, b, kernel=4) for a, b in itertools.pairwise(widths)))
        self.to_rgb = transposed(widths[-1], channels, kernel=4, bias=True)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        x = self.project(torch.cat([z, c], dim=1)).unflatten(1, (-1, self.side, self.side))  # (N, 4 * width, 8, 8)
        x = self.norm(x.contiguous(memory_format=torch.channels_last)).relu()
        x = self.ups(x)  # (N, width, S/2, S/2)
        image: Tensor = self.to_rgb(x).float().tanh()  # (N, C, S, S), in float32 as in Decoder
        return image


class Discriminator(nn.Module):
    """D and the recogniser Q on one trunk: images (N, C, S, S) -> features (N, 4 * width, S/8, S/8), and from them
    `logits` (N,), positive for real, and `recognise`, logits (N, K) of the description."""

    def __init__(self, *, labels: int, width: int, norm: str, size: int, channels: int):
        super().__init__()
        widths = _widths(channels, width, size)
        norms = ["none" if norm == "batch" else norm] + [norm] * (len(widths) - 2)  # no batch norm next to the pixels
        self.trunk = nn.Sequential(
            *(down(a, b, kernel=4, norm=n) for (a, b), n in zip(itertools.pairwise(widths), norms, strict=True))
        )
        features, hidden = widths[-1] * (size >> halvings(size, least=SIDE)) ** 2, 2 * width
        self.head = nn.Linear(features, 1)
        self.recogniser = nn.Sequential(
            nn.Linear(features, hidden, bias=False),
            BatchNorm1d(hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, labels),
        )

    def features(self, x: Tensor) -> Tensor:
        h: Tensor = self.trunk(x)
        return h

    def logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features.flatten(1)).squeeze(1)
        return logits

    def recognise(self, features: Tensor) -> Tensor:
        logits: Tensor = self.recogniser(features.flatten(1))
        return logits


def _widths(channels: int, width: int, size: int) -> list[int]:
    return [channels, *(width << i for i in range(halvings(size, least=SIDE)))]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GanSettings:
    """Settings of the joint training of the four networks."""

    body: Literal["paper", "deep"]  # E and G of the paper's tables, or of DCGAN: one more halving, no hidden layers
    z_dim: Count
    width: Count  # channels of E after its first convolution and of G before the pixels (the paper: 64)
    width_d: Count  # channels of D and Q after their first convolution
    norm: Literal["batch", "spectral", "none"]  # normalisation in D
    warmup: Natural  # first steps, a conditional VAE without D and Q
    pixel: NonNegative  # weight of the mean error of pixels; the paper has none
    # The error of pixels: absolute, squared, or the cross entropy of pixels as probabilities. On dark canvases the
    # first two end with all black, where tanh has hardly any gradient.
    distance: Literal["l1", "l2", "bce"]
    centre: Positive  # weight of the face's centre over the border in the pixel term
    kl: NonNegative  # weight of L_prior, a sum over z; the paper: 1
    kl_ramp: Natural  # steps over which the KL weight grows from 0 (Bowman et al. 2016), so that small details survive
    feature: NonNegative  # lambda 1, the weight of the mean squared distance of D's features
    residual: bool  # true: z is the encoder's output minus its regression on the description; the paper: false
    recognition: NonNegative  # lambda 2, the weight of Q's loss on generated images, a sum over the description
    softmax: bool  # true: Q has a softmax over the digits of each place; the paper: 20 sigmoids
    adversarial: NonNegative  # weight of D's answers on generated images; the paper: 1
    edits: Share  # share of generated images made from encoded faces instead of draws of z
    noise: NonNegative  # most noise on what D and Q see, so that G cannot win by invisible changes; the paper: 0
    r1_gamma: NonNegative  # weight of the R1 penalty on D; 0 leaves it out
    r1_every: Count  # steps between R1 penalties
    learning_rate: NonNegative  # rate of E and G
    learning_rate_d: NonNegative  # rate of D and Q
    final_rate: UpToOne  # the share of themselves to which the learning rates fall, along a half cosine
    beta1: BelowOne
    ema: BelowOne  # decay of the averaged E and G; 0 keeps the raw ones
    batch_size: BatchSize
    steps: Count
    flip: bool
    train_on: Literal["train", "all"]

    @property
    def plays(self) -> bool:
        """True if any term needs D and Q."""
        return any((self.adversarial, self.recognition, self.feature))

    @property
    def encodes(self) -> bool:
        """True if any term needs E."""
        return any((self.pixel, self.kl, self.feature))


class GanTrainer(SystemTrainer):
    """E, G, and D with Q; one update of each per step."""

    name, kind = NAME, "joint"
    advice = "Lower adversarial or learning_rate_d"
    settings: GanSettings

    def __init__(self, settings: GanSettings, data: Data, *, seed: int, device: torch.device, precision: str):
        super().__init__(settings, data, seed=seed, device=device, precision=precision)
        self.encoder, self.generator, self.discriminator, self.descriptions = networks(settings, data)
        start = compute.generator(seed, 20)
        init_he(self.encoder, start)
        init_dcgan(self.generator, start)
        (init_dcgan if settings.norm == "batch" else init_he)(self.discriminator, start)
        for name in ("to_mu", "to_logvar"):
            head = self.encoder.get_submodule(name)
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=0.5 * head.in_features**-0.5, generator=start)
        if not (settings.plays or settings.encodes):
            raise InputError(
                "pixel, kl, feature, adversarial and recognition are all 0: there is nothing to learn; raise one"
            )
        self.groups = one_hots(data.attributes) if settings.softmax else ()
        self.residual = Residual(settings.z_dim, len(data.attributes))
        for network in (self.encoder, self.generator, self.discriminator, self.descriptions, self.residual):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weights = centre_weights(data.size, peak=settings.centre).to(device)
        self.ema_e, self.ema_g = (Ema(network, decay=settings.ema) for network in (self.encoder, self.generator))
        betas = (settings.beta1, 0.999)
        self.parts = {
            name: list(getattr(self, name).parameters()) for name in ("encoder", "generator", "discriminator")
        }
        self.adam_e, self.adam_g = (
            torch.optim.Adam(self.parts[name], settings.learning_rate, betas, fused=True)
            for name in ("encoder", "generator")
        )
        self.adam_d = torch.optim.Adam(self.parts["discriminator"], settings.learning_rate_d, betas, fused=True)
        self.modules: dict[str, nn.Module] = {
            "encoder": self.encoder, "generator": self.generator, "discriminator": self.discriminator,
            "ema_e": self.ema_e.network, "ema_g": self.ema_g.network, "descriptions": self.descriptions,
            "residual": self.residual,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {"e": self.adam_e, "g": self.adam_g, "d": self.adam_d}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        settings, c = self.settings, batch.y.float()
        self._set_rates(step)
        noise = compute.generator(self.seed, 21, step)
        self.descriptions.add(ranks.whole(c))
        if not settings.encodes:
            terms: dict[str, Tensor] = {}
            self._all_four(step, batch, None, c, terms, noise)
            self.adam_g.step()
            self.ema_g.update(self.generator, step)
            return terms
        with compute.autocast(self.device, self.precision):
            mu, logvar = self.encoder(batch.x)
        mu, logvar = mu.float(), logvar.float()
        if settings.residual:
            self.residual.follow(mu, c)
        mu = self.residual(mu, c)
        z = reparametrise(mu, logvar, noise)
        terms = {"kl": kl_to_normal(mu, logvar)}
        if settings.plays and step > settings.warmup - LEAD:
            self._all_four(step, batch, z, c, terms, noise)
        else:
            with compute.autocast(self.device, self.precision):
                x_q = self.generator(z, c).float()
            terms["pixel"] = self._pixel(x_q, batch.x)
            self._zero()
            (settings.pixel * terms["pixel"] + self._prior(step, terms["kl"])).backward()
            if settings.recognition and step % 2 == 0:  # so that Q can read images when it is needed
                with compute.autocast(self.device, self.precision):
                    noisy = self._with_noise(batch.x, noise)
                    read_x = self.discriminator.recognise(self.discriminator.features(noisy)).float()
                terms["recognition"] = recognition_loss(read_x, c, self.groups)
                terms["recognition"].backward()
                self.adam_d.step()
        self.adam_e.step()
        self.adam_g.step()
        self.ema_e.update(self.encoder, step)
        self.ema_g.update(self.generator, step)
        return terms

    def _all_four(
        self, step: int, batch: Batch, z: Tensor | None, c: Tensor, terms: dict[str, Tensor], noise: torch.Generator
    ) -> None:
        """Gradients of encoder and generator, and one update of discriminator and recogniser, from the same passes.
        Without an encoder z is None, and all images are generated from the prior."""
        settings, adversarial_on = self.settings, z is None or step > self.settings.warmup
        everyone = ranks.whole(c)
        c_p = ranks.part(everyone[torch.randperm(len(everyone), generator=noise).to(c.device)])
        z_p = torch.randn((len(everyone), settings.z_dim), generator=noise).to(c.device)
        if z is not None:
            encoded = round(settings.edits * len(everyone))
            z_p[:encoded] = ranks.whole(z.detach())[:encoded]
        codes = [(ranks.part(z_p), c_p)]
        if z is not None:
            codes = [(z, c), *codes]
        with compute.autocast(self.device, self.precision):
            generated = self.generator(*map(torch.cat, zip(*codes, strict=True))).float().chunk(len(codes))
            on_x, *on_generated = (
                self.discriminator.features(self._with_noise(image, noise)) for image in (batch.x, *generated)
            )
            real, *fakes = (self.discriminator.logits(features).float() for features in (on_x, *on_generated))
            read_x, *read_generated = (
                self.discriminator.recognise(features).float() for features in (on_x, *on_generated)
            )
        reconstruction = torch.zeros((), device=c.device)
        if z is not None:
            terms["pixel"] = self._pixel(generated[0], batch.x)
            terms["feature"] = (on_generated[0].float() - on_x.detach().float()).square().mean()
            reconstruction = settings.pixel * terms["pixel"] + (
                settings.feature * terms["feature"] if adversarial_on else 0
            )
        terms["adversarial"] = _mean([adversarial.nonsaturating_generator(fake) for fake in fakes])
        terms["obeyed"] = _mean(  # -log Q(c | G(z, c))
            [
                recognition_loss(logits, given, self.groups)
                for logits, (_, given) in zip(read_generated, codes, strict=True)
            ]
        )
        terms["recognition"] = recognition_loss(read_x, c, self.groups)  # -log Q(c | x)
        terms["discriminator"] = _mean([adversarial.nonsaturating_discriminator(real, fake) for fake in fakes])
        fooling = settings.adversarial * terms["adversarial"] + settings.recognition * terms["obeyed"]
        self._zero()
        if z is not None:
            (self._prior(step, terms["kl"]) + reconstruction).backward(inputs=self.parts["encoder"], retain_graph=True)
        (reconstruction + (fooling if adversarial_on else 0)).backward(
            inputs=self.parts["generator"], retain_graph=True
        )
        (terms["discriminator"] + terms["recognition"]).backward(inputs=self.parts["discriminator"])
        if settings.r1_gamma and step % settings.r1_every == 0:
            x = batch.x.detach().requires_grad_(True)
            terms["r1"] = adversarial.r1_penalty(self.discriminator.logits(self.discriminator.features(x)), x)
            (settings.r1_gamma * settings.r1_every * terms["r1"]).backward(inputs=self.parts["discriminator"])
        self.adam_d.step()

    def _with_noise(self, x: Tensor, noise: torch.Generator) -> Tensor:
        """Images as D and Q see them."""
        return instance_noise(x, self.settings.noise, noise) if self.settings.noise else x

    def _pixel(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return WEIGHTED_LOSSES[self.settings.distance](x_hat, x, self.weights)

    def _prior(self, step: int, kl: Tensor) -> Tensor:
        """L_prior with its weight, which grows along its ramp."""
        return self.settings.kl * min(1.0, step / max(self.settings.kl_ramp, 1)) * kl

    def _zero(self) -> None:
        for optimiser in self.optimisers.values():
            optimiser.zero_grad()

    def _set_rates(self, step: int) -> None:
        share = half_cosine(step / self.settings.steps, final=self.settings.final_rate)
        rates = (self.settings.learning_rate, self.settings.learning_rate, self.settings.learning_rate_d)
        for adam, rate in zip((self.adam_e, self.adam_g, self.adam_d), rates, strict=True):
            set_rate(adam, rate * share)

    @property
    def averaged(self) -> tuple[nn.Module, nn.Module]:
        """Encoder and generator to save: the averaged ones unless `ema` is 0."""
        return (self.ema_e.network, self.ema_g.network) if self.settings.ema else (self.encoder, self.generator)

    def samples(self, count: int) -> Tensor:
        """Images (count, C, S, S) from the averaged generator, from the same z and descriptions every time."""
        draw = compute.generator(self.seed, 22)
        z = torch.randn(count, self.settings.z_dim, generator=draw).to(self.device)
        with evaluating(self.averaged[1]):
            images: Tensor = self.averaged[1](z, self.descriptions.draw(count, draw))
        return images.cpu()

    def kept(self) -> dict[str, nn.Module]:
        """The averaged encoder and generator, the discriminator with its recogniser, and the descriptions."""
        encoder, generator = self.averaged
        return {
            "encoder": encoder, "generator": generator, "discriminator": self.discriminator,
            "descriptions": self.descriptions, "residual": self.residual,
        }  # fmt: skip


def _mean(terms: list[Tensor]) -> Tensor:
    """The mean of terms on reconstructions and on draws, which have the same weight."""
    return torch.stack(terms).mean()


def networks(settings: GanSettings, data: Data) -> tuple[nn.Module, nn.Module, Discriminator, Descriptions]:
    """Encoder, generator and discriminator with its recogniser, untrained, and the descriptions."""
    shape: dict[str, Any] = {"size": data.size, "channels": data.channels}
    sized: dict[str, Any] = {"width": settings.width, **shape}
    labels = len(data.attributes)
    encoder: nn.Module
    generator: nn.Module
    if settings.body == "paper":
        encoder = PaperEncoder(z_dim=settings.z_dim, **sized)
        generator = PaperGenerator(z_dim=settings.z_dim, labels=labels, **sized)
    else:
        encoder = Variational(z_dim=settings.z_dim, attributes=labels, **sized)
        generator = Decoder(inputs=settings.z_dim + labels, kernel=4, blur=True, **sized)
    return (
        encoder,
        generator,
        Discriminator(labels=labels, width=settings.width_d, norm=settings.norm, **shape),
        Descriptions(labels),
    )


class Vigan:
    """A trained ViGAN: implements `facet.systems.System`. A latent is z, then the description that Q reads, in [-1,
    1]."""

    name = NAME

    def __init__(self, folder: Path, card: dict[str, Any], device: torch.device):
        settings, data = GanSettings(**card["settings"]), Data.from_json(card["data"])
        self.crop, self.size, self.channels = data.crop, data.size, data.channels
        self.attributes, self.split_hash = data.attributes, data.split_hash
        self.z_dim, self.y_dim, self.device = settings.z_dim, len(data.attributes), device
        self.groups = one_hots(data.attributes) if settings.softmax else ()
        self.encoder, self.generator, self.discriminator, self.descriptions = networks(settings, data)
        self.residual = Residual(self.z_dim, self.y_dim)
        parts = {
            "encoder": self.encoder, "generator": self.generator, "discriminator": self.discriminator,
            "descriptions": self.descriptions, "residual": self.residual,
        }  # fmt: skip
        checkpoints.load_weights(folder, parts)
        for network in parts.values():
            network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]

    def encode(self, x: Tensor) -> Tensor:
        x = x.to(self.device, memory_format=torch.channels_last)
        mu, _ = self.encoder(x)
        c = read(self.discriminator.recognise(self.discriminator.features(x)).float(), self.groups)
        return torch.cat([self.residual(mu, c), c], dim=1)

    def decode(self, latent: Tensor) -> Tensor:
        z, c = latent.to(self.device).split([self.z_dim, self.y_dim], dim=1)
        x: Tensor = self.generator(z, c)
        return x.float()


def load(folder: Path, card: dict[str, Any], device: torch.device) -> System:
    """The system in a folder written by `GanTrainer.save`."""
    return Vigan(folder, card, device)


def prior(folder: Path, device: torch.device) -> Prior:
    """The distribution of z and y in the training of a model folder."""
    system = Vigan(folder, checkpoints.read_card(folder), device)

    def draw(count: int, random: torch.Generator) -> Tensor:
        z = torch.randn(count, system.z_dim, generator=random).to(device)
        return torch.cat([z, system.descriptions.draw(count, random)], dim=1)

    return Prior("z ~ N(0, I), descriptions of training photos", draw)
