"""Contact sheets: pictures in rows and columns with captions, drawn from pixels to PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stages.files import replacing

PAPER, INK, FAINT = (255, 255, 255), (32, 33, 36), (110, 113, 118)
GAP, MARGIN = 4, 16  # pixels between pictures and around the sheet


def sheet(
    pictures: Sequence[Sequence[np.ndarray]],
    columns: Sequence[str],
    rows: Sequence[str] | None = None,
    *,
    title: str,
    scale: int,
) -> Image.Image:
    """Rows of uint8 pictures (S, S, C) -> one image, each picture `scale` times as large, captions above and beside."""
    size = pictures[0][0].shape[0] * scale
    heading, small = ImageFont.load_default(20), ImageFont.load_default(13)
    captions = [_wrap(caption, small, size) for caption in columns]
    left = MARGIN + (max((int(small.getlength(row)) for row in rows), default=0) + 10 if rows else 0)
    top = MARGIN + 34 + 16 * max(len(lines) for lines in captions) + 4
    width = max(left + len(columns) * (size + GAP) - GAP, MARGIN + int(heading.getlength(title))) + MARGIN
    height = top + len(pictures) * (size + GAP) - GAP + MARGIN
    paper = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((MARGIN, MARGIN - 4), title, fill=INK, font=heading)
    for j, lines in enumerate(captions):
        x = left + j * (size + GAP) + size / 2
        for i, line in enumerate(lines):
            pen.text((x, top - 6 - 16 * (len(lines) - 1 - i)), line, fill=FAINT, font=small, anchor="ms")
    for i, row in enumerate(pictures):
        y = top + i * (size + GAP)
        if rows:
            pen.text((left - 10, y + size / 2), rows[i], fill=FAINT, font=small, anchor="rm")
        for j, pixels in enumerate(row):
            paper.paste(_image(pixels, size), (left + j * (size + GAP), y))
    return paper


def write_png(path: Path, image: Image.Image) -> None:
    """The same pixels always give the same bytes."""
    with replacing(path) as aside:
        image.save(aside, format="PNG", compress_level=6)


def picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (S, S, C) as an image, grey where C is 1."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _image(pixels: np.ndarray, size: int) -> Image.Image:
    return picture(pixels).resize((size, size), Image.Resampling.LANCZOS).convert("RGB")


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Lines no wider than `width` pixels where the words (parted by spaces and underscores) allow it."""
    lines = [""]
    for word in text.replace("_", " ").split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
