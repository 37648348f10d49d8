"""Contact sheets: images in rows and columns with captions, as PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facet.base.files import replacing

PAPER, INK, FAINT = (255, 255, 255), (32, 33, 36), (110, 113, 118)
GAP, MARGIN = 4, 16  # pixels between images and around the sheet
NOTE = 22  # pixels of a line below an image


def sheet(
    pictures: Sequence[Sequence[np.ndarray]],
    columns: Sequence[str],
    rows: Sequence[str] | None = None,
    *,
    title: str,
    scale: int,
    notes: Sequence[Sequence[str]] | None = None,
) -> Image.Image:
    """Rows of uint8 images (H, W, C) -> one sheet with each image enlarged `scale` times, captions above and beside,
    and, with `notes`, one line below each image."""
    high, wide = (side * scale for side in pictures[0][0].shape[:2])
    heading, small = ImageFont.load_default(20), ImageFont.load_default(13)
    captions = [_wrap(caption, small, wide) for caption in columns]
    left = MARGIN + (max((int(small.getlength(row)) for row in rows), default=0) + 10 if rows else 0)
    top = MARGIN + 34 + 16 * max(len(lines) for lines in captions) + 4
    apart = high + GAP + (NOTE if notes else 0)  # from one row to the next
    width = max(left + len(columns) * (wide + GAP) - GAP, MARGIN + int(heading.getlength(title))) + MARGIN
    height = top + len(pictures) * apart - GAP + MARGIN
    paper = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((MARGIN, MARGIN - 4), title, fill=INK, font=heading)
    for j, lines in enumerate(captions):
        x = left + j * (wide + GAP) + wide / 2
        for i, line in enumerate(lines):
            pen.text((x, top - 6 - 16 * (len(lines) - 1 - i)), line, fill=FAINT, font=small, anchor="ms")
    for i, row in enumerate(pictures):
        y = top + i * apart
        if rows:
            pen.text((left - 10, y + high / 2), rows[i], fill=FAINT, font=small, anchor="rm")
        for j, pixels in enumerate(row):
            x = left + j * (wide + GAP)
            paper.paste(_image(pixels, wide, high), (x, y))
            if notes:
                pen.text((x + wide / 2, y + high + 14), notes[i][j], fill=INK, font=small, anchor="ms")
    return paper


def write_png(path: Path, image: Image.Image) -> None:
    """Write a PNG; the same pixels always give the same bytes."""
    with replacing(path) as temporary:
        image.save(temporary, format="PNG", compress_level=6)


def picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (S, S, C) as a Pillow image, grey if C is 1."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _image(pixels: np.ndarray, wide: int, high: int) -> Image.Image:
    return picture(pixels).resize((wide, high), Image.Resampling.LANCZOS).convert("RGB")


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break text at spaces and underscores into lines of at most `width` pixels, or of one longer word."""
    lines = [""]
    for word in text.replace("_", " ").split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
