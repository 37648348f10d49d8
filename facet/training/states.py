"""States of trainings (networks, optimisers, history) as files with a digest, because torch loads flipped bytes without
an error."""

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

from facet.base.files import replacing

log = logging.getLogger(__name__)

MARK = b"\nsha256 "  # begins the last line of a file, after torch's own bytes
TAIL = len(MARK) + 64  # bytes of that line


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state, followed by the digest of its bytes."""
    import torch

    with replacing(path) as temporary:
        torch.save(state, temporary)
        with temporary.open("r+b") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.write(MARK + digest.encode())  # hashing has read to the end


def load(path: Path) -> dict[str, Any] | None:
    """The state in a file; None if there is none, or with one line of warning if the file is damaged."""
    import torch

    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        body, tail = content[:-TAIL], content[-TAIL:]
        if tail != MARK + hashlib.sha256(body).hexdigest().encode():
            raise ValueError("its digest does not fit" if content else "it is empty")
        state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError("it holds no state")
    except Exception as error:  # starting over is always right
        log.warning("%s cannot be used (%s); starting from the first step", path, " ".join(str(error).split()))
        return None
    return state
