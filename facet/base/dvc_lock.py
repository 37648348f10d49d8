"""dvc.lock, read and copied without dvc. dvc writes it in place, so a kill at the wrong moment leaves it empty or cut
short, and then no dvc command works. A whole copy is kept beside the checkpoints: every stage renews it when it begins,
also under plain `dvc repro`; flows/lockfile.py puts it back."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.files import replacing

LOCK = "dvc.lock"
COPY = Path(".resume") / LOCK
CUT = "cut short"  # the fault that a kill leaves
PARTS = {
    "cmd": str | list,
    "deps": list,
    "params": Mapping,
    "outs": list,
}  # of a stage


def fault(text: str) -> str:
    """What keeps dvc from reading a dvc.lock: "" for nothing, CUT if it may be the beginning of a whole one, else the
    line and the reason."""
    if not text.strip() or "\0" in text or not text.endswith("\n"):
        return CUT
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        lock = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        return CUT if line >= text.count("\n") else f"line {line}: {error.problem or error.context}"
    except YAMLError as error:
        return " ".join(str(error).split())
    if not isinstance(lock, Mapping) or not isinstance(lock.get("stages") or {}, Mapping):
        return "it is no mapping of stages"
    stages = lock.get("stages") or {}
    broken = [name for name, stage in stages.items() if not _is_stage(stage)]
    if not stages or broken == [list(stages)[-1]]:
        return CUT
    return f"stage {broken[0]} lacks its command, dependencies or outputs" if broken else ""


def _is_stage(stage: Any) -> bool:
    return (
        isinstance(stage, Mapping)
        and "cmd" in stage
        and all(name in PARTS and isinstance(value, PARTS[name]) for name, value in stage.items())
        and all(
            isinstance(entry, Mapping) and "path" in entry for name in ("deps", "outs") for entry in stage.get(name, ())
        )
    )


def read(path: Path) -> str | None:
    """The text of a dvc.lock; None if there is none."""
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else None


def keep(root: Path) -> None:
    """Renew the copy of dvc.lock if it is whole; another stage may be writing it."""
    text = read(root / LOCK)
    if text and text != read(root / COPY) and not fault(text):
        with replacing(root / COPY) as part:
            part.write_text(text, encoding="utf-8")


def keep_at_start_of_stage() -> None:
    """Renew the copy if dvc started this process."""
    if root := os.environ.get("DVC_ROOT"):
        with contextlib.suppress(OSError):
            keep(Path(root))
