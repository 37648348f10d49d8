"""Quality of detection and editing in ordinary photos: drawn people at known places in scenes of 1600 x 1200.

    python benchmarks/photo_edits.py [--root .] [--system ian] [--count 200] [--known] [--sheet FILE]

Prints how many faces were detected and how far from the truth; for each edit, its success by judge B on faces cropped
again from the edited photo, among faces that clearly did not show the attribute before; beside it, the success on the
same crops edited at 64 pixels (a crop at the true place of the face); and the largest change of a pixel away from the
crop. `--known` takes the true landmarks instead of the detector."""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from facet.base import images
from facet.judges.judge import Judge
from facet.metrics.intervals import share
from facet.nights.champions import live_paths
from facet.photos import scenes
from facet.photos.batch import BATCH
from facet.photos.editor import PhotoEditor
from facet.photos.faces import align
from facet.photos.file.photo import Photo
from facet.photos.options import Options
from facet.pictures import sheets
from facet.pictures.decode import BadImage

SPECS = ("Smiling=on", "Smiling=off", "Eyeglasses=on", "Eyeglasses=off", "Blond_Hair=on", "Male=on", "Bangs=on",
         "No_Beard=off", "Wearing_Hat=on")  # fmt: skip
SURE = 0.3  # largest probability by judge B of the wanted state before the edit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--system", default="ian")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    editor = PhotoEditor.load(*live_paths(options.root, options.system))
    judge = Judge.load(options.root / "data" / "judges", "b", editor.editor.device)
    detected, away, worst = 0, [], 0
    in_photo: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    in_crop: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    rows = []
    size = editor.system.size
    for index in range(options.count):
        scene = scenes.compose(7, index)
        photo = Photo(scene.pixels, "RGB", "PNG")
        try:
            known = [scene.landmarks] if options.known else None
            face_crops = editor.face_crops(photo, Options(spec=""), known)
        except BadImage as bad:
            print(f"scene {index}: {bad}, {scene.face:.0f} pixels")
            continue
        middle = scene.landmarks.mean(0)
        if np.linalg.norm(face_crops[0].face.points.mean(0) - middle) > 0.25 * scene.face:
            print(f"scene {index}: another face at {face_crops[0].face.box}")
            continue
        detected += 1
        away.append(
            np.linalg.norm(face_crops[0].face.points[:2] - scene.landmarks[:2], axis=1) / scene.face * scenes.FACE
        )
        # the true place of the face, by the portrait's frame
        left, top, right, bottom = editor.crop.on(178, 218)
        frame = np.array([[right - left, 0, left], [0, bottom - top, top]])
        truth = scene.matrix[:, :2] @ frame
        truth[:, 2] += scene.matrix[:, 2]
        true = align.Placement(truth)
        crop = align.cut(scene.pixels, true, editor.crop, size)
        state = judge.probabilities(images.to_tensor(crop[None]))[0].cpu().numpy()
        shown = [crop]
        for text in SPECS:
            spec = editor.parse(text)
            on = spec.changes[0].towards
            k = judge.attributes.index(spec.changes[0].attribute)
            if not judge.judged[k] or (state[k] > SURE if on else state[k] < 1 - SURE):
                shown.append(crop)
                continue
            edited = Photo(scene.pixels.copy(), "RGB", "PNG")
            chosen = Options(spec=text)
            edits = editor.edits(face_crops, spec, chosen)
            pasted = editor.paste(edited, edits)
            change = np.abs(edited.pixels.astype(int) - scene.pixels).max(2)
            for area in pasted:
                change[area.box[1] : area.box[3], area.box[0] : area.box[2]] = 0
            worst = max(worst, int(change.max()))
            again = align.cut(edited.pixels, true, editor.crop, size)
            plain = editor.editor.apply(images.to_tensor(np.stack([crop] * BATCH)), spec, "replace").y[:1]
            for held, picture in ((in_photo, images.to_tensor(again[None])), (in_crop, plain)):
                seen = float(judge.probabilities(picture)[0, k])
                held[text].append((seen > 0.5 if on else seen < 0.5, index))
            shown.append(again)
        rows.append(shown)
    print(f"detected {detected} of {options.count}; eyes {np.mean(away):.1f} pixels of the 178-pixel frame away")
    print(f"largest change away from the crop: {worst} levels")
    for held, name in ((in_photo, "in the photo"), (in_crop, "at 64 pixels")):
        every = np.array([hit for hits in held.values() for hit in hits])  # (n, 2): a hit, and the scene
        success = share(every[:, 0], every[:, 1])
        interval = f"[{100 * success.low:.1f}, {100 * success.high:.1f}]"
        by_spec = ", ".join(f"{text} {100 * np.mean([hit for hit, _ in hits]):.0f}" for text, hits in held.items())
        print(f"{name}: {100 * success.value:.1f} % {interval} of {len(every)}; {by_spec}")
    if options.sheet:
        sheets.write_png(options.sheet, sheets.sheet(rows[:12], ["photo", *SPECS], title="cropped again", scale=2))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
