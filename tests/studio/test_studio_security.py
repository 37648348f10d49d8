"""Who the studio answers: its own page, with the token, and nobody else."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from facet.base.errors import InputError
from facet.cli import main
from facet.studio import launch
from facet.studio.security import Guard
from facet.studio.server import Settings, Studio, application, name_of
from tests.support import photographs, studio
from tests.support.paths import ROOT
from tests.support.studio import HOME, PORT, TOKEN

STATUS = f"{HOME}/{TOKEN}/api/status"


def one_line(answer) -> str:
    assert answer.text.count("\n") <= 1
    return answer.text


def test_the_page_and_its_files_are_served_at_the_address_with_the_token():
    page = studio.client()
    assert "<!doctype html>" in page.get("").text
    assert page.get("page/main.js").headers["content-type"].startswith("text/javascript")
    assert page.get("api/status").json()["systems"] == ["linear"]


@pytest.mark.parametrize(
    "address",
    [
        f"{HOME}/",
        f"{HOME}/api/status",
        f"{HOME}/{'x' * 32}/api/status",
        f"{HOME}/{TOKEN[:-1]}/api/status",
        f"{HOME}/{TOKEN}x/api/status",
        f"{HOME}/x/../{TOKEN[:5]}/api/status",
        f"{HOME}/ä/api/status",
        f"{HOME}//{TOKEN}/api/status",
    ],
)
def test_without_the_token_nothing_is_there(address):
    answer = studio.client().ask("GET", address)
    assert answer.status_code == 403
    assert "open the address that `facet studio` printed" in one_line(answer)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:80",
        f"127.0.0.1.evil.example:{PORT}",
        f"a@127.0.0.1:{PORT}",
        f"127.0.0.1:{PORT}/x",
        f"192.168.0.7:{PORT}",
        "",
        "[::1",
        "127.0.0.1:port",
    ],
)
def test_another_host_is_refused(host):
    answer = studio.client().ask("GET", STATUS, headers={"host": host})
    assert (answer.status_code, "wrong host" in one_line(answer)) == (403, True)


def test_names_of_this_machine_are_let_in():
    for host in (f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}"):
        assert studio.client().ask("GET", STATUS, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": f"http://127.0.0.1:{PORT + 1}"},
        {"origin": f"http://localhost:{PORT}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_page_is_refused_even_with_the_token(headers):
    answer = studio.client().ask("POST", f"{HOME}/{TOKEN}/api/samples", headers=headers, json={})
    assert (answer.status_code, "another page" in one_line(answer)) == (403, True)


def test_every_answer_forbids_scripts_from_elsewhere_frames_and_traces():
    page = studio.client()
    for answer in (page.get(""), page.get("nothing"), page.ask("GET", HOME), page.get("api/photos/x/original")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


PATHS = [
    "page/../server.py", "page/%2e%2e/server.py", "page/..%2fserver.py", "page//etc/passwd", "page/%2fetc%2fpasswd",
    "page/main.js%00.html", "../../etc/passwd", "api/photos/..%2f..%2fetc%2fpasswd/original",
    "api/folder/-1/thumbnail", "api/folder/..%2f/thumbnail", "api/folder/99/thumbnail", "static/main.js", "docs",
    "openapi.json", "redoc",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_page(path):
    answer = studio.client().get(path)
    assert answer.status_code in (400, 403, 404, 422)
    assert "root:" not in one_line(answer)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\photos\\me.png", "me.png"),
        ("/", "photo"),
        ("..", "photo"),
        ("", "photo"),
        ("manifest.parquet", "photo"),
        ("a\r\nx-evil: 1.jpg", "ax-evil: 1.jpg"),
        ("Straße 日本.jpg", "Straße 日本.jpg"),
        ("a" * 400 + ".jpg", "a" * 200),
        ("\ud800.jpg", ".jpg"),
    ],
)
def test_a_name_from_the_page_is_only_a_name(said, name):
    assert name_of(said) == name


def test_a_name_cannot_add_headers_to_what_is_saved():
    page = studio.client()
    photo = studio.uploaded(page, photographs.jpeg(), 'a"\r\nx-evil: 1;ä.jpg')["id"]
    answer = studio.asked(page, photo, "save", {"spec": "Smiling=on"})
    assert "x-evil" not in answer.headers
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a%22x-evil")


def test_another_machine_gets_in_only_where_that_was_asked_for(capsys):
    assert main(["studio", "--host", "0.0.0.0"]) == 2
    assert "--yes-anyone-can-edit" in capsys.readouterr().err
    everywhere = application(
        Studio(Settings(systems={"linear": studio.trained()})), token=TOKEN, host="0.0.0.0", port=PORT
    )
    assert isinstance(everywhere, Guard)
    page = studio.Client(everywhere)
    for host, status in ((f"192.168.0.7:{PORT}", 200), (f"evil.example:{PORT}", 403)):
        assert page.ask("GET", STATUS, headers={"host": host}).status_code == status


def test_a_port_that_is_taken_is_told_and_without_one_another_is_used(monkeypatch):
    taken = launch._bound("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(InputError, match=f"127.0.0.1:{port} cannot be used"):
        launch._bound("127.0.0.1", port)
    monkeypatch.setattr(launch, "PORT", port)
    other = launch._bound("127.0.0.1", None)
    assert other.getsockname()[1] not in (0, port)
    other.close()
    taken.close()


@pytest.mark.slow
def test_ctrl_c_ends_the_command_without_an_error(tmp_path):
    code = (
        "from facet.studio.launch import serve; from facet.studio.server import Settings;"
        "serve(Settings(systems={}), host='127.0.0.1', port=0, browser=False)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(5)]
        address = lines[2].strip()
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(address[: address.index("/", 8) + 1])
        refused.value.close()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, error) == (0, "")
