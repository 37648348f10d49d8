"""Edit aligned photos with an export of `facet export SYSTEM --onnx EXPORT`; needs onnxruntime, numpy and pillow alone.

python onnx_edit.py EXPORT OUT Smiling=on,Eyeglasses=off PHOTO [PHOTO ...]"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

export, out, spec, *photos = sys.argv[1:]
card = json.loads(Path(export, "export.json").read_text())
encode, edit, decode = (onnxruntime.InferenceSession(f"{export}/{name}.onnx") for name in ("encode", "edit", "decode"))
names, size, crop = [item["name"] for item in card["attributes"]], card["images"]["size"], card["crop"]


def box(width: int, height: int) -> tuple[int, ...]:
    """The crop on a photo of this size; the training images are framed alike."""
    side = crop["share"] * min(width, height)
    square = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    scales = (width / crop["frame"][0], height / crop["frame"][1]) * 2
    framed = [edge * scale for edge, scale in zip(crop["box"], scales, strict=True)]
    return tuple(map(round, square if crop["any_aspect"] or width == height else framed))  # a square: a crop already


opened = [Image.open(path).convert(card["images"]["order"]) for path in photos]
crops = [np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC, box(*photo.size))) for photo in opened]
images = np.stack(crops).reshape(len(crops), size, size, -1).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
add, target = np.zeros((2, len(photos), len(names)), np.float32)
for name, value in (part.split("=") for part in spec.split(",")):
    table, number = (target, {"on": 1, "off": -1}[value]) if value in ("on", "off") else (add, float(value))
    table[:, names.index(name.strip())] = number
latents = encode.run(None, {"images": images})[0]
edited = edit.run(None, {"latents": latents, "add": add, "target": target})[0]
changes = (decode.run(None, {"latents": edited})[0] - decode.run(None, {"latents": latents})[0]) * 127.5
Path(out).mkdir(parents=True, exist_ok=True)
for path, photo, change in zip(photos, opened, changes, strict=True):  # the change, enlarged, on the photo's own pixels
    left, top, right, bottom = box(*photo.size)
    large = [Image.fromarray(c).resize((right - left, bottom - top), Image.Resampling.BICUBIC) for c in change]
    pixels = np.array(photo, np.float32).reshape(photo.height, photo.width, -1)
    pixels[top:bottom, left:right] += np.stack([np.asarray(channel) for channel in large], axis=2)
    result = Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8).squeeze())
    result.save(Path(out, Path(path).stem + ".png"))
