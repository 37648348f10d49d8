"""Memory of `source` and `prepare` as the data set grows: peak RSS of each stage in a separate process.

    python -m benchmarks.memory [--sizes 5000 50000]

Goal: the same for all sizes. The pictures are synthetic JPEGs at half CelebA's size, so that the run is short; all have
different bytes and pixels."""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import simplejpeg

CODE = """
import resource, sys
from pathlib import Path
from stages import prepare, source
root = Path(sys.argv[1])
values = dict(raw=root / "raw", root=root / "celeba", seed=0, workers=2)
if sys.argv[2] == "source":
    source.run(source.Params(kind="celeba", count=0, download=False, **values))
else:
    prepare.run(prepare.Params(prepared=root / "prepared", card=root / "card.json", reuse=root / "reuse",
                crop="dcgan108", size=64, large=0, channels=3, split="random", ratios=(0.8, 0.1, 0.1),
                attributes=("all",), **values))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def make(folder: Path, images: int) -> None:
    """Write CelebA's layout: a zip of `images` different 89x109 JPEGs, and 40 attributes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    ramp = (np.arange(109)[:, None, None] + np.arange(89)[None, :, None]) * np.ones(3)
    names = [f"{index + 1:06d}.jpg" for index in range(images)]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for index, name in enumerate(names):
            phase = np.array([index % 97, index // 97 % 89, index // 8633 * 7])
            pixels = (127 + 120 * np.sin(ramp / (9 + index % 5) + phase)).astype(np.uint8)
            archive.writestr(f"img_align_celeba/{name}", simplejpeg.encode_jpeg(pixels, quality=60))
    signs = rng.integers(0, 2, (images, 40)) * 2 - 1
    lines = [f"{name} " + " ".join(map(str, row)) for name, row in zip(names, signs.tolist())]
    header = [str(images), " ".join(f"Attribute_{column}" for column in range(40))]
    (folder / "list_attr_celeba.txt").write_text("\n".join([*header, *lines]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 50_000])
    args = parser.parse_args()
    peaks: dict[str, list[int]] = {"source": [], "prepare": []}
    for images in args.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch) / "celeba", images)
            for stage, values in peaks.items():
                argv = [sys.executable, "-c", CODE, scratch, stage]
                values.append(int(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout))
                print(f"{stage:8} {images:7,} images: {values[-1]:5,} MiB at most")
    for stage, values in peaks.items():
        print(f"{stage}: the largest takes {values[-1] / values[0]:.2f} times the memory of the smallest")


if __name__ == "__main__":
    main()
