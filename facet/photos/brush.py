"""Paint on one aligned photo with the contextual brush (`facet brush`)."""

import logging
from pathlib import Path

import numpy as np
import torch

from facet.base import images
from facet.base.errors import InputError
from facet.editing import brush, modes
from facet.editing.editor import Editor
from facet.pictures import crops, sheets
from facet.pictures.decode import BadImage, decode
from facet.pictures.resize import resize

log = logging.getLogger(__name__)


def brush_photo(
    photo: Path, strokes: Path, *, model: Path, attributes: Path, mode: str, out: Path, sheet: Path | None
) -> None:
    """Apply the strokes of a file to the crop of `photo` and write it as PNG to `out`; `sheet` gets the result of every
    stroke side by side.

    InputError if the photo cannot be used, a stroke is invalid, or an output would overwrite another file."""
    modes.check_mode(mode)
    taken = {photo.resolve(): "the photo", strokes.resolve(): "the strokes"}
    for flag, path in (("--out", out), ("--sheet", sheet)):
        if path is not None and path.resolve() in taken:
            raise InputError(f"{path} would replace {taken[path.resolve()]}; choose another {flag}")
        if path is not None:
            taken[path.resolve()] = "the result"
    editor = Editor.load(model, attributes, torch.device("cpu"))
    moves = brush.read(strokes, editor.system.z_dim + editor.system.y_dim)
    x = images.to_tensor(read_crop(photo, editor.system.crop, editor.system.size, editor.system.channels)[None])
    start, *results = brush.follow(editor, x, moves, mode)
    pixels = images.to_pixels(results[-1].y)[0]
    sheets.write_png(out, sheets.picture(pixels))
    if sheet is not None:
        columns = [("photo", x), ("reconstruction", start.edited)]
        columns += [(f"stroke {n}", result.y) for n, result in enumerate(results, 1)]
        columns += [("decoded", results[-1].edited), ("mask", 2 * results[-1].mask - 1)]
        row = [images.to_pixels(column)[0] for _, column in columns]
        sheets.write_png(sheet, sheets.sheet([row], [name for name, _ in columns], title=photo.name, scale=3))
    log.info("%s: %d strokes, written to %s", photo, len(moves), out)


def read_crop(photo: Path, crop: str, size: int, channels: int) -> np.ndarray:
    """Read the named crop of an aligned photo, uint8 (size, size, channels); InputError if it cannot be used."""
    try:
        pixels = resize([decode(photo.read_bytes())], crops.crop(crop), size)[0]
    except BadImage as bad:
        raise InputError(
            f"{photo} cannot be used ({bad}); expected a face aligned and framed as for training"
        ) from None
    return images.luma(pixels) if channels == 1 else pixels
