"""The outputs of benchmarks/ that `facet record` reads."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


def test_a_median_s_interval_is_that_of_its_ranks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    gan_step = importlib.import_module("gan_step")
    estimate = gan_step.median([float(i) for i in range(100, -1, -1)])
    assert (estimate.low, estimate.value, estimate.high, estimate.n) == (40, 50, 60, 101)
    assert gan_step.median([3.0, 1.0, 2.0]) == gan_step.Estimate(2.0, 1.0, 3.0, 3)


@pytest.mark.slow
def test_speeds_of_a_system_are_written_for_the_record(tmp_path):
    words = ["--profile", "smoke", "--systems", "ian", "--seconds", "0.02", "--threads", "1"]
    command = [sys.executable, "benchmarks/systems.py", *words, "--json", str(tmp_path / "a.json")]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["profile"] == "smoke"
    assert "1 thread, torch" in found["machine"]
    (row,) = found["rows"]
    assert (row["system"], row["precision"] in ("fp32", "bf16")) == ("ian", True)
    for name in ("images_per_second", "brush_ms", "decode_ms"):
        assert 0 < row[name]["low"] <= row[name]["value"] <= row[name]["high"], name
    assert row["multiply_adds"] > 1e6
