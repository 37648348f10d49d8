"""Speed of editing a folder of photos, compared with a plain script and with the limit, in one run.

    python benchmarks/edit_folder.py [--root .] [--system ian] [--aligned 2000] [--scenes 300] [--rounds 3]

Three folders: drawn faces as CelebA's aligned 178 x 218 JPEGs; scenes of 1600 x 1200 with a landmarks file; the same
scenes with face detection. For each, photos per second of

    plain    a loop over photos: Pillow opens, crops and resizes, the same system in fp32 edits one crop at a time,
             Pillow enlarges the change, pastes it and saves with quality 95 (with MTCNN at its defaults)
    edit     facet edit, with manifest, hashes, metadata, the check of the compression, and loading the system
    limit    decoding and encoding only, on one thread per core

as medians of interleaved rounds, with their ratios. --memory prints the peak memory of facet edit on folders of the
given sizes."""

import argparse
import io
import resource
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, JpegImagePlugin

from facet.base import images
from facet.base.threads import worker_count
from facet.nights.champions import live_paths
from facet.photos import scenes
from facet.photos.editor import PhotoEditor
from facet.photos.faces import align
from facet.photos.faces.detect import Mtcnn
from facet.photos.faces.landmarks import read_landmarks
from facet.photos.folder.job import Job
from facet.photos.folder.run import edit_folder
from facet.photos.options import Options
from facet.pictures.decode import decode

SPEC = "Smiling=on, Eyeglasses=on"


def plain(folder: Path, out: Path, editor: PhotoEditor, landmarks: Path | None, *, aligned: bool) -> None:
    """Edit the photos the way a quick script would."""
    spec, size = editor.parse(SPEC), editor.system.size
    given = read_landmarks(landmarks) if landmarks else None
    assert editor.template is not None
    detector = Mtcnn()
    for path in sorted(folder.glob("*.jpg")):
        photo = Image.open(path).convert("RGB")
        if aligned:
            left, top, right, bottom = editor.crop.on(*photo.size)
            matrix = np.array([[right - left, 0, left], [0, bottom - top, top]])
        else:
            if given is not None:
                points = given[path.name][0]
            else:
                boxes, _, landmarks_found = detector.network.detect(photo, landmarks=True)
                if boxes is None:
                    continue
                points = np.asarray(landmarks_found[0], float)
            matrix = align.from_landmarks(editor.template, points).matrix
        step = matrix[:, :2] / size
        there = (*step[0], matrix[0, 2], *step[1], matrix[1, 2])
        crop = photo.transform((size, size), Image.Transform.AFFINE, there, Image.Resampling.BICUBIC)
        x = images.to_tensor(np.array(crop)[None])
        with torch.no_grad():
            latent = editor.editor.encode(x)
            result = editor.editor.apply_to(x, latent, editor.editor.decode(latent), spec, "replace")
        edited = Image.fromarray(images.to_pixels(result.y)[0])
        inverse = np.linalg.inv(np.vstack([np.hstack([step, matrix[:, 2:]]), [0, 0, 1]]))[:2].ravel()
        pasted = edited.transform(photo.size, Image.Transform.AFFINE, tuple(inverse), Image.Resampling.BICUBIC)
        mask = Image.fromarray((result.mask[0, 0].numpy() * 255).astype(np.uint8))
        weights = mask.transform(photo.size, Image.Transform.AFFINE, tuple(inverse), Image.Resampling.BICUBIC)
        photo.paste(pasted, (0, 0), weights)
        photo.save(out / path.name, quality=95)


def limit(folder: Path, out: Path) -> None:
    """Decode and encode every photo."""

    def one(path: Path) -> None:
        data = path.read_bytes()
        head = Image.open(io.BytesIO(data))
        sampling = JpegImagePlugin.get_sampling(head)  # type: ignore[no-untyped-call]
        picture = Image.fromarray(decode(data))
        picture.save(out / path.name, qtables=head.quantization, subsampling=sampling)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(worker_count(0)) as pool:
        list(pool.map(one, sorted(folder.glob("*.jpg"))))


def timed(work: Callable[[Path], object]) -> float:
    """Seconds that work takes which writes into a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        work(Path(folder))
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--system", default="ian")
    parser.add_argument("--aligned", type=int, default=2000)
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[], metavar="PHOTOS")
    options = parser.parse_args()
    model, table = live_paths(options.root, options.system)
    judges = options.root / "data" / "judges"
    editor = PhotoEditor.load(model, table, precision="fp32")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        aligned, composed = Path(place) / "aligned", Path(place) / "scenes"
        aligned.mkdir()
        with zipfile.ZipFile(next((options.root / "data" / "raw").rglob("*.zip"))) as file:
            faces = [name for name in file.namelist() if name.endswith(".jpg")]
            for name in faces[: options.aligned]:
                (aligned / Path(name).name).write_bytes(file.read(name))
        scenes.write(composed, count=min(options.scenes, 60), seed=1)
        marks = (composed / "landmarks.csv").read_text().splitlines()
        for index in range(60, options.scenes):
            shutil.copy(composed / f"scene-{index % 60:04d}.jpg", composed / f"scene-{index:04d}.jpg")
            marks.append(marks[1 + index % 60].replace(f"scene-{index % 60:04d}", f"scene-{index:04d}"))
        (composed / "landmarks.csv").write_text("\n".join(marks))

        def job(photos: Path, out: Path, landmarks: Path | None, framed: bool) -> Job:
            return Job(photos=photos, out=out, model=model, attributes=table, judges=judges, landmarks=landmarks,
                       options=Options(spec=SPEC, aligned=framed))  # fmt: skip

        for photos in options.memory:
            many = Path(place) / f"many{photos}"
            many.mkdir()
            for index in range(photos):
                shutil.copy(aligned / Path(faces[index % options.aligned]).name, many / f"{index:06d}.jpg")
            timed(lambda out, many=many: edit_folder(job(many, out / "o", None, True), sheet=0))  # type: ignore[misc]
            print(f"{photos} photos: peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        cases = [(aligned, None, True, "178 x 218, aligned"), (composed, composed / "landmarks.csv", False,
                 "1600 x 1200, landmarks given"), (composed, None, False, "1600 x 1200, faces detected")]  # fmt: skip
        for photos, landmarks, framed, name in cases:
            count = len(list(photos.glob("*.jpg")))
            ways: dict[str, Callable[[Path], object]] = {
                "plain": lambda out, p=photos, m=landmarks, f=framed: plain(p, out, editor, m, aligned=f),  # type: ignore[misc]
                "edit": lambda out, p=photos, m=landmarks, f=framed: edit_folder(job(p, out / "o", m, f), sheet=0),  # type: ignore[misc]
                "limit": lambda out, p=photos: limit(p, out),  # type: ignore[misc]
            }
            took: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way, work in ways.items():
                    took[way].append(timed(work))
            rate = {way: count / statistics.median(seconds) for way, seconds in took.items()}
            print(f"{name}: " + ", ".join(f"{way} {value:.1f} photos/s" for way, value in rate.items()))
            times, share = rate["edit"] / rate["plain"], rate["edit"] / rate["limit"]
            print(f"    edit: {times:.1f} x plain, {share:.2f} of the limit")


if __name__ == "__main__":
    main()
