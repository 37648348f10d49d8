import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from facet.base.errors import InputError
from facet.base.params import check, from_argv, known_from_argv, need, run_stage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """A stage."""

    folder: Path
    count: int
    rate: float
    flip: bool
    names: tuple[str, ...]


ARGV = ["--folder", "a/b", "--count", "3", "--rate", "1e-3", "--no-flip", "--names", "x", "y"]


def test_flags_arrive_with_the_types_of_their_fields():
    assert from_argv(Params, ARGV) == Params(folder=Path("a/b"), count=3, rate=0.001, flip=False, names=("x", "y"))


@pytest.mark.parametrize("missing", ["--count", "--names"])
def test_a_missing_flag_is_named(missing, capsys):
    start = ARGV.index(missing)
    length = 3 if missing == "--names" else 2
    with pytest.raises(SystemExit):
        from_argv(Params, ARGV[:start] + ARGV[start + length :])
    assert missing in capsys.readouterr().err


def test_a_misspelt_flag_is_named_and_never_taken_for_its_neighbour(capsys):
    with pytest.raises(SystemExit):
        from_argv(Params, [*ARGV, "--coun", "4"])
    assert "--coun" in capsys.readouterr().err


def test_flags_of_another_dataclass_are_handed_back():
    values, rest = known_from_argv(Params, [*ARGV, "--width", "4"])
    assert values["count"] == 3
    assert rest == ["--width", "4"]


@pytest.mark.parametrize(("flag", "value"), [("seed", "-1"), ("threads", "0"), ("batch_size", "0"), ("steps", "-5")])
def test_a_number_below_its_least_is_a_clear_error_in_every_stage(flag, value):
    one = dataclasses.make_dataclass("One", [(flag, int)], frozen=True, kw_only=True)
    for parse in (from_argv, known_from_argv):
        with pytest.raises(InputError, match=f"{flag} {value}: expected . or more"):
            parse(one, [f"--{flag}", value])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limited:
    """Fields with limits."""

    ema: float = 0.5
    final_rate: float = 0.5
    strengths: tuple[float, ...] = (0.5,)
    slack: float = 0.5
    loss: Literal["l1", "l2"] = "l1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ema": 1.0}, "ema 1.0: expected 0 or more, below 1; see params.yaml"),
        ({"final_rate": 0.0}, "final_rate 0.0: expected above 0, at most 1"),
        ({"strengths": (1.0, -1.0)}, "strengths -1.0: expected above 0;"),
        ({"slack": float("nan")}, "slack nan: expected a number"),
        ({"slack": float("inf")}, "slack inf: expected a number"),
        ({"loss": "l3"}, "loss 'l3' is unknown; choose one of l1, l2"),
    ],
)
def test_a_number_out_of_its_limits_and_an_unknown_word_are_clear_errors(changes, message):
    assert check(Limited(final_rate=1.0, ema=0.0)) == Limited(final_rate=1.0, ema=0.0)
    with pytest.raises(InputError, match=message):
        check(Limited(**changes))
    flags = [part for name, value in changes.items() for part in (f"--{name}", *map(str, np.atleast_1d(value)))]
    defaults = {"ema": ["0"], "final_rate": ["1"], "strengths": ["1"], "slack": ["0"], "loss": ["l1"]}
    rest = [part for name, value in defaults.items() if name not in changes for part in (f"--{name}", *value)]
    with pytest.raises(InputError, match=message):
        from_argv(Limited, flags + rest)


def test_ctrl_c_ends_a_stage_with_one_line(monkeypatch, capsys):
    def run(params):
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["stage", *ARGV])
    with pytest.raises(SystemExit) as stop:
        run_stage(Params, run)
    assert stop.value.code == 130
    assert capsys.readouterr().err == "interrupted; run it again to go on\n"


def test_need_names_the_path_and_the_stage_that_writes_it(tmp_path):
    with pytest.raises(InputError, match=r"faces\.parquet is missing; stage `prepare` writes it"):
        need(tmp_path / "faces.parquet", "prepare")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("data/x is empty; run y"), "error: data/x is empty; run y"),
        (OSError(28, "No space left on device", "data/z"), "error: data/z: No space left on device"),
    ],
)
def test_a_fault_of_the_input_ends_the_stage_with_one_line(error, words, monkeypatch):
    def run(params):
        raise error

    monkeypatch.setattr("sys.argv", ["stage", *ARGV])
    with pytest.raises(SystemExit) as stop:
        run_stage(Params, run)
    assert str(stop.value).startswith(words)
    assert "\n" not in str(stop.value)
