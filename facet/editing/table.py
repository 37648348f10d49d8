"""attributes.parquet: one row per attribute and estimator; everything an edit needs besides the model itself."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.base.params import need
from facet.base.tables import META_KEY, write_table
from facet.editing import spec
from facet.editing.compositing import Gates
from facet.editing.directions import Readout

LEVELS = (50, 80, 90, 95)  # per cent of judged faces on which a calibrated strength succeeds
STRENGTH_LEVEL = 80  # the number 1 in a spec is the strength of 80 % success
LEAST = 0.05  # lowest strength of a unit, if the reconstruction alone succeeds: a number in a spec must do something
TARGET_LEVEL = 95  # `on` and `off` start from the strength of 95 % success
REGION = 32  # cells along one side of a map of where an attribute acts
Strengths = dict[int, float | None]  # level -> strength, None if no strength within reach gets there


@dataclasses.dataclass(frozen=True)
class Colours:
    """Mean colours of a head, (3,) sRGB levels each."""

    hair: np.ndarray
    skin: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Direction:
    """One estimator's direction of one attribute. Strength 1 is the step of length |vector|."""

    attribute: str
    estimator: str
    chosen: bool  # the estimator that edits use
    vector: np.ndarray  # (d,) float32
    standard_error: np.ndarray  # (d,) float32
    n_positive: int
    n_negative: int
    judged: bool  # a judge can see the attribute, so strengths are calibrated
    add: Strengths  # to make it present; all None if not judged
    remove: Strengths  # to make it absent; also positive numbers
    best: tuple[float | None, float | None]  # strengths of the highest success, to add and to remove
    fade: tuple[float, float] | None  # change at which the photo's detail fades (compositing.Gates.fade); None: default
    region: np.ndarray | None  # (REGION, REGION) uint8, how much the attribute changes each part of the crop; 255: most
    # of the heads of clear cases, with and without a colour of hair; None for other attributes, or if not known
    colours: tuple[Colours, Colours] | None

    def unit(self, add: bool, level: int, reach: float) -> float:
        """The strength of `level` per cent success, at least LEAST. If none gets there, the strength of the highest
        success (`reach` if that is unknown). 1, the class-mean gap, if no judge can see the attribute."""
        if not self.judged:
            return 1.0
        strength, best = (self.add if add else self.remove)[level], self.best[0 if add else 1]
        return max(next((value for value in (strength, best) if value is not None), reach), LEAST)

    def target(self, add: bool, reach: float, margin: float) -> float:
        """The strength of `on` and `off`: `margin` times that of TARGET_LEVEL per cent success."""
        strength = self.unit(add, TARGET_LEVEL, reach)
        known = self.judged and (self.add if add else self.remove)[TARGET_LEVEL] is not None
        return strength * margin if known else strength


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableMeta:
    """Description of the table, stored as JSON under one schema key."""

    system: str
    crop: str
    split_hash: str
    z_dim: int
    y_dim: int
    mode: str  # the compositing that the strengths were calibrated on
    max_strength: float  # the strongest edit that was tried
    margin: float  # of `on` and `off`, in strengths of TARGET_LEVEL per cent success
    latent_low: tuple[float, ...]  # .1 % and 99.9 % quantiles of training latents, for norm control
    latent_high: tuple[float, ...]
    refused: dict[str, str]  # attributes without a direction, each with the reason
    # positions of eyes, nose and corners of the mouth in training images, as the detector of facet/photos sees them: x
    # and y of the five, shares of the crop; None if it sees no faces
    landmarks: tuple[float, ...] | None = None
    unlike: tuple[float, ...] | None = None  # what tells faces unlike those of training (facet/judges/unlike.py)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {
            "latent_low": list(self.latent_low),
            "latent_high": list(self.latent_high),
            "landmarks": None if self.landmarks is None else list(self.landmarks),
            "unlike": None if self.unlike is None else list(self.unlike),
            "groups": [list(group) for group in spec.EXCLUSIVE],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "TableMeta":
        value = {name: item for name, item in value.items() if name != "groups"}
        tuples = {name: tuple(value[name]) for name in ("latent_low", "latent_high")}
        optional = {name: tuple(value[name]) if value.get(name) else None for name in ("landmarks", "unlike")}
        return cls(**(value | tuples | optional))


@dataclasses.dataclass(frozen=True)
class AttributeTable:
    """The directions of one system, and the read-out of each attribute from a latent."""

    directions: tuple[Direction, ...]
    readouts: dict[str, Readout]
    meta: TableMeta

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that can be edited."""
        return tuple(direction.attribute for direction in self.directions if direction.chosen)

    def chosen(self, attribute: str) -> Direction:
        """The direction that edits use."""
        return next(d for d in self.directions if d.attribute == attribute and d.chosen)

    def direction(self, attribute: str, estimator: str) -> Direction:
        """The direction of one estimator."""
        return next(d for d in self.directions if d.attribute == attribute and d.estimator == estimator)

    def parse(self, text: str) -> spec.Spec:
        """Parse an edit spec; InputError also if it names an attribute without a direction, with the reason."""
        parsed = spec.parse(text, (*self.attributes, *self.meta.refused))
        for change in parsed.changes:
            if change.attribute in self.meta.refused:
                reason = self.meta.refused[change.attribute]
                raise InputError(f"edit {text!r}: {change.attribute} has no direction: {reason}")
        return parsed


def _schema(dims: int, meta: TableMeta) -> pa.Schema:
    vector = pa.list_(pa.float32(), dims)
    fields = [
        pa.field("attribute", pa.string(), nullable=False),
        pa.field("estimator", pa.string(), nullable=False),
        pa.field("chosen", pa.bool_(), nullable=False),
        pa.field("direction", vector, nullable=False),
        pa.field("standard_error", vector, nullable=False),
        pa.field("n_positive", pa.int64(), nullable=False),
        pa.field("n_negative", pa.int64(), nullable=False),
        pa.field("judged", pa.bool_(), nullable=False),
    ]
    fields += [pa.field(f"{sign}_{level}", pa.float32()) for sign in ("add", "remove") for level in LEVELS]
    fields += [pa.field(f"{sign}_best", pa.float32()) for sign in ("add", "remove")]
    fields += [pa.field(f"fade_{end}", pa.float32()) for end in ("low", "high")]
    fields += [
        pa.field("region", pa.binary()),  # REGION rows of REGION bytes
        pa.field("colours", pa.list_(pa.float32(), 12)),  # of hair and skin: present, absent
        pa.field("readout", vector, nullable=False),
        pa.field("readout_bias", pa.float32(), nullable=False),
        pa.field("readout_present", pa.float32(), nullable=False),
        pa.field("readout_absent", pa.float32(), nullable=False),
    ]
    return pa.schema(fields, metadata={META_KEY: json.dumps(meta.to_json(), sort_keys=True).encode()})


def write(path: Path, table: AttributeTable) -> None:
    """Write the table, byte-stable, in the order of `table.directions`."""
    rows = []
    for d in table.directions:
        readout = table.readouts[d.attribute]
        row: dict[str, Any] = {
            "attribute": d.attribute,
            "estimator": d.estimator,
            "chosen": d.chosen,
            "direction": _floats(d.vector),
            "standard_error": _floats(d.standard_error),
            "n_positive": d.n_positive,
            "n_negative": d.n_negative,
            "judged": d.judged,
            "add_best": d.best[0],
            "remove_best": d.best[1],
            "fade_low": d.fade and d.fade[0],
            "fade_high": d.fade and d.fade[1],
            "region": None if d.region is None else d.region.tobytes(),
            "colours": d.colours
            and _floats(np.concatenate([part for one in d.colours for part in (one.hair, one.skin)])),
            "readout": _floats(readout.weights),
            "readout_bias": readout.bias,
            "readout_present": readout.present,
            "readout_absent": readout.absent,
        }
        row |= {f"add_{level}": d.add[level] for level in LEVELS}
        row |= {f"remove_{level}": d.remove[level] for level in LEVELS}
        rows.append(row)
    schema = _schema(table.meta.z_dim + table.meta.y_dim, table.meta)
    write_table(path, pa.Table.from_pylist(rows, schema=schema))


def read(path: Path) -> AttributeTable:
    """Read the table at `path`; InputError if it is not one."""
    need(path, "attributes")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a Parquet file ({error}); run `dvc repro -f attributes`") from error
    metadata = table.schema.metadata or {}
    if META_KEY not in metadata or "estimator" not in table.column_names:
        raise InputError(f"{path} was not written by stage `attributes`; give its attributes table")
    directions, readouts = [], {}
    for row in table.to_pylist():
        directions.append(
            Direction(
                attribute=row["attribute"],
                estimator=row["estimator"],
                chosen=row["chosen"],
                vector=np.array(row["direction"], np.float32),
                standard_error=np.array(row["standard_error"], np.float32),
                n_positive=row["n_positive"],
                n_negative=row["n_negative"],
                judged=row["judged"],
                add={level: row[f"add_{level}"] for level in LEVELS},
                remove={level: row[f"remove_{level}"] for level in LEVELS},
                best=(row["add_best"], row["remove_best"]),
                fade=None if row["fade_low"] is None else (row["fade_low"], row["fade_high"]),
                region=_region(row.get("region")),
                colours=_colours(row.get("colours")),
            )
        )
        readouts[row["attribute"]] = Readout(
            np.array(row["readout"], np.float32), row["readout_bias"], row["readout_present"], row["readout_absent"]
        )
    return AttributeTable(tuple(directions), readouts, TableMeta.from_json(json.loads(metadata[META_KEY])))


def gates(directions: Sequence[Direction]) -> Gates:
    """Compositing thresholds of an edit along these directions: the mean of theirs. Changes weaker than a tenth of the
    edit's strongest are left out, so that glasses do not tint the background."""
    own = [direction.fade for direction in directions if direction.fade is not None]
    if not own:
        return Gates()
    low, high = np.mean(own, axis=0).tolist()
    least, full = Gates().change
    return Gates(change=(max(least, 0.1 * high), max(full, 0.3 * high)), fade=(low, high))


def _region(data: bytes | None) -> np.ndarray | None:
    return None if data is None else np.frombuffer(data, np.uint8).reshape(REGION, REGION)


def _colours(values: list[float] | None) -> tuple[Colours, Colours] | None:
    if values is None:
        return None
    hair, skin, other_hair, other_skin = np.reshape(values, (4, 3))
    return Colours(hair, skin), Colours(other_hair, other_skin)


def _floats(vector: np.ndarray) -> list[float]:
    return np.asarray(vector, np.float32).tolist()
