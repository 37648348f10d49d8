"""Takes new pictures into a data set that grows: what arrived in a drop folder becomes one more shard.

Every picture is looked at before: its labels, its bytes, whether it is there already. What is good goes into a new zip
with the split of its person; what is bad goes to quarantine with a reason; nothing is lost: files leave the drop folder
only when they are safe elsewhere. A table of labels that cannot be read holds back its own batch alone."""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import logging
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facet.base.errors import InputError
from facet.base.files import replacing, to_disk, write_json
from facet.base.progress import progress
from facet.base.tables import SPLITS
from facet.base.threads import in_order, worker_count
from facet.pictures.decode import BadImage, decode
from facet.sources import celeba, folder, shards
from facet.sources.labels import Listing, write_labels
from facet.sources.shards import LABELS, Schema
from facet.sources.store import write_zip
from facet.sources.tree import DATASET, Tree, is_image, open_tree

log = logging.getLogger(__name__)

REASONS = "reasons.csv"  # of a night's quarantine
NOTHING = "nothing arrived"
SOME = 20
LEAVING = ".leaving.json"  # in the drop folder: what is being taken out of it
MOVED = "the pictures that came with it wait in the drop folder"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Where arrivals come from, where they go, and how people are split at the first arrival."""

    drop: Path
    root: Path  # the data set
    quarantine: Path
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 1
    settle: float = 60.0  # seconds for which nothing of a batch may have changed: it may still be arriving
    keep: bool = False  # leave what arrived where it is: an archive, not a drop folder
    look: bool = False  # change nothing: only say what would become of the arrivals
    workers: int = 0


@dataclasses.dataclass
class Intake:
    """What became of a night's arrivals."""

    shard: str = ""  # the new zip, "" where nothing new was good
    taken: int = 0
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    people: int = 0  # new ones
    duplicates: int = 0  # bytes that the data set has already; taken out of the drop folder
    kept_split: int = 0  # pictures that asked for another split than their person is in
    quarantined: dict[str, int] = dataclasses.field(default_factory=dict)  # by reason
    refused: dict[str, str] = dataclasses.field(default_factory=dict)  # batch -> why it waits
    arriving: list[str] = dataclasses.field(default_factory=list)  # batches that changed a moment ago
    unknown: list[str] = dataclasses.field(default_factory=list)  # attributes that the data set does not have
    unmatched: int = 0  # rows of labels that name no picture that came
    absent: str = ""  # the first of those names
    bad_ones: list[str] = dataclasses.field(default_factory=list)  # the first SOME in quarantine, with their reasons
    where: str = ""  # the drop folder

    @property
    def bad(self) -> int:
        """Pictures in quarantine."""
        return sum(self.quarantined.values())

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return "; ".join(self.lines())

    def lines(self) -> list[str]:
        """All that is to be told of a night's arrivals."""
        if not (self.taken or self.duplicates or self.bad or self.refused or self.arriving):
            return [f"{NOTHING} in {self.where}" if self.where else NOTHING]
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.quarantined.items()))
        parts = [
            f"{self.taken:,} pictures taken in" + (f" as {self.shard}" if self.shard else ""),
            f"{self.duplicates:,} there already" if self.duplicates else "",
            f"{self.bad:,} quarantined ({reasons})" if self.bad else "",
            f"{self.kept_split:,} stay in the split of their person" if self.kept_split else "",
            f"{self.unmatched:,} names of labels without a picture ({self.absent})" if self.unmatched else "",
            f"left out, as the data set does not have it: {', '.join(self.unknown)}" if self.unknown else "",
            f"still arriving: {', '.join(self.arriving)}" if self.arriving else "",
            *(f"refused {batch}: {why}" for batch, why in self.refused.items()),
        ]
        return [part for part in parts if part]


@dataclasses.dataclass(frozen=True, eq=False)
class _Batch:
    """Pictures that came with one table of labels."""

    name: str  # "" for the drop folder itself
    path: Path
    listing: Listing
    tree: Tree


@dataclasses.dataclass
class _Picture:
    """One arrival: its row of labels, and what is found."""

    batch: _Batch
    index: int
    member: str
    digest: str = ""
    problem: str = ""

    @property
    def origin(self) -> str:
        """Where it lies below the drop folder."""
        return "/".join(filter(None, (self.batch.name, self.member)))


def take_in(settings: Settings, night: str) -> Intake:
    """Take in what lies in the drop folder, as the shard `night`. InputError where the folders cannot work.

    May be killed at any time: the next call finds what is in the data set already, and goes on."""
    _check(settings, night)
    found = Intake(where=str(settings.drop))
    if not settings.drop.exists():
        return found
    if not (settings.keep or settings.look):
        _finish_leaving(settings.drop)
    schema = shards.schema_of(settings.root)
    batches = [batch for path in _batch_paths(settings.drop, found) if (batch := _open(settings, path, schema, found))]
    if not batches:
        return found
    if schema is None:
        schema = _first_schema(settings, batches[0].listing)
        batches = [batch for batch in batches if not _misfit(schema, batch, found)]
    known, homes = _known(settings.root)
    pictures = _looked_at(batches, settings)
    good: list[_Picture] = []
    for picture in pictures:
        if not picture.problem and picture.digest in known:
            picture.problem = "duplicate"
            found.duplicates += 1
        elif not picture.problem:
            known.add(picture.digest)
            good.append(picture)
    bad = [picture for picture in pictures if picture.problem not in ("", "duplicate")]
    found.quarantined = dict(Counter(picture.problem.split(":")[0] for picture in bad))
    found.bad_ones = [f"{picture.origin}: {picture.problem}" for picture in bad[:SOME]]
    if bad and not settings.look:
        _set_aside(settings.quarantine / night, bad)
    if good:
        _write_shard(settings, night, schema, good, homes, found)
    asked = {name for batch in batches for name in (*batch.listing.attributes, *batch.listing.real)}
    found.unknown = sorted(asked - {*schema.attributes, *schema.real})
    names = [str(batch.listing.notes.get("rows_without_picture", "")) for batch in batches]
    found.absent = "; ".join(filter(None, names[:3]))
    found.unmatched = sum(int(batch.listing.notes.get("label_rows_without_picture", 0)) for batch in batches)
    if not (settings.keep or settings.look):
        _take_away(settings.drop, batches)
    return found


def _check(settings: Settings, night: str) -> None:
    if not re.fullmatch(r"[\w][\w.-]*", night):
        raise InputError(f"{night!r} cannot name a shard: expected letters, digits, dots and dashes, as 2026-11-27")
    drop, root, quarantine = (path.resolve() for path in (settings.drop, settings.root, settings.quarantine))
    for one, other in ((drop, root), (drop, quarantine), (root, quarantine)):
        if one == other or one.is_relative_to(other) or other.is_relative_to(one):
            raise InputError(f"{one} and {other} lie in one another: drop folder, data set and quarantine are apart")
    if settings.drop.exists() and not settings.drop.is_dir():
        raise InputError(f"{settings.drop} is a file; expected the folder that new pictures are put into")
    if settings.root.exists() and not settings.root.is_dir():
        raise InputError(f"{settings.root} is a file; expected the folder of the data set")


def _batch_paths(drop: Path, found: Intake) -> list[Path]:
    """The deliveries: the drop folder's folders and zips, and it itself where labels lie at its top. Pictures at its
    top without labels wait, which is said in `found`."""
    top = []
    for path in sorted(drop.iterdir()):
        if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in path.name):  # control, or no UTF-8
            found.refused[ascii(path.name)] = "its name has characters that cannot be written down; rename it"
        elif not path.name.startswith("."):
            top.append(path)
    if celeba.is_at(drop):
        return [drop]
    inner = [path for path in top if path.suffix.lower() == ".zip" or path.is_dir()]
    if any(path.is_file() and path.name in folder.TABLES for path in top):
        return [drop, *(path for path in inner if path.is_file() or _has_labels(path))]
    loose = [path for path in top if path.is_file() and is_image(path.name)]
    if loose:
        found.refused[drop.name] = (
            f"{len(loose)} pictures at its top, {loose[0].name} among them, have no {' or '.join(folder.TABLES)}; add "
            "one, or move them into a folder with theirs"
        )
    return inner


def _has_labels(path: Path) -> bool:
    """Whether a folder is a delivery of its own."""
    return celeba.is_at(path) or any((path / name).is_file() for name in folder.TABLES)


def _open(settings: Settings, path: Path, schema: Schema | None, found: Intake) -> _Batch | None:
    """A batch whose labels can be used, else None with the reason in `found`."""
    name = "" if path == settings.drop else path.name
    if not _files(path):
        return None
    if time.time() - _changed(path) < settings.settle:
        found.arriving.append(name or settings.drop.name)
        return None
    try:
        listing = celeba.read(path) if path.is_dir() and celeba.is_at(path) else folder.read(path)
        if path == settings.drop:  # not what lies in deliveries of their own
            apart = tuple(f"{one.name}/" for one in path.iterdir() if one.is_dir() and _has_labels(one))
            mine = ~listing.table["member"].str.startswith(apart) if apart and not celeba.is_at(path) else slice(None)
            listing = dataclasses.replace(listing, table=listing.table[mine].reset_index(drop=True))
        batch = _Batch(name, path, listing, open_tree(listing.where(path, path)))
    except InputError as error:
        found.refused[name or settings.drop.name] = str(error)
        return None
    except Exception as error:  # whatever is wrong with a delivery holds back that one alone
        found.refused[name or settings.drop.name] = f"it cannot be read ({type(error).__name__}: {error})"
        return None
    return None if schema is not None and _misfit(schema, batch, found) else batch


def _misfit(schema: Schema, batch: _Batch, found: Intake) -> bool:
    """Whether a batch's labels are not those of the data set; said in `found`."""
    signs, numbers = set(batch.listing.attributes), set(batch.listing.real)
    wrong = sorted((set(schema.attributes) & numbers) | (set(schema.real) & signs))
    why = ""
    if not (signs | numbers) & {*schema.attributes, *schema.real}:
        some = ", ".join(sorted(signs | numbers)[:5]) or "(none)"
        why = f"its labels {some} are none of the data set's attributes; {MOVED}"
    elif wrong:
        why = f"its column {wrong[0]} holds numbers where the data set has signs, or the reverse; {MOVED}"
    if why:
        found.refused[batch.name or batch.path.name] = why
    return bool(why)


def _first_schema(settings: Settings, listing: Listing) -> Schema:
    return Schema(listing.attributes, listing.real, settings.ratios, settings.seed)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [found for found in path.rglob("*") if found.is_file()]


def _changed(path: Path) -> float:
    """When something of a batch changed last."""
    latest = path.stat().st_mtime
    for found in path.rglob("*") if path.is_dir() else ():
        with contextlib.suppress(OSError):  # it went away
            latest = max(latest, found.stat().st_mtime)
    return latest


def _known(root: Path) -> tuple[set[str], dict[int, str]]:
    """The hashes of all pictures of a data set, and the split of everybody in it."""
    known: set[str] = set()
    homes: dict[int, str] = {}
    for path in shards.shard_paths(root):
        table = shards.labels(path).table
        known.update(table["sha256"])
        with_name = table[table["identity"].notna()]
        homes |= dict(zip(with_name["identity"].astype(int), with_name["official_split"], strict=True))
    return known, homes


def _looked_at(batches: Sequence[_Batch], settings: Settings) -> list[_Picture]:
    """Every picture with its hash, or with what is wrong with it, in the order of the batches."""
    arrived = [
        _Picture(batch, index, member, problem=problem)
        for batch in batches
        for index, (member, problem) in enumerate(
            zip(batch.listing.table["member"], batch.listing.table["problem"], strict=True)
        )
    ]
    arrived += [
        _Picture(batch, -1, name, problem="no_picture") for batch in batches for name in _others(settings, batch)
    ]

    def look(picture: _Picture) -> _Picture:
        try:
            data = picture.batch.tree.read(picture.member)
            picture.digest = hashlib.sha256(data).hexdigest()
            if not picture.problem:
                decode(data)
        except BadImage as bad:
            picture.problem = picture.problem or str(bad)
        return picture

    seen = in_order(look, arrived, worker_count(settings.workers))
    return list(progress(seen, len(arrived), "arrivals"))


def _others(settings: Settings, batch: _Batch) -> list[str]:
    """Files of a delivery that are neither pictures nor its labels."""
    if batch.path == settings.drop:  # they stay where they are
        return []
    tables = (*folder.TABLES, *(name + suffix for name in celeba.LISTS for suffix in (".txt", ".csv")))
    known = set(batch.listing.table["member"])
    return [
        name for name in batch.tree.names if name not in known and not is_image(name) and Path(name).name not in tables
    ]


def split_of(key: str, ratios: Sequence[float], seed: int) -> str:
    """The split that a person (or a picture of nobody known) belongs to for ever: its hash decides, so that no other
    arrival moves it."""
    place = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8]) / 2**64
    return SPLITS[int(np.searchsorted(np.cumsum(ratios[:2]), place, "right"))]


def _write_shard(
    settings: Settings, night: str, schema: Schema, good: Sequence[_Picture], homes: dict[int, str], found: Intake
) -> None:
    """The new zip, in one piece; at the first arrival dataset.json before it. Only its numbers where `look` says so."""
    name = night
    for number in range(2, 10_000):
        if not (settings.root / f"{name}.zip").exists():
            break
        name = f"{night}-{number}"
    table = _labels(schema, good)
    members: list[str] = []
    taken: Counter[str] = Counter()
    splits = []
    asked = table["official_split"].tolist()
    for picture, identity, wanted in zip(good, table["identity"].tolist(), asked, strict=True):
        member = "/".join(filter(None, (picture.batch.name.removesuffix(".zip"), picture.member)))
        taken[member] += 1
        members.append(member if taken[member] == 1 else f"{taken[member]}/{member}")
        person = None if pd.isna(identity) else int(identity)
        home = homes.get(person, "") if person is not None else ""
        if not home:
            home = wanted or split_of(picture.digest if person is None else str(person), schema.ratios, schema.seed)
            if person is not None:
                homes[person] = home
                found.people += 1
        found.kept_split += wanted not in ("", home)
        splits.append(home)
    found.taken = len(good)
    found.splits = {split: splits.count(split) for split in SPLITS}
    if settings.look:
        return
    settings.root.mkdir(parents=True, exist_ok=True)
    table = table.assign(
        image_id=[f"{name}/{member}" for member in members], member=members, official_split=splits, problem=""
    )
    listing = Listing(
        source="shard", images="zip", place="root", container=f"{name}.zip", attributes=schema.attributes,
        real=schema.real, table=table, notes={},
    )  # fmt: skip
    aside = settings.root / f".{name}.labels.part"
    write_labels(aside, listing, [picture.digest for picture in good])
    known = aside.read_bytes()
    aside.unlink()

    def files() -> Iterator[tuple[str, bytes]]:
        yield LABELS, known
        for picture, member in zip(good, members, strict=True):
            data = picture.batch.tree.read(picture.member)
            if hashlib.sha256(data).hexdigest() != picture.digest:
                raise InputError(f"{picture.batch.path}/{picture.member} changed while it was taken in; run it again")
            yield member, data

    if not (settings.root / DATASET).exists():
        write_json(settings.root / DATASET, schema.to_json())
    with replacing(settings.root / f"{name}.zip") as part:
        write_zip(part, files())
        to_disk(part)
    to_disk(settings.root)
    found.shard = f"{name}.zip"


def _labels(schema: Schema, good: Sequence[_Picture]) -> pd.DataFrame:
    """The rows of labels of some pictures, in their order, with the attributes of the data set."""
    parts = []
    for batch in dict.fromkeys(picture.batch for picture in good):
        rows = batch.listing.table.iloc[[picture.index for picture in good if picture.batch is batch]]
        lacking = [one for one in (*schema.attributes, *schema.real) if one not in rows]
        parts.append(rows.assign(**{one: 0 if one in schema.attributes else np.nan for one in lacking}))
    table = pd.concat(parts, ignore_index=True)
    kinds = dict.fromkeys(schema.attributes, "int8") | dict.fromkeys(schema.real, "float32")
    return table.astype(kinds)


def _set_aside(place: Path, bad: Sequence[_Picture]) -> None:
    """Bad pictures under names of their hashes, and why; what is there already stays."""
    place.mkdir(parents=True, exist_ok=True)
    listed = place / REASONS
    told = pd.read_csv(listed, keep_default_na=False) if listed.exists() else pd.DataFrame(columns=["file"])
    rows = []
    for picture in bad:
        suffix = Path(picture.member).suffix.lower()[:8]
        name = f"{(picture.digest or hashlib.sha256(picture.member.encode()).hexdigest())[:24]}{suffix}"
        with contextlib.suppress(BadImage):  # not even its bytes can be read
            data = picture.batch.tree.read(picture.member)
            with replacing(place / name) as part:
                part.write_bytes(data)
        rows.append({"file": name, "origin": picture.origin, "reason": picture.problem})
    table = pd.concat([told, pd.DataFrame(rows)], ignore_index=True).drop_duplicates(["file", "origin"], keep="last")
    with replacing(listed) as part:
        table.to_csv(part, index=False)


def _take_away(drop: Path, batches: Sequence[_Batch]) -> None:
    """Take batches out of the drop folder: all of them are in the data set or in quarantine now. What is to go is noted
    before, so that labels never stay behind without their pictures."""
    going: list[str] = []
    for batch in batches:
        if batch.path != drop:
            going.append(batch.path.name)
            continue
        where = batch.listing.where(batch.path, batch.path)
        if where.is_dir():
            going += [(where / member).relative_to(drop).as_posix() for member in batch.listing.table["member"]]
        else:
            going.append(where.relative_to(drop).as_posix())
        tables = (path for path in drop.iterdir() if path.name in folder.TABLES or path.stem in celeba.LISTS)
        going += [path.name for path in tables]
    write_json(drop / LEAVING, going)
    _finish_leaving(drop)


def _finish_leaving(drop: Path) -> None:
    """Remove what was noted as taken in, by this call or by one that was killed."""
    noted = drop / LEAVING
    if not noted.exists():
        return
    try:
        going = json.loads(noted.read_text(encoding="utf-8"))
    except ValueError:  # torn: what it named is there already, and goes as that
        going = []
    for name in going:
        path = drop / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in sorted(drop.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # other files are in it
                path.rmdir()
    noted.unlink()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m facet.nights.intake", description="Take new pictures into a data set."
    )
    parser.add_argument("--drop", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--quarantine", type=Path, required=True)
    parser.add_argument("--night", required=True, help="names the shard")
    parser.add_argument("--settle", type=float, default=60.0, help="seconds a batch must have rested")
    parser.add_argument("--keep", action="store_true", help="leave what arrived where it is")
    parser.add_argument("--report", type=Path, help="JSON of what became of the arrivals")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = Settings(drop=args.drop, root=args.root, quarantine=args.quarantine, settle=args.settle, keep=args.keep)
    try:
        found = take_in(settings, args.night)
        if args.report:
            write_json(args.report, found.to_json() | {"told": str(found)})
        log.info("%s", found)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    except OSError as error:
        where, why = error.filename or args.root, error.strerror or error
        raise SystemExit(f"error: {where}: {why}; give this user the right to write there, and room") from None


if __name__ == "__main__":
    main()
