"""Junk as machines leave it beside people's files."""

from pathlib import Path

CACHES = (
    ".DS_Store", "._1.jpg", "Icon\r", "__MACOSX", ".AppleDouble", "Thumbs.db", "thumbs.db", "ehthumbs_vista.db",
    "desktop.ini", "Desktop.ini", "@eaDir", "SYNOFILE_THUMB_M.jpg", ".@__thumb", ".thumbnails",
)  # fmt: skip
OTHERS = (
    "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "@tmp", "$RECYCLE.BIN", "RECYCLER",
    "System Volume Information", "FOUND.000", "lost+found", ".Trash-1000", ".Trashes", ".ipynb_checkpoints", ".git",
    ".nfs00000000001", ".1.jpg.swp", ".trashed-1790000000-1.jpg", "__pycache__", "Network Trash Folder",
    "Temporary Items", "labels.csv~", "#labels.csv#", "~$labels.xlsx", ".~lock.labels.csv#",
)  # fmt: skip
DATA = (
    "1.jpg", "Icons", "Icon", "iconic.jpg", "1#.jpg", "#1.jpg", "~1.jpg", "@me.jpg", "thumbs", "thumbs.db.jpg",
    "lost+found.jpg", "photos.v2", "FOUND.1", "日本.jpg", "a.b", "snapshot", "recycle", "tmp",
)  # fmt: skip


def scatter(folder: Path, picture: bytes, *, table: str = "", locks: bool = True) -> None:
    """Put junk into a folder: files of those names, and folders of them that hold a picture named 1.jpg and, if there
    is one, a table."""
    for name in CACHES + OTHERS if locks else CACHES + OTHERS[:-2]:
        if "." in name.strip(".") and not name.startswith((".ipynb", "$", "FOUND")):
            (folder / name).write_bytes(picture)
        else:
            (folder / name).mkdir()
            (folder / name / "1.jpg").write_bytes(picture)
            if table:
                (folder / name / "labels.csv").write_text(table)
