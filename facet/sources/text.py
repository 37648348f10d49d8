"""Text files as people have them: bytes -> text, and its lines or the rows of a CSV with the lines they begin at.

A line ends at \\n or \\r\\n and nowhere else: a form feed or U+2028 is part of its cell, and so is a quoted line end.
(A file without any \\n has the line ends \\r of old Macintoshes.)"""

import codecs
import csv
import itertools
import re
from collections.abc import Iterator

from facet.base.errors import InputError

MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),  # Excel's "Unicode text"
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
NUL_PATTERNS: dict[tuple[bool, ...], str] = {  # where the zero bytes of four lie in ASCII text
    (False, True, True, True): "UTF-32",
    (True, True, True, False): "UTF-32",
    (False, True, False, True): "UTF-16",
    (True, False, True, False): "UTF-16",
}
FETCH = "fetch it again"  # what to do about a published file
SAVE = "save it as CSV in UTF-8"  # what to do about a table of one's own
OTHER_FILES = (  # how they begin, what they are, what to do about them
    (b"PK\x03\x04", "a spreadsheet (Excel, LibreOffice) or another zip", SAVE),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet (Excel 97)", SAVE),
    (b"PAR1", "a Parquet file", "let its name end in .parquet"),
    (b"\x1f\x8b", "packed by gzip", "unpack it"),
    (b"%PDF", "a PDF", ""),
    (b"SQLite format 3", "a database", SAVE),
    (b"\xff\xd8\xff", "a picture", ""),
    (b"\x89PNG", "a picture", ""),
)
DELIMITERS = ",;\t|"
SEPARATOR = re.compile(r'\s*"?sep=(.)"?[,;\s]*', re.IGNORECASE)  # Excel's line above the header
END = "\ufdd0"  # a character that no text holds


def text_of(where: object, data: bytes, remedy: str = FETCH) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte-order mark; InputError for anything else, with
    its line and, as far as it can be told, its encoding."""
    begin = data[:512].lstrip(b" \t\r\n\xef\xbb\xbf").lower()
    if begin.startswith(b"<?xml") and b"<html" not in data[:2048].lower():
        raise InputError(f"{where} is XML, perhaps a spreadsheet, not the table it should be; {SAVE}")
    if begin.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        why = ": a download was refused" if remedy == FETCH else ""
        raise InputError(f"{where} is a web page (HTML), not the table it should be{why}; {remedy}")
    if data.startswith(b"version https://git-lfs"):
        raise InputError(f"{where} is a pointer of Git LFS, not the table it should be; fetch it with `git lfs pull`")
    for magic, what, instead in OTHER_FILES:
        if data.startswith(magic):
            raise InputError(f"{where} is {what}, whatever its name says; it is not text: {instead or remedy}")
    mark, encoding = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", "utf-8"))
    data = data[len(mark) :]
    if encoding == "utf-8" and b"\0" in data:
        raise InputError(f"{where}, {_zeros(data)}; {SAVE if 'UTF' in _zeros(data) else remedy}")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not text in {encoding.upper()}: {_odd_bytes(data, error, remedy)}") from None
    if not text.strip(" \t\r\n\x1a\ufeff"):
        raise InputError(f"{where} is empty; {remedy}")
    return text


def _zeros(data: bytes) -> str:
    """What zero bytes in a text without a mark mean, and the line of the first."""
    head = data[: min(len(data), 4096) // 4 * 4]
    pattern = tuple(2 * head[place::4].count(0) > len(head) // 4 for place in range(4))
    known = NUL_PATTERNS.get(pattern)
    line = data.count(b"\n", 0, data.index(0)) + 1
    if known:
        return f"line {line}: its encoding is {known} without a byte-order mark; expected UTF-8"
    return f"line {line} has a zero byte: it is not text or it is damaged"


def _odd_bytes(data: bytes, error: UnicodeDecodeError, remedy: str) -> str:
    """The line of bytes that cannot be decoded, and how they would read in the encoding of old Windows programs."""
    begin = data.rfind(b"\n", 0, error.start) + 1
    line = data.count(b"\n", 0, begin) + 1
    place = f"line {line}, byte {error.start - begin + 1} is 0x{data[error.start]:02X} ({error.reason})"
    text = re.split(rb"[,;\t|\r\n]", data[error.start : error.start + 60])[0]
    before = re.split(rb"[,;\t|]", data[begin : error.start])[-1]
    if error.reason == "unexpected end of data":
        return f"line {line} ends within a character, so the file was cut short; {remedy}"
    if error.encoding != "utf-8" or re.search(rb"[\0-\x08\x0e-\x1f]", data[:4096]):
        return f"{place}; {remedy}"
    word = (before + text).decode("cp1252", "replace").strip()[:40]
    return f"{place}; as Latin-1 (Windows-1252) it reads {word!r}: {SAVE}"


def text_lines(where: object, data: bytes, remedy: str = FETCH) -> list[tuple[int, str]]:
    """The number (from 1) and the text of every line that is not blank; errors as in `text_of`."""
    return [(number, line) for number, line in enumerate(_lines(text_of(where, data, remedy)), 1) if line.strip()]


def _lines(text: str) -> list[str]:
    if "\n" not in text:
        return text.replace("\r", "\n").split("\n")
    return re.sub(r"\r(?!\n)", " ", text.rstrip("\x1a")).replace("\r\n", "\n").split("\n")


def uncommented(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines without comments (#) above the first other one."""
    return lines[next((at for at, (_, line) in enumerate(lines) if not line.lstrip().startswith("#")), 0) :]


def csv_rows(where: object, data: bytes, remedy: str = FETCH) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each row of a CSV begins (from 1) and its cells without blanks around them, the header
    first. Comments (#) and `sep=` above the header and rows without any text are left out, and so are empty cells
    beyond the header. InputError if a quotation mark is not closed, and as in `text_of`."""
    lines = _lines(text_of(where, data, remedy))
    begin, delimiter = 0, ""
    while begin < len(lines) - 1:
        separator = SEPARATOR.fullmatch(lines[begin])
        if separator:
            delimiter = separator[1]
        elif lines[begin].strip() and not lines[begin].lstrip(' "').startswith("#"):
            break
        begin += 1
    delimiter = delimiter or max(DELIMITERS, key=lines[begin].count)
    ended = itertools.chain((f"{line}\n" for line in lines[begin:]), [END])
    rows = csv.reader(ended, delimiter=delimiter, skipinitialspace=True)
    width, start = 0, begin + 1
    try:
        for row in rows:
            if row == [END]:
                return
            cells = [cell.strip() for cell in row]
            if any(cells):
                if END in cells[-1]:
                    raise csv.Error("the file ends within quotation marks")
                width = width or len(cells)
                while len(cells) > width and not cells[-1]:
                    cells.pop()
                yield start, cells
            start = begin + rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{where}, line {start} is not CSV ({error}): look there for a quotation mark that is not closed"
        ) from None
