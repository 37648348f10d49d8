"""Measured runs to compare with the papers: the one in the workspace, and the records in docs/records."""

import dataclasses
from collections.abc import Mapping, Sequence

from facet.reporting.inputs import Inputs, Json, first_row
from facet.reporting.records import condensed, data, training_rows
from facet.reporting.values import faces_of, grouped

SIX = ("fc", "deep_conv", "transfer_l2", "transfer_l1", "transfer_ssim", "extended")  # encoders of Photoshop 2.0
MEAN_FACE = "mean training face"


@dataclasses.dataclass(frozen=True)
class Run:
    """One measured run: the one in the workspace, or a record in docs/records."""

    name: str
    about: str  # data set, size and profile in words
    source: str  # data set
    systems: dict[str, Json]  # per system: rows by section
    settings: dict[str, Json]  # per system: settings of training; empty for the workspace, which has params.yaml


def measured_runs(inputs: Inputs, records: Mapping[str, Json]) -> list[Run]:
    """This run, then the records without the systems whose numbers equal those of this run."""
    training = {"training": training_rows(inputs.histories)}
    here = {system.name: condensed(system.metrics) for system in inputs.systems}
    systems = {
        name: sections_of(metrics | training, speed_of(name, metrics, records)) for name, metrics in here.items()
    }
    first = Run("this run", about(data(inputs.data_card)), inputs.data_card["source"], systems, {})
    return [first, *(run for name, record in records.items() if (run := recorded(name, record, here)).systems)]


def recorded(name: str, record: Json, here: Mapping[str, Json]) -> Run:
    """A record as a run, without the systems whose numbers in `here` are the same."""
    kept = {
        system: metrics
        for system, metrics in record["systems"].items()
        if system not in here or any(metrics.get(section) != rows for section, rows in here[system].items())
    }
    profile = f", profile {record['profile']}" if record["profile"] not in (None, name) else ""
    changed = "".join(f", {change}" for change in record["changes"])
    return Run(
        name=f"run {name}",
        about=about(record["data"]) + profile + changed,
        source=record["data"]["source"],
        systems={system: sections_of(metrics, speed_rows(system, record)) for system, metrics in kept.items()},
        settings={system: metrics["settings"] for system, metrics in kept.items()},
    )


def about(card: Json) -> str:
    """A data set in words: 60,000 mnist pictures, 28 × 28."""
    size, pictures = card["size"], faces_of(card["source"], "pictures")
    return f"{grouped(card['images']['train'])} {pictures}, {size} × {size}"


def speed_of(system: str, metrics: Json, records: Mapping[str, Json]) -> list[Json]:
    """The recorded speeds of a system with exactly these costs, that is, of this size and training."""
    for record in records.values():
        if "speed" in record and record["systems"].get(system, {}).get("costs", 0) == metrics.get("costs"):
            return speed_rows(system, record)
    return []


def speed_rows(system: str, record: Json) -> list[Json]:
    """The speeds of a system in a record, with the machine they were measured on."""
    speed = record.get("speed", {"rows": []})
    return [row | {"machine": speed["machine"]} for row in speed["rows"] if row["system"] == system]


def sections_of(metrics: Json, speed: Sequence[Json]) -> Json:
    """The sections of a system, with those derived from them and its speeds."""
    return metrics | {"encoders": encoders(metrics), "readings": readings(metrics), "speed": speed}


def encoders(metrics: Json) -> list[Json]:
    """The number of encoders that beat the mean training face in all three numbers, and the report's best of six in
    L2."""
    table = [row for row in metrics.get("reconstruction", []) if row["kind"] == "encoder"]
    floor = first_row(metrics, "reconstruction", name=MEAN_FACE)
    if not table or floor is None:
        return []
    columns = ("l2", "l1", "ssim_loss")
    beat = sum(all(row[name]["high"] < floor[name]["low"] for name in columns) for row in table)
    six = [row for row in table if row["name"] in SIX]
    best = min(six, key=lambda row: row["l2"]["value"])["name"] if six else "none of them"
    return [{"compared": len(table), "beat": beat, "best": best if len(six) != 1 else f"{best}, the only one here"}]


def readings(metrics: Json) -> list[Json]:
    """The number of entries of a description that the encoder reads more accurately than the commoner label would."""
    rows = metrics.get("descriptions", [])
    if not rows:
        return []
    below = [row["attribute"] for row in rows if not row["accuracy"]["low"] > row["majority"]["value"]]
    return [{"attributes": len(rows), "above": len(rows) - len(below), "below": ", ".join(below) or "none"}]
