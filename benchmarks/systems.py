"""How fast every system trains and how long one stroke of the brush takes, in one run.

    python benchmarks/systems.py [--profile celeba] [--systems dcgan icgan vigan ian] [--seconds 5] [--threads 2]

Prints, for the sizes of a profile: images/s of a training step after the warm-up in fp32 and, where the hardware has
it, bf16, their ratio, and the share of the machine's own matrix rate that each reaches; then the milliseconds of one
gradient step of the contextual brush on one photo, beside a plain decode."""

import argparse
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from gan_step import matrix_rate, median_seconds
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from flows import profiles
from stages import compute, systems
from stages.training import Batch

ROOT = Path(__file__).parents[1]
BRUSH = slice(20, 36)  # rows and columns under a brush of 16 pixels


def playing(values: dict[str, object], kind: type) -> object:
    """Settings whose first step is one after the warm-up."""
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names} | {"warmup": 0})


def one_step(trainer: Any, count: Iterator[int], batch: Batch) -> None:
    """The next step of a training."""
    trainer.step(next(count), batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="celeba")
    parser.add_argument("--systems", nargs="+", default=list(systems.names()))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    device = compute.start(device="auto", threads=options.threads)
    params = yaml.safe_load(profiles.render(ROOT, options.profile))
    precisions = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if compute.has_bf16(device) else {})
    rates = {name: 2 * matrix_rate(device, dtype) for name, dtype in precisions.items()}
    told = ", ".join(f"{name} matrices {rate * 1e-9:.0f} GFLOP/s" for name, rate in rates.items())
    print(f"{device}, {options.threads} threads, profile {options.profile}; {told}")
    attributes = tuple(f"a{k}" for k in range(20))
    data = systems.Data(
        crop="dcgan108", size=params["prepare"]["size"], channels=3, attributes=attributes, split_hash=""
    )
    for name in options.systems:
        module = systems.module(name)
        settings = playing(params["train_gan"][name], module.GanSettings)
        size = params["train_gan"][name]["batch_size"]
        x = 2 * torch.rand(size, 3, data.size, data.size, device=device) - 1
        y = torch.where(torch.rand(size, len(attributes), device=device) > 0.5, 1, -1).to(torch.int8)
        batch = Batch(x.contiguous(memory_format=torch.channels_last), y)
        speeds = {}
        for precision, rate in rates.items():
            trainer = module.gan_trainer(settings, data, seed=1, device=device, precision=precision)
            count = iter(range(100, 1 << 30))  # past the steps in which a generator waits for its critic
            with FlopCounterMode(display=False) as counter:
                for _ in range(2):  # an IAN alternates
                    trainer.step(next(count), batch)
            work = counter.get_total_flops() / 2
            seconds = median_seconds(functools.partial(one_step, trainer, count, batch), device, options.seconds)
            speeds[precision] = size / seconds
            share = work / seconds / rate
            print(f"{name:6} {precision}: {speeds[precision]:8.1f} images/s, {share:.2f} of the matrix rate")
        if len(speeds) > 1:
            print(f"{name:6} bf16 is {speeds['bf16'] / speeds['fp32']:.2f} x fp32")
        decoder: nn.Module = trainer.modules["generator"].eval()
        inputs = next(w for w in decoder.parameters() if w.ndim == 2).shape[1]
        z = torch.randn(1, inputs, device=device)

        def stroke(decoder: nn.Module = decoder, z: torch.Tensor = z) -> None:
            z.requires_grad_(True)
            torch.autograd.grad(decoder(z)[:, :, BRUSH, BRUSH].square().mean(), z)

        def decode(decoder: nn.Module = decoder, z: torch.Tensor = z) -> None:
            with torch.no_grad():
                decoder(z)

        plain, step = (median_seconds(work, device, options.seconds / 2) for work in (decode, stroke))
        print(f"{name:6} brush: {1e3 * step:.1f} ms a step, {step / plain:.1f} x a decode")


if __name__ == "__main__":
    main()
