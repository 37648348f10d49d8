"""Draw docs/photos.png: drawn scenes before and after `facet edit`, whole and cropped to the face.

python docs/photos.py [--system vigan]"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from facet.nights.champions import live_paths
from facet.photos import scenes
from facet.photos.editor import PhotoEditor
from facet.photos.file.photo import Photo
from facet.photos.options import Options
from facet.pictures import sheets

ROOT = Path(__file__).parents[1]
SPECS = ("Smiling=on", "Eyeglasses=on", "Blond_Hair=on", "Bangs=on")
WIDE, CLOSE = (280, 210), 210  # pixels of a scene and a face on the sheet


def tile_of(pixels: np.ndarray, box: tuple[float, float, float, float] | None) -> np.ndarray:
    """A scene, or the part of it around a face, at the size of the sheet."""
    picture = Image.fromarray(pixels)
    if box is None:
        return np.asarray(picture.resize(WIDE, Image.Resampling.LANCZOS))
    middle, reach = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), 0.75 * (box[3] - box[1])
    part = picture.crop(tuple(round(at + side * reach) for side in (-1, 1) for at in middle))  # type: ignore[arg-type]
    return np.asarray(part.resize((CLOSE, CLOSE), Image.Resampling.LANCZOS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", default="vigan")
    system = parser.parse_args().system
    editor = PhotoEditor.load(*live_paths(ROOT, system), judges=ROOT / "data/judges")
    tiles, index = [], 0
    for text in SPECS:
        while True:  # the next scene with a large face, with hair, that does not show the attribute yet
            scene, index = scenes.compose(2, index), index + 1
            labels = scene.person.attributes
            absent = (text.partition("=")[0], "Wearing_Hat", "Bald")
            if scene.face > 220 and all(labels[name] < 0 for name in absent):
                break
        photo, options = Photo(scene.pixels.copy(), "RGB", "PNG"), Options(spec=text)
        face_crops = editor.face_crops(photo, options)
        editor.paste(photo, editor.edits(face_crops, editor.parse(text), options))
        box = face_crops[0].face.box
        both = [tile_of(pixels, part) for part in (None, box) for pixels in (scene.pixels, photo.pixels)]
        tiles.append((text, np.concatenate(both, axis=1)))
    paper = Image.new("RGB", (tiles[0][1].shape[1], sum(len(tile) + 4 for _, tile in tiles)), sheets.PAPER)
    for row, (_, tile) in enumerate(tiles):
        paper.paste(Image.fromarray(tile), (0, row * (len(tile) + 4)))
    sheets.write_png(ROOT / "docs" / "photos.png", paper)


if __name__ == "__main__":
    main()
