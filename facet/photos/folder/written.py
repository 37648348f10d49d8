"""What jobs wrote into an output folder, to tell it from files that somebody put there or changed since.

The manifest and the journals know the results of the last job. This file keeps what they do not: results of photos that
are not in the job any more, and those that a killed job had begun to write."""

import json
import os
from collections.abc import Set
from pathlib import Path

from facet.base.files import replacing
from facet.photos.folder.job import HIDDEN

NAME = "written.jsonl"  # in the folder HIDDEN: a line for each file and digest
OUTPUT, DIGEST = "output", "output_sha256"


class Written:
    """SHA-256 of the files in an output folder as jobs wrote them, by their path in it."""

    def __init__(self, folder: Path):
        self._folder, self._path = folder, folder / HIDDEN / NAME
        self._digests: dict[str, set[str]] = {}
        if self._path.exists():
            for line in self._path.read_bytes().splitlines():
                self.add(begun(line))

    def add(self, files: dict[str, str]) -> None:
        """Add digests by path."""
        for output, digest in files.items():
            self._digests.setdefault(output, set()).add(digest)

    def has(self, output: str, digest: str) -> bool:
        """True if a file with this path was written with this digest."""
        return digest in self._digests.get(output, ())

    def save(self, known: Set[str]) -> None:
        """Keep what is still there and is not `known` to the manifest."""
        kept = {
            output: digests
            for output, digests in sorted(self._digests.items())
            if output not in known and os.path.lexists(self._folder / output)
        }
        if not kept:
            self._path.unlink(missing_ok=True)
            return
        with replacing(self._path) as aside, aside.open("wb") as file:
            for output, digests in kept.items():
                file.writelines(line(output, digest) for digest in sorted(digests))


def line(output: str, digest: str) -> bytes:
    """The line that says that a file is about to be written."""
    return json.dumps({OUTPUT: output, DIGEST: digest}).encode() + b"\n"


def begun(text: bytes) -> dict[str, str]:
    """The file that a line tells of, by its path; empty for other lines."""
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    is_one = isinstance(entry, dict) and entry.keys() == {OUTPUT, DIGEST}
    return {entry[OUTPUT]: entry[DIGEST]} if is_one and all(isinstance(v, str) for v in entry.values()) else {}
