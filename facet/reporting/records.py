"""Records: the part of reports/ that `facet record` keeps in docs/records/, so that the page can show runs of other
data beside the one in the workspace. They hold numbers only, never a picture."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from facet.base.errors import InputError
from facet.base.params import need
from facet.reporting.inputs import Json, read_csv, read_json

COLUMNS: dict[str, tuple[str, ...]] = {  # kept sections of reports/metrics/<system>.json and their columns, () for all
    "summary": (),
    "edits": ("attribute", "direction", "success", "flips"),
    "reconstruction": ("name", "kind", "note", "l2", "l1", "ssim_loss", "psnr"),
    "samples": ("name", "note", "people", "judge_kid", "judge_frechet"),
    "judge_card": ("attribute", "balanced_accuracy", "balanced_accuracy_photos"),
    "strokes": (),
    "digits": (),
    "semi_supervised": (),
    "graded_summary": (),
    "descriptions": (),
    "swaps": (),
    "costs": (),
    "setting": (),
}
ROWS: dict[str, Callable[[Json], bool]] = {  # kept rows, of sections that are not kept whole
    "edits": lambda row: row["setting"] == "target",
    "reconstruction": lambda row: row["kind"] != "paper",
}


def measured(reports: Path, settings: Mapping[str, Json]) -> Json:
    """The part of a record that is read from reports/. `settings` are those of every system's training in params.yaml:
    {"train_gan": …, "train_encoder": {variant: …}}."""
    card = read_json(need(reports / "data_card.json", "prepare"))
    judges = read_json(need(reports / "judges.json", "train_judge"))
    systems = {}
    for name, chosen in settings.items():
        metrics = read_json(need(reports / "metrics" / f"{name}.json", f"evaluate@{name}"))
        runs = {run: reports / "train" / f"{run}.csv" for run in (name, *chosen["train_encoder"])}
        systems[name] = condensed(metrics) | {
            "settings": chosen,
            "training": training_rows({run: read_csv(path) for run, path in runs.items() if path.exists()}),
        }
    return {"data": data(card), "judges": judged(judges), "systems": systems}


def data(card: Json) -> Json:
    """The training data, from reports/data_card.json."""
    splits = card["splits"]
    return {
        "source": card["source"],
        "crop": card["crop"],
        "size": card["size"],
        "images": {split: splits[split]["images"] for split in splits},
    }


def judged(judges: Json) -> Json:
    """Judge B on test images, from reports/judges.json, and both judges on digits if there are any."""
    rows = [
        {
            "attribute": name,
            "judged": card["judged"],
            "auroc": _short(card["b"]["auroc"]),
            "balanced_accuracy": _short(card["b"]["balanced_accuracy"]),
        }
        for name, card in judges["attributes"].items()
    ]
    digits = {
        place: {which: _short(estimate) for which, estimate in both.items()}
        for place, both in judges.get("digits", {}).items()
    }
    return {"attributes": rows} | ({"digits": digits} if digits else {})


def _short(estimate: Json) -> Json:
    """An estimate in six significant digits, as in reports/metrics/."""
    return {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in estimate.items()}


def condensed(metrics: Json) -> Json:
    """The headlines and the sections of reports/metrics/<system>.json that a paper's page or the README shows, and
    `zero`, the largest change in levels by any edit of strength 0."""
    kept: Json = {"headline": {name: value for name, value in metrics.items() if not isinstance(value, list)}}
    for section, columns in COLUMNS.items():
        wanted = [row for row in metrics.get(section, []) if ROWS.get(section, bool)(row)]
        if wanted:
            kept[section] = [{name: row[name] for name in columns or row if name in row} for row in wanted]
    zero = [row["zero"]["value"] for row in metrics.get("controls", []) if row["zero"]["value"] is not None]
    return kept | ({"zero": [{"levels": max(zero)}]} if zero else {})


def training_rows(histories: Mapping[str, pd.DataFrame]) -> list[Json]:
    """Per run and term: its last logged mean, and the lowest and highest of all log rows."""
    rows = []
    for run, table in histories.items():
        for term in (name for name in table.columns if name not in ("step", "images_seen")):
            logged = table[table[term].notna()]
            if len(logged):
                values = logged[term].astype(float).tolist()
                rows.append(
                    {
                        "run": run,
                        "term": term,
                        "first_step": int(logged["step"].iloc[0]),
                        "last_step": int(logged["step"].iloc[-1]),
                        "last": values[-1],
                        "low": min(values),
                        "high": max(values),
                    }
                )
    return rows


def read(folder: Path) -> dict[str, Json]:
    """The records of a folder by name; an empty dict if there is no such folder."""
    records = {}
    for path in sorted(folder.glob("*.json")):
        record = read_json(path)
        if not {"profile", "data", "judges", "systems"} <= record.keys():
            raise InputError(f"{path} is not a record of a run; write it again with `facet record {path.stem}`")
        records[path.stem] = record
    return records
