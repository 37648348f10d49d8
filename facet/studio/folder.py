"""The photos of the folder that the studio was started with. The page names them by number: no path comes from it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facet.base.errors import InputError
from facet.photos.file.photo import read
from facet.photos.file.writing import picture_of
from facet.photos.folder.listing import Item, Listing, listing
from facet.photos.folder.manifest import outcomes
from facet.pictures.decode import BadImage
from facet.studio.documents import Document
from facet.studio.rendering import in_words, jpeg, jpeg_bytes, upright
from facet.studio.saving import saved
from facet.studio.states import State
from facet.studio.trained import Trained

THUMBNAIL = 160  # pixels along the longer side
PAGE = 60  # photos that the strip shows at first, and more with each wish
COMPARED = 20  # photos over which a spec is tried


class Folder:
    """The photos of a folder, zip, list or file, with what a job on them said."""

    def __init__(self, path: Path, results: Path | None = None):
        """`results` is the output folder of a job on these photos. InputError if there are no photos."""
        self.listing: Listing = listing(path)
        known = {} if results is None else outcomes(results)
        self._outcomes = [known.get(item.name, _unknown(item)) for item in self.listing.items]
        if results is not None and not known.keys() & {item.name for item in self.listing.items}:
            raise InputError(f"{results} has no manifest of these photos; give the OUT of a `facet edit` on them")

    def described(self) -> dict[str, int]:
        """How many photos there are, and how many of them a job did not edit."""
        return {"count": len(self._outcomes), "unedited": sum(map(_unedited, self._outcomes))}

    def page(self, start: int, *, unedited: bool = False) -> list[dict[str, Any]]:
        """Number, name, status and reason of up to PAGE photos from the `start`-th on, of all or of those that a job
        did not edit."""
        numbers = [n for n, outcome in enumerate(self._outcomes) if not unedited or _unedited(outcome)]
        return [
            {
                "number": number,
                "name": self.listing.items[number].name,
                "status": self._outcomes[number][0],
                "reason": in_words(*self._outcomes[number][1:]),
            }
            for number in numbers[max(start, 0) :][:PAGE]
        ]

    def open(self, number: int) -> Document:
        """A photo by its number; BadImage if it cannot be read."""
        item = self._readable(number)
        return Document(Path(item).name, self.listing.read(item))

    def thumbnail(self, number: int) -> bytes:
        """A photo in small, as JPEG; BadImage if it cannot be read."""
        picture = picture_of(read(self.listing.read(self._readable(number))), turned_upright=True).convert("RGB")
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        return jpeg_bytes(np.asarray(picture), 80)

    def tried(self, number: int, trained: Trained, state: State) -> dict[str, Any]:
        """The outcome of a spec on one photo, with the photo after it, as JSON. Strokes and a chosen face are left out:
        they belong to another photo."""
        faces = state.faces if isinstance(state.faces, str) else "largest"
        state = dataclasses.replace(state, strokes={}, faces=faces, face=0)
        if not trained.editor.parse(state.spec).changes:
            raise InputError("there is no attribute to edit on other photos: move a slider")
        named = {"name": self._named(number).name}
        try:
            made = saved(self.open(number), trained, state)
            picture = Image.fromarray(upright(read(made.data)))
            picture.thumbnail((2 * THUMBNAIL, 2 * THUMBNAIL))
        except BadImage as bad:
            return named | {"status": "failed", "reason": in_words(bad.reason, bad.detail), "image": ""}
        return named | {"status": made.status, "reason": made.reason, "image": jpeg(np.asarray(picture))}

    def _named(self, number: int) -> Item:
        items = self.listing.items
        if not 0 <= number < len(items):
            raise InputError(f"photo {number} is not in the folder, which has {len(items):,}")
        return items[number]

    def _readable(self, number: int) -> str:
        """The name of a photo that can be read; BadImage with the reason if the listing refused it."""
        item = self._named(number)
        if item.refused:
            raise BadImage(item.refused)
        return item.name


def _unknown(item: Item) -> tuple[str, str, str]:
    """Status, reason and detail of a photo of which no job said anything."""
    return ("failed", item.refused, "") if item.refused else ("", "", "")


def _unedited(outcome: tuple[str, str, str]) -> bool:
    return outcome[0] in ("skipped", "failed")
