"""Names that operating systems, NAS boxes, desktops and editors leave beside people's files, and that are never data.

`.dvcignore` lists the same names, so that they make no stage stale."""

import fnmatch
import re

# Written by machines about the files around them, and written anew when they are missing.
CACHES = (
    ".ds_store", "._*", "icon\r", "__macosx", ".appledouble",  # macOS
    "thumbs.db", "ehthumbs*.db", "desktop.ini",  # Windows
    "@eadir", "synofile_thumb*", ".@__thumb", ".thumbnails",  # Synology, QNAP, Android and Linux desktops
)  # fmt: skip
# Bins, checkpoints, backups and places of the system: nobody delivers them, but they may hold what exists nowhere else.
OTHERS = (
    ".[!.]*", "..?*",  # hidden files and folders: .Trash-1000, .ipynb_checkpoints, .git, swap files
    "#recycle", "@recycle", "#snapshot", "@recently-snapshot", "@tmp",  # NAS
    "$recycle.bin", "recycler", "system volume information", "found.[0-9][0-9][0-9]",  # Windows
    "lost+found", "network trash folder", "temporary items", "thevolumesettingsfolder", "__pycache__",
    "*~", "#*#", "~$*",  # backups and locks of editors and office programs
)  # fmt: skip


_ANY, _CACHE = (
    re.compile("|".join(map(fnmatch.translate, patterns)), re.IGNORECASE) for patterns in (CACHES + OTHERS, CACHES)
)


def is_junk(name: str) -> bool:
    """True if the name of one file or folder, without its path, is never data."""
    return _ANY.match(name) is not None


def is_cache(name: str) -> bool:
    """True for junk that may be deleted, because machines write it anew."""
    return _CACHE.match(name) is not None


def in_junk(path: str) -> bool:
    """True if any part of a relative POSIX path is junk."""
    return any(map(is_junk, path.split("/")))
