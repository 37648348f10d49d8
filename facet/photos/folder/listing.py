"""List the photos of a job: those of a folder, a zip, a list of paths, or one file; and name their results."""

import dataclasses
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from facet.base.errors import InputError
from facet.base.junk import is_junk
from facet.pictures.decode import BadImage
from facet.sources.tree import Zip, first, read_regular

EXTENSIONS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif",
    ".jp2", ".heic", ".heif", ".hif", ".ppm", ".pgm", ".pnm", ".mpo", ".pjpeg", ".pjp", ".jpx", ".jpf", ".j2k",
}  # fmt: skip
LISTS = (".txt", ".lst")
RESERVED = (".facet", "contact.html", "manifest.parquet")  # names in the output folder that the job itself uses
PNG_FOR = (".gif", ".jp2", ".jpx", ".jpf", ".j2k", ".ppm", ".pgm", ".pnm")  # formats that edits cannot be written in
ARCHIVES = {  # how archives begin, and what unpacks them
    b"PK\3\4": "zip", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"\x1f\x8b": "gzip", b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd",
}  # fmt: skip
MOST_BYTES = 2 << 30  # of one photo
URL = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Item:
    """One file to edit."""

    name: str  # relative POSIX path, which the result keeps
    refused: str = ""  # reason to refuse the file without reading it


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of one job."""

    path: Path
    items: tuple[Item, ...]  # sorted by name; unsafe names of a zip come last
    others: int  # number of files that are not pictures, by their names
    read: Callable[[str], bytes]  # for any thread; BadImage if a file cannot be read


def _item(name: str, refused: str = "") -> Item:
    """The item of a file, refused if the manifest or the output folder cannot hold its name."""
    printable = name.encode("utf-8", "replace").decode()
    if printable != name:
        return Item(printable, "name_not_utf8")
    if PurePosixPath(name).parts[:1] and PurePosixPath(name).parts[0] in RESERVED:
        return Item(name, "reserved_name")
    return Item(name, refused)


def listing(path: Path) -> Listing:
    """List the pictures of a folder and its subfolders, a zip, a text file with one path per line, or one picture.

    Links to files outside the folder, linked folders and folders that cannot be entered are listed and refused.
    InputError if `path` is missing, an archive that cannot be opened, or without a photo."""
    found = _listing(path)
    if not found.items:
        others = f" among its {found.others:,} files" if found.others else ""
        raise InputError(f"{path} holds no photo{others}; expected {first(sorted(EXTENSIONS), 100)}")
    return found


def _listing(path: Path) -> Listing:
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InputError(f"{path} is missing; expected a folder of photos, a zip, a list of paths (.txt), or one photo")
    if path.suffix.lower() in LISTS:
        return _listed(path)
    if path.suffix.lower() not in EXTENSIONS and zipfile.is_zipfile(path):
        tree = Zip(path)
        names = [name for name in tree.names if is_picture(name)]
        refused = [Item(name, "unsafe_name") for name in tree.unsafe]
        items = tuple(_item(name) for name in names)
        others = len(tree.names) - len(names) + len(tree.repeated)
        return Listing(path, (*items, *refused), others, tree.read)
    if path.suffix.lower() not in EXTENSIONS:
        _check_no_archive(path)
    return Listing(path, (_item(path.name),), 0, lambda name: read_photo(str(path)))


def _check_no_archive(path: Path) -> None:
    """InputError if a file begins as archives do."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give read permission") from None
    kind = next((kind for begin, kind in ARCHIVES.items() if head.startswith(begin)), None)
    if kind is None and head[257:262] == b"ustar":
        kind = "tar"
    if kind == "zip":
        raise InputError(f"{path} is not a complete zip file; fetch it again")
    if kind is not None:
        raise InputError(f"{path} is an archive ({kind}) that cannot be read in place; unpack it and name the folder")


def read_photo(path: str) -> bytes:
    """The bytes of a photo's file; BadImage if it cannot be read, is no file, or is too large."""
    try:
        return read_regular(path)
    except BadImage as bad:
        if bad.reason != "too_large":
            raise
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise BadImage("too_large", f"over {MOST_BYTES >> 30} GiB")
        return Path(path).read_bytes()
    except OSError as error:
        raise BadImage("unreadable", error.strerror or str(error)) from None


def is_picture(name: str) -> bool:
    """True if the name has the extension of a picture."""
    return PurePosixPath(name).suffix.lower() in EXTENSIONS


def _folder(path: Path) -> Listing:
    items, others = [], 0
    for name, refused in sorted(_walk(path)):
        if is_picture(name) or refused in ("folder_unreadable", "link_folder"):
            items.append(_item(name, refused))
        else:
            others += 1
    return Listing(path, tuple(items), others, lambda name: read_photo(f"{path}{os.sep}{name}"))


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """The names of files below a folder, and of folders that are not entered, each with the reason to refuse it or an
    empty string."""
    real = root.resolve()
    closed: list[str] = []

    def relative(path: str) -> str:
        return os.path.relpath(path, root).replace(os.sep, "/")

    for folder, folders, files in os.walk(root, onerror=lambda error: closed.append(str(error.filename))):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        for name in folders:
            path = Path(folder, name)
            if path.is_symlink() and not _inside(path, real):  # what is inside is listed where it is
                yield relative(f"{folder}{os.sep}{name}"), "link_folder"
        for name in files:
            if is_junk(name):
                continue
            path = Path(folder, name)
            yield (
                relative(f"{folder}{os.sep}{name}"),
                "link_outside" if path.is_symlink() and not _inside(path, real) else "",
            )
    if closed and Path(closed[0]) == root:
        raise InputError(f"{root} cannot be entered; give read permission")
    for folder in closed:
        yield relative(folder), "folder_unreadable"


def _inside(link: Path, real: Path) -> bool:
    try:
        return link.resolve().is_relative_to(real)
    except (OSError, RuntimeError):  # a link to itself
        return False


def listed_paths(path: Path) -> list[Path]:
    """Read the paths of a list, one per line, absolute or relative to the list's folder. Lines that begin with # are
    comments, unless a file has that name. InputError for addresses and NUL bytes, with
    their line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); expected one path per line") from None
    paths: dict[Path, None] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if URL.match(line):
            raise InputError(f"{path}, line {number} is the address {line[:200]}; fetch the photo and list its path")
        if "\0" in line:
            raise InputError(f"{path}, line {number} holds a NUL byte; save the list as UTF-8 text, one path per line")
        name = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", line)) if line[:5].lower() == "file:" else line
        full = Path(os.path.normpath((path.parent / name).absolute()))
        if name and not (name.startswith("#") and not full.exists()):
            paths[full] = None
    if not paths:
        raise InputError(f"{path} lists no photo; expected one path per line")
    return list(paths)


def _listed(path: Path) -> Listing:
    """The photos of a list; results are named relative to the deepest folder that holds them all."""
    paths = listed_paths(path)
    root = Path(os.path.commonpath([one.parent for one in paths]))
    names = {one.relative_to(root).as_posix(): one for one in paths}
    items = tuple(_item(name, "" if os.path.lexists(names[name]) else "missing") for name in sorted(names))
    return Listing(path, items, 0, lambda name: read_photo(str(names[name])))


def outputs(items: tuple[Item, ...], *, lossless: bool) -> dict[str, str]:
    """The path of each item's result: its own name, with the extension of the format it is written in.

    If two would meet, the one that changes its extension takes the old one into its name (`a.gif` -> `a-gif.png`)."""
    extensions = {item.name: _extension(item.name, lossless=lossless) for item in items}
    taken = {name.casefold() for name, extension in extensions.items() if PurePosixPath(name).suffix == extension}
    taken |= {str(folder).casefold() for name in extensions for folder in PurePosixPath(name).parents}
    results = {}
    for name, extension in extensions.items():
        path = PurePosixPath(name)
        if path.suffix == extension:
            results[name] = name
            continue
        result, number = str(path.with_suffix(extension)), 0
        while result.casefold() in taken:
            number += 1
            suffix = f"-{number}" if number > 1 else ""
            result = str(path.with_name(f"{path.stem}-{path.suffix[1:]}{suffix}{extension}"))
        taken.add(result.casefold())
        results[name] = result
    return results


def _extension(name: str, *, lossless: bool) -> str:
    """The extension of a photo's result."""
    suffix = PurePosixPath(name).suffix
    if lossless:
        return suffix if suffix.lower() == ".png" else ".png"
    return ".png" if suffix.lower() in PNG_FOR else suffix
