"""The descriptions and plots of dvc.yaml, and dvc's hooks."""

import csv
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from facet.systems import SYSTEMS
from tests.support.house import STAGES, commands, covered
from tests.support.paths import ROOT

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
PLOTS: dict[str, dict[str, Any]] = {
    name: settings
    for entry in DVC["plots"]
    for name, settings in (entry if isinstance(entry, dict) else {entry: {}}).items()
}
BUILT_IN = {"linear", "simple", "scatter", "bar_horizontal", "bar_horizontal_sorted", "smooth", "confusion"}


def columns(settings: dict[str, Any]) -> dict[str, list[str]]:
    """The columns that a plot takes of each of its files."""
    found: dict[str, list[str]] = {}
    for axis in (settings["x"], settings["y"]):
        files = axis if isinstance(axis, dict) else dict.fromkeys(settings["y"], axis)
        for file, names in files.items():
            found.setdefault(file, []).extend([names] if isinstance(names, str) else names)
    return found


def test_every_stage_says_what_it_does():
    descriptions = {name: stage.get("do", stage).get("desc") for name, stage in DVC["stages"].items()}
    assert list(descriptions) == STAGES
    assert all(descriptions.values())


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_its_curves_errors_samples_and_sheets_among_the_plots(system):
    curves = {tuple(names) for name, plot in PLOTS.items() for file, names in (columns(plot) if plot else {}).items()
              if file == f"reports/plots/{system}/curves.csv"}  # fmt: skip
    assert curves == {("strength", "success"), ("strength", "flips")}
    files = {file for plot in PLOTS.values() if plot for file in columns(plot)}
    assert {f"reports/plots/{system}/{name}.csv" for name in ("reconstruction", "samples")} <= files
    assert f"reports/train/{system}.csv" in files
    assert {f"data/samples/{system}.png", f"data/sheets/{system}"} <= set(PLOTS)


def test_every_plotted_column_is_in_the_committed_tables():
    for name, plot in PLOTS.items():
        for file, names in (columns(plot) if plot else {}).items():
            with (ROOT / file).open() as lines:
                assert set(names) <= set(next(csv.reader(lines))), f"{name}: {file}"


@pytest.mark.slow
def test_every_plot_is_of_something_that_a_stage_writes():
    outs = {out for command in commands() for out in command.outs}
    files = {file for name, plot in PLOTS.items() for file in (columns(plot) if plot else [name])}
    assert [file for file in files if not covered(Path(file), outs)] == []


def test_every_template_exists_and_draws_the_interval_of_the_column():
    used = {plot["template"] for plot in PLOTS.values() if "template" in plot} - BUILT_IN
    assert used == {path.stem for path in (ROOT / ".dvc/plots").glob("*.json")}
    text = (ROOT / ".dvc/plots/by_attribute.json").read_text()
    assert json.loads(text)["data"] == {"values": "<DVC_METRIC_DATA>"}
    for plot in PLOTS.values():
        if plot.get("template") == "by_attribute":
            ((file, (_, y)),) = columns(plot).items()
            with (ROOT / file).open() as lines:
                names = set(next(csv.reader(lines)))
            assert {"attribute", "direction", f"{y}_low", f"{y}_high"} <= names
    assert "<DVC_METRIC_Y>_low" in text
    assert "<DVC_METRIC_Y>_high" in text


@pytest.mark.parametrize(("remote", "calls"), [(1, ["remote default"]), (0, ["remote default", "git-hook pre-push"])])
def test_a_push_without_a_default_remote_pushes_no_data_and_passes(tmp_path, remote, calls):
    hooks = {
        hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    }
    assert hooks["dvc-push"]["stages"] == ["pre-push"]
    dvc = tmp_path / ".venv/bin/dvc"
    dvc.parent.mkdir(parents=True)
    dvc.write_text(f'#!/bin/sh\necho "$@" >> calls\n[ "$1" != remote ] || exit {remote}\n')
    dvc.chmod(0o755)
    subprocess.run(shlex.split(hooks["dvc-push"]["entry"]), cwd=tmp_path, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == calls
