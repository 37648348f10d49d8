"""Speed of `encode` relative to the bare forward pass, and its memory, in one run.

    python -m benchmarks.encode [--images 4096] [--rounds 3] [--threads 1] [--memory]

Goals: at least 85 % of the bare forward rate, and the same peak memory for 5,000 and 50,000 images (`--memory`). The
encoder has the sizes of params.yaml and is untrained, which does not affect the time."""

import argparse
import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import yaml  # type: ignore[import-untyped]

from facet import systems
from facet.base import compute, images
from facet.base.tables import FacesMeta, faces_schema, write_table
from facet.systems import Data, dcgan, dcgan_encoders
from stages import encode

MEMORY = (5_000, 50_000)  # numbers of images
PEAK = "import resource, sys; from stages.encode import Params, run; from facet.base.params import from_argv; "
PEAK += "run(from_argv(Params, sys.argv[1:])); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def model(folder: Path, size: int) -> Path:
    """An untrained DCGAN with the encoder `in_domain`."""
    numbers = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    data = Data(crop="face120", size=size, channels=3, attributes=("Smiling",), split_hash="benchmark")
    options: dict[str, Any] = {"seed": 0, "device": torch.device("cpu"), "precision": "fp32"}
    dcgan.GanTrainer(_settings(dcgan.GanSettings, numbers["train_gan"]["dcgan"]), data, **options).save(folder / "gan")
    settings = _settings(dcgan_encoders.settings_class("in_domain"), numbers["train_encoder"]["in_domain"])
    dcgan_encoders.encoder_trainer("in_domain", settings, folder / "gan", **options).save(
        folder / "encoder", "in_domain"
    )
    return folder / "encoder"


def _settings(kind: type[Any], numbers: dict[str, Any]) -> Any:
    return kind(**{field.name: numbers[field.name] for field in dataclasses.fields(kind)})


def prepared(folder: Path, count: int, size: int) -> Path:
    """Noise in the shape of `count` prepared faces."""
    folder.mkdir(parents=True)
    pixels = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, size, size, 3))
    for start in range(0, count, 1024):
        block = pixels[start : start + 1024]
        block[:] = np.random.default_rng(start).integers(0, 256, block.shape, dtype=np.uint8)
    meta = FacesMeta(
        source="noise", crop="face120", size=size, channels=3, attributes=("Smiling",), split_hash="benchmark"
    )
    columns = {
        "image_id": [f"{i:06d}" for i in range(count)],
        "row": np.arange(count, dtype=np.int32),
        "split": ["train"] * count,
        "identity": np.arange(count, dtype=np.int32),
        "sha256": [""] * count,
        "status": ["ok"] * count,
        "reason": [""] * count,
        "Smiling": np.zeros(count, np.int8),
    }
    write_table(folder / "faces.parquet", pa.table(columns, schema=faces_schema(meta)))
    return folder


def bare(params: encode.Params, x: torch.Tensor) -> float:
    """Images/s of the encoder alone, on batches of tensors."""
    device = compute.start(device=params.device, threads=params.threads)
    system = systems.load(params.model, device)
    batches = x.split(params.batch_size)
    start = time.perf_counter()
    with torch.inference_mode(), compute.autocast(device, params.precision):
        for batch in batches:
            system.encode(batch.to(device))
    return len(x) / (time.perf_counter() - start)


def whole(params: encode.Params, count: int) -> float:
    """Images/s of the stage, including loading and Parquet."""
    start = time.perf_counter()
    encode.run(params)
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        params = encode.Params(
            model=model(folder, 64),
            prepared=prepared(folder / "prepared", args.images, 64),
            latents=folder / "latents",
            batch_size=128,
            threads=args.threads,
            device="auto",
            precision="auto",
        )
        x = torch.cat(
            [images.to_tensor(np.array(part)) for part in np.array_split(np.load(params.prepared / "images.npy"), 8)]
        )
        rounds = [(bare(params, x), whole(params, args.images)) for _ in range(args.rounds + 1)][1:]  # first: warm-up
        forward, stage = (statistics.median(rates) for rates in zip(*rounds, strict=True))
        ratio = statistics.median(b / a for a, b in rounds)
        print(f"bare forward {forward:,.0f} images/s, stage {stage:,.0f} images/s, ratio {ratio:.2f} (goal 0.85)")
        if args.memory:
            for count in MEMORY:
                params = dataclasses.replace(params, prepared=prepared(folder / str(count), count, 64))
                print(f"{count:,} images: peak {peak(params) / 1024:,.0f} MiB")


def peak(params: encode.Params) -> int:
    """Peak resident memory in KiB of the stage in a separate process."""
    flags = [word for name, value in dataclasses.asdict(params).items() for word in (f"--{name}", str(value))]
    done = subprocess.run([sys.executable, "-c", PEAK, *flags], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
