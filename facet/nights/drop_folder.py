"""The drop folder: which deliveries lie in it, where their tables are, and what else lies around."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from facet.base.junk import is_junk
from facet.nights.intake_report import IntakeReport
from facet.nights.leaving import LEAVING, TAKEN
from facet.nights.unfinished import why_unfinished
from facet.sources import celeba, folder
from facet.sources.tree import first, is_image

LISTS = tuple(f"{name}{suffix}" for name in celeba.LISTS for suffix in (".txt", ".csv"))
ATTRIBUTES = LISTS[:2]  # the lists without which the others say nothing
KAGGLE = "archive.zip"  # photos and lists in one
CELEBA_FOLDERS = tuple(sorted((name for name in celeba.INSIDE if name), key=len, reverse=True))
PUBLISHED = ("Anno", "Eval", "Img", "img_align_celeba", "img_align_celeba.zip", KAGGLE)  # right in the drop folder

# Photos and archives that are not read: whoever sent them can send them in another form.
FOREIGN = {
    "a photo in a format that is not read: convert it to JPEG or PNG": (
        ".heic", ".heif", ".hif", ".jpe", ".jfif", ".apng", ".dib", ".pnm", ".jxl", ".psd", ".svg", ".raw", ".dng",
        ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".mpo",
    ),
    "an archive that is not read: unpack it, or put it into the drop folder as a .zip": (
        ".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar", ".zipx", ".001",
        ".z01", ".iso",
    ),
}  # fmt: skip
SHEETS = (".csv", ".tsv", ".txt", ".parquet", ".xls", ".xlsx", ".ods", ".numbers", ".json")
TABLE = "a table that is not read: save it as labels.csv in the folder of its photos"
OTHER = "neither photo nor labels: move it into a delivery, or away"


@dataclasses.dataclass(frozen=True)
class Top:
    """The entries of the drop folder."""

    places: tuple[Path, ...]  # folders and zips, each with one delivery or several
    labelled: bool  # labels lie right in the drop folder, which then is a delivery itself
    own: tuple[str, ...]  # names of the entries that belong to that delivery


def entries(drop: Path, report: IntakeReport) -> Top:
    """Sort the entries of the drop folder. What is no part of any delivery is refused in `report`."""
    top = []
    unfinished: dict[str, str] = {}
    for path in sorted(drop.iterdir()):
        odd = any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in path.name)  # control, or no UTF-8
        if path.name.startswith((LEAVING, TAKEN, f".{LEAVING}.", f".{TAKEN}.")):
            continue
        if why := why_unfinished(path.name):
            unfinished[ascii(path.name) if odd else path.name] = f"it {why}"
        elif is_junk(path.name):
            continue
        elif odd:
            report.refused[ascii(path.name)] = "its name has characters that cannot be written down; rename it"
        elif path.is_file() or path.is_dir():
            top.append(path)
        else:
            report.refused[path.name] = "it is neither a file nor a folder (a link to nothing, or a pipe); remove it"
    files = {path.name for path in top if path.is_file()}
    published = bool(files & {*ATTRIBUTES}) or any((drop / "Anno" / name).is_file() for name in ATTRIBUTES)
    parts = {path.name for path in top if published and path.name in PUBLISHED}
    tabled = {name for name in files if is_labels(name)}
    labelled = published or bool(tabled)
    zips = {name for name in files - parts if name.lower().endswith(".zip")}
    photos = {name for name in files if is_image(name)}
    own = photos | parts | tabled | files & {*LISTS}
    report.refused |= dict(foreign(sorted(files - own - zips)))
    if labelled:  # an upload that is no archive is one of its photos, or its table
        arriving = {name for name in unfinished if not (".zip" in name.lower() or why_foreign(Path(name).stem))}
        own |= arriving
        unfinished = {name: why for name, why in unfinished.items() if name not in arriving}
    elif photos:
        report.refused[report.drop_name] = (
            f"{len(photos):,} photos at its top, {min(photos)} among them, have no {' or '.join(folder.TABLES)}; add "
            "one, or move them into a folder with theirs"
        )
    report.refused |= unfinished
    places = tuple(path for path in top if path.name in zips or (path.is_dir() and path.name not in parts))
    return Top(places, labelled, tuple(sorted(own)))


def foreign(names: Iterable[str]) -> list[tuple[str, str]]:
    """The first file of every kind that is not read, with what to do about it and the number of others."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        kinds.setdefault(why_foreign(name) or (TABLE if suffix in SHEETS else OTHER), []).append(name)
    return [(found[0], f"it is {why}{_and_more(found)}") for why, found in kinds.items()]


def _and_more(names: list[str]) -> str:
    return f" (and so for {first(names[1:])})" if len(names) > 1 else ""


def why_foreign(name: str) -> str:
    """What a photo or an archive is that is not read, by its name; an empty string for other files."""
    suffix = PurePosixPath(name).suffix.lower()
    return next((why for why, suffixes in FOREIGN.items() if suffix in suffixes), "")


def tables(names: Iterable[str]) -> dict[str, list[str]]:
    """The folders that tables belong to, each with the paths of its tables; "" is the delivery itself."""
    found: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if is_labels(path.name):
            found.setdefault(_folder(path), []).append(name)
        elif path.name in LISTS or path.name == KAGGLE:
            found.setdefault(_published(_folder(path)), []).append(name)
    if any(is_table(path) for paths in found.values() for path in paths):  # then a zip beside them is only a zip
        found = {root: [path for path in paths if not path.endswith(KAGGLE)] for root, paths in found.items()}
        return {root: paths for root, paths in found.items() if any(map(is_table, paths))}
    return {root: paths for root, paths in found.items() if any(path.endswith(KAGGLE) for path in paths)}


def is_labels(name: str) -> bool:
    """True for the name of a table of labels (facet/sources/folder.py), without its path."""
    return name.lower() in folder.TABLES


def is_table(name: str) -> bool:
    """True for a table that says by itself what is on photos."""
    return is_labels(PurePosixPath(name).name) or PurePosixPath(name).name in ATTRIBUTES


def _folder(path: PurePosixPath) -> str:
    return "" if str(path.parent) == "." else str(path.parent)


def _published(inside: str) -> str:
    """The folder of a data set in CelebA's layout whose lists are in the folder `inside`."""
    for name in CELEBA_FOLDERS:
        if inside == name:
            return ""
        if inside.endswith(f"/{name}"):
            return inside.removesuffix(f"/{name}")
    return inside
