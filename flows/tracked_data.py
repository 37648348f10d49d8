"""A data set that dvc tracks, as the source of deliveries: its owner adds photos elsewhere and pushes it, and the night
fetches it. The night never changes it and takes in by hash what is new."""

import dataclasses
import json
import sys
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from facet.base.errors import InputError
from facet.base.files import write_json

TAKEN = Path(".resume") / "pulled.json"  # the version that was taken in last


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set as its .dvc file describes it."""

    file: Path  # the .dvc file, relative to the project's root
    folder: Path  # folder of the photos and their labels
    digest: str  # dvc's hash of the whole data set
    imported: bool  # True if it was imported from elsewhere (dvc import, dvc import-url)

    def command(self, remote: str) -> list[str]:
        """The dvc command that fetches its latest version."""
        dvc = [sys.executable, "-m", "dvc", "--wait-for-lock"]
        if self.imported:
            return [*dvc, "update", str(self.file)]
        return [*dvc, "pull", str(self.file), *(["--remote", remote] if remote else [])]


def read(root: Path, name: str) -> DataSet:
    """The data set of a .dvc file; InputError if it describes none."""
    path = root / name
    if name.startswith("-") or not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"nightly.pull: {name} is not below {root}; expected a .dvc file of this project")
    if not path.is_file():
        raise InputError(f"nightly.pull: {path} is missing; `dvc add`, `dvc import` or `dvc import-url` writes it")
    try:
        content = YAML(typ="safe").load(path)
        (out,) = content["outs"]
        folder, digest = path.parent / content.get("wdir", "") / out["path"], str(out.get("md5") or out.get("hash"))
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"nightly.pull: {path} is no .dvc file of one data set ({error})") from None
    return DataSet(path.relative_to(root), folder, digest, imported=bool(content.get("deps")))


def is_taken(root: Path, data: DataSet) -> bool:
    """True if this version was the last to be taken in."""
    try:
        return bool(json.loads((root / TAKEN).read_text(encoding="utf-8")) == _mark(data))
    except (OSError, ValueError):  # missing, or damaged by a kill
        return False


def note_taken(root: Path, data: DataSet) -> None:
    """Record that this version was taken in."""
    write_json(root / TAKEN, _mark(data))


def _mark(data: DataSet) -> dict[str, str]:
    return {"file": data.file.as_posix(), "digest": data.digest}
