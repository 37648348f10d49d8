"""Training of the refiner: photos in which a masked part was replaced by the system's reconstruction are restored.

The reconstructions vary, so that the network does not learn the quirks of one decoder by heart: some come from the
mirrored crop, some from a latent with a little noise, and all are recoloured and softened a little. The description in
a latent stays as it is, since a picture of another description is not the photo's, and the network would learn to undo
edits."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from facet.base import checkpoints, compute
from facet.base.errors import InputError
from facet.base.limits import BelowOne, Count, Natural, NonNegative, Share, UpToOne
from facet.base.params import check
from facet.losses import adversarial
from facet.nets.blocks import init_he
from facet.nets.ema import Ema
from facet.nets.modes import evaluating
from facet.pictures.crops import crop
from facet.refining import masks
from facet.refining.network import MULTIPLE, Block, Critic, UNet
from facet.refining.refiner import Card, enlarge, paste, reduce
from facet.systems import Data, System
from facet.training.loop import Batch, half_cosine, set_rate

COLOUR = 0.06  # most change of brightness and contrast of a reconstruction, of a range of 2 and of 1
SOFTEST = 0.6  # share of the side, in the down-and-up resize that softens some reconstructions
RAMP = 50  # steps over which learning rates, and later the critic's weights, rise: Adam's first steps are too long
SEEN = 0.4  # least mask in a patch whose logit counts
STEEPEST = 1.0  # norm to which longer gradients of the refiner are cut: one bad step can undo all that it learnt
WORSE = 1.5  # times the error of the composites that means that training failed
MEMORY = 0.95  # decay of the running means of both errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the training of a refiner."""

    width: Count  # channels of the U-net at half the side; 2, 3 and 4 times as many further down
    width_d: Count  # channels of the critic after its first convolution
    mirrored: Share  # share of reconstructions made from the mirrored crop
    noise: NonNegative  # most noise on the z of every other reconstruction, in standard deviations of z
    warmup: Natural  # first steps, with the absolute error alone
    feature: NonNegative  # weight of the relative absolute difference of the critic's features
    adversarial: NonNegative  # weight of the critic's answers; the absolute error has weight 1
    r1_gamma: NonNegative  # weight of the R1 penalty on the critic; 0 leaves it out
    r1_every: Count  # steps between R1 penalties
    learning_rate: NonNegative
    learning_rate_d: NonNegative
    final_rate: UpToOne  # the share of itself to which the learning rates fall, along a half cosine
    beta1: BelowOne
    ema: BelowOne  # decay of the averaged network; 0 keeps the raw one
    batch_size: Count
    steps: Count
    flip: bool

    @property
    def criticised(self) -> bool:
        """True if any term needs the critic."""
        return bool(self.feature or self.adversarial)


class RefinerTrainer:
    """The refiner, its running average, which is what gets saved, and the critic; one update of each per step.

    Batches are photos at the larger size; the system sees them reduced."""

    def __init__(
        self, settings: Settings, system: System, data: Data, *, large: int, seed: int, device: torch.device,
        precision: str,
    ):  # fmt: skip
        if large % MULTIPLE:
            raise InputError(f"prepare.large {large}: a refiner needs a multiple of {MULTIPLE}; change params.yaml")
        self.settings, self.system, self.data = check(settings), system, data
        self.large, self.seed, self.device, self.precision = large, seed, device, precision
        self.crop = crop(data.crop)
        self.network = UNet(channels=data.channels, width=settings.width)
        self.critic = Critic(channels=data.channels, width=settings.width_d)
        start = compute.generator(seed, 60)
        init_he(self.network, start)
        init_he(self.critic, start)
        for layer in (
            self.network.leave,
            *(block.second for block in self.network.modules() if isinstance(block, Block)),
        ):
            nn.init.zeros_(layer.weight)  # blocks begin as identities, and the first output is the composite
        for network in (self.network, self.critic):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = Ema(self.network, decay=settings.ema)
        betas = (settings.beta1, 0.999)
        self.adam = torch.optim.Adam(self.network.parameters(), settings.learning_rate, betas, fused=True)
        self.adam_d = torch.optim.Adam(self.critic.parameters(), settings.learning_rate_d, betas, fused=True)
        self._errors: Tensor | None = None
        self.modules: dict[str, nn.Module] = {
            "network": self.network, "critic": self.critic, "ema": self.ema.network,
        }  # fmt: skip
        self.optimisers: dict[str, torch.optim.Optimizer] = {"refiner": self.adam, "critic": self.adam_d}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        settings, photo = self.settings, batch.x
        rate = min(1.0, step / RAMP) * half_cosine(step / settings.steps, final=settings.final_rate)
        set_rate(self.adam, settings.learning_rate * rate)
        set_rate(self.adam_d, settings.learning_rate_d * rate)
        random = compute.generator(self.seed, 61, step)
        composite, mask = self.composites(photo, random)
        share = mask.mean()
        with compute.autocast(self.device, self.precision):
            refined = self.network(composite, mask)
        terms = {"pixel": (refined - photo).abs().mean() / share}
        self._note((composite - photo).abs().mean() / share, terms["pixel"].detach())
        loss = terms["pixel"]
        criticised = settings.criticised and step > settings.warmup
        if criticised:
            patches = max_pool2d(mask, 8) > SEEN  # (N, 1, L/8, L/8)
            with compute.autocast(self.device, self.precision):
                on_photo, real = self.critic(photo, mask)
                on_refined, fake = self.critic(refined, mask)
            terms["feature"] = _relative(on_refined, on_photo) / share
            terms["adversarial"] = adversarial.nonsaturating_generator(fake.float()[patches])
            heard = min(1.0, (step - settings.warmup) / RAMP)
            loss = loss + heard * (settings.feature * terms["feature"] + settings.adversarial * terms["adversarial"])
        own = list(self.network.parameters())
        self.adam.zero_grad()
        loss.backward(inputs=own, retain_graph=criticised)
        nn.utils.clip_grad_norm_(own, STEEPEST)
        if criticised:
            terms["critic"] = adversarial.nonsaturating_discriminator(real.float()[patches], fake.float()[patches])
            self.adam_d.zero_grad()
            terms["critic"].backward(inputs=list(self.critic.parameters()))
            if settings.r1_gamma and step % settings.r1_every == 0:
                terms["r1"] = self._penalty(photo, mask, patches)
                (settings.r1_gamma * settings.r1_every * terms["r1"]).backward(inputs=list(self.critic.parameters()))
            self.adam_d.step()
        self.adam.step()
        self.ema.update(self.network, step)
        return terms

    def _penalty(self, photo: Tensor, mask: Tensor, patches: Tensor) -> Tensor:
        """The R1 penalty on the mean logit of the patches that count."""
        x = photo.detach().requires_grad_(True)
        logits = torch.where(patches, self.critic(x, mask)[1], 0.0) / patches.sum((1, 2, 3), keepdim=True)
        return adversarial.r1_penalty(logits, x)

    @torch.no_grad()
    def composites(self, photos: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Photos (N, C, L, L) with a masked part replaced by a reconstruction, and the masks (N, 1, L, L)."""
        count = len(photos)

        def uniform(low: float, high: float) -> Tensor:
            return (low + (high - low) * torch.rand((count, 1, 1, 1), generator=random)).to(self.device)

        small = reduce(photos, self.data.size)
        mirrored = uniform(0, 1) < self.settings.mirrored
        with compute.autocast(self.device, self.precision):
            latent = self.system.encode(torch.where(mirrored, small.flip(3), small)).float()
        latent = latent + self._noise(latent, random)
        with compute.autocast(self.device, self.precision):
            decoded = self.system.decode(latent).float().clamp(-1, 1)
        decoded = torch.where(mirrored, decoded.flip(3), decoded)
        soft = round(self.data.size * (SOFTEST + (1 - SOFTEST) * float(torch.rand((), generator=random))))
        decoded = torch.where(uniform(0, 1) < 0.25, enlarge(reduce(decoded, soft), self.data.size), decoded)
        decoded = decoded * (1 + uniform(-COLOUR, COLOUR)) + uniform(-COLOUR, COLOUR)
        mask = masks.draw(count, self.large, self.crop, random).to(self.device)
        return paste(photos, enlarge(decoded, self.large), mask), mask

    def _noise(self, latent: Tensor, random: torch.Generator) -> Tensor:
        """Noise on the z of every other latent (N, d), in standard deviations of this batch."""
        noise = torch.randn(latent.shape, generator=random).to(self.device)
        noise *= self.settings.noise * torch.rand((len(latent), 1), generator=random).to(self.device)
        noise[::2] = 0
        noise[:, self.system.z_dim :] = 0
        return noise * (latent.std(0, unbiased=False) if len(latent) > 1 else 0)

    def _note(self, given: Tensor, made: Tensor) -> None:
        """Keep running means of the errors of the composites and of what was made of them; the device need not wait."""
        both = torch.stack((given, made))
        self._errors = both if self._errors is None else MEMORY * self._errors + (1 - MEMORY) * both

    def check(self, step: int, *, last: bool = False) -> str | None:
        given, made = (0.0, 0.0) if self._errors is None else self._errors.tolist()
        if made <= WORSE * given:
            return None
        return (
            f"the refined pictures are farther from the photos ({made:.3f}) than the reconstructions in them "
            f"({given:.3f}); lower learning_rate or adversarial"
        )

    @property
    def averaged(self) -> UNet:
        """The network to save: the averaged one unless `ema` is 0."""
        network = self.ema.network if self.settings.ema else self.network
        assert isinstance(network, UNet)
        return network

    @torch.no_grad()
    def preview(self, photos: Tensor) -> Tensor:
        """Photos (N, C, L, L) -> composites, the same refined, and the photos (3 N, C, L, L), on the CPU; masks and
        reconstructions are the same at every call."""
        photos = photos.to(self.device)
        composite, mask = self.composites(photos, compute.generator(self.seed, 62))
        with evaluating(self.averaged), compute.autocast(self.device, self.precision):
            refined = self.averaged(composite, mask).clamp(-1, 1)
        return torch.cat([composite, refined, photos]).cpu()

    def save(self, folder: Path) -> None:
        """Write the folder of the refiner."""
        settings: dict[str, Any] = dataclasses.asdict(self.settings)
        card = Card(data=self.data, system=self.system.name, large=self.large, settings=settings)
        checkpoints.save(folder, {"refiner": self.averaged}, card.to_json())


def _relative(features: list[Tensor], targets: list[Tensor]) -> Tensor:
    """The mean absolute difference of features (N, …), per layer relative to the mean size of the target's."""
    each = []
    for mine, theirs in zip(features, targets, strict=True):
        wanted = theirs.detach().float()
        each.append((mine.float() - wanted).abs().mean() / wanted.abs().mean().clamp(min=1e-6))
    return torch.stack(each).mean()
