"""What there is to edit: the photographs of a folder, a zip, a list of paths, or one file."""

import dataclasses
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from facet.base.errors import InputError
from facet.sources.tree import Zip, read_regular

EXTENSIONS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif",
    ".jp2", ".heic", ".heif", ".hif", ".ppm", ".pgm", ".pnm",
}  # fmt: skip
LISTS = (".txt", ".lst")
RESERVED = (".facet", "contact.html", "manifest.parquet")  # names in OUT that are the job's own


@dataclasses.dataclass(frozen=True)
class Item:
    """One file to edit: its name, a relative POSIX path that the result keeps, and what refuses it unread."""

    name: str
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of one job, in the order of their names. `others` counts files that are no pictures by their name."""

    path: Path
    items: tuple[Item, ...]
    others: int
    read: Callable[[str], bytes]  # from any thread; BadImage where a file cannot be read


def _item(name: str, refused: str = "") -> Item:
    """A file by a name that tables and OUT can hold, or refused."""
    printable = name.encode("utf-8", "replace").decode()
    if printable != name:
        return Item(printable, "name_not_utf8")
    if PurePosixPath(name).parts[:1] and PurePosixPath(name).parts[0] in RESERVED:
        return Item(name, "reserved_name")
    return Item(name, refused)


def listing(path: Path) -> Listing:
    """The pictures of a folder (nested as it likes), a zip, a text file with one path a line, or one picture.

    Links that lead out of a folder are listed and refused. InputError where there is nothing."""
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
    """Names of files below a folder, and why one is refused."""
    real = root.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(folder, root)
        for name in files:
            if name.startswith("._"):  # what macOS keeps beside a file on foreign disks
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
    """The paths of a list, one a line, absolute or from the list's folder."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 ({error}); expected one path a line") from None
    found = (os.path.normpath((path.parent / line.strip()).absolute()) for line in lines if line.strip())
    paths = [Path(one) for one in dict.fromkeys(found)]
    if not paths:
        raise InputError(f"{path} lists no photo; expected one path a line")
    return paths


def _listed(path: Path) -> Listing:
    """The photos of a list; results take the names below the deepest folder of all."""
    paths = listed_paths(path)
    root = Path(os.path.commonpath([one.parent for one in paths]))
    names = {one.relative_to(root).as_posix(): one for one in paths}

    return Listing(path, tuple(_item(name) for name in sorted(names)), 0, lambda name: read_regular(str(names[name])))


def outputs(items: tuple[Item, ...], extension: Callable[[str], str]) -> dict[str, str]:
    """Where each item's result goes: its own name, with the extension that `extension` gives it; of two that would
    meet, the one that changes its extension takes the old one into its name (`a.gif` -> `a-gif.png`)."""
    wanted = {item.name: extension(item.name) for item in items}
    taken = {name.casefold() for name, new in wanted.items() if PurePosixPath(name).suffix == new}
    taken |= {str(folder).casefold() for name in wanted for folder in PurePosixPath(name).parents}
    found = {}
    for name, new in wanted.items():
        path = PurePosixPath(name)
        if path.suffix == new:
            found[name] = name
            continue
        place, more = str(path.with_suffix(new)), 0
        while place.casefold() in taken:
            more += 1
            place = str(path.with_name(f"{path.stem}-{path.suffix[1:]}{f'-{more}' if more > 1 else ''}{new}"))
        taken.add(place.casefold())
        found[name] = place
    return found
