"""Where the pixels of a BMP and of a PPM, PGM or PBM of bytes end, and the colour profile of a BMP (version 5)."""

import re
import struct

BMP = b"BM"
SIGNATURES = (BMP, b"P4", b"P5", b"P6")
HEADER = re.compile(rb"P([456])((?:\s+|#[^\n]*\n)+)(\d+)((?:\s+|#[^\n]*\n)+)(\d+)")
DEPTH = re.compile(rb"(?:\s+|#[^\n]*\n)+(\d+)")  # the largest level, which a PBM has not
INFO, VERSION_5 = 14, 124  # offset of a BMP's second header, and its size in version 5


def end(data: bytes) -> int:
    """The offset behind the picture; the length of `data` if its header is damaged."""
    if data.startswith(BMP):
        return max(int.from_bytes(data[2:6], "little"), profile(data)[1]) or len(data)
    header = HEADER.match(data)
    if header is None:
        return len(data)
    width, height, at = int(header[3]), int(header[5]), header.end()
    row = (width + 7) // 8
    if header[1] != b"4":
        depth = DEPTH.match(data, at)
        if depth is None:
            return len(data)
        row, at = width * (3 if header[1] == b"6" else 1) * (2 if int(depth[1]) > 255 else 1), depth.end()
    return at + 1 + row * height


def profile(data: bytes) -> tuple[int, int]:
    """Where the colour profile of a BMP begins and ends; equal if there is none."""
    if not data.startswith(BMP) or len(data) < INFO + VERSION_5:
        return 0, 0
    if int.from_bytes(data[INFO : INFO + 4], "little") < VERSION_5 or data[INFO + 56 : INFO + 60] != b"DEBM":
        return 0, 0
    start, size = struct.unpack_from("<II", data, INFO + 112)
    return min(INFO + start, len(data)), min(INFO + start + size, len(data))
