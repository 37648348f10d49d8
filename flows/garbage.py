"""`facet gc`: remove files from dvc's cache or a remote that neither the workspace nor a tag nor a champion needs.

Every promoted version keeps the dvc.lock of its training in its folder, as a small dvc project (`pipeline`); dvc spares
the files these projects name."""

import subprocess
import sys
from pathlib import Path

from facet.base.errors import FacetError
from facet.nights.champions import STORE, Champions
from facet.nights.promotion import PIPELINE

REMOVING = "Removing "  # begins dvc's line about one object in a dry run


class CollectionFailed(FacetError):
    """dvc could not collect garbage; the message holds what it said."""

    exit_code = 1


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


def unneeded(root: Path, remote: str | None) -> list[str]:
    """The files that `command` would remove, as dvc names them. dvc's own output reads as if it had removed them."""
    result = subprocess.run(command(root, remote, dry=True), cwd=root, capture_output=True, text=True)
    if result.returncode:
        raise CollectionFailed(f"dvc gc failed: {result.stderr.strip() or result.stdout.strip()}")
    return [line.removeprefix(REMOVING) for line in result.stdout.splitlines() if line.startswith(REMOVING)]
