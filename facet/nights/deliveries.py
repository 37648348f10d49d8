"""Deliveries of the drop folder: which there are, if their labels fit the data set, and what each photo is worth."""

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from facet.base.errors import InputError
from facet.base.progress import progress
from facet.base.threads import in_order, worker_count
from facet.nights.intake_report import IntakeReport
from facet.pictures.decode import BadImage, decode
from facet.sources import celeba, folder
from facet.sources.labels import Listing
from facet.sources.shards import Schema
from facet.sources.tree import Tree, is_image, open_tree

STAYS = "the photos that came with it stay in the drop folder"


@dataclasses.dataclass(frozen=True, eq=False)
class Delivery:
    """Photos that came with one table of labels."""

    name: str  # "" for the drop folder itself
    path: Path
    listing: Listing
    tree: Tree


@dataclasses.dataclass
class DeliveredPhoto:
    """One photo of a delivery: its row of labels, its hash and what is wrong with it."""

    delivery: Delivery
    index: int  # row of the delivery's table; -1 for a file that is no photo
    member: str
    digest: str = ""
    problem: str = ""

    @property
    def origin(self) -> str:
        """Its path below the drop folder."""
        return "/".join(filter(None, (self.delivery.name, self.member)))


def delivery_paths(drop: Path, report: IntakeReport) -> list[Path]:
    """The deliveries: folders and zips of the drop folder, and the drop folder itself if labels lie at its top. Photos
    at its top without labels are refused in `report`."""
    top = []
    for path in sorted(drop.iterdir()):
        if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in path.name):  # control, or no UTF-8
            report.refused[ascii(path.name)] = "its name has characters that cannot be written down; rename it"
        elif not path.name.startswith("."):
            top.append(path)
    if celeba.is_at(drop):
        return [drop]
    inner = [path for path in top if path.suffix.lower() == ".zip" or path.is_dir()]
    if any(path.is_file() and path.name in folder.TABLES for path in top):
        return [drop, *(path for path in inner if path.is_file() or _has_labels(path))]
    loose = [path for path in top if path.is_file() and is_image(path.name)]
    if loose:
        report.refused[drop.name] = (
            f"{len(loose)} photos at its top, {loose[0].name} among them, have no {' or '.join(folder.TABLES)}; add "
            "one, or move them into a folder with theirs"
        )
    return inner


def _has_labels(path: Path) -> bool:
    """True if a folder is a delivery of its own."""
    return celeba.is_at(path) or any((path / name).is_file() for name in folder.TABLES)


def open_delivery(
    drop: Path, path: Path, schema: Schema | None, report: IntakeReport, *, settle: float
) -> Delivery | None:
    """A delivery whose labels can be used, else None with the reason in `report`."""
    name = "" if path == drop else path.name
    if not _has_files(path):
        return None
    if time.time() - _last_change(path) < settle:
        report.arriving.append(name or drop.name)
        return None
    try:
        listing = celeba.read(path) if path.is_dir() and celeba.is_at(path) else folder.read(path)
        if path == drop:  # without the photos of deliveries inside it
            apart = tuple(f"{one.name}/" for one in path.iterdir() if one.is_dir() and _has_labels(one))
            mine = ~listing.table["member"].str.startswith(apart) if apart and not celeba.is_at(path) else slice(None)
            listing = dataclasses.replace(listing, table=listing.table[mine].reset_index(drop=True))
        delivery = Delivery(name, path, listing, open_tree(listing.where(path, path)))
    except InputError as error:
        report.refused[name or drop.name] = str(error)
        return None
    except Exception as error:  # a broken delivery of any kind must not hold back the others
        report.refused[name or drop.name] = f"it cannot be read ({type(error).__name__}: {error})"
        return None
    return delivery if schema is None or labels_fit(schema, delivery, report) else None


def labels_fit(schema: Schema, delivery: Delivery, report: IntakeReport) -> bool:
    """True if the labels of a delivery are those of the data set; if not, the reason is in `report`."""
    signs, numbers = set(delivery.listing.attributes), set(delivery.listing.real)
    wrong = sorted((set(schema.attributes) & numbers) | (set(schema.real) & signs))
    why = ""
    if not (signs | numbers) & {*schema.attributes, *schema.real}:
        some = ", ".join(sorted(signs | numbers)[:5]) or "(none)"
        why = f"none of its labels ({some}) is an attribute of the data set; {STAYS}"
    elif wrong:
        why = f"its column {wrong[0]} holds numbers where the data set has signs, or the reverse; {STAYS}"
    if why:
        report.refused[delivery.name or delivery.path.name] = why
    return not why


def _has_files(path: Path) -> bool:
    return path.is_file() or any(file.is_file() for file in path.rglob("*"))


def _last_change(path: Path) -> float:
    """The time at which any file of a delivery last changed."""
    latest = path.stat().st_mtime
    for file in path.rglob("*") if path.is_dir() else ():
        with contextlib.suppress(OSError):  # it was removed meanwhile
            latest = max(latest, file.stat().st_mtime)
    return latest


def examine(drop: Path, deliveries: Sequence[Delivery], workers: int) -> list[DeliveredPhoto]:
    """Every photo with its hash or what is wrong with it, in the order of the deliveries."""
    photos = [
        DeliveredPhoto(delivery, index, member, problem=problem)
        for delivery in deliveries
        for index, (member, problem) in enumerate(
            zip(delivery.listing.table["member"], delivery.listing.table["problem"], strict=True)
        )
    ]
    photos += [
        DeliveredPhoto(delivery, -1, name, problem="no_picture")
        for delivery in deliveries
        for name in _other_files(drop, delivery)
    ]

    def read(photo: DeliveredPhoto) -> DeliveredPhoto:
        try:
            data = photo.delivery.tree.read(photo.member)
            photo.digest = hashlib.sha256(data).hexdigest()
            if not photo.problem:
                decode(data)
        except BadImage as bad:
            photo.problem = photo.problem or str(bad)
        return photo

    examined = in_order(read, photos, worker_count(workers))
    return list(progress(examined, len(photos), "photos"))


def _other_files(drop: Path, delivery: Delivery) -> list[str]:
    """Files of a delivery that are neither photos nor its labels."""
    if delivery.path == drop:  # they stay where they are
        return []
    tables = (*folder.TABLES, *(name + suffix for name in celeba.LISTS for suffix in (".txt", ".csv")))
    known = set(delivery.listing.table["member"])
    return [
        name
        for name in delivery.tree.names
        if name not in known and not is_image(name) and Path(name).name not in tables
    ]
