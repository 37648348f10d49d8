"""Results go to a remote and come back on another clone; garbage collection spares what a champion needs."""

import contextlib
import getpass
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from facet.cli import main
from facet.nights.champions import Champions
from tests.support import nights
from tests.support.processes import free_port, wait_for_port

pytestmark = pytest.mark.slow


def dvc(root: Path, *words: str) -> str:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path):
    root = nights.make(tmp_path / "project")
    (root / "arrivals/faces").mkdir(parents=True)
    (root / "arrivals/faces/a.zip").write_bytes(b"pictures")
    dvc(root, "repro")
    return root


def cached(root: Path, path: Path, folder: str = ".dvc/cache/files/md5") -> bool:
    """True if the bytes of a file are in dvc's cache or a remote."""
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    return (root / folder / digest[:2] / digest[2:]).exists()


@contextlib.contextmanager
def folder_remote(place: Path) -> Iterator[dict[str, str]]:
    yield {"url": str(place / "store")}


@contextlib.contextmanager
def ssh_remote(place: Path) -> Iterator[dict[str, str]]:
    """A real sshd on loopback that takes one key."""
    pytest.importorskip("dvc_ssh")
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
    if sshd is None:
        pytest.skip("needs sshd (Debian: openssh-server)")
    place.chmod(0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
    shutil.copy(place / "user.pub", place / "authorized")
    port = free_port()
    (place / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place / 'host'}\nAuthorizedKeysFile {place / 'authorized'}\n"
        f"PidFile {place / 'pid'}\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's folder for privilege separation
    server = subprocess.Popen([sshd, "-D", "-e", "-f", str(place / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        user = getpass.getuser()
        yield {
            "url": f"ssh://{user}@127.0.0.1:{port}{place / 'store'}", "keyfile": str(place / "user"),
            "allow_agent": "false",
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def s3_remote(place: Path) -> Iterator[dict[str, str]]:
    """A server that speaks S3."""
    pytest.importorskip("dvc_s3")
    pytest.importorskip("moto")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port), "-H", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/faces", method="PUT")
        urllib.request.urlopen(request).close()  # the bucket
        yield {
            "url": "s3://faces/store", "endpointurl": f"http://127.0.0.1:{port}", "access_key_id": "a",
            "secret_access_key": "b", "region": "us-east-1",
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("remote", [folder_remote, ssh_remote, s3_remote])
def test_push_pull_on_another_clone_and_gc(project, tmp_path, remote, capfd):
    place = tmp_path / "remote"
    place.mkdir()
    with remote(place) as settings:
        dvc(project, "remote", "add", "-d", "store", settings.pop("url"))
        for name, value in settings.items():
            dvc(project, "remote", "modify", "store", name, value)
        assert main(["champion", "promote", "vigan", "--root", str(project)]) == 0
        dvc(project, "push")
        (project / "quality.txt").write_text("0.5")
        dvc(project, "repro")
        dvc(project, "push")
        rejected = read(project)
        assert main(["gc", "--dry-run", "--remote", "store", "--root", str(project)]) == 0
        assert "nothing was removed" in capfd.readouterr().out
        other = clone(project, tmp_path / "other")
        dvc(other, "pull", "attributes@vigan", "train_gan@vigan")
        assert read(other) == rejected

        # back to the champion's pipeline: after a collection it is still there, and the rejected model is gone
        version = Champions(project / "champions").folder("vigan")
        for name in ("dvc.lock", "params.yaml"):
            shutil.copy(version / "pipeline" / name, project / name)
        dvc(project, "checkout", "--force")
        assert main(["gc", "--remote", "store", "--root", str(project), "--yes"]) == 0
        later = clone(project, tmp_path / "later")
        dvc(later, "pull", "train_gan@vigan")
        assert read(later) == (version / "weights.safetensors").read_bytes() != rejected
        stale = clone(other, tmp_path / "stale")
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "pull", "train_gan@vigan"], cwd=stale, capture_output=True, text=True
        )
        assert done.returncode != 0


def read(root: Path) -> bytes:
    return (root / "data/models/vigan/weights.safetensors").read_bytes()


def clone(root: Path, target: Path) -> Path:
    """Copy the files that git would hold, and nothing of the cache."""
    for name in (".dvc/config", "dvc.yaml", "dvc.lock", "params.yaml", "toy.py", "quality.txt"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, target / name)
    return target


def test_garbage_collection_shows_first_and_spares_champions(project, capfd):
    weights = project / "data/models/vigan/weights.safetensors"
    live = weights.read_bytes()
    assert main(["champion", "promote", "vigan", "--root", str(project)]) == 0
    (project / "quality.txt").write_text("0.5")
    dvc(project, "repro")
    rejected = project / "rejected"
    rejected.write_bytes(weights.read_bytes())
    (project / "quality.txt").write_text("0.7")
    dvc(project, "repro")
    champion = Champions(project / "champions").folder("vigan") / "weights.safetensors"
    assert champion.read_bytes() == live
    assert main(["gc", "--dry-run", "--root", str(project)]) == 0
    assert "nothing was removed" in capfd.readouterr().out
    assert cached(project, rejected)
    assert main(["gc", "--dry-run", "--json", "--root", str(project)]) == 0
    assert any(str(project / ".dvc" / "cache") in path for path in json.loads(capfd.readouterr().out))
    assert main(["gc", "--root", str(project), "--yes"]) == 0
    assert not cached(project, rejected)
    assert cached(project, champion)
    assert cached(project, weights)
    assert "up to date" in dvc(project, "status")
