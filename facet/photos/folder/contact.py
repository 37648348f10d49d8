"""contact.html of an edited folder: photos before and after, and what became of the rest."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from facet.base.files import replacing
from facet.photos.file.photo import NOTES, read
from facet.photos.file.writing import picture_of
from facet.photos.folder.job import Job
from facet.photos.folder.listing import Listing
from facet.photos.folder.manifest import REASONS, STATUSES, Known
from facet.pictures import data_uri
from facet.pictures.decode import REASONS as DECODE_REASONS
from facet.pictures.decode import BadImage

NAME = "contact.html"
SIDE = 320  # pixels of a picture
LINES = 2_000  # most files that are listed because they were not edited


def write(job: Job, files: Listing, known: Known, names: Sequence[str], *, most: int) -> None:
    """The page, with at most `most` edited photos, evenly over the folder."""
    counts: Counter[str] = Counter()
    edited: list[str] = []
    others: list[dict[str, Any]] = []
    for name in names:
        row = known.row(name)
        if row is None:
            continue
        counts[row["status"]] += 1
        if row["status"] == "edited":
            edited.append(name)
        elif len(others) < LINES:
            others.append(row)
    step = max(len(edited) / max(most, 1), 1.0)
    shown = [edited[int(i * step)] for i in range(min(most, len(edited)))]
    pairs = [pair for name in shown if (pair := _pair(job, files, known.row(name))) is not None]
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


def _pair(job: Job, files: Listing, row: dict[str, Any] | None) -> dict[str, Any] | None:
    assert row is not None
    try:
        before = _thumbnail(files.read(row["file"]), row)
        after = _thumbnail((job.out / row["output"]).read_bytes(), row)
    except (BadImage, OSError):
        return None
    return {"row": row, "before": before, "after": after, "seen": _seen(row)}


def _seen(row: dict[str, Any]) -> list[str]:
    """Smiling 3 % to 97 %, of each face and attribute of the spec."""
    names = [part.partition("=")[0].strip() for part in row["spec"].split(",")]
    return [
        f"{name.replace('_', ' ')} {100 * before:.0f} to {100 * after:.0f} %"
        for befores, afters in zip(row["before"], row["after"], strict=True)
        for name, before, after in zip(names, befores, afters, strict=False)
    ]


def _thumbnail(data: bytes, row: dict[str, Any]) -> str:
    """The photo small, around its largest face, as a data URI."""
    picture = picture_of(read(data), turned_upright=True).convert("RGB")
    width, height = picture.size
    if row["boxes"]:
        boxes = np.array(row["boxes"]).reshape(-1, 4)[:1]  # the largest face, as big as it gets
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
