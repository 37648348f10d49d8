"""Speed of encoding and decoding by ONNX Runtime relative to torch, on a CPU, in one run.

    python -m benchmarks.export [--system vigan] [--batches 1 16 128] [--rounds 9] [--threads 1]

Needs the extra onnx. The networks have the sizes of params.yaml and are untrained, which does not affect the time.
A ratio above 1: ONNX Runtime is faster. Rounds alternate between the two; the ratio is that of their medians."""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
import yaml  # type: ignore[import-untyped]
from torch import Tensor

from facet import systems
from facet.base import compute
from facet.exporting import folder, graphs
from facet.systems import Data, System

ATTRIBUTES = tuple(f"Attribute_{number}" for number in range(40))
SECONDS = 0.5  # of a round


def model(name: str, where: Path) -> System:
    """An untrained system whose model folder encodes and decodes."""
    numbers = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["train_gan"][name]
    kind = systems.module(name).GanSettings
    settings = kind(**{field.name: numbers[field.name] for field in dataclasses.fields(kind)})
    data = Data(crop="face120", size=64, channels=3, attributes=ATTRIBUTES, split_hash="benchmark")
    cpu = torch.device("cpu")
    systems.module(name).GanTrainer(settings, data, seed=0, device=cpu, precision="fp32").save(where)
    return systems.load(where, cpu)


def by_torch(system: System, precision: str) -> Callable[[Tensor], object]:
    """Encode and decode as `facet edit` does."""

    def run(x: Tensor) -> object:
        with torch.no_grad(), compute.autocast(torch.device("cpu"), precision):
            return system.decode(system.encode(x).float())

    return run


def by_onnx(system: System, where: Path, threads: int) -> Callable[[Tensor], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    x = torch.zeros(2, system.channels, system.size, system.size)
    folder.write_graph(where / "encode.onnx", graphs.encode(system), {"images": x}, "latents")
    folder.write_graph(where / "decode.onnx", graphs.decode(system), {"latents": system.encode(x)}, "images")
    encode, decode = (onnxruntime.InferenceSession(where / f"{name}.onnx", options) for name in ("encode", "decode"))
    return lambda x: decode.run(None, {"latents": encode.run(None, {"images": x.numpy()})[0]})


def rate(run: Callable[[Tensor], object], x: Tensor) -> float:
    """Images a second."""
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        run(x)
        done += len(x)
    return done / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="vigan", choices=("ian", "vigan"), help="a system that encodes by itself")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    compute.start(device="cpu", threads=options.threads)
    with tempfile.TemporaryDirectory() as name:
        system = model(options.system, Path(name, "model"))
        ways = {precision: by_torch(system, precision) for precision in ("fp32", "auto")}
        ways["onnx"] = by_onnx(system, Path(name), options.threads)
        for size in options.batches:
            x = torch.rand(size, system.channels, system.size, system.size) * 2 - 1
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for way in ways:
                ways[way](x)
            for _ in range(options.rounds):
                for way in ways:
                    rates[way].append(rate(ways[way], x))
            fp32, auto, onnx = (statistics.median(rates[way]) for way in ("fp32", "auto", "onnx"))
            print(
                f"batch {size}: torch fp32 {fp32:.0f}, torch auto {auto:.0f}, ONNX Runtime {onnx:.0f} images/s; "
                f"{onnx / fp32:.2f} and {onnx / auto:.2f} times torch"
            )


if __name__ == "__main__":
    main()
