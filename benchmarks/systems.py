"""Training speed of every system and time of a step of the brush, in one run.

    python benchmarks/systems.py [--profile celeba] [--systems dcgan icgan vigan ian] [--seconds 5] [--threads 2] \\
      [--batch_size 512] [--json FILE]

Prints for the sizes of a profile: images/s of a training step after the warm-up in fp32 and, if the hardware has it,
bf16, their ratio, and the share of the machine's matrix rate that each reaches; then the milliseconds of a gradient
step of the contextual brush on one image, beside a plain decode. `facet record --speed FILE` reads the output of
--json. The batches of a profile may be too small to keep a GPU busy: --batch_size sets another size for all systems."""

import argparse
import dataclasses
import functools
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from gan_step import matrix_rate, median, timed
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from facet import systems
from facet.base import compute
from facet.base.files import write_json
from facet.metrics.intervals import Estimate
from facet.training.loop import Batch
from flows import profiles

ROOT = Path(__file__).parents[1]
BRUSH = slice(20, 36)  # rows and columns under a brush of 16 pixels
LABELS = 20  # number of attributes

Row = dict[str, Any]


def without_warmup(values: dict[str, object], kind: type) -> object:
    """Settings without a warm-up."""
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names} | {"warmup": 0})


def two_steps(trainer: Any, count: Iterator[int], batch: Batch) -> None:
    """Make the next two steps of a training, because an IAN alternates between its networks."""
    for _ in range(2):
        trainer.step(next(count), batch)


def machine(device: torch.device, threads: int) -> str:
    """The machine in words: NVIDIA H100, torch 2.9.0."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else _processor()
    share = "" if device.type == "cuda" else f", {threads} thread{'s' * (threads > 1)}"
    return f"{name}{share}, torch {torch.__version__.partition('+')[0]}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return model.group(1).strip() if model else platform.processor() or platform.machine()


def scaled(seconds: Estimate, factor: float) -> Estimate:
    """Seconds in another unit."""
    return Estimate(factor * seconds.value, factor * seconds.low, factor * seconds.high, seconds.n)


def per_second(seconds: Estimate, count: float) -> Estimate:
    """The rate per second if `count` take so many seconds."""
    return Estimate(count / seconds.value, count / seconds.high, count / seconds.low, seconds.n)


def rounded(estimate: Estimate) -> Row:
    """An estimate for JSON with four significant digits."""
    return {end: float(f"{value:.4g}") if end != "n" else value for end, value in estimate.to_json().items()}


def measure(name: str, params: dict[str, Any], rates: dict[str, float], device: torch.device, seconds: float) -> Row:
    """Print the speeds of a system and return those at the last, fastest precision as medians with intervals."""
    module, values, prepare = systems.module(name), params["train_gan"][name], params["prepare"]
    attributes = tuple(f"a{k}" for k in range(LABELS))
    data = systems.Data(
        crop=prepare["crop"], size=prepare["size"], channels=prepare["channels"], attributes=attributes, split_hash=""
    )
    settings, size = without_warmup(values, module.GanSettings), values["batch_size"]
    x = 2 * torch.rand(size, data.channels, data.size, data.size, device=device) - 1
    y = torch.where(torch.rand(size, LABELS, device=device) > 0.5, 1, -1).to(torch.int8)
    batch = Batch(x.contiguous(memory_format=torch.channels_last), y)
    speeds: dict[str, Estimate] = {}
    row: Row = {"system": name}
    for precision, rate in rates.items():
        trainer = module.GanTrainer(settings, data, seed=1, device=device, precision=precision)
        count = iter(range(100, 1 << 30))  # after the steps in which a generator waits for its critic
        with FlopCounterMode(display=False) as counter:
            two_steps(trainer, count, batch)
        work = counter.get_total_flops()
        took = median(timed(functools.partial(two_steps, trainer, count, batch), device, seconds))
        speeds[precision] = per_second(took, 2 * size)
        share = work / took.value / rate
        print(f"{name:6} {precision}: {speeds[precision].value:8.1f} images/s, {share:.2f} of the matrix rate")
        row |= {
            "precision": precision,
            "images_per_second": rounded(speeds[precision]),
            "matrix_share": round(share, 3),
            "multiply_adds": work // (4 * size),
        }
    if len(speeds) > 1:
        print(f"{name:6} bf16 is {speeds['bf16'].value / speeds['fp32'].value:.2f} x fp32")
    plain, step = brush(trainer.modules["generator"].eval(), device, seconds / 2)
    print(f"{name:6} brush: {step.value:.1f} ms a step, {step.value / plain.value:.1f} x a decode")
    return row | {"brush_ms": rounded(step), "decode_ms": rounded(plain)}


def brush(decoder: nn.Module, device: torch.device, seconds: float) -> tuple[Estimate, Estimate]:
    """Milliseconds to decode one latent, and of a step of the contextual brush on it."""
    inputs = next(w for w in decoder.parameters() if w.ndim == 2).shape[1]
    z = torch.randn(1, inputs, device=device)

    def stroke() -> None:
        z.requires_grad_(True)
        torch.autograd.grad(decoder(z)[:, :, BRUSH, BRUSH].square().mean(), z)

    def decode() -> None:
        with torch.no_grad():
            decoder(z)

    plain, step = (scaled(median(timed(work, device, seconds)), 1e3) for work in (decode, stroke))
    return plain, step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="celeba")
    parser.add_argument("--systems", nargs="+", help="default: all of the profile")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch_size", type=int, help="default: the profile's, of each system")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    device = compute.start(device="auto", threads=options.threads)
    params = yaml.safe_load(profiles.render(ROOT, options.profile))
    if options.batch_size:
        for values in params["train_gan"].values():
            values["batch_size"] = options.batch_size
    precisions = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if compute.has_bf16(device) else {})
    rates = {name: 2 * matrix_rate(device, dtype) for name, dtype in precisions.items()}
    matrices = ", ".join(f"{name} matrices {rate * 1e-9:.0f} GFLOP/s" for name, rate in rates.items())
    machine_name = machine(device, options.threads)
    print(f"{machine_name}, profile {options.profile}; {matrices}")
    names = options.systems or list(params["train_gan"])
    rows = [measure(name, params, rates, device, options.seconds) for name in names]
    if options.json:
        write_json(options.json, {"machine": machine_name, "profile": options.profile, "rows": rows})


if __name__ == "__main__":
    main()
