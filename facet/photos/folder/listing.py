"""List the photos of a job: those of a folder, a zip, a list of paths, or one file; and name their results."""

import dataclasses
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from facet.base.errors import InputError
from facet.base.junk import is_junk
from facet.sources.tree import Zip, read_regular

EXTENSIONS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif",
    ".jp2", ".heic", ".heif", ".hif", ".ppm", ".pgm", ".pnm",
}  # fmt: skip
LISTS = (".txt", ".lst")
RESERVED = (".facet", "contact.html", "manifest.parquet")  # names in the output folder that the job itself uses
PNG_FOR = (".gif", ".jp2", ".ppm", ".pgm", ".pnm")  # formats that edits cannot be written in


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

    Links to files outside the folder are listed and refused. InputError if `path` is missing."""
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
    return Listing(path, (_item(path.name),), 0, lambda name: read_regular(str(path)))


def is_picture(name: str) -> bool:
    """True if the name has the extension of a picture."""
    return PurePosixPath(name).suffix.lower() in EXTENSIONS


def _folder(path: Path) -> Listing:
    items, others = [], 0
    for name, refused in sorted(_walk(path)):
        if is_picture(name):
            items.append(_item(name, refused))
        else:
            others += 1
    return Listing(path, tuple(items), others, lambda name: read_regular(f"{path}{os.sep}{name}"))


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """The names of files below a folder, each with the reason to refuse it or an empty string."""
    real = root.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        inside = os.path.relpath(folder, root)
        for name in files:
            if is_junk(name):
                continue
            relative = name if inside == "." else f"{inside}/{name}".replace(os.sep, "/")
            path = Path(folder, name)
            yield relative, "link_outside" if path.is_symlink() and not _inside(path, real) else ""


def _inside(link: Path, real: Path) -> bool:
    try:
        return link.resolve().is_relative_to(real)
    except (OSError, RuntimeError):  # a link to itself
        return False


def listed_paths(path: Path) -> list[Path]:
    """Read the paths of a list, one per line, absolute or relative to the list's folder."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); expected one path per line") from None
    absolute = (os.path.normpath((path.parent / line.strip()).absolute()) for line in lines if line.strip())
    paths = [Path(one) for one in dict.fromkeys(absolute)]
    if not paths:
        raise InputError(f"{path} lists no photo; expected one path per line")
    return paths


def _listed(path: Path) -> Listing:
    """The photos of a list; results are named relative to the deepest folder that holds them all."""
    paths = listed_paths(path)
    root = Path(os.path.commonpath([one.parent for one in paths]))
    names = {one.relative_to(root).as_posix(): one for one in paths}

    return Listing(path, tuple(_item(name) for name in sorted(names)), 0, lambda name: read_regular(str(names[name])))


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
