"""The container's files; building it needs an engine (.ci/run)."""

import json
import re
import shutil
import subprocess

import pytest

from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


def patterns(name: str) -> set[str]:
    """The patterns of an ignore file, as git and docker write the same thing."""
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    return {re.sub(r"^(!?)(?:\*\*)?/", r"\1", line).rstrip("/") for line in lines if line and not line.startswith("#")}


def test_what_git_ignores_stays_out_of_the_image():
    assert patterns(".gitignore") - patterns(".dockerignore") == set()
    assert {f".dvc/{name}" for name in patterns(".dvc/.gitignore")} - patterns(".dockerignore") == set()  # passwords
    assert ".git" in patterns(".dockerignore")


def test_the_image_runs_as_a_user_without_privileges_and_keeps_caches_on_a_volume():
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.findall(r"^USER (.+)$", last, flags=re.MULTILINE) == ["${USER_ID}"]
    assert "\nARG USER_ID=1000\n" in last
    assert re.search(r"^VOLUME /cache$", last, flags=re.MULTILINE)
    assert "XDG_CACHE_HOME=/cache PREFECT_HOME=/cache/" in last


def test_torch_for_cpus_leaves_out_the_packages_of_cuda_and_nothing_else(tmp_path):
    program = re.search(r"awk '(.+)'", DOCKERFILE)
    assert program is not None
    done = subprocess.run(["awk", program[1]], input=LOCK, capture_output=True, text=True, check=True)
    name = re.compile(r"^([a-z][\w.-]*)(?:\[.*\])?==", re.MULTILINE)
    kept, locked = set(name.findall(done.stdout)), set(name.findall(LOCK))
    left_out = locked - kept
    assert {"torch", "torchvision", "triton"} <= left_out
    assert all(name.startswith(("nvidia-", "cuda-")) for name in left_out - {"torch", "torchvision", "triton"})
    assert "torchmetrics" in kept
    blocks = re.split(r"^(?=[a-z])", done.stdout, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(name.findall(done.stdout))
    assert all("--hash=sha256:" in block for block in blocks)
    for package in ("torch", "torchvision"):
        assert re.search(rf"grep -oE '\^{package}==\[0-9\.\]\+'", DOCKERFILE)
        assert len(re.findall(rf"^{package}==[0-9.]+", LOCK, flags=re.MULTILINE)) == 1


def test_the_devcontainer_builds_this_image_and_works_at_its_folder():
    text = (ROOT / ".devcontainer/devcontainer.json").read_text()
    container = json.loads("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//")))
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).samefile(ROOT / "Dockerfile")
    assert set(container["build"]["args"]) <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, flags=re.MULTILINE))
    assert f"WORKDIR {container['workspaceFolder']}\n" in DOCKERFILE
    assert f'--uid "${{USER_ID}}" {container["remoteUser"]} ' in DOCKERFILE


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing():
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
