"""Verdicts of the gate: their place in the store, what they were given by, and their one-line summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.files import hash_of

VERDICTS, FROZEN = "verdicts", "test_faces.json"  # in the store of champions: verdicts, and the frozen test faces


def verdict_path(store: Path, system: str, digest: str) -> Path:
    """The verdict on a candidate, by the first 12 digits of the hash of its model and table."""
    return store / VERDICTS / f"{system}-{digest}.json"


def judges_hash(judges: Path) -> str:
    """SHA-256 over the weights of both judges in the folder that `train_judge` writes; verdicts with the same hash can
    be compared."""
    return hash_of(*(judges / f"{which}.safetensors" for which in ("a", "b")))


def summary(verdict: Mapping[str, Any]) -> str:
    """A verdict in one line."""
    outcome = "goes live" if verdict["promote"] else "stays out"
    return f"the candidate {outcome}: {'; '.join(verdict['reasons'])}"
