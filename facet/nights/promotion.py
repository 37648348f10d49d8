"""Promotion of the workspace's trained model, with what warm starts and garbage collection need of it later.

Every version keeps the dvc.lock that it was trained by, as a small dvc project of its own in its folder (`pipeline`),
so that `facet gc` can spare what it names."""

import os
import shutil
from pathlib import Path
from typing import Any

from facet.base.files import replacing_folder
from facet.nights.champions import ENDS, STORE, Champions, latest_paths
from facet.training import warm_start

PIPELINE = "pipeline"
FILES = ("dvc.yaml", "dvc.lock", "params.yaml")
CONFIG = """[core]
    no_scm = true
    analytics = false
    check_update = false
[cache]
    dir = {cache}
"""


def promote(root: Path, store: Champions, system: str, card: dict[str, Any], *, why: str) -> str:
    """Make the workspace's trained model live, and keep what warm starts and garbage collection need; the version."""
    model, table = latest_paths(root, system)
    kept = root / ".resume"
    for end in warm_start.ends_of(kept, model):
        warm_start.copy(end, root / STORE / ENDS / end.relative_to(kept))
    version = store.promote(system, model, table, card, why=why)
    keep_pipeline(root, store.folder(system, version))
    return version


def keep_pipeline(root: Path, version: Path) -> None:
    """Keep what the workspace is made by beside a champion's version."""
    if (version / PIPELINE).exists() or not (root / "dvc.lock").exists():
        return
    with replacing_folder(version / PIPELINE) as aside:
        for name in FILES:
            shutil.copyfile(root / name, aside / name)
        (aside / ".dvc").mkdir()
        own = (version / PIPELINE / ".dvc").resolve()  # folders are known by what the cache says is in them
        cache = os.path.relpath(root.resolve() / ".dvc" / "cache", own)
        (aside / ".dvc/config").write_text(CONFIG.format(cache=cache))
