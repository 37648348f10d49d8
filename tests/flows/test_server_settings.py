"""What is wrong with Prefect's settings or its server is one line with its place, at once, and people hear of it."""

import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support import nights
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow  # the import of Prefect

SEND = "from flows import messages; messages.send = lambda title, text: print('SENT', title, text.count(chr(10)))\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return nights.make(tmp_path_factory.mktemp("settings") / "project")


def facet(project, home, *words, **env):
    """Run a command in a process of its own, with its messages printed; the outcome and the lines about errors."""
    code = f"{SEND}import sys; from facet.cli import main; sys.exit(main(sys.argv[1:]))"
    names = ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words, "--root", str(project)],
        cwd=home, env={**clean, "HOME": str(home), "PYTHONPATH": str(ROOT), **env}, capture_output=True, text=True,
    )  # fmt: skip


CASES = {
    "no address": ({"PREFECT_API_URL": "localhost:4200"}, "", "", "'localhost:4200' is no address of a Prefect server"),
    "cloud without a key": (
        {"PREFECT_API_URL": "https://api.prefect.cloud/api/accounts/a/workspaces/b"}, "", "",
        "is Prefect Cloud (PREFECT_API_URL: in the environment), which needs PREFECT_API_KEY",
    ),
    "cloud without a network": (
        {"PREFECT_API_URL": "https://api.prefect.cloud.invalid/api/accounts/a/workspaces/b", "PREFECT_API_KEY": "k"},
        "", "", "does not answer (ConnectError: ",
    ),
    "broken profiles": ({}, 'active = "x', "", ".prefect/profiles.toml, which Prefect reads, is damaged"),
    "no such profile": ({"PREFECT_PROFILE": "prod"}, "", "", "PREFECT_PROFILE chooses the profile 'prod' of Prefect"),
    "no such active profile": ({}, 'active = "prod"', "", "profiles.toml chooses the profile 'prod'"),
    "a profile's server": (
        {}, 'active = "p"\n[profiles.p]\nPREFECT_API_URL = "http://127.0.0.1:9/api"', "",
        "PREFECT_API_URL: in a profile of",
    ),
    "broken prefect.toml": ({}, "", "api = [", "prefect.toml, which Prefect reads, is damaged"),
    "a wrong value": ({"PREFECT_LOGGING_LEVEL": "LOUD"}, "", "", "'LOUD'"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_setting_that_is_wrong_is_one_line_and_a_night_tells_people(project, tmp_path, case):
    env, profiles, toml, expected = CASES[case]
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect/profiles.toml").write_text(profiles)
    (tmp_path / "prefect.toml").write_text(toml)
    done = facet(project, tmp_path, "nightly", **env)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert line.startswith("error: ")
    assert expected in line
    assert done.stdout == "SENT Facet: the night could not start 0\n"


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_address_means_none(project, tmp_path, value):
    code = "from pathlib import Path; from flows import server; server.check(Path()); print('good')"
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PREFECT_API_URL": value}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == "good\n", done.stderr


@pytest.mark.parametrize("home", ["missing/home", "file/home", None])
def test_a_home_that_cannot_be_written_is_replaced_by_a_folder_of_the_project(tmp_path, home):
    (tmp_path / "file").write_text("")
    (tmp_path / "missing").symlink_to("/proc/nowhere")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if home is None:
        env["PREFECT_HOME"] = "/proc/nowhere/prefect"
    else:
        env["HOME"] = str(tmp_path / home)
    code = (
        "from pathlib import Path; from flows import server; server.prepare(Path())\n"
        "from prefect.settings import PREFECT_HOME; print(PREFECT_HOME.value())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stdout == f"{tmp_path / '.resume/prefect'}\n", done.stderr
    assert "cannot be written, so" in done.stderr
    assert done.stderr.count("\n") == 1


class Page(BaseHTTPRequestHandler):
    """A server that answers every request with a page, or refuses it."""

    code = 200

    def do_GET(self):
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *words):
        pass


@pytest.mark.parametrize(
    ("code", "expected"), [(200, "its address ends in /api"), (401, "refuses PREFECT_API_KEY (401)")]
)
def test_what_is_no_prefect_server_is_called_that(tmp_path, code, expected, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows import server

    monkeypatch.setattr(Page, "code", code)
    monkeypatch.setattr(server, "prepare", lambda root: None)
    with HTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        try:
            with (
                temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{page.server_port}"}),
                pytest.raises(server.ServerUnreachable) as caught,
            ):
                server.check(tmp_path)
        finally:
            page.shutdown()
    assert expected in str(caught.value)


def test_a_server_that_accepts_and_never_answers_is_waited_for_once(tmp_path, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows import server

    monkeypatch.setattr(server, "SECONDS", 0.5)
    monkeypatch.setattr(server, "prepare", lambda root: None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        began = time.monotonic()
        with (
            temporary_settings({PREFECT_API_URL: url}),
            pytest.raises(server.ServerUnreachable, match=r"does not answer \(ReadTimeout"),
        ):
            server.check(tmp_path)
        silent.settimeout(0.1)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):  # there was one request
            silent.accept()
    assert time.monotonic() - began < 60


def test_prefect_that_cannot_start_is_one_line_and_told(project, monkeypatch, capsys):
    from facet.cli import main
    from flows import messages, nightly, server

    def broken(**words):
        raise RuntimeError("Timed out while attempting to connect\nto a temporary server")

    sent = []
    monkeypatch.setattr(messages, "send", lambda title, text: sent.append(text))
    monkeypatch.setattr(server, "check", lambda root: None)
    monkeypatch.setattr(nightly, "nightly", broken)
    assert main(["nightly", "--root", str(project)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Prefect could not run the flow (RuntimeError: Timed out while attempting to connect to a temporary" in line
    assert len(sent) == 1


def test_this_machine_is_reached_without_a_proxy(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "intra.net"}
    code = "import flows, os; print(os.environ['NO_PROXY'])"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == "intra.net,localhost,127.0.0.1,::1\n", done.stderr


def test_an_edit_of_photos_needs_none_of_it(tmp_path):
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect/profiles.toml").write_text('active = "x')
    done = facet(tmp_path, tmp_path, "edit", "photos", "out", "--set", "Smiling=on", PREFECT_API_URL="nonsense")
    assert "has no params.yaml" in done.stderr  # its own error
    code = "from facet.cli import parser; parser(); import sys; print('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "False\n"
