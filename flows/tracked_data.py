"""A raw data set that dvc tracks, as where new pictures come from: somebody adds to it elsewhere, `dvc push`es, and the
night fetches what it has become. It stays as it is; what is new in it is taken in by hash."""

import dataclasses
import json
import sys
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from facet.base.errors import InputError
from facet.base.files import write_json

TAKEN = Path(".resume") / "pulled.json"  # what of it was taken in last


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What a .dvc file says."""

    file: Path  # in the project's root
    folder: Path  # where the pictures and their labels lie
    digest: str  # of all of it, by dvc
    imported: bool  # from somewhere that has changes of its own (dvc import, dvc import-url)

    def command(self, remote: str) -> list[str]:
        """What fetches it as it is now."""
        dvc = [sys.executable, "-m", "dvc", "--wait-for-lock"]
        if self.imported:
            return [*dvc, "update", str(self.file)]
        return [*dvc, "pull", str(self.file), *(["--remote", remote] if remote else [])]


def read(root: Path, name: str) -> DataSet:
    """The data set of a .dvc file; InputError where it names none."""
    path = root / name
    if name.startswith("-") or not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"nightly.pull: {name} is not below {root}; expected a .dvc file of this project")
    if not path.is_file():
        raise InputError(f"nightly.pull: {path} is missing; `dvc add`, `dvc import` and `dvc import-url` write such")
    try:
        found = YAML(typ="safe").load(path)
        (out,) = found["outs"]
        folder, digest = path.parent / found.get("wdir", "") / out["path"], str(out.get("md5") or out.get("hash"))
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"nightly.pull: {path} is no .dvc file of one data set ({error})") from None
    return DataSet(path.relative_to(root), folder, digest, imported=bool(found.get("deps")))


def is_taken(root: Path, data: DataSet) -> bool:
    """Whether just this was taken in before."""
    try:
        return bool(json.loads((root / TAKEN).read_text(encoding="utf-8")) == _mark(data))
    except (OSError, ValueError):  # none, or a torn one
        return False


def note_taken(root: Path, data: DataSet) -> None:
    """Remember that all of it was taken in."""
    write_json(root / TAKEN, _mark(data))


def _mark(data: DataSet) -> dict[str, str]:
    return {"file": data.file.as_posix(), "digest": data.digest}
