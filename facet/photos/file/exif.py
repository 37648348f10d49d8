"""EXIF as the bytes of a TIFF structure, changed in place because maker notes hold offsets that must stay valid."""

import io
import struct
from typing import NamedTuple

from PIL import Image

THUMBNAIL_AT, THUMBNAIL_LENGTH, GPS = 0x0201, 0x0202, 0x8825
THUMBNAIL_SIDE = 160  # pixels, as in DCF
QUALITIES = (85, 75, 60, 45, 30)  # of a thumbnail, tried until one fits
ENTRY = 12  # bytes of a directory entry
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of one value, by type


class Directory(NamedTuple):
    """One IFD, by offsets."""

    at: int  # of the IFD
    entries: dict[int, int]  # of each entry's 12 bytes, by tag
    following: int  # of the field that holds the next IFD's offset


class Exif:
    """The bytes of an EXIF block, without the head `Exif\\0\\0`; ValueError if they hold no TIFF structure."""

    def __init__(self, data: bytes):
        self.data = bytearray(data.removeprefix(b"Exif\0\0"))
        if bytes(self.data[:4]) not in (b"II*\0", b"MM\0*"):
            raise ValueError("no TIFF header")
        self._end = "<" if self.data[:2] == b"II" else ">"
        self.first = self._directory(self._long(4))

    def _short(self, at: int) -> int:
        return self._number("H", at)

    def _long(self, at: int) -> int:
        return self._number("I", at)

    def _number(self, kind: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self._end + kind, self.data, at)[0])
        except struct.error as error:
            raise ValueError(f"it is cut short before byte {at}") from error

    def _set_long(self, at: int, value: int) -> None:
        struct.pack_into(f"{self._end}I", self.data, at, value)

    def _directory(self, at: int) -> Directory:
        count = self._short(at)
        entries = {self._short(at + 2 + ENTRY * i): at + 2 + ENTRY * i for i in range(count)}
        self._long(at + 2 + ENTRY * count)  # raises ValueError if the directory is cut short
        return Directory(at, entries, at + 2 + ENTRY * count)

    @property
    def _second(self) -> Directory | None:
        """The directory of the thumbnail."""
        at = self._long(self.first.following)
        return self._directory(at) if at else None

    def thumbnail(self) -> bytes | None:
        """The JPEG of the thumbnail, None if there is none."""
        second = self._second
        if second is None or not {THUMBNAIL_AT, THUMBNAIL_LENGTH} <= second.entries.keys():
            return None
        at = self._long(second.entries[THUMBNAIL_AT] + 8)
        return bytes(self.data[at : at + self._long(second.entries[THUMBNAIL_LENGTH] + 8)])

    def renew_thumbnail(self, picture: Image.Image) -> bool:
        """Replace the thumbnail, if there is one, by one of `picture` (as stored, not turned).

        Nothing of the old one stays. Returns False if no new one fits and the thumbnail was dropped."""
        second = self._second
        if second is None:
            return True
        old = self.thumbnail()
        if old is not None:
            at = self._long(second.entries[THUMBNAIL_AT] + 8)
            room = len(old)
            self.data[at : at + room] = bytes(room)
            for new in _thumbnails(picture):
                if len(new) <= room:
                    self.data[at : at + len(new)] = new
                    self._set_long(second.entries[THUMBNAIL_LENGTH] + 8, len(new))
                    return True
        self._set_long(self.first.following, 0)
        return False

    def strip_gps(self) -> None:
        """Remove the GPS directory: pointer and values."""
        entry = self.first.entries.get(GPS)
        if entry is None:
            return
        gps = self._directory(self._long(entry + 8))
        for at in gps.entries.values():
            size = WIDTHS.get(self._short(at + 2), 1) * self._long(at + 4)
            if size > 4:
                value = self._long(at + 8)
                size = min(size, max(len(self.data) - value, 0))
                self.data[value : value + size] = bytes(size)
        self.data[gps.at : gps.following + 4] = bytes(gps.following + 4 - gps.at)
        end = self.first.following + 4
        self.data[entry : end - ENTRY] = self.data[entry + ENTRY : end]
        self.data[end - ENTRY : end] = bytes(ENTRY)
        struct.pack_into(f"{self._end}H", self.data, self.first.at, len(self.first.entries) - 1)
        self.first = self._directory(self.first.at)

    def to_bytes(self) -> bytes:
        return bytes(self.data)


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
