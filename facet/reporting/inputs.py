"""The inputs of the report: JSON, CSV and pictures that other stages wrote."""

import dataclasses
import json
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from facet.base.errors import InputError
from facet.base.params import need
from facet.pictures import data_uri

HERO_FACES = 6
OVERVIEW = "each attribute turned on"
OWN = ("folder", "shards")  # sources that are no published data sets
WIDEST = 1400  # pixels of a sheet on the page

# Names of the summary in reports/metrics/*.json -> names here and on the page. The files keep theirs: tools read them.
PAGE_NAMES = {"flips": "side_effects", "flips_matched": "side_effects_matched"}

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture of the page."""

    name: str
    source: str  # data URI
    width: int  # pixels
    height: int  # pixels


@dataclasses.dataclass(frozen=True)
class Hero:
    """Test faces before and after each edit, a row per face; the first column shows the photos."""

    captions: tuple[str, ...]  # one per column
    faces: tuple[tuple[str, ...], ...]  # rows of data URIs
    titles: tuple[str, ...]  # one per row


@dataclasses.dataclass(frozen=True)
class SystemInputs:
    """Everything about one system."""

    name: str
    metrics: Json
    attributes: Json | None  # reports/attributes/<system>.json
    hero: Hero | None
    sheets: tuple[Picture, ...]
    exhibits: dict[str, Picture]  # by file name, such as least_convincing and closest


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Everything the page shows."""

    systems: tuple[SystemInputs, ...]
    judges: Json
    data_card: Json
    histories: dict[str, pd.DataFrame]
    samples: tuple[Picture, ...]
    params: str  # the text of params.yaml
    left_out: tuple[str, ...]  # pictures beyond the size budget
    of_other_data: tuple[str, ...] = ()  # systems with reports of another data set or split, from another profile


class Album:
    """Reads pictures until `budget` characters of data URIs are used up."""

    def __init__(self, budget: int):
        self.left, self.left_out = budget, list[str]()

    def picture(self, path: Path, name: str) -> Picture | None:
        """The picture, or None if the budget does not allow it; then `name` is added to `left_out`."""
        image = data_uri.read(path, widest=WIDEST)
        source = data_uri.uri(image)
        return self._keep(Picture(name, source, image.width, image.height))

    def _keep(self, picture: Picture) -> Picture | None:
        if len(picture.source) > self.left:
            self.left_out.append(picture.name)
            return None
        self.left -= len(picture.source)
        return picture


def read(reports: Path, data: Path, params_file: Path, *, budget: int) -> Inputs:
    """Everything that the stages wrote; InputError if metrics, the judges' card or the data card is missing."""
    paths = sorted((reports / "metrics").glob("*.json"))
    if not paths:
        raise InputError(f"{reports / 'metrics'} holds no JSON; stage `evaluate` writes it (run `dvc repro evaluate`)")
    judges = read_json(need(reports / "judges.json", "train_judge"))
    params = params_file.read_text(encoding="utf-8") if params_file.exists() else ""
    card = read_json(need(reports / "data_card.json", "prepare"))
    card["source"] = named(card["source"], params)
    album = Album(budget)
    metrics = {path.stem: read_json(path) for path in paths}
    current = {name: rows for name, rows in metrics.items() if _split(rows) in (None, card["split_hash"])}
    if not current:
        raise InputError(
            f"{reports / 'metrics'} describes other data than {reports / 'data_card.json'}; run `dvc repro evaluate`"
        )
    systems = tuple(_system(name, rows, reports, data, album) for name, rows in current.items())
    stale = metrics.keys() - current.keys()

    def is_current(path: Path) -> bool:
        """Return False for runs of a system that is left out, such as icgan and icgan_zy."""
        return path.stem.partition("_")[0] not in stale

    samples = []
    for path in filter(is_current, sorted((data / "samples").glob("*.png"))):
        picture = album.picture(path, path.stem)
        if picture is not None:
            samples.append(picture)
    return Inputs(
        systems=systems,
        judges=judges,
        data_card=card,
        histories={path.stem: read_csv(path) for path in filter(is_current, sorted((reports / "train").glob("*.csv")))},
        samples=tuple(samples),
        params=params,
        left_out=tuple(album.left_out),
        of_other_data=tuple(sorted(stale)),
    )


def named(source: str, params: str) -> str:
    """A source that is no published data set, with the place of its pictures by `source.root` of params.yaml: `shards
    arrivals/faces`. Of a place outside the project only its name, so that the page holds no path of this machine."""
    if source not in OWN:
        return source
    section = (YAML(typ="safe").load(params) or {}).get("source") or {}
    place = str(section.get("root", "")).rstrip("/")
    inside = not PurePath(place).is_absolute() and ".." not in PurePath(place).parts
    return f"{source} {place if inside else PurePath(place).name}".rstrip()


def _split(metrics: Json) -> str | None:
    """The hash of the split that a system was measured on."""
    setting: list[Json] = metrics.get("setting", [])
    return setting[0].get("split_hash") if setting else None


def _system(name: str, metrics: Json, reports: Path, data: Path, album: Album) -> SystemInputs:
    attributes = reports / "attributes" / f"{name}.json"
    sheets = []
    folder = data / "sheets" / name
    captions = spec_names(data / "edits" / name)
    for path in sorted(folder.glob("*.png")):
        picture = album.picture(path, captions.get(path.stem, OVERVIEW if path.stem == "overview" else path.stem))
        if picture is not None:
            sheets.append(picture)
    exhibits = {path.stem: album.picture(path, path.stem) for path in sorted((data / "exhibits" / name).glob("*.png"))}
    return SystemInputs(
        name=name,
        metrics=metrics,
        attributes=read_json(attributes) if attributes.exists() else None,
        hero=hero(data / "edits" / name, data / "prepared"),
        sheets=tuple(sheets),
        exhibits={stem: picture for stem, picture in exhibits.items() if picture is not None},
    )


def spec_names(edits: Path) -> dict[str, str]:
    """spec-00 -> `Smiling=on`, from the manifest of stage `edit`."""
    path = edits / "manifest.parquet"
    if not path.exists():
        return {}
    table = pq.read_table(path, columns=["file", "spec"]).to_pandas().drop_duplicates()
    return {Path(row.file).stem: row.spec for row in table.itertuples()}


def hero(edits: Path, prepared: Path) -> Hero | None:
    """The first faces of the manifest, which stage `edit` drew by seed, before and after each edit."""
    path = edits / "manifest.parquet"
    if not path.exists() or not (prepared / "images.npy").exists():
        return None
    manifest = pq.read_table(path, columns=["image_id", "spec", "file", "index"]).to_pandas()
    manifest = manifest[manifest["index"] < HERO_FACES]
    ids = manifest.loc[manifest["file"] == manifest["file"].iloc[0], "image_id"].tolist()
    rows = _rows_of(prepared, ids)
    photos = np.load(prepared / "images.npy", mmap_mode="r")
    columns = [[photos[row] for row in rows]]
    captions = ["photo"]
    for file, spec in manifest[["file", "spec"]].drop_duplicates().itertuples(index=False):
        columns.append(list(np.load(edits / file, mmap_mode="r")[: len(rows)]))
        captions.append(spec)
    faces = tuple(tuple(data_uri.face(column[i], scale=2) for column in columns) for i in range(len(rows)))
    return Hero(tuple(captions), faces, tuple(ids))


def _rows_of(prepared: Path, ids: list[str]) -> list[int]:
    table: pa.Table = pq.read_table(prepared / "faces.parquet", columns=["image_id", "row"])
    rows = dict(zip(table["image_id"].to_pylist(), table["row"].to_pylist(), strict=True))
    return [rows[name] for name in ids]


def rows(metrics: Json, section: str, **wanted: Any) -> list[Json]:
    """The rows of a section of reports/metrics/<system>.json whose columns have the values `wanted`."""
    table: list[Json] = metrics.get(section, [])
    return [row for row in table if all(row.get(name) == value for name, value in wanted.items())]


def first_row(metrics: Json, section: str, **wanted: Any) -> Json | None:
    """The first of `rows`, or None."""
    return next(iter(rows(metrics, section, **wanted)), None)


def means(system: SystemInputs) -> Json:
    """Means over attributes and directions, by name."""
    named = {row["name"]: row["value"] for row in rows(system.metrics, "summary")}
    return {PAGE_NAMES.get(name, name): value for name, value in named.items()}


def read_json(path: Path) -> Json:
    """A JSON object; InputError if the file holds anything else."""
    try:
        value: Json = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON ({error}); run the stage that writes it again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; run the stage that writes it again")
    return value


def read_csv(path: Path) -> pd.DataFrame:
    """A history of training; empty if the run logged no row."""
    try:
        return pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
