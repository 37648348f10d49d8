"""The champion of each system: the trained model that edits, until a better one takes its place.

    champions/champion.json          which version of each system is live, and every change of it: one atomic pointer
    champions/<system>/<version>/    a model folder with its attributes.parquet and card.json; never changed

Versions are copied in whole and found by the pointer alone, so that nothing half-promoted is ever seen."""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facet.base import project
from facet.base.errors import InputError
from facet.base.files import hash_named, replacing, replacing_folder, to_disk, write_json
from facet.base.params import need

STORE = "champions"  # folder of the store in a project's root
ENDS = "ends"  # in the store: where the champions' trainings ended, for warm starts
POINTER, CARD, TABLE = "champion.json", "card.json", "attributes.parquet"
KEPT = 10  # versions of a system that `prune` leaves, the live one not counted


@dataclasses.dataclass(frozen=True)
class Change:
    """One move of the pointer."""

    system: str
    version: str
    before: str | None  # the version that was live
    why: str
    when: str  # UTC, ISO 8601

    def __str__(self) -> str:
        return f"{self.when}  {self.system}  {self.before or '-'} -> {self.version}  {self.why}"


class Champions:
    """The store in the folder `root`."""

    def __init__(self, root: Path):
        self.root = root

    def _pointer(self) -> dict[str, Any]:
        path = self.root / POINTER
        if not path.exists():
            return {"live": {}, "changes": []}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise TypeError("expected live and changes")
            live, changes = found["live"], found["changes"]
            if not isinstance(live, dict) or not isinstance(changes, list):
                raise TypeError("expected live and changes")
            return {"live": dict(live), "changes": list(changes)}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is damaged ({error}); `facet champion rebuild` makes the newest versions live"
            ) from None

    def live(self, system: str) -> str | None:
        """The live version of a system, None before its first promotion."""
        version = self._pointer()["live"].get(system)
        return None if version is None else str(version)

    def systems(self) -> list[str]:
        """Systems that have a champion."""
        return sorted(self._pointer()["live"])

    def folder(self, system: str, version: str | None = None) -> Path:
        """The model folder of a version, by default the live one; InputError where there is none."""
        chosen = version or self.live(system)
        if chosen is None:
            raise InputError(
                f"{self.root} has no champion of {system}; promote one (facet champion promote, or a night)"
            )
        path = self.root / system / chosen
        if not path.exists():
            raise InputError(f"{path} is missing; versions of {system}: {', '.join(self.versions(system)) or 'none'}")
        return path

    def versions(self, system: str) -> list[str]:
        """Versions of a system, the oldest first."""
        return sorted(path.name for path in (self.root / system).glob("*") if (path / CARD).exists())

    def card(self, system: str, version: str | None = None) -> dict[str, Any]:
        """What is known of a version."""
        found: dict[str, Any] = json.loads((self.folder(system, version) / CARD).read_text(encoding="utf-8"))
        return found

    def changes(self) -> list[Change]:
        """Every move of the pointer, the oldest first."""
        return [Change(**one) for one in self._pointer()["changes"]]

    def promote(self, system: str, model: Path, table: Path, card: dict[str, Any], *, why: str) -> str:
        """Copy a trained model and its attributes table in and make them live; the version. The same model again is
        the version that it was."""
        need(model / "model.json", f"train_gan@{system}")
        need(table, f"attributes@{system}")
        digest = digest_of(model, table)
        with self._alone():
            version = next((one for one in self.versions(system) if one.endswith(digest[:12])), None)
            if version is None:
                number = max((int(one[:6]) for one in self.versions(system)), default=0) + 1
                version = f"{number:06d}-{digest[:12]}"
                with replacing_folder(self.root / system / version) as aside:
                    for path in sorted(model.iterdir()):
                        if path.is_file():
                            shutil.copyfile(path, aside / path.name)
                    shutil.copyfile(table, aside / TABLE)
                    write_json(aside / CARD, card | {"system": system, "version": version, "sha256": digest})
                    for path in aside.iterdir():
                        to_disk(path)
            self._point(system, version, why)
        return version

    def rollback(self, system: str, version: str | None = None, *, why: str = "rolled back") -> str:
        """Make an earlier version live again, by default the one before the live one; the version."""
        with self._alone():
            now = self.live(system)
            version = version or self._before(system, now)
            if version is None:
                raise InputError(f"{system} has no champion before {now}; `facet champion list` shows its versions")
            self.folder(system, version)  # must be there
            if version != now:
                self._point(system, version, why)
        return version

    def rebuild(self) -> dict[str, str]:
        """A new pointer to the newest version of every system, for one that is lost; the versions."""
        with self._alone():
            found = {
                path.name: versions[-1]
                for path in sorted(self.root.glob("*"))
                if (versions := self.versions(path.name))
            }
            (self.root / POINTER).unlink(missing_ok=True)
            for system, version in found.items():
                self._point(system, version, "rebuilt")
        return found

    def fault(self, system: str) -> str:
        """What is wrong with the live version; "" where nothing is."""
        version = self.live(system)
        if version is None:
            return ""
        folder = self.root / system / version
        try:
            sound = digest_of(folder, folder / TABLE) == self.card(system)["sha256"]
        except (OSError, InputError, ValueError, KeyError):
            sound = False
        cure = f"facet champion rollback {system}"
        return "" if sound else f"the champion {folder} is missing or damaged; {cure} makes the one before live again"

    def prune(self, system: str, *, keep: int = KEPT, dry_run: bool = False) -> list[str]:
        """Remove the oldest versions but for `keep`, and never the live one nor the one before it; those removed."""
        with self._alone():
            now = self.live(system)
            spared = {now, self._before(system, now)}
            old = [version for version in self.versions(system) if version not in spared]
            gone = old[: max(len(old) - keep, 0)]
            for version in () if dry_run else gone:
                shutil.rmtree(self.root / system / version)
        return gone

    def _before(self, system: str, version: str | None) -> str | None:
        """The version that was live when this one was first promoted."""
        moves = (one.before for one in self.changes() if (one.system, one.version) == (system, version))
        return next(moves, None)

    def _point(self, system: str, version: str, why: str) -> None:
        pointer = self._pointer()
        before = pointer["live"].get(system)
        if before == version:
            return
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        change = Change(system, version, before, why, when)
        pointer["live"][system] = version
        pointer["changes"].append(dataclasses.asdict(change))
        text = json.dumps(pointer, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        with replacing(self.root / POINTER) as aside:
            aside.write_text(text, encoding="utf-8")
            to_disk(aside)
        to_disk(self.root)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time; readers need no lock."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def digest_of(model: Path, table: Path) -> str:
    """SHA-256 over a model folder's weights and card and its attributes table."""
    own = [*sorted(model.glob("*.safetensors")), model / "model.json"]
    return hash_named([*((path.name, path) for path in own), (TABLE, table)])


def latest_paths(root: Path, system: str) -> tuple[Path, Path]:
    """Model folder and attributes table that the pipeline at `root` trained last; InputError if params.yaml has no such
    system."""
    systems = project.params(root).get("systems", {})
    if system not in systems:
        raise InputError(f"system {system!r} is not in params.yaml; choose one of {', '.join(systems)}")
    return root / systems[system]["model"], root / "data" / "attributes" / f"{system}.parquet"


def live_paths(root: Path, system: str) -> tuple[Path, Path]:
    """Model folder and attributes table of the live champion, or those trained last before the first promotion."""
    store = Champions(root / STORE)
    if store.live(system) is None:
        return latest_paths(root, system)
    folder = store.folder(system)
    return folder, folder / TABLE
