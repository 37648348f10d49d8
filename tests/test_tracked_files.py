"""Limits on the contents of tracked files."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("no git clone")
    result = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_package_index_or_a_path_of_one_machine():
    words = r"(?:/home/\w|/Users/\w|/root/|(?<![\w./])/w[o]rk/|https?://\S+\.(?:whl|tar\.gz)|https?://\S+/simple\b)"
    allowed = {ROOT / "LICENSE", Path(__file__)}
    wrong = []
    for path in tracked():
        if path in allowed or path.suffix in {".png", ".jpg", ".jpeg", ".webp", ".safetensors", ".npz", ".npy", ".gz"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        wrong += [f"{path.relative_to(ROOT)}: {match}" for match in re.findall(words, text)]
    assert not wrong


def test_no_tracked_file_is_large():
    """Data belongs in dvc's cache, so that a clone takes seconds."""
    wrong = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked() if path.stat().st_size > 2_000_000}
    assert not wrong
