"""Deliveries: photos that came with one table of labels, if they can be used, and what each photo is worth."""

import contextlib
import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from facet.base.errors import InputError
from facet.base.junk import is_cache
from facet.base.progress import progress
from facet.base.threads import in_order, worker_count
from facet.nights import drop_folder
from facet.nights.intake_report import IntakeReport
from facet.nights.leaving import Stamp, Taken, stamp
from facet.nights.unfinished import why_waiting
from facet.pictures.decode import BadImage, decode
from facet.sources import celeba, folder
from facet.sources.labels import PROBLEMS, Listing
from facet.sources.shards import Schema
from facet.sources.tree import Folder, Part, Tree, Zip, first, is_image, open_tree

STAYS = "the photos that came with it stay in the drop folder"
UNREAD = "unread_format"  # problem of photos and archives in formats that are not read


@dataclasses.dataclass(frozen=True, eq=False)
class Delivery:
    """Photos that came with one table of labels."""

    name: str  # its path below the drop folder, "" for the drop folder itself
    listing: Listing
    tree: Tree  # the photos
    container: Path  # folder or zip of the photos
    tables: Mapping[str, bytes]  # tables of its labels, by their paths below the drop folder
    files: Mapping[Path, Stamp]  # those of them that are files of their own
    taken: Mapping[str, str]  # photos that left the drop folder in earlier nights, and their hashes
    state: Stamp | None  # of the zip of its photos before it was opened
    whole: bool  # False if that zip holds more than photos and their labels

    @property
    def zip(self) -> Path | None:
        """The zip of its photos; None if they are files of their own."""
        return self.container if self.container.is_file() else None

    @property
    def prefix(self) -> str:
        """The folder of its photos in a shard."""
        top, _, inside = self.name.partition("/")
        return "/".join(filter(None, (top[:-4] if top.lower().endswith(".zip") else top, inside)))

    @property
    def unmatched(self) -> int:
        """Number of rows of labels without a photo."""
        return int(self.listing.notes.get("label_rows_without_picture", 0))


@dataclasses.dataclass
class DeliveredPhoto:
    """One photo of a delivery: its row of labels, its hash and what is wrong with it."""

    delivery: Delivery
    index: int  # row of the delivery's table; -1 for a file that is no photo
    member: str
    digest: str = ""  # "" if its bytes cannot be read
    problem: str = ""
    before: bool = False  # it left the drop folder in an earlier night, and its labels are still there
    state: Stamp | None = None  # of its file before it was read

    @property
    def origin(self) -> str:
        """Its path below the drop folder."""
        return "/".join(filter(None, (self.delivery.name, self.member)))

    def read(self) -> bytes:
        """Its bytes; InputError if they are not those that were examined."""
        with contextlib.suppress(BadImage):
            data = self.delivery.tree.read(self.member)
            if hashlib.sha256(data).hexdigest() == self.digest:
                return data
        raise InputError(f"{self.origin} changed while it was taken in; run it again")

    @property
    def is_bad(self) -> bool:
        """True for one of tonight's files that cannot be taken in."""
        return bool(self.problem) and not self.before


def open_deliveries(
    drop: Path, schema: Schema | None, report: IntakeReport, *, settle: float | None, taken: Taken
) -> list[Delivery]:
    """The deliveries whose labels can be used, sorted by name; `report` has the reasons of the others. `taken` are the
    photos that left the drop folder before their tables; `settle` is None if it does not matter when files changed."""
    top = drop_folder.entries(drop, report)
    found: list[Delivery] = []
    own = {*top.own}
    for path in top.places:
        opened = _open(drop, path, report, settle=settle, taken=taken, alone=not top.labelled)
        if opened is None:
            own.add(path.name)
        else:
            found += opened
    if top.labelled:
        found += _open(drop, drop, report, settle=settle, taken=taken, own=own) or []
    found.sort(key=lambda delivery: delivery.name)
    return found if schema is None else fitting(schema, found, report)


def fitting(schema: Schema, deliveries: Sequence[Delivery], report: IntakeReport) -> list[Delivery]:
    """The deliveries whose labels are those of the data set; the reasons of the others are in `report`. A zip is taken
    in as a whole or not at all."""
    wrong = {delivery: why for delivery in deliveries if (why := _misfit(schema, delivery.listing))}
    report.refused |= {delivery.name or report.drop_name: why for delivery, why in wrong.items()}
    containers = {delivery.container for delivery in wrong if delivery.zip}
    return [one for one in deliveries if one not in wrong and one.container not in containers]


def _misfit(schema: Schema, listing: Listing) -> str:
    """Why labels are not those of the data set; an empty string if they are."""
    signs, numbers = set(listing.attributes), set(listing.real)
    wrong = sorted((set(schema.attributes) & numbers) | (set(schema.real) & signs))
    words = sorted({*schema.attributes, *schema.real} & {*listing.notes.get("columns_of_words_left_out", ())})
    if words:
        return f"its column {words[0]} holds words where the data set has signs or numbers; {STAYS}"
    if not (signs | numbers) & {*schema.attributes, *schema.real}:
        some = ", ".join(sorted(signs | numbers)[:5]) or "(none)"
        return f"none of its labels ({some}) is an attribute of the data set; {STAYS}"
    if wrong:
        return f"its column {wrong[0]} holds numbers where the data set has signs, or the reverse; {STAYS}"
    return ""


def _open(
    drop: Path,
    path: Path,
    report: IntakeReport,
    *,
    settle: float | None,
    taken: Taken,
    alone: bool = True,
    own: Collection[str] = (),
) -> list[Delivery] | None:
    """The deliveries in a folder or a zip, or in the entries `own` of the drop folder. None for a folder without a
    table at its top that is not `alone`: it belongs to the delivery of the drop folder itself."""
    name = "" if path == drop else path.name
    tree: Tree | None = None
    problem = ""
    try:
        state = stamp(path)
        without = {one.name for one in path.iterdir()} - {*own} if own else ()
        tree = Zip(path) if path.is_file() else Folder(path, without=without)
    except InputError as error:  # a zip may still be arriving
        problem = str(error)
    except Exception as error:  # a broken delivery of any kind must not hold back the others
        problem = f"it cannot be read ({type(error).__name__}: {error})"
    roots = drop_folder.tables(tree.names) if tree else {}
    if tree and "" not in roots and not alone and path.is_dir():
        return None
    arriving, why = why_waiting(path, settle=settle, own=own)
    if tree and not tree.names and not why and path.is_dir():
        return []
    if arriving:
        report.arriving.append(name or report.drop_name)
    elif why or problem or not tree:
        report.refused[name or report.drop_name] = why or problem
    else:
        return _parts(drop, path, tree, state, roots, report, taken)
    return []


def _parts(
    drop: Path,
    path: Path,
    tree: Tree,
    state: Stamp,
    roots: Mapping[str, Sequence[str]],
    report: IntakeReport,
    taken: Taken,
) -> list[Delivery]:
    """The deliveries of an open folder or zip: every table has the photos in its folder, a single one has them all."""
    found = []
    refused: dict[str, str] = {}
    for root, tables in (roots or {"": ()}).items():
        inside = root if len(roots) > 1 or (_is_published(tables) and path.is_dir()) else ""
        others = tuple(other for other in roots if other != root)
        place = Place(drop, path, tree, state, inside, tuple(tables), others)
        try:
            found.append(place.read(taken.get(place.name, {})))
        except InputError as error:
            refused[place.name or report.drop_name] = f"{error}{_hint(tree)}"
        except Exception as error:  # a broken delivery of any kind must not hold back the others
            refused[place.name or report.drop_name] = f"it cannot be read ({type(error).__name__}: {error})"
    rest = [name for name in tree.names if not any(_is_below(name, root) for root in roots)] if len(roots) > 1 else []
    photos = [name for name in rest if is_image(name)]
    if photos or (rest and path.is_dir()):
        what = f"{len(photos):,} photos" if photos else f"{len(rest):,} files"
        refused[path.name] = f"{what} lie below no table: {first(photos or rest)}; add one, or move them"
    if not refused or path.is_dir():
        report.refused |= refused
        return found
    report.refused[path.name] = "; ".join(refused.values())
    return []


@dataclasses.dataclass(frozen=True)
class Place:
    """The folder of one table, in a delivery that may have several."""

    drop: Path
    path: Path  # the folder or zip in the drop folder, or that itself
    tree: Tree  # all its files
    state: Stamp  # before it was opened
    inside: str  # the folder in it; "" is all of it
    tables: tuple[str, ...]  # paths of its tables in the tree
    others: tuple[str, ...]  # folders of other tables

    @property
    def name(self) -> str:
        """Its path below the drop folder."""
        return self._named(self.inside)

    def _named(self, inside: str) -> str:
        return "/".join(filter(None, ("" if self.path == self.drop else self.path.name, inside)))

    def read(self, taken: Mapping[str, str]) -> Delivery:
        """The delivery; InputError if its labels cannot be used."""
        published = _is_published(self.tables)
        if published and any(drop_folder.is_labels(PurePosixPath(table).name) for table in self.tables):
            raise InputError(f"{self.name or self.drop} has tables of two kinds, {first(self.tables)}; keep one kind")
        root = self.path / self.inside if self.path.is_dir() else self.path
        files = {self.path / table: stamp(self.path / table) for table in self.tables if self.path.is_dir()}
        opened: dict[Path, tuple[Tree, Stamp]] = {}

        def opener(path: Path, gone: Collection[str]) -> Tree:
            if path not in opened:
                state = self.state if path == root else stamp(path)
                own = path == root
                opened[path] = Part(self.tree, self.inside, without=self._nested()) if own else open_tree(path), state
            return Part(opened[path][0], gone=gone)

        def listed(gone: Collection[str]) -> Listing:
            return (celeba if published else folder).read(root, opener=functools.partial(opener, gone=gone))

        listing = self._with_taken(listed, taken) if taken else listed(())
        container = listing.where(root, root)
        photos, state = opened[container]
        tables = [table for table in self.tables if not table.endswith(drop_folder.KAGGLE)]
        data = {self._named(table): self.tree.read(table) for table in tables}
        if container.name == drop_folder.KAGGLE:
            data |= {
                self._named(f"{drop_folder.KAGGLE}/{name}"): photos.read(name)
                for name in photos.names
                if PurePosixPath(name).name in drop_folder.LISTS
            }
        there = {*photos.names}
        members = {*listing.table["member"]}
        return Delivery(
            name=self.name,
            listing=listing,
            tree=photos,
            container=container,
            tables=data,
            files={path: state for path, state in files.items() if path != container},
            taken={member: digest for member, digest in taken.items() if member in members - there},
            state=state if container.is_file() else None,
            whole=self._is_whole(container),
        )

    def _with_taken(self, listed: Callable[[Collection[str]], Listing], taken: Collection[str]) -> Listing:
        """The listing with those photos that left before for which the table still has a row."""
        try:
            table = listed(taken).table
        except InputError:  # it may be another table by now
            return listed(())
        return listed(set(taken) & set(table["member"][table["problem"] == ""]))

    def _nested(self) -> list[str]:
        """The folders of other tables in this one, relative to it."""
        prefix = f"{self.inside}/" if self.inside else ""
        return [other.removeprefix(prefix) for other in self.others if other.startswith(prefix) and other]

    def _is_whole(self, container: Path) -> bool:
        if not container.is_file():
            return True
        archive = self.tree if container == self.path else open_tree(container)
        assert isinstance(archive, Zip)
        passed = [name for name in archive.junk if not any(map(is_cache, name.split("/")))]
        roots = [*self.others, self.inside] if self.others and container == self.path else [""]
        rest = [name for name in archive.names if not any(_is_below(name, root) for root in roots)]
        return not (archive.prefix or archive.unsafe or archive.repeated or passed or rest)


def _is_published(tables: Sequence[str]) -> bool:
    """True for the tables of CelebA's layout."""
    return any(PurePosixPath(table).name in (*drop_folder.LISTS, drop_folder.KAGGLE) for table in tables)


def _is_below(name: str, root: str) -> bool:
    return not root or name.startswith(f"{root}/")


def _hint(tree: Tree) -> str:
    """What to do about photos and archives that are not read, for the message about a delivery without others."""
    unread = drop_folder.foreign(name for name in tree.names if drop_folder.why_foreign(name))
    unsafe = f". {first(tree.unsafe)}: {PROBLEMS['unsafe_name']}; pack it with relative names" if tree.unsafe else ""
    return "".join(f". {name}: {why}" for name, why in unread) + unsafe


def examine(deliveries: Sequence[Delivery], workers: int) -> list[DeliveredPhoto]:
    """Every photo with its hash or what is wrong with it, in the order of the deliveries."""
    photos = [
        DeliveredPhoto(delivery, index, member, problem=problem)
        for delivery in deliveries
        for index, (member, problem) in enumerate(
            zip(delivery.listing.table["member"], delivery.listing.table["problem"], strict=True)
        )
    ]
    photos += [photo for delivery in deliveries for photo in _other_files(delivery)]
    examined = in_order(_examined, photos, worker_count(workers))
    return list(progress(examined, len(photos), "photos"))


def _examined(photo: DeliveredPhoto) -> DeliveredPhoto:
    """A photo with its hash and its problem; without a hash if its own bytes cannot be read."""
    delivery = photo.delivery
    if photo.member in delivery.taken:
        photo.digest, photo.before = delivery.taken[photo.member], True
        return photo
    if photo.problem in (UNREAD, "unsafe_name") or (photo.problem and photo.member in delivery.tree.repeated):
        return photo
    try:
        if not delivery.zip:
            photo.state = _stamp(delivery.container, photo.member)
        data = delivery.tree.read(photo.member)
        photo.digest = hashlib.sha256(data).hexdigest()
        if not photo.problem:
            decode(data)
    except BadImage as bad:
        photo.problem = photo.problem or str(bad)
    return photo


def _stamp(container: Path, member: str) -> Stamp | None:
    try:
        return stamp(f"{container}{os.sep}{member}")
    except OSError:  # removed meanwhile; reading it says so
        return None


def _other_files(delivery: Delivery) -> list[DeliveredPhoto]:
    """Files of a delivery that are neither photos nor its labels."""
    known = set(delivery.listing.table["member"])
    tables = {PurePosixPath(table).name for table in delivery.tables}
    names = [name for name in delivery.tree.names if name not in known and PurePosixPath(name).name not in tables]
    unread = [name for name in names if drop_folder.why_foreign(name)]
    others = [name for name in names if not drop_folder.why_foreign(name) and not is_image(name)]
    if not delivery.name:  # beside the deliveries of the drop folder they stay where they are
        others = []
    return [
        *(DeliveredPhoto(delivery, -1, name, problem=UNREAD) for name in unread),
        *(DeliveredPhoto(delivery, -1, name, problem="no_picture") for name in others),
    ]
