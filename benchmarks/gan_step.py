"""Speed of a DCGAN step relative to a plain PyTorch loop with the same networks, in one run.

    python benchmarks/gan_step.py [--widths 64 16] [--seconds 8] [--threads 2]

Prints images/s of both, their ratio, and the share of the machine's matrix rate that each reaches. The precision is
`auto`: bf16 if the hardware has it; on other CPUs the ratio shows the effect of channels last, fused Adam and a frozen
D in G's step."""

import argparse
import dataclasses
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from facet import systems
from facet.base import compute
from facet.metrics.intervals import Estimate, quantile_of_normal
from facet.nets.blocks import init_dcgan
from facet.systems import dcgan
from facet.training.loop import Batch

BATCH = 64
SIZE = 64


def settings(width: int) -> dcgan.GanSettings:
    """The paper's networks at this width with one update each and nothing else."""
    return dcgan.GanSettings(
        z_dim=100, width=width, width_d=width, width_e=4, kernel=5, prior="uniform", warmup=0, warmup_rate=0.0,
        warmup_kl=0.0, loss="nonsaturating", norm="batch", r1_gamma=0.0, r1_every=16, augment=False,
        generator_updates=1, blur=False, learning_rate_g=2e-4, learning_rate_d=2e-4, beta1=0.5, ema=0.0,
        batch_size=BATCH, steps=1, flip=False, train_on="train",
    )  # fmt: skip


def plain_step(chosen: dcgan.GanSettings, data: systems.Data, device: torch.device) -> Callable[[Tensor], None]:
    """The loop of the tutorials: fp32, contiguous tensors, Adam, unused gradients of D in G's step."""
    generator, discriminator = (network.to(device) for network in dcgan.networks(chosen, data))
    for network in (generator, discriminator):
        init_dcgan(network, compute.generator(1))
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    ones, zeros = torch.ones(BATCH, device=device), torch.zeros(BATCH, device=device)

    def step(x: Tensor) -> None:
        fake = generator(2 * torch.rand(BATCH, chosen.z_dim, device=device) - 1)
        adam_d.zero_grad()
        loss_d = binary_cross_entropy_with_logits(discriminator(x), ones)
        loss_d = loss_d + binary_cross_entropy_with_logits(discriminator(fake.detach()), zeros)
        loss_d.backward()
        adam_d.step()
        adam_g.zero_grad()
        binary_cross_entropy_with_logits(discriminator(fake), ones).backward()
        adam_g.step()

    return step


def our_step(chosen: dcgan.GanSettings, data: systems.Data, device: torch.device) -> Callable[[Tensor], None]:
    trainer = dcgan.GanTrainer(chosen, data, seed=1, device=device, precision="auto")
    labels = torch.zeros(BATCH, 1, device=device)
    count = iter(range(1, 1 << 30))

    def step(x: Tensor) -> None:
        trainer.step(next(count), Batch(x, labels))

    return step


def macs_per_image(chosen: dcgan.GanSettings, data: systems.Data) -> float:
    """Multiply-adds of one step per image: G forward and backward, D on three batches, its weights' gradient on two."""
    total = {"generator": 0.0, "discriminator": 0.0}

    def count(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, nn.Linear):
                total[name] += module.weight.numel()
            elif isinstance(module, nn.Conv2d):
                total[name] += module.weight.numel() * output.shape[2] * output.shape[3]
            elif isinstance(module, nn.ConvTranspose2d):
                total[name] += module.weight.numel() * inputs[0].shape[2] * inputs[0].shape[3]

        return hook

    generator, discriminator = dcgan.networks(chosen, data)
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        for module in network.modules():
            module.register_forward_hook(count(name))
    generator(torch.zeros(2, chosen.z_dim))
    discriminator(torch.zeros(2, data.channels, data.size, data.size))
    return 3 * total["generator"] + (3 + 3 + 2) * total["discriminator"]


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Multiply-adds per second of a large matrix product."""
    a = torch.randn(2048, 2048, device=device, dtype=dtype)
    return 2048**3 / median_seconds(lambda: a @ a, device, 2.0)


def median_seconds(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    return median(timed(work, device, seconds)).value


def timed(work: Callable[[], object], device: torch.device, seconds: float) -> list[float]:
    """Seconds of each call within `seconds`, at least three, after a warm-up call."""
    work()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return times


def median(values: list[float]) -> Estimate:
    """The median with its distribution-free 95 % interval by ranks (Hahn and Meeker 1991, section 5.2)."""
    ordered, n = sorted(values), len(values)
    half = quantile_of_normal() * math.sqrt(n) / 2
    low, high = math.floor((n - 1) / 2 - half), math.ceil((n - 1) / 2 + half)
    return Estimate(ordered[n // 2], ordered[max(low, 0)], ordered[min(high, n - 1)], n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    device = compute.start(device="auto", threads=options.threads)
    bf16 = compute.has_bf16(device)
    rate = matrix_rate(device, torch.float32)
    print(
        f"{device}, {options.threads} threads, bf16 {'yes' if bf16 else 'no'}; fp32 matrices {2e-9 * rate:.0f} GFLOP/s"
    )
    if bf16:
        print(f"bf16 matrices {2e-9 * matrix_rate(device, torch.bfloat16):.0f} GFLOP/s")
    data = systems.Data(crop="dcgan108", size=SIZE, channels=3, attributes=("x",), split_hash="")
    x = 2 * torch.rand(BATCH, 3, SIZE, SIZE, device=device) - 1
    for width in options.widths:
        chosen = dataclasses.replace(settings(width))
        macs = macs_per_image(chosen, data)
        speeds = {}
        for name, make, batch in (
            ("plain", plain_step, x),
            ("ours", our_step, x.contiguous(memory_format=torch.channels_last)),
        ):
            step = make(chosen, data, device)
            speeds[name] = BATCH / median_seconds(lambda step=step, batch=batch: step(batch), device, options.seconds)
        shares = {name: speed * macs / rate for name, speed in speeds.items()}
        print(
            f"width {width}: plain {speeds['plain']:.0f} images/s ({shares['plain']:.0%} of fp32 matrices), "
            f"ours {speeds['ours']:.0f} ({shares['ours']:.0%}), ratio {speeds['ours'] / speeds['plain']:.2f}"
        )


if __name__ == "__main__":
    main()
