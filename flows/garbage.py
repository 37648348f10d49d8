"""`facet gc`: remove from dvc's cache, or from a remote, what neither the workspace nor a tag nor a champion needs.

Every promoted version keeps the dvc.lock that it was trained by, as a small dvc project of its own in its folder
(`pipeline`); dvc spares what these projects name."""

import sys
from pathlib import Path

from facet.nights.champions import STORE, Champions
from facet.nights.promotion import PIPELINE


def projects(root: Path) -> list[Path]:
    """The small projects of all versions in the store."""
    store = Champions(root / STORE)
    found = [
        store.folder(system, version) / PIPELINE for system in store.systems() for version in store.versions(system)
    ]
    return [path for path in found if path.exists()]


def command(root: Path, remote: str | None, *, dry: bool) -> list[str]:
    """The dvc command that removes it, or with `dry` says what it would remove."""
    words = [sys.executable, "-m", "dvc", "gc", "--workspace"]
    if (root / ".git").exists():
        words.append("--all-tags")
    if remote:
        words += ["--cloud", "--remote", remote]
    words += ["--dry"] if dry else ["--force"]
    kept = [str(path.resolve()) for path in projects(root)]
    return [*words, *(["--projects", *kept] if kept else [])]
