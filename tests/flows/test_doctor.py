"""Doctor names what is wrong and how to mend it; messages reach people or say why not."""

import functools
import json
import re
import subprocess

import pytest

from facet.base.errors import InputError
from facet.cli import main
from facet.nights.champions import STORE, Champions
from facet.nights.settings import Settings
from flows import doctor, messages
from tests.support import nights
from tests.support.webhook import webhook


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("FACET_WEBHOOK", raising=False)
    monkeypatch.delenv("FACET_MAIL", raising=False)
    monkeypatch.setattr(doctor, "_configured", lambda: None)
    root = nights.make(tmp_path / "project")
    (root / "profiles").mkdir()
    (root / "profiles/drawn.yaml").write_text("compute: {}\n")
    (root / "data").mkdir()
    return root


def findings(root, level: str) -> list[str]:
    return [str(finding) for finding in doctor.examine(root) if finding.level == level]


def test_a_sound_set_up_has_nothing_to_mend(project):
    assert findings(project, "FAIL") == []
    notes = "\n".join(findings(project, "note"))
    for part in ("no Prefect server", "no remote", "no champion yet", "nobody gets a message"):
        assert part in notes
    assert main(["doctor", "--root", str(project)]) == 0


def test_what_is_wrong_is_named_with_its_cure(project, monkeypatch, capsys):
    folder, table = project / "data/models/vigan", project / "data/table"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "weights.safetensors").write_text("w")
    table.write_text("t")
    store = Champions(project / STORE)
    store.promote("vigan", folder, table, {}, why="")
    assert findings(project, "FAIL") == []
    (store.folder("vigan") / "weights.safetensors").write_text("torn")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setitem(doctor.BOUNDS, "fastapi", ((0, 1), "the Prefect server refuses its own client"))
    monkeypatch.setattr(doctor.networks, "installed", lambda: False)
    text = "\n".join(findings(project, "FAIL"))
    assert "the networks that find faces are missing\n      -> facet networks" in text
    assert "is missing or damaged; facet champion rollback vigan" in text
    assert "the Prefect server at http://127.0.0.1:9/api does not answer" in text
    assert "requirements.lock" in text
    assert main(["doctor", "--root", str(project)]) == 1
    capsys.readouterr()


def test_a_value_that_no_stage_would_take_is_named_before_a_run(project):
    schema = {"properties": {"nightly": {"properties": {"hours": {"exclusiveMaximum": 1}}}}}
    (project / "params.schema.json").write_text(json.dumps(schema))
    assert findings(project, "FAIL") == [
        "FAIL  params.yaml: nightly.hours: 1.0 is greater than or equal to the maximum of 1\n"
        "      -> correct it, or write it anew: facet profile NAME --force"
    ]


def test_nonsense_in_params_and_no_project_at_all(project, tmp_path):
    params = json.loads((project / "params.yaml").read_text())
    params["nightly"]["systems"] = ["dragan"]
    (project / "params.yaml").write_text(json.dumps(params))
    assert any("dragan" in text and "vigan" in text for text in findings(project, "FAIL"))
    assert any("is no clone of Facet" in text for text in findings(tmp_path, "FAIL"))


def test_nights_that_commit_need_a_branch(project):
    params = json.loads((project / "params.yaml").read_text())
    params["nightly"]["git"] = True
    (project / "params.yaml").write_text(json.dumps(params))
    git = functools.partial(subprocess.run, cwd=project, check=True, capture_output=True)
    assert any("nights cannot commit: fatal: not a git repository" in text for text in findings(project, "FAIL"))
    git(["git", "init", "--initial-branch", "trunk"])
    git(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-m", "first"])
    assert any("nights commit to trunk" in text for text in findings(project, "ok"))
    git(["git", "checkout", "--detach"])  # as `git submodule update` does
    assert any("git is on no branch" in text for text in findings(project, "note"))


def test_a_data_set_to_pull_is_looked_at(project):
    params = json.loads((project / "params.yaml").read_text())
    params["nightly"]["pull"] = "faces.dvc"
    (project / "params.yaml").write_text(json.dumps(params))
    assert any("nightly.pull: " in text and "is missing" in text for text in findings(project, "FAIL"))
    (project / "faces.dvc").write_text("outs:\n- path: faces\n  md5: 1.dir\n")
    assert any(f"deliveries come from {project / 'faces'}" in text for text in findings(project, "ok"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("hours", -1, "nightly.hours -1: expected above 0"),
        ("hours", "8", "nightly.hours '8': expected a number"),
        ("settle", True, "nightly.settle True: expected a number"),
        ("settle", -0.5, "nightly.settle -0.5: expected 0 or more"),
        ("share", 1.5, "nightly.share 1.5: expected 0.05 or more, at most 1"),
        ("start", "warm", "choose one of scratch, champion"),
        ("systems", [], "names none"),
        ("gate", {"success": 0.1}, "bootstrap, batch_size; `facet profile nightly --force` writes it anew"),
        ("gate", nights.PARAMS["nightly"]["gate"] | {"gap": -0.1}, "nightly.gate.gap -0.1: expected 0 or more"),
        ("gate", nights.PARAMS["nightly"]["gate"] | {"faces": 0}, "nightly.gate.faces 0: expected 1 or more"),
        ("gate", nights.PARAMS["nightly"]["gate"] | {"gap": "wide"}, "nightly.gate.gap 'wide': expected a number"),
        ("gate", nights.PARAMS["nightly"]["gate"] | {"mode": "nope"}, "'nope'"),
        ("report", "yes", "nightly.report 'yes': expected true or false"),
    ],
)
def test_nonsense_for_nights_is_named(name, value, words):
    params = nights.PARAMS | {"nightly": nights.PARAMS["nightly"] | {name: value}}
    with pytest.raises(InputError, match=re.escape(words)):
        Settings.of(params)


@pytest.mark.slow
def test_a_remote_is_asked(project):
    params = json.loads((project / "params.yaml").read_text())
    params["nightly"]["remote"] = "store"
    (project / "params.yaml").write_text(json.dumps(params))
    assert any("dvc knows no remote store" in text for text in findings(project, "FAIL"))
    config = project / ".dvc/config"
    config.write_text(config.read_text() + f"['remote \"store\"']\n    url = {project.parent / 'store'}\n")
    assert any("the remote store answers" in text for text in findings(project, "ok"))


def test_a_webhook_that_is_busy_is_tried_again_and_one_that_refuses_is_not(monkeypatch):
    monkeypatch.setattr(messages, "PAUSE", 0.0)
    with webhook() as hook:
        hook.answers[:] = [503, 500]
        assert messages.send("Title", "text", {"FACET_WEBHOOK": hook.url}) == []
        assert hook.received == ["*Title*\ntext"] * 3
        hook.answers[:] = [404]
        assert "404" in messages.send("Title", "text", {"FACET_WEBHOOK": hook.url})[0]
        assert len(hook.received) == 4
    assert "FACET_WEBHOOK" in messages.send("Title", "text", {"FACET_WEBHOOK": "http://127.0.0.1:9/"})[0]
    assert messages.send("Title", "text", {}) == []


def test_mail(monkeypatch):
    sent = []

    class Server:
        def __init__(self, host, port, timeout):
            sent.append((host, port))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def send_message(self, message):
            sent.append((message["To"], message["Subject"], message.get_content()))

    monkeypatch.setattr(messages.smtplib, "SMTP", Server)
    assert messages.send("Night", "went well", {"FACET_MAIL": "a@x, b@y", "FACET_SMTP": "mail:2525"}) == []
    assert sent == [("mail", 2525), ("a@x, b@y", "Night", "went well\n")]
    assert "FACET_MAIL" in messages.send("Night", "x", {"FACET_MAIL": "a@x", "FACET_SMTP": "mail:many"})[0]


def test_drawn_faces_are_people_of_their_seed_and_arrive(tmp_path, capsys):
    assert main(["draw", str(tmp_path / "one"), "--count", "3", "--seed", "1"]) == 0
    assert main(["draw", str(tmp_path / "two"), "--count", "3", "--seed", "2"]) == 0
    people = [set((tmp_path / name / "identity_CelebA.txt").read_text().split()[1::2]) for name in ("one", "two")]
    assert not people[0] & people[1]
    assert main(["draw", str(tmp_path / "one"), "--count", "3"]) == 2
    assert "name a new folder" in capsys.readouterr().err
    from facet.nights.intake import IntakeSettings, take_in

    settings = IntakeSettings(
        drop=tmp_path, root=tmp_path.parent / "faces", quarantine=tmp_path.parent / "q", settle=0.0
    )
    assert take_in(settings, "night").taken == 6
