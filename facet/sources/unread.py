"""Files beside pictures that name them and are not read: tables of labels under another name, or spreadsheets."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.pictures.decode import BadImage
from facet.sources.label_table import is_label_table
from facet.sources.pairing import PictureNames
from facet.sources.text import text_of
from facet.sources.tree import Tree, is_image

SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".parquet", *SPREADSHEETS)
MOST = 20  # files looked into
LARGEST = 64 << 20  # bytes of such a file
ROWS = 500  # rows looked at


def unread_tables(tree: Tree, pictures: Sequence[str]) -> list[str]:
    """The files of a tree that name any of its pictures and are no tables of labels by their names."""
    files = [PurePosixPath(name) for name in tree.names if name.lower().endswith(SUFFIXES)]
    files = [file for file in files if not is_label_table(file.name)][:MOST]
    names = PictureNames(pictures) if files else None
    return [str(file) for file in files if names and _names_any(tree, str(file), names, pictures)]


def misnamed(root: Path, name: str) -> str:
    """A remark on a file at `root` that is called almost like the published file `name`, "" if there is none."""

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", re.sub(r"\(\d+\)|\bcopy\b|\.(txt|csv|gz|mat|zip|tgz)\b", "", text.lower()))

    files = sorted([*root.glob("*"), *root.glob("*/*")]) if root.is_dir() else []
    close = next((path for path in files if plain(path.name) == plain(name)), None)
    return f", but {close}: rename it" if close else ""


def _names_any(tree: Tree, file: str, names: PictureNames, pictures: Sequence[str]) -> bool:
    try:
        data = tree.read(file)
    except BadImage:
        return False
    if not data or len(data) > LARGEST:
        return False
    if data.startswith(b"PAR1"):
        return any(_any(column, names) for column in _columns(data))
    if file.lower().endswith((*SPREADSHEETS, ".json", ".jsonl")):
        some = [picture.rpartition("/")[2] for picture in pictures[:ROWS]]
        wanted = [name.encode(encoding) for name in some for encoding in ("utf-8", "utf-16-le")]
        return any(word in part for part in _parts(data) for word in wanted)
    try:
        lines = text_of(file, data).splitlines()[:ROWS]
    except InputError:
        lines = data.decode("latin-1").splitlines()[:ROWS]
    return _any([re.split(r"[,;\t| ]", line)[0].strip(' "') for line in lines], names)


def _any(cells: Iterable[object], names: PictureNames) -> bool:
    """True if a cell is the name of a picture, or half of them are without its ending."""
    words = [str(cell) for cell in cells if cell]
    found = [word for word in words if names.find(word) is not None]
    return any(map(is_image, found)) or 2 * len(found) > len(words) > 0


def _columns(data: bytes) -> Iterator[list[object]]:
    try:
        rows = next(pq.ParquetFile(io.BytesIO(data)).iter_batches(ROWS))
        for column in rows.columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                yield column.to_pylist()
    except (pa.ArrowException, OSError, StopIteration):
        return


def _parts(data: bytes) -> Iterator[bytes]:
    """The bytes of a file, or of the parts of a spreadsheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".xml") and member.file_size <= LARGEST:
                    yield archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        yield data
