"""Speed of `prepare` relative to a plain ImageFolder loader and to bare JPEG decoding, in one run.

    python -m benchmarks.prepare [--images 6000] [--workers 2] [--rounds 3]

Goals: 3.5 times ImageFolder + DataLoader(2), and 75 % of the pure decode rate on as many threads. The pictures are
JPEGs of drawn faces at 178x218, shifted so that all differ, in a folder."""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from facet import drawn
from stages import prepare, source

DRAWN = 64  # different faces; the other pictures are these, shifted


class ImageFolder(Dataset):
    """A plain loader: Pillow opens, crops and resizes one picture at a time and converts it to a float tensor."""

    def __init__(self, folder: Path):
        self.paths = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as picture:
            face = picture.convert("RGB").crop((35, 55, 143, 163)).resize((64, 64), Image.Resampling.BILINEAR)
        tensor = torch.from_numpy(np.array(face)).permute(2, 0, 1).contiguous()
        return tensor.float().div(255).sub(0.5).div(0.5)


def make(folder: Path, images: int) -> None:
    """Write CelebA's layout with a folder of JPEGs."""
    faces = [drawn.draw(drawn.sample(0, index)) for index in range(min(DRAWN, images))]
    pictures = folder / "img_align_celeba"
    pictures.mkdir(parents=True)
    names = [f"{index + 1:06d}.jpg" for index in range(images)]
    for index, name in enumerate(names):
        face = np.roll(faces[index % len(faces)], (index // len(faces), index // len(faces) % 7), (0, 1))
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(face), quality=92, colorsubsampling="420")
        (pictures / name).write_bytes(data)
    signs = [f"{name} {1 if index % 2 else -1}" for index, name in enumerate(names)]
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(images), "Smiling", *signs]) + "\n")


def plain_loader(folder: Path) -> Callable[[], None]:
    """One epoch of ImageFolder through a DataLoader with two processes."""
    loader = DataLoader(ImageFolder(folder / "img_align_celeba"), 128, num_workers=2)

    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def pure_decode(folder: Path, workers: int) -> Callable[[], None]:
    """Only read and decode every file."""
    paths = sorted((folder / "img_align_celeba").iterdir())

    def decode(part: list[Path]) -> None:
        for path in part:
            simplejpeg.decode_jpeg(path.read_bytes())

    def everything() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(decode, [paths[begin : begin + 64] for begin in range(0, len(paths), 64)]))

    return everything


def stage(folder: Path, workers: int) -> Callable[[], None]:
    """The whole stage (labels, reading, decoding, cropping, resizing, duplicates, writing, the card) without reuse."""
    raw = folder.parent / "raw"
    source.run(source.Params(kind="celeba", root=folder, raw=raw, count=0, seed=0, workers=workers, download=False))
    params = prepare.Params(
        raw=raw, root=folder, prepared=folder.parent / "prepared", card=folder.parent / "card.json",
        reuse=folder.parent / "reuse", crop="dcgan108", size=64, large=0, channels=3, split="random",
        ratios=(0.8, 0.1, 0.1), seed=0, workers=workers, attributes=("all",),
    )  # fmt: skip

    def run() -> None:
        shutil.rmtree(params.reuse, ignore_errors=True)
        prepare.run(params)

    return run


def cpu_seconds() -> float:
    """CPU time of this process and of its finished child processes."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "celeba"
        make(folder, args.images)
        ways = {
            "ImageFolder + DataLoader(2)": plain_loader(folder),
            f"pure decode, {args.workers} threads": pure_decode(folder, args.workers),
            f"prepare, {args.workers} threads": stage(folder, args.workers),
        }
        plain, decode, ours = ways
        rates: dict[str, list[float]] = {name: [] for name in ways}
        costs: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(args.rounds):
            for name, way in ways.items():
                begin, cpu = time.perf_counter(), cpu_seconds()
                way()
                rates[name].append(args.images / (time.perf_counter() - begin))
                costs[name].append((cpu_seconds() - cpu) / args.images * 1e6)
    for name in ways:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        print(f"{name:30} {rate:8,.0f} images/s {cost:8,.0f} us of CPU an image")
    print("                         by the clock   by CPU time (comparable on a busy machine, too)")
    for other, goal in ((plain, 3.5), (decode, 0.75)):
        clock = statistics.median(o / p for o, p in zip(rates[ours], rates[other]))
        cpu = statistics.median(p / o for o, p in zip(costs[ours], costs[other]))
        print(f"{ours} / {other}: {clock:.2f} {cpu:.2f}   goal {goal}")


if __name__ == "__main__":
    main()
