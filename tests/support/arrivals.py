"""Deliveries as people make them, and a count of every byte in them."""

import contextlib
import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

from facet.base.junk import in_junk
from facet.nights.intake import IntakeSettings
from tests.support import junk
from tests.support.pictures import jpeg, write_celeba

HEAD = "file,identity,Smiling,Male"


def settings_in(place: Path) -> IntakeSettings:
    """An intake whose folders are in `place`, and for which no delivery is arriving."""
    return IntakeSettings(
        drop=place / "drop", root=place / "faces", quarantine=place / "quarantine", settle=0.0, workers=1
    )


def labels(seeds: Iterable[int], *, name: str = "{seed}.jpg", flip: bool = False) -> str:
    """A table of labels for photos of these seeds."""
    rows = [f"{name.format(seed=seed)},p{seed},{(seed + flip) % 2},{seed // 2 % 2}" for seed in seeds]
    return "\n".join([HEAD, *rows]) + "\n"


def deliver(folder: Path, seeds: Iterable[int], table: str | None = None) -> Path:
    """Write photos, and their labels or another table, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = list(seeds)
    for seed in seeds:
        (folder / f"{seed}.jpg").write_bytes(photo(seed))
    (folder / "labels.csv").write_text(labels(seeds) if table is None else table)
    return folder


def photo(seed: int) -> bytes:
    """A small photo, another for every seed."""
    return jpeg(seed, 24, 20)


def deliver_zip(path: Path, members: dict[str, bytes | str]) -> Path:
    """Write a delivery as a zip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def spoil(path: Path, member: bytes) -> Path:
    """Change a byte of a stored member of a zip."""
    data = bytearray(path.read_bytes())
    data[data.index(member) + len(member) // 2] ^= 1
    path.write_bytes(data)
    return path


def encrypt(path: Path, name: str) -> Path:
    """Mark a member of a zip as encrypted."""
    data = bytearray(path.read_bytes())
    for mark, name_at, flag_at in ((b"PK\x03\x04", 30, 6), (b"PK\x01\x02", 46, 8)):
        at = data.find(name.encode())
        while at >= 0:
            if data[at - name_at : at - name_at + 4] == mark:
                data[at - name_at + flag_at] |= 1
            at = data.find(name.encode(), at + 1)
    path.write_bytes(data)
    return path


def deliver_everything(settings: IntakeSettings) -> None:
    """One delivery of every kind that nights have lost data of, into a drop folder whose data set has photos 0 to 3."""
    drop = settings.drop
    deliver(drop / "partial", range(10, 13), labels(range(10, 16)))
    damaged = {"labels.csv": labels((20, 21)), "20.jpg": photo(20), "21.jpg": photo(21)}
    spoil(deliver_zip(drop / "crc.zip", damaged), photo(21))
    secret = {"labels.csv": labels((22, 23)), "22.jpg": photo(22), "23.jpg": photo(23)}
    encrypt(deliver_zip(drop / "secret.zip", secret), "23.jpg")
    deliver_zip(drop / "half.zip", {"labels.csv": labels(range(30, 33)), "30.jpg": photo(30), "31.jpg": photo(31)})
    deliver(drop / "two" / "first", range(40, 42))
    deliver(drop / "two" / "second", range(42, 44))
    deliver(drop / "two" / "second" / "deep", range(44, 46))
    parts = {f"{name}/{seed}.jpg": photo(seed) for seed, name in ((50, "first"), (51, "second"))}
    parts |= {"first/labels.csv": labels((50,)), "second/labels.csv": labels((51,)), "read me.txt": "of both"}
    deliver_zip(drop / "two.zip", parts)
    deliver(drop / "arriving", range(60, 62))
    (drop / "arriving" / "62.jpg.part").write_bytes(photo(62)[:200])
    deliver(drop / "open", range(63, 65))
    (drop / "open" / ".~lock.labels.csv#").write_text("me")
    deliver(drop / "corrected", (0, 1, 66), labels((0, 1, 66), flip=True))
    future = deliver(drop / "future", range(67, 69)) / "67.jpg"
    os.utime(future, (time.time() + 1e7,) * 2)
    deliver_zip(drop / "slashes.zip", {"a\\labels.csv": labels((70,)), "a\\b\\70.jpg": photo(70)})
    deliver(drop / "phone", (71,), labels((71, 72)).replace("72.jpg", "72.heic"))
    (drop / "phone" / "72.heic").write_bytes(b"a photo of a phone")
    deliver(drop / "pipe", (73,), labels((73, 74)))
    os.mkfifo(drop / "pipe" / "74.jpg")
    deliver(drop / "bad", (75,), labels((75, 76)))
    (drop / "bad" / "76.jpg").write_bytes(b"no picture")
    (drop / "bad" / "77.jpg").write_bytes(photo(77))  # without labels
    (drop / "bad" / "notes.txt").write_text("taken in Rome")
    deliver_zip(
        drop / "hidden.zip", {"labels.csv": labels((78,)), "78.jpg": photo(78), ".79.jpg": photo(79), "../x.jpg": b"x"}
    )
    linked = deliver(drop.parent / "elsewhere", (80, 81))
    (drop / "linked").symlink_to(os.path.relpath(linked, drop))
    write_celeba(drop / "published", 3)
    rows = [f"{i + 1:06d}.jpg {1 - 2 * (i % 2)} 1" for i in range(5)]  # two without a photo
    (drop / "published" / "list_attr_celeba.txt").write_text("\n".join(["5", "Smiling Male", *rows]) + "\n")
    write_celeba(drop / "damaged", 3)
    spoil(drop / "damaged" / "img_align_celeba.zip", jpeg(1))
    deliver(drop / "broken", (82,), 'file,Smiling\n"82.jpg,1\n')
    for name in ("more.zip.part", "a.tar.gz", "b.7z", "c.heic", "d.xlsx", "e.jpg", "f.unknown"):
        (drop / name).write_bytes(name.encode())
    junk.scatter(drop / "partial", photo(90), locks=False)


def copy(place: Path, target: Path) -> IntakeSettings:
    """Copy deliveries and data set, with their times."""

    def special(source: str, target: str) -> None:
        shutil.copy2(source, target) if Path(source).is_file() else os.mkfifo(target)

    shutil.copytree(place, target, symlinks=True, copy_function=special)
    return settings_in(target)


def contents(place: Path) -> set[str]:
    """The hashes of all files below a folder but junk, of zips and of what is in them."""
    found = set()
    for path in place.rglob("*"):
        if not path.is_file() or in_junk(path.relative_to(place).as_posix()):
            continue
        found.add(digest(path.read_bytes()))
        if path.suffix == ".zip":
            found |= _members(path)
    return found


def whole_zips(place: Path) -> set[str]:
    """The hashes of zips all of whose members can be read."""
    zips = [path for path in place.rglob("*.zip") if path.is_file()]
    return {digest(path.read_bytes()) for path in zips if len(_members(path)) >= _count(path)}


def _members(path: Path) -> set[str]:
    found = set()
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with contextlib.suppress(zipfile.BadZipFile, RuntimeError):
                found.add(digest(archive.read(info)))
    return found


def _count(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return len(archive.infolist())


def digest(data: bytes) -> str:
    """The hash of a file."""
    return hashlib.sha256(data).hexdigest()
