import dataclasses
import importlib
import typing
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import yaml

from facet import systems
from facet.base.errors import InputError
from facet.base.limits import BelowOne, Count, Limit, Positive, UpToOne
from facet.base.params import check, from_argv, from_mapping, known_from_argv, need, run_stage
from tests.support.paths import ROOT


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


STAGES = ("source", "prepare", "train_judge", "train_gan", "train_encoder", "encode", "attributes", "edit", "evaluate")


@pytest.mark.parametrize("stage", STAGES)
def test_a_seed_and_a_number_of_threads_below_their_least_are_clear_errors_in_every_stage(stage):
    params = importlib.import_module(f"stages.{stage}").Params
    fields = {field.name for field in dataclasses.fields(params)}
    bad = {"seed": -1, "threads": 0, "batch_size": 0, "steps": -5, "workers": -1}
    for name in bad.keys() & fields:
        with pytest.raises(InputError, match=f"{name} {bad[name]}: expected . or more"):
            check(params(**dict.fromkeys(fields, None) | {name: bad[name]} | words_of(params)))
    assert bad.keys() & fields


def flag_classes() -> list[type]:
    """The Params of every stage, and the settings of every system and encoder."""
    names = (path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
    stages = [importlib.import_module(f"stages.{name}").Params for name in names]
    gans = [systems.module(name).GanSettings for name in systems.SYSTEMS]
    variants = yaml.safe_load((ROOT / "params.yaml").read_text())["train_encoder"]
    encoders = [systems.encoders(values["system"]).settings_class(name) for name, values in variants.items()]
    return [*stages, *gans, *encoders]


def test_every_number_of_params_yaml_has_a_limit():
    wrong = []
    for params in flag_classes():
        for name, hint in typing.get_type_hints(params, include_extras=True).items():
            items = typing.get_args(hint) if typing.get_origin(hint) is tuple else (hint,)
            for item in items:
                plain = typing.get_args(item)[0] if typing.get_origin(item) is Annotated else item
                limits = [part for part in getattr(item, "__metadata__", ()) if isinstance(part, Limit)]
                if plain in (int, float) and not limits:
                    wrong.append(f"{params.__module__}.{params.__name__}.{name}")
    assert not wrong


def words_of(params: type) -> dict[str, str]:
    """The first choice of every field that is a Literal."""
    hints = typing.get_type_hints(params)
    return {n: typing.get_args(h)[0] for n, h in hints.items() if typing.get_origin(h) is Literal}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limited:
    """Fields with limits."""

    ema: BelowOne = 0.5
    final_rate: UpToOne = 0.5
    strengths: tuple[Positive, ...] = (0.5,)
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Night:
    """A section of params.yaml."""

    systems: tuple[str, ...]
    drop: Path
    faces: Count
    share: UpToOne
    start: Literal["scratch", "champion"]
    git: bool
    gate: "Gate"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gate:
    """A mapping inside the section."""

    success: Positive


NIGHT = {
    "systems": ["vigan"], "drop": "a/b", "faces": 5, "share": 1, "start": "scratch", "git": False,
    "gate": {"success": 0.1},
}  # fmt: skip


def test_a_section_of_params_yaml_arrives_with_the_types_of_its_fields():
    expected = Night(
        systems=("vigan",), drop=Path("a/b"), faces=5, share=1, start="scratch", git=False, gate=Gate(success=0.1)
    )
    assert from_mapping(Night, NIGHT, prefix="nightly.") == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faces": 0}, "nightly.faces 0: expected 1 or more; see params.yaml"),
        ({"faces": 2.5}, "params.yaml: nightly.faces 2.5: expected a whole number"),
        ({"faces": True}, "nightly.faces True: expected a whole number"),
        ({"share": "half"}, "nightly.share 'half': expected a number"),
        ({"systems": "vigan"}, "nightly.systems 'vigan': expected a list"),
        ({"start": "none"}, "nightly.start 'none' is unknown; choose one of scratch, champion"),
        ({"git": 1}, "nightly.git 1: expected true or false"),
        ({"more": 1}, "`nightly` does not know more"),
        ({"gate": 3}, "nightly.gate 3: expected a mapping"),
        ({"gate": {"success": 0}}, "nightly.gate.success 0: expected above 0"),
    ],
)
def test_a_section_of_params_yaml_that_does_not_fit_is_a_clear_error(changes, message):
    with pytest.raises(InputError, match=message):
        from_mapping(Night, NIGHT | changes, prefix="nightly.")


def test_a_key_that_a_section_of_params_yaml_lacks_is_named():
    with pytest.raises(InputError, match="`nightly` lacks share"):
        from_mapping(Night, {key: value for key, value in NIGHT.items() if key != "share"}, prefix="nightly.")


@pytest.mark.parametrize("changes", [{"more": 1}, {"gate": {}}])
def test_what_to_do_about_wrong_keys_ends_the_message(changes):
    with pytest.raises(InputError, match=r"; write it anew$"):
        from_mapping(Night, NIGHT | changes, prefix="nightly.", hint="write it anew")


def test_a_section_of_params_yaml_is_a_mapping():
    with pytest.raises(InputError, match=r"params\.yaml: nightly 3: expected a mapping"):
        from_mapping(Night, 3, prefix="nightly.")


def test_ctrl_c_ends_a_stage_with_one_line(monkeypatch, capsys):
    def run(params):
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["stage", *ARGV])
    with pytest.raises(SystemExit) as stop:
        run_stage(Params, run)
    assert stop.value.code == 130
    assert capsys.readouterr().err == "interrupted; run it again to continue\n"


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
