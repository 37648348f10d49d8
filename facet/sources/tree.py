"""Files of a folder or a zip, read in place and never extracted."""

import os
import stat
import struct
import threading
import weakref
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from facet.base.errors import InputError
from facet.base.junk import in_junk, is_junk
from facet.pictures.decode import BadImage
from facet.sources.handles import Handles

MAX_BYTES = 256 << 20  # largest file; larger ones are not photos
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif", ".jp2")
SMALL = 64 << 10  # bytes of the first read, in which most faces fit
DATASET = "dataset.json"  # marks a folder of shards


class Tree(Protocol):
    """A read-only set of files. `names` are relative POSIX paths in sorted order, without those outside the tree.

    `unsafe` are absolute names and names with `..`; `repeated` are further entries with the same name."""

    path: Path
    names: list[str]
    unsafe: list[str]
    repeated: list[str]

    def read(self, name: str) -> bytes:
        """The bytes of one file, from any thread; BadImage if it cannot be read."""


def open_tree(path: Path) -> Tree:
    """A folder, a zip file or the shards of a data set as a Tree; InputError if it is none of them."""
    if path.is_dir():
        return Shards(path) if (path / DATASET).exists() else Folder(path)
    if path.is_file():
        return Zip(path)
    raise InputError(f"{path} is missing; expected a folder or a zip file")


class Folder:
    """The files below a folder, of which the entries `without` are left out; links to folders are followed once."""

    def __init__(self, path: Path, *, without: Collection[str] = ()):
        self.path = path
        self._prefix = f"{path}{os.sep}"
        self.names = sorted(_walk(path, without))
        self.unsafe: list[str] = []
        self.repeated: list[str] = []

    def read(self, name: str) -> bytes:
        return read_regular(f"{self._prefix}{name}")


def read_regular(path: str) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES; BadImage if it cannot be read or is something else."""
    try:
        # pathlib takes half as long as decoding a small face; without O_NONBLOCK a pipe would wait for a writer
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise BadImage("unreadable", "no regular file")
            data = os.read(file, SMALL)
            if len(data) < SMALL:
                return data
            if os.fstat(file).st_size > MAX_BYTES:
                raise BadImage("too_large", f"over {MAX_BYTES >> 20} MiB")
            with open(file, "rb", closefd=False) as rest:
                return data + rest.read()
        finally:
            os.close(file)
    except OSError as error:
        raise BadImage("unreadable", error.strerror or str(error)) from None


def _walk(path: Path, without: Collection[str]) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(path, onerror=_unreadable, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        if without and not seen:
            folders[:], files = ([name for name in names if name not in without] for names in (folders, files))
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in folders if not is_junk(name)]
        inside = os.path.relpath(folder, path).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:
            if not is_junk(name):
                yield _written(prefix + name, path)


def _unreadable(error: OSError) -> None:
    raise InputError(f"{error.filename} cannot be listed ({error.strerror}); give read permission, or move it away")


def _written(name: str, path: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{path}: the file name {name!r} is not UTF-8, so no table can hold it; rename it") from None
    return name


class Zip:
    """The files of a zip; backslashes in their names are slashes, and those in `junk` are passed over. With `raw` names
    stay as they are and none is passed over. `prefix` counts the bytes before the first file, which may be another zip
    that programs no longer see. Stored and deflated members are read with one `pread` each.

    The file stays open, also when another takes its name; with `handles`, which other zips share, it is opened when it
    is read and must not change."""

    def __init__(self, path: Path, *, raw: bool = False, handles: Handles | None = None):
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            with path.open("rb") as file:
                page = file.read(512).lstrip().lower().startswith((b"<!doctype", b"<html"))
            what = "a web page saved under this name" if page else "not a complete zip file"
            raise InputError(f"{path} is {what} ({error}); fetch it again") from None
        self._lock = threading.Lock()
        self._handles = handles or Handles()
        if handles is None:
            self._handles.read(path, 0, 0)
            weakref.finalize(self, self._handles.close)
        self._index: dict[str, int] = {}  # name -> row of _entries
        infos = self._zip.infolist()
        self.prefix = min((info.header_offset for info in infos), default=0)
        self._entries = np.zeros((len(infos), 5), np.int64)  # offset, packed bytes, bytes, method (-1 encrypted), CRC
        self.unsafe: list[str] = []
        self.repeated: list[str] = []
        self.junk: list[str] = []
        for row, info in enumerate(infos):
            name = info.filename if raw else info.filename.replace("\\", "/")
            if name.endswith("/"):
                continue
            if in_junk(name) and not raw:
                self.junk.append(name)
            elif not is_safe(name):
                self.unsafe.append(name)
            elif name in self._index:
                self.repeated.append(name)
            else:
                method = -1 if info.flag_bits & 1 else info.compress_type
                self._index[name] = row
                self._entries[row] = info.header_offset, info.compress_size, info.file_size, method, info.CRC
        self.names = sorted(self._index)
        self._zip.close()  # only the index is needed; ZipInfo objects take much memory
        del self._zip, infos

    def read(self, name: str) -> bytes:
        if name not in self._index:
            raise BadImage("unreadable", "no longer in the zip")
        offset, packed, length, method, crc = self._entries[self._index[name]].tolist()
        if length > MAX_BYTES:
            raise BadImage("too_large", f"over {MAX_BYTES >> 20} MiB")
        if method == -1:
            raise BadImage("unreadable", "encrypted in the zip")
        try:
            if method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                data = self._raw(offset, packed, len(name.encode()))
                if method == zipfile.ZIP_DEFLATED:
                    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, length + 1)
            else:
                with self._lock, zipfile.ZipFile(self.path) as archive:
                    data = archive.read(archive.infolist()[self._index[name]])
        except (OSError, zlib.error, zipfile.BadZipFile, NotImplementedError, struct.error, RuntimeError) as error:
            raise BadImage("unreadable", f"damaged in the zip ({error})") from None
        if len(data) != length or zlib.crc32(data) != crc:
            raise BadImage("unreadable", "damaged in the zip (its checksum differs)")
        return data

    def _raw(self, offset: int, packed: int, name_bytes: int) -> bytes:
        guess = 30 + name_bytes + 64  # the local header with an ordinary extra field
        block = self._handles.read(self.path, guess + packed, offset)
        if block[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no file header where the index says")
        name_length, extra_length = struct.unpack_from("<HH", block, 26)
        begin = 30 + name_length + extra_length
        if begin + packed > len(block):
            return self._handles.read(self.path, packed, offset + begin)
        return block[begin : begin + packed]


class Part:
    """Some files of a tree: those below the folder `inside`, without those below the folders `without` of it. Names
    that are `gone` are listed and cannot be read."""

    def __init__(self, tree: Tree, inside: str = "", *, without: Collection[str] = (), gone: Collection[str] = ()):
        self.path = tree.path / inside
        self._tree = tree
        self._prefix = f"{inside}/" if inside else ""
        apart = tuple(f"{self._prefix}{name}/" for name in without)

        def mine(names: list[str]) -> list[str]:
            chosen = (name for name in names if name.startswith(self._prefix) and not name.startswith(apart))
            return [name.removeprefix(self._prefix) for name in chosen]

        self.names = sorted({*mine(tree.names), *gone})
        self.unsafe = [] if inside else tree.unsafe
        self.repeated = mine(tree.repeated)

    def read(self, name: str) -> bytes:
        return self._tree.read(f"{self._prefix}{name}")


class Shards:
    """The files of all zips of a growing data set, as `<zip>/<member>` (facet/sources/shards.py)."""

    def __init__(self, path: Path):
        self.path = path
        handles = Handles()
        self._zips = {shard.name: Zip(shard, raw=True, handles=handles) for shard in shard_paths(path)}
        weakref.finalize(self, handles.close)
        self.names = [f"{name}/{member}" for name, tree in self._zips.items() for member in tree.names]
        self.unsafe: list[str] = []
        self.repeated: list[str] = []

    def read(self, name: str) -> bytes:
        shard, _, member = name.partition("/")
        if shard not in self._zips:
            raise BadImage("unreadable", f"{shard} is no longer there")
        return self._zips[shard].read(member)


def shard_paths(root: Path) -> list[Path]:
    """The zips of a growing data set, sorted by name."""
    return sorted(path for path in root.glob("*.zip") if not is_junk(path.name))


def is_safe(name: str) -> bool:
    """Return True if unpacking a member of this name would stay inside the target folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    return not (path.is_absolute() or ".." in path.parts or name[1:2] == ":" or "\0" in name)


def is_image(name: str) -> bool:
    """Return True if a file name has the suffix of a picture."""
    return name.lower().endswith(IMAGES)


def first(names: Iterable[str], some: int = 3) -> str:
    """The first names of many, for a message."""
    few = list(names)
    return ", ".join(few[:some]) + (f" and {len(few) - some:,} more" if len(few) > some else "")
