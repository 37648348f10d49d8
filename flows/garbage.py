"""`facet gc`: remove files from dvc's cache or a remote that neither the workspace nor a tag nor a champion needs.

Every promoted version keeps the dvc.lock of its training in its folder, as a small dvc project (`pipeline`); dvc spares
the files these projects name."""

import sys
from pathlib import Path

from facet.nights.champions import STORE, Champions
from facet.nights.promotion import PIPELINE


def projects(root: Path) -> list[Path]:
    """The dvc projects of all versions in the store."""
    store = Champions(root / STORE)
    paths = [
        store.folder(system, version) / PIPELINE for system in store.systems() for version in store.versions(system)
    ]
    return [path for path in paths if path.exists()]


def command(root: Path, remote: str | None, *, dry: bool) -> list[str]:
    """The dvc command that removes the files, or with `dry` lists them."""
    words = [sys.executable, "-m", "dvc", "gc", "--workspace"]
    if (root / ".git").exists():
        words.append("--all-tags")
    if remote:
        words += ["--cloud", "--remote", remote]
    words += ["--dry"] if dry else ["--force"]
    kept = [str(path.resolve()) for path in projects(root)]
    return [*words, *(["--projects", *kept] if kept else [])]
