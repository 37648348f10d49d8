"""The champion of each system: the live model, until a better one replaces it.

    champions/champion.json          the pointer: the live version of each system, and every change of it
    champions/<system>/<version>/    a model folder with its attributes.parquet, its refiner/ if the profile trains one,
                                     and card.json; never changed

A version is copied in whole before the pointer is replaced, so readers never see half a promotion."""

import contextlib
import dataclasses
import datetime
import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from facet.base import locks, project
from facet.base.errors import InputError
from facet.base.files import hash_named, replacing, replacing_folder, to_disk, write_json
from facet.base.junk import is_junk
from facet.base.params import need

STORE = "champions"  # folder of the store in a project's root
ENDS = "ends"  # folder in the store: the ends of the champions' trainings, for warm starts
POINTER, CARD, TABLE = "champion.json", "card.json", "attributes.parquet"
REFINER = "refiner"  # as in facet/refining/refiner.py, which imports torch
KEPT = 10  # versions of a system that `prune` leaves beside the live one and the one before it


@dataclasses.dataclass(frozen=True)
class Change:
    """One change of the pointer."""

    system: str
    version: str  # version that became live
    before: str | None  # version that was live
    why: str
    when: str  # UTC, ISO 8601

    def __str__(self) -> str:
        return f"{self.when}  {self.system}  {self.before or '-'} -> {self.version}  {self.why}"


class Champions:
    """The store of champions in the folder `root`."""

    def __init__(self, root: Path):
        self.root = root

    def _pointer(self) -> dict[str, Any]:
        path = self.root / POINTER
        if not path.exists():
            return {"live": {}, "changes": []}
        try:
            pointer = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(pointer, dict):
                raise TypeError("expected live and changes")
            live, changes = pointer["live"], pointer["changes"]
            if not isinstance(live, dict) or not isinstance(changes, list):
                raise TypeError("expected live and changes")
            for change in changes:
                Change(**change)
            return {"live": dict(live), "changes": list(changes)}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is damaged ({error}); `facet champion rebuild` makes the newest versions live"
            ) from None

    def live(self, system: str) -> str | None:
        """The live version of a system; None before its first promotion."""
        version = self._pointer()["live"].get(system)
        return None if version is None else str(version)

    def systems(self) -> list[str]:
        """Systems that have a champion."""
        return sorted(self._pointer()["live"])

    def folder(self, system: str, version: str | None = None) -> Path:
        """The model folder of a version, by default the live one; InputError if there is none."""
        chosen = version or self.live(system)
        if chosen is None:
            raise InputError(
                f"no champion of {system} in {self.root}; promote one (`facet champion promote`, or a night)"
            )
        path = self.root / system / chosen
        if chosen not in self.versions(system):
            raise InputError(
                f"{path} is no version of {system}; there are {', '.join(self.versions(system)) or 'none'} "
                "(`facet champion rollback SYSTEM VERSION` makes one live)"
            )
        return path

    def versions(self, system: str) -> list[str]:
        """Versions of a system, the oldest first."""
        return sorted(path.name for path in (self.root / system).glob("*") if (path / CARD).exists())

    def card(self, system: str, version: str | None = None) -> dict[str, Any]:
        """The card of a version: scores, verdict, night and hash; InputError if it is damaged."""
        path = self.folder(system, version) / CARD
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(card, dict):
                raise TypeError("expected a mapping")
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is damaged ({error}); promote the model again, or remove the version") from None
        return card

    def changes(self) -> list[Change]:
        """Every change of the pointer, the oldest first."""
        return [Change(**change) for change in self._pointer()["changes"]]

    def promote(
        self, system: str, model: Path, table: Path, card: dict[str, Any], *, why: str, refiner: Path | None = None
    ) -> str:
        """Copy a trained model, its attributes table and its refiner, if there is one, into the store and make them
        live; return the version. A model that is in the store already keeps its version."""
        need(model / "model.json", f"train_gan@{system}")
        need(table, f"attributes@{system}")
        digest = digest_of(model, table, refiner)
        with self._write_lock():
            versions = self.versions(system)
            version = next((version for version in versions if version.endswith(digest[:12])), None)
            if version is None:
                number = max((int(version[:6]) for version in versions), default=0) + 1
                version = f"{number:06d}-{digest[:12]}"
                with replacing_folder(self.root / system / version) as folder:
                    for path in sorted(model.iterdir()):
                        if path.is_file():
                            shutil.copyfile(path, folder / path.name)
                    shutil.copyfile(table, folder / TABLE)
                    if refiner is not None:
                        shutil.copytree(refiner, folder / REFINER, copy_function=shutil.copyfile)
                    write_json(folder / CARD, card | {"system": system, "version": version, "sha256": digest})
                    for path in folder.rglob("*"):
                        to_disk(path)
            self._point(system, version, why)
        return version

    def rollback(self, system: str, version: str | None = None, *, why: str = "rolled back") -> str:
        """Make an earlier version live again, by default the one before the live one; return the version."""
        with self._write_lock():
            now = self.live(system)
            version = version or self._before(system, now)
            if version is None:
                raise InputError(f"{system} has no champion before {now}; `facet champion list` shows its versions")
            self.folder(system, version)  # raises if the version is missing
            if version != now:
                self._point(system, version, why)
        return version

    def rebuild(self) -> dict[str, str]:
        """Replace a lost pointer by one to the newest version of every system; return version by system."""
        with self._write_lock():
            newest = {
                path.name: versions[-1]
                for path in sorted(self.root.glob("*"))
                if (versions := self.versions(path.name))
            }
            (self.root / POINTER).unlink(missing_ok=True)
            for system, version in newest.items():
                self._point(system, version, "rebuilt")
        return newest

    def fault(self, system: str) -> str:
        """A message about damage to the live version; "" if it is sound."""
        version = self.live(system)
        if version is None:
            return ""
        folder = self.root / system / version
        try:
            sound = digest_of(folder, folder / TABLE) == self.card(system)["sha256"]
        except (OSError, InputError, ValueError, KeyError):
            sound = False
        earlier = self._before(system, version) in self.versions(system)
        fix = f"facet champion rollback {system}{'' if earlier else ' VERSION'}"
        return "" if sound else f"the champion {folder} is missing or damaged; {fix} makes an earlier one live again"

    def prune(self, system: str, *, keep: int = KEPT, spared: Collection[str] = (), dry_run: bool = False) -> list[str]:
        """Remove the oldest versions and return them. The live version, the one before it, those `spared` and `keep`
        more stay."""
        with contextlib.nullcontext() if dry_run else self._write_lock():
            now = self.live(system)
            needed = {now, self._before(system, now), *spared}
            old = [version for version in self.versions(system) if version not in needed]
            removed = old[: max(len(old) - keep, 0)]
            for version in () if dry_run else removed:
                shutil.rmtree(self.root / system / version)
        return removed

    def _before(self, system: str, version: str | None) -> str | None:
        """The version that was live when this one was first promoted."""
        moves = (change for change in self.changes() if (change.system, change.version) == (system, version))
        return next((change.before for change in moves), None)

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
    def _write_lock(self) -> Iterator[None]:
        """Keep other writers out; readers need no lock."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            locks.take(lock.fileno(), self.root, wait=locks.FOREVER)
            yield


def digest_of(model: Path, table: Path, refiner: Path | None = None) -> str:
    """SHA-256 over the weights and model.json of a model folder, its attributes table, and its refiner if there is one:
    `refiner`, or the one in the model folder."""
    own = [(path.name, path) for path in _files(model)]
    if refiner is not None or (model / REFINER).exists():
        own += [(f"{REFINER}/{path.name}", path) for path in _files(refiner or model / REFINER)]
    return hash_named([*own, (TABLE, table)])


def _files(folder: Path) -> list[Path]:
    """The weights and model.json of a folder."""
    weights = sorted(path for path in folder.glob("*.safetensors") if not is_junk(path.name))
    return [*weights, folder / "model.json"]


def latest_paths(root: Path, system: str) -> tuple[Path, Path]:
    """Model folder and attributes table that the pipeline at `root` trained last; InputError if params.yaml has no such
    system."""
    systems = project.params(root).get("systems", {})
    if system not in systems:
        raise InputError(f"system {system!r} is not in params.yaml; choose one of {', '.join(systems)}")
    return root / systems[system]["model"], root / "data" / "attributes" / f"{system}.parquet"


def latest_refiner(root: Path, system: str) -> Path | None:
    """The refiner that the pipeline at `root` trained last for a system; None if params.yaml trains none."""
    if system not in (project.params(root).get("train_refiner") or {}):
        return None
    return need(root / "data" / "refiners" / system, f"train_refiner@{system}")


def live_paths(root: Path, system: str) -> tuple[Path, Path]:
    """Model folder and attributes table of the live champion; before the first promotion, those trained last."""
    store = Champions(root / STORE)
    if store.live(system) is None:
        return latest_paths(root, system)
    folder = store.folder(system)
    return folder, folder / TABLE
