"""Intake: take the deliveries of a night into a data set that grows, as one more shard.

Each photo's labels and bytes are checked first, and whether the data set has it already. Good photos go into a new zip
with the split of their person, bad ones to quarantine with a reason. Nothing is lost: photos and labels leave the drop
folder only when they are safe elsewhere. A table of labels that cannot be read holds back its own delivery alone."""

import argparse
import dataclasses
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facet.base.errors import InputError
from facet.base.files import replacing, to_disk, write_json
from facet.base.limits import Natural, NonNegative, Share
from facet.base.params import check
from facet.base.tables import SPLITS
from facet.nights import departures, leaving, quarantine
from facet.nights.corrections import corrections
from facet.nights.deliveries import DeliveredPhoto, Delivery, examine, fitting, open_deliveries
from facet.nights.intake_report import EXAMPLES_SHOWN, IntakeReport
from facet.sources import shards
from facet.sources.labels import Listing, write_labels
from facet.sources.shards import LABELS, TABLES, Schema
from facet.sources.store import write_zip
from facet.sources.tree import DATASET, first, shard_paths

log = logging.getLogger(__name__)


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
    leaves = not (settings.keep or settings.dry_run)
    if leaves:
        leaving.finish(settings.drop, settings.quarantine)
    schema = shards.schema_of(settings.root)
    settle = None if settings.keep and not settings.settle else settings.settle
    taken = {} if settings.keep else leaving.taken_before(settings.drop)
    deliveries = open_deliveries(settings.drop, schema, report, settle=settle, taken=taken)
    if schema is None and deliveries:
        schema = _first_schema(settings, deliveries[0].listing)
        deliveries = fitting(schema, deliveries, report)
    if schema is None or not deliveries:
        return report
    known = _known(settings.root)
    photos = examine(deliveries, settings.workers)
    good, repeated = _new_and_known(photos, known)
    corrected = _corrections(schema, known, good, repeated)
    plan = departures.plan(settings.drop, settings.quarantine / night, deliveries, photos, keep=settings.keep)
    bad = [photo for photo in photos if photo.is_bad and (photo.digest or photo.delivery.container in plan.move)]
    _note(report, schema, deliveries, plan, repeated, bad, corrected)
    if not settings.dry_run:
        _quarantine(settings.quarantine / night, plan, deliveries, bad, repeated, corrected)
    if good:
        _write_shard(settings, night, schema, good, plan.tables, known.splits, report)
    if leaves:
        if not good:  # no shard of tonight holds them
            lost = {name: data for name, data in plan.tables.items() if not shards.holds_table(settings.root, data)}
            quarantine.keep_tables(settings.quarantine / night, lost)
        opened = {delivery.name for delivery in deliveries}
        held = {name: names for name, names in taken.items() if name not in opened and (settings.drop / name).exists()}
        report.waiting |= leaving.leave(
            settings.drop, settings.quarantine, remove=plan.remove, stay=plan.stay, move=plan.move,
            taken=held | plan.taken,
        )  # fmt: skip
    return report


def _note(
    report: IntakeReport,
    schema: Schema,
    deliveries: Sequence[Delivery],
    plan: departures.Plan,
    repeated: Sequence[DeliveredPhoto],
    bad: Sequence[DeliveredPhoto],
    corrected: pd.DataFrame,
) -> None:
    """Put into the report what becomes of everything but new photos."""
    report.duplicates = sum(not photo.before for photo in repeated)
    report.quarantined = dict(Counter(photo.problem.split(":")[0] for photo in bad))
    report.examples = [f"{photo.origin}: {photo.problem}" for photo in bad[:EXAMPLES_SHOWN]]
    report.corrected = int(corrected["origin"].nunique())
    report.corrected_examples = first(
        f"{row.origin}: {row.column} {row.delivered} for {row.data_set or 'unknown'}" for row in corrected.itertuples()
    )
    labelled = {name for delivery in deliveries for name in (*delivery.listing.attributes, *delivery.listing.real)}
    report.unknown_attributes = sorted(labelled - {*schema.attributes, *schema.real})
    examples = [str(delivery.listing.notes.get("rows_without_picture", "")) for delivery in deliveries]
    report.unmatched_examples = "; ".join([example for example in examples if example][:3])
    report.unmatched = sum(delivery.unmatched for delivery in deliveries)
    report.warnings = [
        f"{delivery.name or report.drop_name}: {warning}"
        for delivery in deliveries
        for warning in delivery.listing.notes.get("warnings", ())
    ][:EXAMPLES_SHOWN]
    report.waiting, report.kept = plan.waiting, plan.kept


def _quarantine(
    target: Path,
    plan: departures.Plan,
    deliveries: Sequence[Delivery],
    bad: Sequence[DeliveredPhoto],
    repeated: Sequence[DeliveredPhoto],
    corrected: pd.DataFrame,
) -> None:
    """Copy to quarantine what is not taken in, with the tables of labels it came with."""
    if bad:
        quarantine.keep_photos(target, bad, {path: to for path, (to, _) in plan.move.items()})
    origins = set(corrected["origin"])  # but those of a table that stays were kept when its photos left
    differing = [
        photo
        for photo in repeated
        if photo.origin in origins and not (photo.before and photo.delivery.name in plan.taken)
    ]
    if differing:
        rows = corrected[corrected["origin"].isin([photo.origin for photo in differing])]
        quarantine.add_rows(target / quarantine.CORRECTIONS, rows, ["origin", "column"])
    hurt = {photo.delivery for photo in (*bad, *differing)}
    for delivery in deliveries:
        lonely = delivery.unmatched and delivery.zip in plan.remove and not delivery.files
        if (delivery in hurt or lonely) and (delivery.files or delivery.container not in plan.move):
            quarantine.keep_tables(target, delivery.tables)


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


@dataclasses.dataclass
class Known:
    """The photos of the data set."""

    table: pd.DataFrame | None  # their rows (facet/sources/shards.py); None if there are none
    rows: dict[str, int]  # hash -> row
    splits: dict[int, str]  # person -> split


def _known(root: Path) -> Known:
    if not shard_paths(root):
        return Known(None, {}, {})
    table = shards.read(root).table
    rows = dict(zip(table["sha256"][::-1], range(len(table) - 1, -1, -1), strict=True))  # the first of each wins
    with_name = table[table["identity"].notna()]
    splits = dict(zip(with_name["identity"].astype(int), with_name["official_split"], strict=True))
    return Known(table, rows, splits)


def _new_and_known(photos: Sequence[DeliveredPhoto], known: Known) -> tuple[list[DeliveredPhoto], list[DeliveredPhoto]]:
    """The good photos that the data set lacks, and those it has; `known` gets rows for the former."""
    good: list[DeliveredPhoto] = []
    repeated = []
    count = 0 if known.table is None else len(known.table)
    for photo in photos:
        if photo.index < 0 or (photo.problem and not photo.before):
            continue
        if photo.digest in known.rows:
            repeated.append(photo)
        elif not photo.before:
            known.rows[photo.digest] = count + len(good)
            good.append(photo)
    return good, repeated


def _corrections(
    schema: Schema, known: Known, good: Sequence[DeliveredPhoto], repeated: Sequence[DeliveredPhoto]
) -> pd.DataFrame:
    """The labels of repeated photos that differ from those of the data set, with the new ones in it."""
    parts = [] if known.table is None else [known.table]
    if good:
        parts.append(_labels(schema, good).assign(image_id=[photo.origin for photo in good]))
    columns = ["image_id", "identity", *schema.attributes, *schema.real]
    stored = pd.concat([part[columns] for part in parts], ignore_index=True) if parts else pd.DataFrame()
    if not repeated:
        return corrections(schema, *[pd.DataFrame(columns=["origin", *columns])] * 2)
    delivered = _labels(schema, repeated).assign(origin=[photo.origin for photo in repeated])
    return corrections(schema, stored.iloc[[known.rows[photo.digest] for photo in repeated]], delivered)


def split_of(key: str, ratios: Sequence[float], seed: int) -> str:
    """The split of a person (or of a photo without one). Their hash decides, so no later delivery moves them."""
    fraction = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8]) / 2**64
    return SPLITS[int(np.searchsorted(np.cumsum(ratios[:2]), fraction, "right"))]


def _write_shard(
    settings: IntakeSettings,
    night: str,
    schema: Schema,
    good: Sequence[DeliveredPhoto],
    tables: Mapping[str, bytes],
    person_splits: dict[int, str],
    report: IntakeReport,
) -> None:
    """Write the new zip in one piece, with the tables that leave, and dataset.json before the first one. A dry run only
    counts."""
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
        yield from ((f"{TABLES}/{path}", data) for path, data in sorted(tables.items()))
        for photo, member in zip(good, members, strict=True):
            yield member, photo.read()

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
        member = "/".join(filter(None, (photo.delivery.prefix, photo.member)))
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
