"""The front door: help, version, completion, JSON, one-line errors and exit codes, and questions before removals."""

import argparse
import json
import os
import shlex
import subprocess
import sys

import pytest

from facet import cli
from facet.base.errors import FacetError
from facet.base.version import VERSION
from facet.cli import arguments, champion, main
from facet.nights.champions import KEPT, Champions
from tests.support import nights
from tests.support.paths import ROOT


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Every command and verb, by its words."""
    subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    named = {}
    for action in subparsers:
        for name, command in action.choices.items():
            named[name] = command
            named |= {f"{name} {verb}": below for verb, below in commands(command).items()}
    return named


COMMANDS = commands(cli.parser())


def outcome(capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    try:
        code = main(words)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, *capsys.readouterr()


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_help_with_an_example_that_it_accepts(words, capsys):
    code, out, _ = outcome(capsys, *words.split(), "--help")
    assert code == 0
    assert f"usage: facet {words}" in out
    _, *examples = COMMANDS[words].epilog.split("\n")
    assert all(example.startswith(f"  facet {words}") for example in examples)
    for example in examples:
        cli.parser().parse_args(shlex.split(example)[1:])


@pytest.mark.parametrize("words", COMMANDS)
def test_every_argument_has_a_line_of_help_unless_its_name_says_it_all(words):
    silent = {action.dest for action in COMMANDS[words]._actions if not action.help}
    assert silent <= {"photo", "folders"} or isinstance(COMMANDS[words]._actions[-1], argparse._SubParsersAction)


def test_the_version_is_the_modules(capsys):
    assert outcome(capsys, "--version") == (0, f"facet {VERSION}\n", "")


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "facet", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"facet {VERSION}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_command_and_its_flags(shell, capsys):
    code, out, _ = outcome(capsys, "--print-completion", shell)
    assert code == 0
    assert all(word in out for word in (*cli.LIBRARY, *cli.PROJECT, "rollback"))
    assert "unless-already" in out


def test_a_command_or_flag_that_does_not_exist_is_refused(capsys):
    code, _, error = outcome(capsys, "paint")
    assert code == 2
    assert "paint" in error
    code, _, error = outcome(capsys, "doctor", "--colour")
    assert code == 2
    assert "unrecognized arguments: --colour" in error


@pytest.fixture
def root(tmp_path):
    (tmp_path / "params.yaml").write_text("systems:\n  ian: {model: data/models/ian}\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["edit", "photos", "out", "--set", "Smiling=on", "--system", "dragan"],
        ["edit", "photos", "out", "--set", "Smiling=on"],  # the default system
        ["brush", "photo.png", "--strokes", "strokes.json"],
        ["champion", "promote", "dragan"],
    ],
)
def test_an_unknown_system_is_one_line_that_lists_the_known_ones(words, root, capsys):
    code, out, error = outcome(capsys, *words, "--root", str(root))
    assert (code, out, error.count("\n")) == (2, "", 1)
    system = "dragan" if "dragan" in words else "vigan"
    assert error == f"error: system '{system}' is not in params.yaml; choose one of ian\n"


def test_an_edit_without_a_project_or_a_model_says_how_to_name_one(tmp_path, capsys):
    code, _, error = outcome(capsys, "edit", "photos", "out", "--set", "Smiling=on", "--root", str(tmp_path))
    assert (code, error.count("\n")) == (2, 1)
    assert f"{tmp_path} has no params.yaml" in error
    assert "--model" in error


class Failed(FacetError):
    """An error with an exit code of its own."""

    exit_code = 7


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (Failed("the gate is shut"), 7, "error: the gate is shut\n"),
        (PermissionError(13, "Permission denied", "/a/b"), 2, "error: /a/b: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to continue\n"),
        (ModuleNotFoundError("no", name="dvc"), 2, "error: dvc is not installed; run `pip install -e '.[flows]'` "
         "in the clone\n"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_its_exit_code(raised, code, message, monkeypatch, capsys):
    def fail(*values, **named):
        raise raised

    monkeypatch.setattr("facet.nights.champions.Champions.systems", fail)
    assert outcome(capsys, "champion", "list") == (code, "", message)


@pytest.mark.parametrize(
    "raised", [OSError("no file is named"), ValueError("a fault"), ModuleNotFoundError("x", name="x")]
)
def test_a_fault_of_the_programs_own_keeps_its_traceback(raised, monkeypatch):
    def fail(*values, **named):
        raise raised

    monkeypatch.setattr("facet.nights.champions.Champions.systems", fail)
    with pytest.raises(type(raised)):
        main(["champion", "list"])


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_reader_that_has_gone_ends_a_command_without_a_word(unbuffered):
    """As `facet profile list | head -1` does."""
    with subprocess.Popen(
        [sys.executable, "-m", "facet", "profile", "list"],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        command.stdout.close()
        assert (command.wait(), command.stderr.read()) == (141, b"")


@pytest.mark.parametrize(
    ("text", "message"),
    [("x", "'x' is not a whole number"), ("-1", "-1 is less than 0"), ("10000", "not less than 10000")],
)
def test_a_number_that_does_not_fit_is_named(text, message, capsys):
    code, _, error = outcome(capsys, "draw", "faces", f"--seed={text}")
    assert code == 2
    assert message in error


def champions(root, number: int) -> Champions:
    """A store with versions of a made-up system."""
    model = root / "data/models/ian"
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    table = root / "table"
    store = Champions(root / "champions")
    for n in range(number):
        (model / "weights.safetensors").write_text(str(n))
        table.write_text(str(n))
        store.promote("ian", model, table, {"scores": {"success": n / 10}}, why=f"night {n}")
    return store


def test_lists_are_printed_as_json(root, capsys):
    store = champions(root, 2)
    code, out, _ = outcome(capsys, "champion", "list", "--json", "--root", str(root))
    listed = json.loads(out)
    assert code == 0
    assert [row["scores"] for row in listed["versions"]] == [{"success": 0.0}, {"success": 0.1}]
    assert [row["live"] for row in listed["versions"]] == [False, True]
    assert listed["faults"] == []
    shown = json.loads(outcome(capsys, "champion", "show", "ian", "--json", "--root", str(root))[1])
    assert shown["folder"] == str(store.folder("ian"))
    assert [change["why"] for change in shown["changes"]] == ["night 0", "night 1"]
    profiles = json.loads(outcome(capsys, "profile", "list", "--json", "--root", str(ROOT))[1])
    assert profiles[0]["name"] == "drawn"
    assert all(profile["about"] for profile in profiles)
    records = json.loads(outcome(capsys, "record", "list", "--json", "--root", str(ROOT))[1])
    assert {"name", "profile", "source", "train_images", "size", "systems", "speed"} == set(records[0])


def test_list_is_never_the_name_of_a_profile_or_a_record():
    assert not (ROOT / "profiles" / "list.yaml").exists()
    assert not (ROOT / "docs" / "records" / "list.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["edit", "photos", "out", "--set", "Smiling=on", "--json"], "add --dry-run"),
        (["champion", "prune", "ian", "--json"], "add --dry-run"),
        (["gc", "--json"], "add --dry-run"),
        (["profile", "drawn", "--json"], "facet profile list"),
        (["record", "--json"], "facet record list"),
    ],
)
def test_json_without_anything_to_list_is_refused(words, message, root, capsys):
    code, out, error = outcome(capsys, *words, "--root", str(root))
    assert (code, out) == (2, "")
    assert message in error


@pytest.fixture
def terminal(monkeypatch):
    """Answers a question as a person at a terminal would; without one there is no terminal."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)

    def answers(text: str) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: text)

    return answers


def test_prune_keeps_as_many_versions_as_a_night_does():
    assert champion.KEPT == KEPT


def test_old_versions_are_removed_only_after_a_yes(root, terminal, capsys):
    store = champions(root, 5)
    prune = ["champion", "prune", "ian", "--keep", "0", "--root", str(root)]
    versions = store.versions("ian")
    code, out, _ = outcome(capsys, *prune, "--dry-run", "--json")
    old = json.loads(out)
    assert code == 0
    assert len(old) == 2
    code, out, _ = outcome(capsys, *prune, "--dry-run")
    assert out == "".join(f"would remove {version}\n" for version in old)
    code, _, error = outcome(capsys, *prune)
    assert code == 2
    assert "no terminal to confirm the removal on; add --yes, or --dry-run" in error
    terminal("")
    code, out, _ = outcome(capsys, *prune)
    assert code == 0
    assert out.endswith("nothing was removed\n")
    assert store.versions("ian") == versions
    terminal("y")
    code, out, _ = outcome(capsys, *prune)
    assert code == 0
    assert out.endswith("".join(f"removed {version}\n" for version in old))
    assert store.versions("ian") == [version for version in versions if version not in old]
    assert outcome(capsys, *prune, "--yes") == (0, "nothing to remove\n", "")


@pytest.mark.parametrize("verb", [["prune", "ian", "--dry-run"], ["prune", "ian"], ["rollback", "ian"], ["rebuild"]])
def test_a_store_that_is_not_there_is_an_error_and_is_not_made(verb, tmp_path, capsys):
    code, _, error = outcome(capsys, "champion", *verb, "--root", str(tmp_path))
    assert code == 2
    assert "name the clone with --root" in error
    assert list(tmp_path.iterdir()) == []


def test_garbage_is_removed_only_after_a_yes(root, terminal, monkeypatch, capfd):
    ran = []

    def command(root, remote, *, dry):
        ran.append(dry)
        return [sys.executable, "-c", "print('Removing /cache/ab/cd'); print('Removed 1 objects')"]

    monkeypatch.setattr("flows.garbage.command", command)
    gc = ["gc", "--root", str(root)]
    code, _, error = outcome(capfd, *gc, "--yes")  # dvc would look for a clone above, and spare no champion
    assert (code, ran) == (2, [])
    assert "has no dvc.yaml; run this in a clone of Facet" in error
    (root / "dvc.yaml").write_text("stages: {}")
    (root / ".dvc").mkdir()
    monkeypatch.setattr("flows.garbage.check", lambda root: None)
    assert json.loads(outcome(capfd, *gc, "--dry-run", "--json")[1]) == ["/cache/ab/cd"]
    assert (
        outcome(capfd, *gc, "--dry-run")[1]
        == "would remove /cache/ab/cd\nobjects that nothing needs: 1\nnothing was removed\n"
    )
    assert outcome(capfd, *gc)[0] == 2
    terminal("n")
    out = outcome(capfd, *gc)[1]
    assert out.startswith("would remove /cache/ab/cd\n")  # shown before the question
    assert out.endswith("nothing was removed\n")
    assert False not in ran
    terminal("yes")
    assert outcome(capfd, *gc)[0] == 0
    assert outcome(capfd, *gc, "--yes")[0] == 0
    assert ran[-1] is False


def test_scenes_are_drawn_with_their_landmarks(tmp_path, capsys):
    folder = tmp_path / "photos"
    assert outcome(capsys, "draw", str(folder), "--scenes", "--count", "1") == (0, f"wrote 1 scenes to {folder}\n", "")
    assert {path.suffix for path in folder.iterdir()} == {".jpg", ".csv"}
    assert outcome(capsys, "draw", str(folder), "--scenes")[0] == 2


def test_every_command_that_edits_takes_the_same_system_unless_told_otherwise():
    defaults = {words: command.get_default("system") for words, command in COMMANDS.items()}
    assert {words for words, system in defaults.items() if system == arguments.SYSTEM} == {"edit", "brush", "studio"}
    assert set(defaults.values()) == {None, "vigan"}


@pytest.mark.slow
def test_a_setup_and_its_deliveries_are_reported_as_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "")
    project = nights.make(tmp_path / "project")
    code, out, _ = outcome(capsys, "doctor", "--json", "--root", str(project))
    findings = json.loads(out)
    assert code == int(any(finding["level"] == "FAIL" for finding in findings))
    assert any("Python" in finding["what"] for finding in findings)
    code, out, _ = outcome(capsys, "arrivals", "--json", "--root", str(project))
    assert code == 0
    assert json.loads(out)["folder"] == str(project / "arrivals/drop")
    assert json.loads(out)["taken"] == 0


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_one_line_before_anything_starts(tmp_path, capsys):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    project = nights.make(tmp_path / "project")
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        for words in (["reproduce"], ["backfill", str(project / "arrivals/drop")]):
            code, _, error = outcome(capsys, *words, "--root", str(project))
            assert (code, error.count("\n")) == (1, 1)
            assert error.startswith("error: the Prefect server at http://127.0.0.1:9/api does not answer (ConnectError")
