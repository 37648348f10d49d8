"""`facet gc`: remove files from dvc's cache or a remote that neither the workspace nor a tag nor a champion needs.

Every promoted version keeps the dvc.lock of its training in its folder, as a small dvc project (`pipeline`); dvc spares
the files these projects name."""

import subprocess
import sys
from pathlib import Path

from facet.base.errors import FacetError, InputError
from facet.base.project import is_clone
from facet.nights.champions import STORE, Champions
from facet.nights.promotion import PIPELINE
from flows import lockfile

REMOVING = "Removing "  # begins dvc's line about one object in a dry run


class CollectionFailed(FacetError):
    """dvc could not collect garbage; the message holds what it said."""

    exit_code = 1


def check(root: Path) -> None:
    """InputError unless everything that needs a file is known: a whole dvc.lock, all tags, and no other project on the
    same cache."""
    lockfile.check(root)
    if not lockfile.holds_stages(root):
        raise InputError(
            f"{root / 'dvc.lock'} is missing or damaged, so every file in the cache would count as unneeded; restore "
            "it (git checkout dvc.lock) or run `dvc repro` first"
        )
    if _in_git(root) and _git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise InputError(
            "this is a shallow clone, whose tags are incomplete, so what they keep would be removed; run "
            "`git fetch --unshallow --tags` first"
        )
    cache = _dvc(root, "cache", "dir")
    if not Path(cache).is_relative_to(root.resolve()):
        raise InputError(
            f"the cache {cache} is outside this clone, and other projects may use it; `dvc gc --workspace --all-tags "
            "--projects FOLDER…` spares the files of the projects that it names"
        )


def projects(root: Path) -> list[Path]:
    """The dvc projects whose files are spared: those of all versions in the store, and other worktrees of the clone."""
    store = Champions(root / STORE)
    paths = [
        store.folder(system, version) / PIPELINE for system in store.systems() for version in store.versions(system)
    ]
    return [*(path for path in paths if path.exists()), *_worktrees(root)]


def command(root: Path, remote: str | None, *, dry: bool) -> list[str]:
    """The dvc command that removes the files, or with `dry` lists them."""
    words = [sys.executable, "-m", "dvc", "gc", "--workspace"]
    if _in_git(root):
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


def _in_git(root: Path) -> bool:
    """True if the clone is, or lies within, a working tree of git."""
    here = root.resolve()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        return False
    return _git(root, "rev-parse", "--is-inside-work-tree") == "true"


def _worktrees(root: Path) -> list[Path]:
    """This clone's folder in the other worktrees of its repository, which may share its cache."""
    if not _in_git(root):
        return []
    prefix = _git(root, "rev-parse", "--show-prefix")
    lines = _git(root, "worktree", "list", "--porcelain").splitlines()
    places = [Path(line.removeprefix("worktree ")) / prefix for line in lines if line.startswith("worktree ")]
    return [place for place in places if is_clone(place) and place.resolve() != root.resolve()]


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        raise CollectionFailed("git is not installed, so the files that tags keep are unknown; install it") from None
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise CollectionFailed(f"git {' '.join(words)} failed, so the files that tags keep are unknown: {said}")
    return done.stdout.strip()


def _dvc(root: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise CollectionFailed(f"dvc {' '.join(words)} failed: {' '.join(done.stderr.split())}")
    return done.stdout.strip()
