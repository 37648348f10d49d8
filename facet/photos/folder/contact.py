"""contact.html of an edited folder: photos before and after, and the reasons why others were not edited."""

from collections import Counter
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from facet.base.files import replacing
from facet.photos.file.photo import NOTES, read
from facet.photos.file.writing import picture_of
from facet.photos.folder.manifest import REASONS, STATUSES
from facet.photos.folder.open_job import OpenJob
from facet.pictures import data_uri
from facet.pictures.decode import REASONS as DECODE_REASONS
from facet.pictures.decode import BadImage

NAME = "contact.html"
SIDE = 320  # longer side of a picture, in pixels
LINES = 2_000  # largest number of unedited files that are listed


def write(opened: OpenJob, *, most: int) -> None:
    """Write the page, with at most `most` edited photos spread evenly over the folder."""
    job, manifest = opened.job, opened.manifest
    counts: Counter[str] = Counter()
    edited: list[str] = []
    others: list[dict[str, Any]] = []
    for item in opened.listing.items:
        row = manifest.row(item.name)
        if row is None:
            continue
        counts[row["status"]] += 1
        if row["status"] == "edited":
            edited.append(item.name)
        elif len(others) < LINES:
            others.append(row)
    step = max(len(edited) / max(most, 1), 1.0)
    shown = [edited[int(i * step)] for i in range(min(most, len(edited)))]
    pairs = [pair for name in shown if (pair := _pair(opened, manifest.row(name))) is not None]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("contact.html").render(
        spec=job.options.spec,
        counts=[(status, counts[status], STATUSES[status]) for status in STATUSES if counts[status]],
        pairs=pairs,
        edited=len(edited),
        others=others,
        hidden=sum(counts.values()) - len(edited) - len(others),
        reasons=DECODE_REASONS | REASONS,
        notes=NOTES,
    )
    with replacing(job.out / NAME) as aside:
        aside.write_text(page, encoding="utf-8")


def _pair(opened: OpenJob, row: dict[str, Any] | None) -> dict[str, Any] | None:
    """An edited photo before and after, None if either cannot be read."""
    assert row is not None
    try:
        before = _thumbnail(opened.listing.read(row["file"]), row)
        after = _thumbnail((opened.job.out / row["output"]).read_bytes(), row)
    except (BadImage, OSError):
        return None
    return {"row": row, "before": before, "after": after, "changes": _changes(row)}


def _changes(row: dict[str, Any]) -> list[str]:
    """For example `Smiling 3 to 97 %`, for each face and attribute of the spec."""
    names = [part.partition("=")[0].strip() for part in row["spec"].split(",")]
    return [
        f"{name.replace('_', ' ')} {100 * before:.0f} to {100 * after:.0f} %"
        for befores, afters in zip(row["before"], row["after"], strict=True)
        for name, before, after in zip(names, befores, afters, strict=False)
    ]


def _thumbnail(data: bytes, row: dict[str, Any]) -> str:
    """A small picture of the photo around its largest face, as a data URI."""
    picture = picture_of(read(data), turned_upright=True).convert("RGB")
    width, height = picture.size
    if row["boxes"]:
        boxes = np.array(row["boxes"]).reshape(-1, 4)[:1]  # the largest face
        low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        middle, reach = (low + high) / 2, 1.6 * float((high - low).max()) / 2 + 1
        box = (*np.maximum(middle - reach, 0), *np.minimum(middle + reach, (width, height)))
        picture = picture.crop(tuple(round(float(edge)) for edge in box))  # type: ignore[arg-type]
    picture.thumbnail((SIDE, SIDE))
    if max(picture.size) < SIDE:
        scale = SIDE / max(picture.size)
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
        )
    return data_uri.uri(picture, quality=82)
