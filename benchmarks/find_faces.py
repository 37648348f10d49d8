"""The face detector beside MTCNN, in one run on one thread: time, share of faces found, and steadiness.

    python benchmarks/find_faces.py [--photos FOLDER] [--count 100] [--scenes 40]

Photos, JPEGs anywhere below FOLDER with a face near the middle, are searched as they are, and then cut tight (only the
face is left), turned by 30 and by 90 degrees, reduced to 100 pixels, and grey. A face counts as found if all of its
landmarks are within .3 distances between the eyes of where the same detector saw them in the photo as it was; its eyes'
distance from there, as a median, says how steady they are. Drawn scenes of 1600 x 1200 have known places instead.
Milliseconds are of the processor. The detector without MTCNN as its last look has a column of its own."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from facet.photos import scenes
from facet.photos.faces.detect import Detector, Face, Mtcnn

NEAR = 0.3  # largest distance of a landmark of a found face from its place, in distances between the eyes
Find = Callable[[np.ndarray], list[Face]]


class Nothing(Mtcnn):
    """Finds no face."""

    def find(self, pixels: np.ndarray) -> list[Face]:
        return []


def tight(pixels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    eyes = np.linalg.norm(points[1] - points[0])
    reach = eyes * np.array([1.15, 1.3])
    low = np.maximum(points.mean(0) - reach, 0).astype(int)
    high = np.minimum(points.mean(0) + reach, pixels.shape[1::-1]).astype(int)
    return np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]), points - low


def turned(degrees: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def turn(pixels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
        picture = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(picture), (points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5

    return turn


def small(pixels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = 100 / max(pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), points * scale


def grey(pixels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)), points


KINDS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "cut tight": tight,
    "turned by 30 degrees": turned(30),
    "turned by 90 degrees": turned(90),
    "reduced to 100 pixels": small,
    "grey": grey,
}


def timed(find: Find, pictures: Sequence[np.ndarray]) -> tuple[list[list[Face]], float]:
    """The faces of some pictures, and milliseconds per picture."""
    start = time.process_time()
    found = [find(pixels) for pixels in pictures]
    return found, 1e3 * (time.process_time() - start) / len(pictures)


def compare(found: Sequence[list[Face]], places: Sequence[np.ndarray]) -> str:
    """The share of faces found at their places, and the median distance of their eyes from there."""
    away = []
    for faces, points in zip(found, places, strict=True):
        eyes = np.linalg.norm(points[1] - points[0])
        each = [np.linalg.norm(face.points - points, axis=1) / eyes for face in faces]
        if each and min(one.max() for one in each) < NEAR:
            away.append(min(each, key=lambda one: float(one.max()))[:2].mean())
    return f"{len(away) / len(places):5.0%} found, eyes {100 * np.median(away) if away else np.nan:4.1f} % off"


def middle_face(faces: list[Face], pixels: np.ndarray) -> np.ndarray | None:
    """The landmarks of the face nearest the middle of a photo."""
    middle = np.array(pixels.shape[1::-1]) / 2
    points = [face.points for face in faces]
    return min(points, key=lambda one: float(np.linalg.norm(one.mean(0) - middle))) if points else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--scenes", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    detector, mtcnn, alone = Detector(), Mtcnn(), Detector()
    alone._mtcnn = Nothing()
    ways: dict[str, Find] = {"detector": detector.find, "without MTCNN": alone.find, "MTCNN": mtcnn.find}
    drawn = [scenes.compose(7, index) for index in range(options.scenes)]
    for find in ways.values():
        find(drawn[0].pixels)
    mtcnn.find(drawn[0].pixels)  # loads it
    detector._mtcnn.find(drawn[0].pixels)
    for name, find in ways.items():
        found, cost = timed(find, [scene.pixels for scene in drawn])
        print(f"{'drawn scenes':24}{name:16}{cost:6.0f} ms  {compare(found, [one.landmarks for one in drawn])}")
    room = np.ascontiguousarray(drawn[0].pixels[:300, :400] // 8)
    print(
        f"{'no face, 400 x 300':24}"
        + ", ".join(f"{name} {timed(find, [room])[1]:.0f} ms" for name, find in ways.items())
    )
    if options.photos is None:
        return
    paths = sorted(options.photos.rglob("*.jpg"))
    photos = [np.array(Image.open(path).convert("RGB")) for path in paths[:: max(len(paths) // options.count, 1)]]
    photos = photos[: options.count]
    for name, find in ways.items():
        found, cost = timed(find, photos)
        places = [middle_face(faces, pixels) for faces, pixels in zip(found, photos, strict=True)]
        share = sum(one is not None for one in places) / len(photos)
        print(f"{'as they are':24}{name:16}{cost:6.0f} ms  {share:5.0%} found")
        for kind, change in KINDS.items():
            changed = [change(pixels, one) for pixels, one in zip(photos, places, strict=True) if one is not None]
            found, cost = timed(find, [pixels for pixels, _ in changed])
            print(f"{kind:24}{name:16}{cost:6.0f} ms  {compare(found, [points for _, points in changed])}")


if __name__ == "__main__":
    main()
