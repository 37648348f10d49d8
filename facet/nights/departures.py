"""What of a night's deliveries leaves the drop folder: only what is in the data set or in quarantine then."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from facet.nights import leaving, quarantine
from facet.nights.deliveries import UNREAD, DeliveredPhoto, Delivery
from facet.nights.drop_folder import foreign
from facet.nights.leaving import Stamp
from facet.sources.tree import first

OTHERS = "some of it could not be read, or is neither photo nor label"


@dataclasses.dataclass
class Plan:
    """What leaves the drop folder, and what stays in it."""

    remove: dict[Path, Stamp] = dataclasses.field(default_factory=dict)
    move: dict[Path, tuple[Path, Stamp]] = dataclasses.field(default_factory=dict)  # zips, and where they go
    stay: list[Path] = dataclasses.field(default_factory=list)
    tables: dict[str, bytes] = dataclasses.field(default_factory=dict)  # tables of labels that leave
    taken: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)  # for facet/nights/leaving.py
    waiting: dict[str, str] = dataclasses.field(default_factory=dict)  # for the report
    kept: dict[str, str] = dataclasses.field(default_factory=dict)  # for the report


def plan(
    drop: Path, target: Path, deliveries: Sequence[Delivery], photos: Sequence[DeliveredPhoto], *, keep: bool
) -> Plan:
    """The fate of every file of some deliveries. `target` is the night's quarantine; with `keep` nothing leaves."""
    made = Plan()
    of: dict[Delivery, list[DeliveredPhoto]] = defaultdict(list)
    for photo in photos:
        of[photo.delivery].append(photo)
    unread = {one: [photo for photo in of[one] if not (photo.digest or photo.before)] for one in deliveries}
    for delivery in deliveries:
        name = delivery.name or drop.name
        stays = [_why(unread[delivery])] if unread[delivery] else []
        if keep:
            made.waiting |= {name: "; ".join(stays)} if stays else {}
            continue
        if delivery.zip:
            mates = [one for one in deliveries if one.container == delivery.container]
            whole = delivery.whole and not any(unread[one] for one in mates)
            stays = [] if _dispose(made, drop, target, delivery, whole=whole) else stays or [OTHERS]
            if whole and delivery.unmatched and not delivery.files:
                made.kept[name] = f"its table; {delivery.unmatched:,} rows of labels have no photo"
        else:
            made.stay += [delivery.container / photo.member for photo in unread[delivery]]
            made.remove |= {
                delivery.container / photo.member: photo.state for photo in of[delivery] if photo.digest and photo.state
            }
        if delivery.files and (delivery.unmatched or stays):
            if delivery.unmatched:
                stays.append(f"{delivery.unmatched:,} rows of labels are kept for photos that have not arrived")
            made.stay += delivery.files
            left = {photo.member: photo.digest for photo in of[delivery] if photo.digest and photo.index >= 0}
            made.taken[delivery.name] = dict(delivery.taken) | left
        else:
            made.remove |= delivery.files
            made.tables |= delivery.tables if delivery.files or delivery.container not in made.move else {}
        made.waiting |= {name: "; ".join(stays)} if stays else {}
    return made


def _dispose(made: Plan, drop: Path, target: Path, delivery: Delivery, *, whole: bool) -> bool:
    """Let the zip of a delivery leave: for good if all of it is elsewhere then, else for quarantine. False if it stays,
    because it lies behind a link."""
    path, name = delivery.container, delivery.container.relative_to(drop).as_posix()
    assert delivery.state is not None
    if whole:
        made.remove[path] = delivery.state
        return True
    if leaving.link_to(drop, path):
        made.stay.append(path)
        return False
    if path not in made.move:
        made.move[path] = quarantine.place_of(target, name, path), delivery.state
    made.kept[name] = f"the whole zip; {OTHERS}"
    return True


def _why(unread: Sequence[DeliveredPhoto]) -> str:
    """Why files stay where they are."""
    known = [photo.member for photo in unread if photo.problem == UNREAD]
    odd = [f"{photo.member} ({photo.problem})" for photo in unread if photo.problem != UNREAD]
    parts = [f"{name}: {why}" for name, why in foreign(known)]
    parts += [f"{len(odd):,} files cannot be read: {first(odd)}"] if odd else []
    return "; ".join(parts)
