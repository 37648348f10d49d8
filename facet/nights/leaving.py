"""What leaves the drop folder at the end of an intake. It is written down first, so a kill leaves no delivery in part.

A file is removed only if it is as it was when it was examined."""

import contextlib
import errno
import functools
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from facet.base.files import replacing, to_disk, write_json
from facet.base.junk import is_cache, is_junk
from facet.sources.tree import is_safe

LEAVING = ".leaving.json"  # in the drop folder: what is being removed from it
TAKEN = ".taken.json"  # in the drop folder: delivery -> photo -> hash, of photos whose table is still there
Taken = Mapping[str, Mapping[str, str]]
Stamp = tuple[int, int]  # bytes, and nanoseconds of the last change


def stamp(path: Path | str) -> Stamp:
    """The state of a file, or of a link itself."""
    status = os.lstat(path)
    return status.st_size, status.st_mtime_ns


def leave(
    drop: Path,
    quarantine: Path,
    *,
    remove: Mapping[Path, Stamp],
    stay: Iterable[Path],
    move: Mapping[Path, tuple[Path, Stamp]],
    taken: Taken,
) -> dict[str, str]:
    """Remove files, move others to their place in quarantine, and note photos whose tables stay as `taken`. What a link
    leads to is left as it is: the link goes if none of its files is among those that `stay`. Returns what `finish`
    does."""
    link_of = functools.cache(functools.partial(link_to, drop))
    held = {link_of(path.parent) for path in stay}
    leaving: dict[str, Stamp] = {}
    for path, state in remove.items():
        link = link_of(path.parent)
        if link is None:
            leaving[path.relative_to(drop).as_posix()] = state
        elif link not in held:
            leaving[link.relative_to(drop).as_posix()] = stamp(link)
    moves = {path.relative_to(drop).as_posix(): (str(to.resolve()), state) for path, (to, state) in move.items()}
    if leaving or moves or taken != taken_before(drop):
        write_json(drop / LEAVING, {"remove": leaving, "move": moves, "taken": taken})
        to_disk(drop)
        return finish(drop, quarantine)
    return {}


def finish(drop: Path, quarantine: Path) -> dict[str, str]:
    """Remove and move what is written down, by this call or by one that was killed. What cannot be removed is returned
    with the reason, by the name of its delivery, and stays."""
    listed = drop / LEAVING
    if not listed.exists():
        return {}
    try:
        content = json.loads(listed.read_text(encoding="utf-8"))
        leaving, moves, taken = dict(content["remove"]), dict(content["move"]), dict(content["taken"])
    except (ValueError, KeyError, TypeError):  # damaged: its files are in the data set now and leave as duplicates
        listed.unlink()
        return {}
    if taken:
        write_json(drop / TAKEN, taken)
    else:
        (drop / TAKEN).unlink(missing_ok=True)
    fixed: dict[str, str] = {}
    for name, (target, state) in (moves | {name: (None, state) for name, state in leaving.items()}).items():
        if not _is_as_it_was(drop, name, state):
            continue
        try:
            if target is None:
                (drop / name).unlink()
            elif Path(target).is_relative_to(quarantine.resolve()):
                _move(drop / name, Path(target))
        except OSError as error:
            why = f"it was taken in, but {name} cannot be removed ({error.strerror}); give permission, or remove it"
            fixed.setdefault(name.split("/")[0], why)
    for top in {name.split("/")[0] for name in (*leaving, *moves) if "/" in name}:
        with contextlib.suppress(OSError):  # it is gone, or files arrive
            _prune(drop / top)
    listed.unlink()
    return fixed


def taken_before(drop: Path) -> Taken:
    """The photos that left the drop folder before their tables did."""
    try:
        content = json.loads((drop / TAKEN).read_text(encoding="utf-8"))
        return {str(delivery): dict(photos) for delivery, photos in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _is_as_it_was(drop: Path, name: str, state: Stamp) -> bool:
    try:
        return is_safe(name) and stamp(drop / name) == tuple(state)
    except (FileNotFoundError, NotADirectoryError):
        return False


def link_to(drop: Path, path: Path) -> Path | None:
    """The uppermost link on the way from the drop folder to a path in it."""
    way = [path, *path.parents]
    inside = way[: way.index(drop)]
    return next((one for one in reversed(inside) if one.is_symlink()), None)


def _move(path: Path, target: Path) -> None:
    """Move a file, to another file system too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        try:
            path.replace(target)
            to_disk(target.parent)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    with replacing(target) as part:
        shutil.copyfile(path, part)
        to_disk(part)
    path.unlink()


def _prune(folder: Path) -> bool:
    """Remove folders that hold nothing but what machines write anew; True if nothing is left."""
    caches, rest = [], False
    for entry in list(os.scandir(folder)):
        if is_cache(entry.name):
            caches.append(Path(entry.path))
        elif entry.is_dir(follow_symlinks=False) and not is_junk(entry.name):
            rest |= not _prune(Path(entry.path))
        else:
            rest = True
    if rest:
        return False
    for path in caches:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    folder.rmdir()
    return True
