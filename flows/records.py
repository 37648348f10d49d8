"""Records of measured runs, docs/records/<name>.json, written from reports/ and read by stage `report`."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facet.base import project
from facet.base.errors import FacetError
from flows import profiles
from flows.dag import stale_reasons

FOLDER = Path("docs") / "records"
SPEED = {"machine", "profile", "rows"}  # keys of a file of benchmarks/systems.py --json

Json = dict[str, Any]


class RecordError(FacetError):
    """A run that cannot be recorded; the message says why and what to do."""


def record(root: Path, name: str | None = None, speed: Path | None = None) -> Path:
    """Write the measurements of the workspace at `root` to a record; return its path.

    `name` may be left out if params.yaml holds a profile unchanged, which then names the record. `speed` is a file of
    benchmarks/systems.py."""
    from facet.base.files import write_rows  # imports pandas
    from facet.reporting.papers import damage
    from facet.reporting.records import measured

    params = project.params(root)
    profile, changes = _origin(root, params)
    path = root / FOLDER / f"{_name(name, profile, changes)}.json"
    reasons = stale_reasons(root, "evaluate")
    if reasons:
        more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise RecordError(f"{root / 'reports'}: {reasons[0]}{more}; run `dvc repro`, then record")
    value: Json = {"profile": profile, "changes": changes, "params_sha256": _hash(params)}
    value |= measured(root / "reports", _settings(params))
    speeds = _speed(speed, profile) if speed else _speed_before(path, value)
    value |= {"speed": speeds} if speeds else {}
    if broken := damage(value):
        raise RecordError(f"{speed or root / 'reports'} cannot be shown on a page ({broken}); measure it anew")
    write_rows(path, value)
    return path


def about(root: Path) -> list[str]:
    """One line per record."""
    from facet.reporting.records import read

    lines = []
    for name, value in read(root / FOLDER).items():
        data = value["data"]
        size = f"{data['size']} x {data['size']}"
        run = f"{', '.join(value['systems'])} on {data['images']['train']:,} {data['source']} images, {size}"
        lines.append(f"{name:16} {run}" + (", with speed" if "speed" in value else ""))
    return lines


def _origin(root: Path, params: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The profile of params.yaml and the settings over it, without the folder of the images on this machine."""
    origin = profiles.origin(root)
    if origin is None:
        return None, []
    folder = str(params.get("source", {}).get("root", ""))
    return origin[0], [setting for setting in origin[1] if not folder or folder not in setting]


def _name(name: str | None, profile: str | None, changes: Sequence[str]) -> str:
    if name is None:
        if profile is None:
            raise RecordError("params.yaml holds values of no profile; give the record a name: facet record NAME")
        ours = [change for change in changes if not change.startswith("compute.")]
        if ours:
            raise RecordError(f"params.yaml is {profile} with {ours[0]}; give the record a name: facet record NAME")
        return profile
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise RecordError(f"name {name!r}: expected letters, digits, - and _, as in mnist-wide")
    return name


def _hash(params: Mapping[str, Any]) -> str:
    """SHA-256 of all values of params.yaml but the folder of the images."""
    kept = dict(params)
    if isinstance(kept.get("source"), dict):
        kept["source"] = {name: value for name, value in kept["source"].items() if name != "root"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _settings(params: Mapping[str, Any]) -> dict[str, Json]:
    """The training settings of each system of params.yaml."""
    encoders: Mapping[str, Json] = params.get("train_encoder") or {}
    return {
        system: {
            "train_gan": params["train_gan"][system],
            "train_encoder": {name: values for name, values in encoders.items() if values["system"] == system},
        }
        for system in params["systems"]
    }


def _speed(path: Path, profile: str | None) -> Json:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read ({error}); benchmarks/systems.py --json writes it") from None
    if not isinstance(value, dict) or not value.keys() >= SPEED:
        raise RecordError(f"{path} holds no speeds; benchmarks/systems.py --json writes them")
    if value["profile"] != profile:
        raise RecordError(
            f"{path} was measured at profile {value['profile']}, the run is {profile or 'of no profile'}; run "
            f"benchmarks/systems.py --profile {profile or 'NAME'} --json {path}"
        )
    return value


def _speed_before(path: Path, value: Json) -> Json | None:
    """The speeds in an earlier record of the same params."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return before.get("speed") if before.get("params_sha256") == value["params_sha256"] else None
