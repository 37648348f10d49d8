"""Landmarks that the user provides: a CSV with one row per face."""

import csv
from pathlib import Path

import numpy as np

from facet.base.errors import InputError

POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
COLUMNS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
CELEBA = tuple(
    f"{point}_{axis}" for point in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for axis in "xy"
)


def read_landmarks(path: Path) -> dict[str, list[np.ndarray]]:
    """Read faces by file name, as (5, 2) in pixels of the upright photo: eyes, nose, corners of the mouth, the left one
    in the picture first.

    The header names the columns: `file` (or image_id, name) and COLUMNS, or CelebA's. InputError if it does not, or if
    a row does not hold ten numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; expected a CSV with file, {', '.join(COLUMNS)}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV ({error})") from None
    names = rows[0].keys() if rows else ()
    key = next((name for name in ("file", "image_id", "name") if name in names), None)
    columns = next((known for known in (COLUMNS, CELEBA) if set(known) <= set(names)), None)
    if key is None or columns is None:
        present = ", ".join(str(name) for name in names) or "none"
        raise InputError(f"{path} has columns {present}; expected file, {', '.join(COLUMNS)}")
    faces: dict[str, list[np.ndarray]] = {}
    for number, row in enumerate(rows, 2):
        try:
            points = np.array([float(row[name]) for name in columns]).reshape(5, 2)
        except (TypeError, ValueError):
            points = np.full((5, 2), np.nan)
        if not (np.abs(points) < 1e6).all():
            raise InputError(f"{path}, line {number} ({row[key]}): expected ten numbers, {', '.join(columns)}")
        faces.setdefault(row[key], []).append(points)
    return faces
