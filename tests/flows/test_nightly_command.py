"""`facet nightly` names what prevents a night before anything starts, and doctor what prevents the scheduled ones."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from facet.base.errors import InputError
from facet.cli import main
from flows import doctor, messages
from flows.commands.nightly import check_cron, time_zone
from tests.support import nights

pytestmark = pytest.mark.slow  # the import of Prefect


@pytest.fixture
def project(tmp_path):
    return nights.make(tmp_path / "project")


def test_a_source_without_deliveries_is_refused(project, monkeypatch, capsys):
    params = json.loads((project / "params.yaml").read_text())
    params["source"]["kind"] = "drawn"
    (project / "params.yaml").write_text(json.dumps(params))
    assert main(["nightly", "--root", str(project)]) == 2
    assert "`facet profile nightly`" in capsys.readouterr().err
    sent = []
    monkeypatch.setattr(messages, "send", lambda title, text: sent.append(text))
    for text, reason in (
        ("{}", "`source` lacks kind"),
        ("a:\n<<<<<<< HEAD\n", "line 2: the marker of a merge conflict"),
    ):
        (project / "params.yaml").write_text(text)
        assert main(["nightly", "--root", str(project)]) == 2
        assert reason in capsys.readouterr().err
        assert reason in sent.pop()  # nobody may be looking


def test_a_schedule_needs_a_server_that_stays_and_five_fields(project, capsys, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: None}):
        assert main(["nightly", "--serve", "--root", str(project)]) == 2
    assert "a schedule needs a Prefect server" in capsys.readouterr().err
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["nightly", "--serve", "--cron", "0 25 * * *", "--root", str(project)]) == 2
    assert "'0 25 * * *' is not a cron schedule (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("0 2 31 2 *", "never comes"),
        ("0 2 30 2 *", "never comes"),
        ("0 2 31 4,6,9,11 *", "never comes"),
        ("0 2 31 2 1", "never comes"),  # Prefect looks for both
        ("0 2 * * * *", "6 fields"),
        ("0 2 * *", "4 fields"),
        ("@daily", "1 fields"),
        ("", "0 fields"),
        ("0 2 * * funday", "is not a cron schedule"),
    ],
)
def test_a_schedule_that_never_comes_or_is_none_is_refused_at_the_start(cron, reason):
    with pytest.raises(InputError, match=reason):
        check_cron(cron)


@pytest.mark.parametrize("cron", ["0 2 * * *", "0 2 29 2 *", "*/5 1-3 * * mon-fri"])
def test_a_schedule_that_comes_is_taken(cron):
    check_cron(cron)


@pytest.mark.parametrize(("named", "zone"), [("America/New_York", "America/New_York"), (":Asia/Tokyo", "Asia/Tokyo")])
def test_times_are_those_of_this_machine(monkeypatch, named, zone):
    monkeypatch.setenv("TZ", named)
    assert time_zone() == zone
    monkeypatch.setenv("TZ", "no/where")
    assert time_zone()


def test_a_server_that_is_gone_is_told_to_people_too(project, monkeypatch, capsys):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    sent = []
    monkeypatch.setattr(messages, "send", lambda title, text: sent.append((title, text)))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["nightly", "--root", str(project)]) == 1
        error = capsys.readouterr().err
        assert "error: the Prefect server at http://127.0.0.1:9/api does not answer" in error
        assert sent[0][0] == "Facet: the night could not start"
        assert main(["reproduce", "--root", str(project)]) == 1
    assert "does not answer" in capsys.readouterr().err
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["ok", "nightly is scheduled at 0 2 * * * Asia/Tokyo"]),
        ({"paused": True}, ["note", "nightly has no active schedule"]),
        ({"last_polled": None}, ["FAIL", "no worker is polling; scheduled nights will not run"]),
        ({"last_polled": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}, ["FAIL", "no worker is polling"]),
        ({"status": "NOT_READY"}, ["FAIL", "no worker is polling"]),
    ],
)
def test_doctor_sees_whether_a_night_will_come(changes, words):
    deployment = {
        "schedules": [{"schedule": {"cron": "0 2 * * *", "timezone": "Asia/Tokyo"}, "active": True}],
        "paused": False, "status": "READY", "last_polled": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    findings = [f"{finding.level} {finding}" for finding in doctor._schedule(deployment | changes)]
    assert any(all(word in line for word in words) for line in findings), findings
    assert len(findings) == (1 if changes in ({}, {"paused": True}) else 2)
