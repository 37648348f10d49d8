"""Intake: take the deliveries of a night into a data set that grows, as one more shard.

Each photo's labels and bytes are checked first, and whether the data set has it already. Good photos go into a new zip
with the split of their person, bad ones to quarantine with a reason. Nothing is lost: a file leaves the drop folder
only when it is safe elsewhere. A table of labels that cannot be read holds back its own delivery alone."""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facet.base.errors import InputError
from facet.base.files import replacing, to_disk, write_json
from facet.base.limits import Natural, NonNegative, Share
from facet.base.params import check
from facet.base.tables import SPLITS
from facet.nights.deliveries import DeliveredPhoto, Delivery, delivery_paths, examine, labels_fit, open_delivery
from facet.nights.intake_report import EXAMPLES_SHOWN, IntakeReport
from facet.pictures.decode import BadImage
from facet.sources import celeba, folder, shards
from facet.sources.labels import Listing, write_labels
from facet.sources.shards import LABELS, Schema
from facet.sources.store import write_zip
from facet.sources.tree import DATASET, shard_paths

log = logging.getLogger(__name__)

REASONS = "reasons.csv"  # in the quarantine folder of a night
LEAVING = ".leaving.json"  # in the drop folder: files that are being removed from it


@dataclasses.dataclass(frozen=True, kw_only=True)
class IntakeSettings:
    """Folders of the intake, and the split of people if the data set is new."""

    drop: Path  # folder of deliveries
    root: Path  # the data set
    quarantine: Path  # folder of bad photos, one folder a night
    ratios: tuple[Share, Share, Share] = (0.8, 0.1, 0.1)  # of people in train, valid and test
    seed: Natural = 1  # of the split
    settle: NonNegative = 60.0  # seconds a delivery must be unchanged before it counts as complete
    keep: bool = False  # leave the deliveries where they are: an archive, not a drop folder
    dry_run: bool = False  # change nothing, only report
    workers: Natural = 0  # threads that read photos; 0 for the number of cores


def take_in(settings: IntakeSettings, night: str) -> IntakeReport:
    """Take in the deliveries of the drop folder as the shard `night`. InputError if the folders cannot be used.

    It may be killed at any time: the next call skips what is in the data set already and continues."""
    _check(settings, night)
    report = IntakeReport(drop=str(settings.drop))
    if not settings.drop.exists():
        return report
    if not (settings.keep or settings.dry_run):
        _finish_leaving(settings.drop)
    schema = shards.schema_of(settings.root)
    paths = delivery_paths(settings.drop, report)
    deliveries = [
        delivery
        for path in paths
        if (delivery := open_delivery(settings.drop, path, schema, report, settle=settings.settle))
    ]
    if not deliveries:
        return report
    if schema is None:
        schema = _first_schema(settings, deliveries[0].listing)
        deliveries = [delivery for delivery in deliveries if labels_fit(schema, delivery, report)]
    known, splits = _known(settings.root)
    photos = examine(settings.drop, deliveries, settings.workers)
    good: list[DeliveredPhoto] = []
    for photo in photos:
        if not photo.problem and photo.digest in known:
            photo.problem = "duplicate"
            report.duplicates += 1
        elif not photo.problem:
            known.add(photo.digest)
            good.append(photo)
    bad = [photo for photo in photos if photo.problem not in ("", "duplicate")]
    report.quarantined = dict(Counter(photo.problem.split(":")[0] for photo in bad))
    report.examples = [f"{photo.origin}: {photo.problem}" for photo in bad[:EXAMPLES_SHOWN]]
    if bad and not settings.dry_run:
        _quarantine(settings.quarantine / night, bad)
    if good:
        _write_shard(settings, night, schema, good, splits, report)
    labelled = {name for delivery in deliveries for name in (*delivery.listing.attributes, *delivery.listing.real)}
    report.unknown_attributes = sorted(labelled - {*schema.attributes, *schema.real})
    notes = [delivery.listing.notes for delivery in deliveries]
    examples = [str(note.get("rows_without_picture", "")) for note in notes]
    report.unmatched_examples = "; ".join(filter(None, examples[:3]))
    report.unmatched = sum(int(note.get("label_rows_without_picture", 0)) for note in notes)
    if not (settings.keep or settings.dry_run):
        _remove(settings.drop, deliveries)
    return report


def _check(settings: IntakeSettings, night: str) -> None:
    check(settings)
    if not re.fullmatch(r"[\w][\w.-]*", night):
        raise InputError(f"{night!r} cannot name a shard: expected letters, digits, dots and dashes, as in 2026-11-27")
    drop, root, quarantine = (path.resolve() for path in (settings.drop, settings.root, settings.quarantine))
    for one, other in ((drop, root), (drop, quarantine), (root, quarantine)):
        if one == other or one.is_relative_to(other) or other.is_relative_to(one):
            raise InputError(
                f"{one} and {other} overlap; drop folder, data set and quarantine must not lie in one another"
            )
    if settings.drop.exists() and not settings.drop.is_dir():
        raise InputError(f"{settings.drop} is a file; expected the folder that holds deliveries")
    if settings.root.exists() and not settings.root.is_dir():
        raise InputError(f"{settings.root} is a file; expected the folder of the data set")


def _first_schema(settings: IntakeSettings, listing: Listing) -> Schema:
    return Schema(listing.attributes, listing.real, settings.ratios, settings.seed)


def _known(root: Path) -> tuple[set[str], dict[int, str]]:
    """The hashes of all photos of a data set, and the split of each person in it."""
    known: set[str] = set()
    splits: dict[int, str] = {}
    for path in shard_paths(root):
        table = shards.labels(path).table
        known.update(table["sha256"])
        with_name = table[table["identity"].notna()]
        splits |= dict(zip(with_name["identity"].astype(int), with_name["official_split"], strict=True))
    return known, splits


def split_of(key: str, ratios: Sequence[float], seed: int) -> str:
    """The split of a person (or of a photo without one). Their hash decides, so no later delivery moves them."""
    fraction = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8]) / 2**64
    return SPLITS[int(np.searchsorted(np.cumsum(ratios[:2]), fraction, "right"))]


def _write_shard(
    settings: IntakeSettings,
    night: str,
    schema: Schema,
    good: Sequence[DeliveredPhoto],
    person_splits: dict[int, str],
    report: IntakeReport,
) -> None:
    """Write the new zip in one piece, and dataset.json before the first one. A dry run only counts."""
    name = next(
        name
        for name in (night, *(f"{night}-{number}" for number in range(2, 10_000)))
        if not (settings.root / f"{name}.zip").exists()
    )
    table = _labels(schema, good)
    members, splits = _members(good), []
    asked = table["official_split"].tolist()
    for photo, identity, wanted in zip(good, table["identity"].tolist(), asked, strict=True):
        person = None if pd.isna(identity) else int(identity)
        split = person_splits.get(person, "") if person is not None else ""
        if not split:
            split = wanted or split_of(photo.digest if person is None else str(person), schema.ratios, schema.seed)
            if person is not None:
                person_splits[person] = split
                report.people += 1
        report.kept_split += wanted not in ("", split)
        splits.append(split)
    report.taken = len(good)
    report.splits = {split: splits.count(split) for split in SPLITS}
    if settings.dry_run:
        return
    settings.root.mkdir(parents=True, exist_ok=True)
    table = table.assign(
        image_id=[f"{name}/{member}" for member in members], member=members, official_split=splits, problem=""
    )
    listing = Listing(
        source="shard", images="zip", place="root", container=f"{name}.zip", attributes=schema.attributes,
        real=schema.real, table=table, notes={},
    )  # fmt: skip
    temporary = settings.root / f".{name}.labels.part"
    write_labels(temporary, listing, [photo.digest for photo in good])
    label_bytes = temporary.read_bytes()
    temporary.unlink()

    def files() -> Iterator[tuple[str, bytes]]:
        yield LABELS, label_bytes
        for photo, member in zip(good, members, strict=True):
            data = photo.delivery.tree.read(photo.member)
            if hashlib.sha256(data).hexdigest() != photo.digest:
                raise InputError(f"{photo.delivery.path}/{photo.member} changed while it was taken in; run it again")
            yield member, data

    if not (settings.root / DATASET).exists():
        write_json(settings.root / DATASET, schema.to_json())
    with replacing(settings.root / f"{name}.zip") as part:
        write_zip(part, files())
        to_disk(part)
    to_disk(settings.root)
    report.shard = f"{name}.zip"


def _members(photos: Sequence[DeliveredPhoto]) -> list[str]:
    """The names of photos in their zip: <delivery>/<member>, made unique by a number in front."""
    members = []
    taken: Counter[str] = Counter()
    for photo in photos:
        member = "/".join(filter(None, (photo.delivery.name.removesuffix(".zip"), photo.member)))
        taken[member] += 1
        members.append(member if taken[member] == 1 else f"{taken[member]}/{member}")
    return members


def _labels(schema: Schema, photos: Sequence[DeliveredPhoto]) -> pd.DataFrame:
    """The rows of labels of photos, in their order, with the attributes of the data set."""
    parts = []
    for delivery in dict.fromkeys(photo.delivery for photo in photos):
        rows = delivery.listing.table.iloc[[photo.index for photo in photos if photo.delivery is delivery]]
        lacking = [name for name in (*schema.attributes, *schema.real) if name not in rows]
        parts.append(rows.assign(**{name: 0 if name in schema.attributes else np.nan for name in lacking}))
    table = pd.concat(parts, ignore_index=True)
    kinds = dict.fromkeys(schema.attributes, "int8") | dict.fromkeys(schema.real, "float32")
    return table.astype(kinds)


def _quarantine(target: Path, bad: Sequence[DeliveredPhoto]) -> None:
    """Copy bad photos to a folder, named by their hashes, and add them to its list of reasons."""
    target.mkdir(parents=True, exist_ok=True)
    reasons = target / REASONS
    before = pd.read_csv(reasons, keep_default_na=False) if reasons.exists() else pd.DataFrame(columns=["file"])
    rows = []
    for photo in bad:
        suffix = Path(photo.member).suffix.lower()[:8]
        name = f"{(photo.digest or hashlib.sha256(photo.member.encode()).hexdigest())[:24]}{suffix}"
        with contextlib.suppress(BadImage):  # not even its bytes can be read
            data = photo.delivery.tree.read(photo.member)
            with replacing(target / name) as part:
                part.write_bytes(data)
        rows.append({"file": name, "origin": photo.origin, "reason": photo.problem})
    table = pd.concat([before, pd.DataFrame(rows)], ignore_index=True).drop_duplicates(["file", "origin"], keep="last")
    with replacing(reasons) as part:
        table.to_csv(part, index=False)


def _remove(drop: Path, deliveries: Sequence[Delivery]) -> None:
    """Remove deliveries from the drop folder, all of which are in the data set or in quarantine now. The list of files
    is written first, so a kill never leaves labels behind without their photos."""
    leaving: list[str] = []
    for delivery in deliveries:
        container = delivery.listing.where(delivery.path, delivery.path)
        if delivery.path != drop:  # every file of the container was examined, and no other
            leaving.append(container.relative_to(drop).as_posix())
        elif container.is_dir():
            members = delivery.listing.table["member"]
            leaving += [(container / member).relative_to(drop).as_posix() for member in members]
        else:
            leaving.append(container.relative_to(drop).as_posix())
        if delivery.path.is_dir() and delivery.path.exists():
            tables = [one for one in delivery.path.iterdir() if one.name in folder.TABLES or one.stem in celeba.LISTS]
            leaving += [path.relative_to(drop).as_posix() for path in tables]
    write_json(drop / LEAVING, leaving)
    _finish_leaving(drop)


def _finish_leaving(drop: Path) -> None:
    """Remove the files listed as taken in, by this call or by one that was killed."""
    listed = drop / LEAVING
    if not listed.exists():
        return
    try:
        leaving = json.loads(listed.read_text(encoding="utf-8"))
    except ValueError:  # torn: its files are duplicates now and leave as such
        leaving = []
    for name in leaving:
        path = drop / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in sorted(drop.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # it holds other files
                path.rmdir()
    listed.unlink()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m facet.nights.intake", description="Take deliveries of photos and labels into a data set."
    )
    parser.add_argument("--drop", type=Path, required=True, help="folder of deliveries")
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--quarantine", type=Path, required=True, help="folder for bad photos")
    parser.add_argument("--night", required=True, help="names the shard")
    parser.add_argument(
        "--settle", type=float, default=60.0,
        help="seconds a delivery must be unchanged before it counts as complete (default: 60)",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="leave the deliveries where they are")
    parser.add_argument("--report", type=Path, help="write a JSON report")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = IntakeSettings(
        drop=args.drop, root=args.root, quarantine=args.quarantine, settle=args.settle, keep=args.keep
    )
    try:
        report = take_in(settings, args.night)
        if args.report:
            write_json(args.report, report.to_json())
        log.info("%s", report)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    except OSError as error:
        where, why = error.filename or args.root, error.strerror or error
        raise SystemExit(f"error: {where}: {why}; check that it is writable and has room") from None


if __name__ == "__main__":
    main()
