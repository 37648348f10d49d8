"""EXIF as the bytes of a TIFF structure, changed in place because maker notes hold offsets that must stay valid."""

import io
import struct

from PIL import Image

from facet.photos.file.tiff import Directory, Tiff

ORIENTATION, THUMBNAIL_AT, THUMBNAIL_LENGTH = 0x0112, 0x0201, 0x0202
THUMBNAIL_SIDE = 160  # pixels, as in DCF
QUALITIES = (85, 75, 60, 45, 30)  # of a thumbnail, tried until one fits
HEAD = b"Exif\0\0"


class Exif(Tiff):
    """The bytes of an EXIF block, without the head `Exif\\0\\0`; ValueError if they hold no TIFF structure."""

    def __init__(self, data: bytes):
        super().__init__(data.removeprefix(HEAD))
        self.first = self.directory(self.start)

    @property
    def _second(self) -> Directory | None:
        """The directory of the thumbnail."""
        at = self.offset(self.first.following)
        return self.directory(at) if at else None

    def thumbnail(self) -> bytes | None:
        """The JPEG of the thumbnail, None if there is none."""
        place = self._place(self._second)
        return bytes(self.data[place[0] : place[0] + place[1]]) if place is not None else None

    def _place(self, second: Directory | None) -> tuple[int, int] | None:
        """Offset and length of the thumbnail."""
        entries = [second and self.find(second, tag) for tag in (THUMBNAIL_AT, THUMBNAIL_LENGTH)]
        values = [self.offsets(entry)[:1] for entry in entries if entry]
        if len(values) < 2 or not all(values):
            return None
        (at,), (length,) = values
        return at, max(min(length, len(self.data) - at), 0)

    def renew_thumbnail(self, picture: Image.Image) -> bool:
        """Replace the thumbnail, if there is one, by one of `picture` (as stored, not turned).

        Nothing of the old one stays. Returns False if no new one fits and the thumbnail was dropped."""
        second = self._second
        if second is None:
            return True
        place = self._place(second)
        if place is not None:
            at, room = place
            self.clear(at, room)
            for new in _thumbnails(picture):
                if len(new) <= room:
                    self.put_thumbnail(new)
                    return True
        self.put("I", self.first.following, 0)
        return False

    def put_thumbnail(self, new: bytes) -> None:
        """Replace the thumbnail by one that is no longer."""
        second = self._second
        place = self._place(second)
        assert second is not None
        assert place is not None
        length = self.find(second, THUMBNAIL_LENGTH)
        assert length is not None
        self.clear(*place)
        self.data[place[0] : place[0] + len(new)] = new
        self.put("H" if length.kind == 3 else "I", length.value, len(new))


def minimal(orientation: int) -> bytes:
    """EXIF that holds an orientation alone, without the head `Exif\\0\\0`."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


def _thumbnails(picture: Image.Image) -> list[bytes]:
    """Thumbnails of a picture as JPEG, at decreasing quality."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    encoded = []
    for quality in QUALITIES:
        file = io.BytesIO()
        small.save(file, "JPEG", quality=quality)
        encoded.append(file.getvalue())
    return encoded
