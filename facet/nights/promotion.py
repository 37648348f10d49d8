"""Promotion of the model trained in the workspace, with what warm starts and garbage collection need later.

Every version keeps the dvc.lock of its training in its folder, as a small dvc project (`pipeline`), so that `facet gc`
spares the files it names."""

import os
import shutil
from pathlib import Path
from typing import Any

from facet.base.files import replacing_folder
from facet.nights.champions import ENDS, STORE, Champions, latest_paths, latest_refiner
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
    """Make the model trained in the workspace live, keep what warm starts and garbage collection need, and return the
    version."""
    model, table = latest_paths(root, system)
    kept = root / ".resume"
    for end in warm_start.ends_of(kept, model):
        warm_start.copy(end, root / STORE / ENDS / end.relative_to(kept))
    version = store.promote(system, model, table, card, why=why, refiner=latest_refiner(root, system))
    keep_pipeline(root, store.folder(system, version))
    return version


def keep_pipeline(root: Path, version: Path) -> None:
    """Keep the workspace's dvc.yaml, dvc.lock and params.yaml in the folder of a version."""
    if (version / PIPELINE).exists() or not (root / "dvc.lock").exists():
        return
    with replacing_folder(version / PIPELINE) as folder:
        for name in FILES:
            shutil.copyfile(root / name, folder / name)
        (folder / ".dvc").mkdir()
        own = (version / PIPELINE / ".dvc").resolve()
        cache = os.path.relpath(root.resolve() / ".dvc" / "cache", own)  # lists the files of each tracked folder
        (folder / ".dvc/config").write_text(CONFIG.format(cache=cache))
