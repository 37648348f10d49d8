"""The frozen test faces of the gate: never trained on, and the same for every candidate, whatever is delivered later.

The first gate freezes the test faces of that day, in two parts that share no person: `nightly`, on which every
candidate is compared with the live champion, and `reserve`, which only those see that pass there. A night that is
rejected learns nothing about the reserve, so it stays fresh for the comparison with the best champion and the first."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from facet.base.errors import InputError
from facet.base.files import write_json
from facet.base.tables import Faces
from facet.metrics.people import halves
from facet.nights.comparison import LEAST_PEOPLE


@dataclasses.dataclass(frozen=True)
class FrozenFaces:
    """All faces, of whose test split only one part of the frozen test faces is left."""

    nightly: Faces
    reserve: Faces


def frozen_faces(faces: Faces, path: Path, *, seed: int) -> FrozenFaces:
    """The faces with the test split of the file `path`; the first call writes it. InputError if it is damaged, if any
    of its faces is no longer in the test split, or if there are too few people."""
    table = faces.table
    test = table[(table["split"] == "test") & (table["row"] >= 0)]
    if not path.exists():
        write_json(path, _frozen(faces, set(test["sha256"]), seed))
    wanted, reserve = _read(path)
    missing = len(wanted - set(test["sha256"]))
    if missing:
        raise InputError(
            f"{missing:,} of the {len(wanted):,} frozen test faces of {path} are no longer in the test split; restore "
            "them, or remove the file to freeze the present ones (scores then start anew)"
        )
    if not reserve:  # of a version without a reserve
        write_json(path, _frozen(faces, wanted, seed))
        wanted, reserve = _read(path)
    return FrozenFaces(_only(faces, wanted - reserve), _only(faces, reserve))


def _frozen(faces: Faces, wanted: set[str], seed: int) -> dict[str, list[str]]:
    """The content of the file: the frozen faces, and those of a random half of the people as the reserve."""
    hashes = faces.ok["sha256"].to_numpy(str)
    rows = np.flatnonzero(np.isin(hashes, sorted(wanted)))
    names, codes = np.unique(faces.people()[rows], return_inverse=True)
    if len(names) < 2 * LEAST_PEOPLE:
        raise InputError(
            f"test faces of {len(names)} people are too few for a gate; at least {2 * LEAST_PEOPLE} are needed"
        )
    first = halves(len(names), np.random.default_rng(seed))[codes]
    return {"sha256": sorted(wanted), "reserve": sorted(set(hashes[rows[first]].tolist()))}


def _read(path: Path) -> tuple[set[str], set[str]]:
    """The frozen faces and the reserve among them."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        wanted, reserve = set(content["sha256"]), set(content.get("reserve", ()))
        if not reserve <= wanted:
            raise ValueError(f"{len(reserve - wanted):,} faces of the reserve are not among the frozen ones")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); restore it from a copy, or remove it to freeze the present test faces"
        ) from None
    return wanted, reserve


def _only(faces: Faces, wanted: set[str]) -> Faces:
    """The faces whose test split holds `wanted` alone."""
    table = faces.table
    keep = table["sha256"].isin(wanted) | (table["split"] != "test")
    return Faces(table.assign(split=table["split"].where(keep, "later")), faces.meta)
