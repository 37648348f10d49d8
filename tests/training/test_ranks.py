"""One training on two processes: the losses of one with the same batches, and the same care of checkpoints."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from facet.base.errors import InputError
from facet.training import launch, warm_start
from stages import train_gan
from tests.support import small, together
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow
# Pictures of an untrained beta generator are flat: batch norm makes rounding errors of them, on a leaky ReLU's kink.
LOOSE = {"ian_paper": 0.05}
ENV = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of the same cases, trained on one process and on two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    together.train(one)
    together.prepare(two)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "tests.support.together", str(two)], cwd=ROOT, env=ENV, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return one, two


def first_moments(folder: Path, case: str) -> dict[tuple[str, int], torch.Tensor]:
    """What Adam keeps of the gradients of all steps, by optimiser and weight."""
    state = warm_start.load(folder / case / "resume" / warm_start.FINAL)
    return {
        (name, index): entry["exp_avg"].double()
        for name, adam in state["optimisers"].items()
        for index, entry in adam["state"].items()
    }


@pytest.mark.parametrize("case", together.CASES)
def test_two_processes_have_the_losses_and_gradients_of_one(trained, case):
    one, two = (pd.read_csv(folder / case / "gan.csv") for folder in trained)
    assert len(one) == 4
    assert list(one) == list(two)
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
    one, two = (first_moments(folder, case) for folder in trained)
    assert one.keys() == two.keys()
    largest = max(float(value.abs().max()) for value in one.values())
    assert largest > 0
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=LOOSE.get(case, 1e-4) * largest, msg=str(key))


@pytest.mark.parametrize(
    ("case", "variant"), [(case, name) for case, each in together.ENCODERS.items() for name in each]
)
def test_so_have_two_that_train_an_encoder(trained, case, variant):
    one, two = (pd.read_csv(folder / case / f"{variant}.csv") for folder in trained)
    assert len(one) == 4
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)


def test_descriptions_and_moments_are_those_of_the_whole_batch(trained):
    one, two = (load_file(folder / "vigan" / "model" / "weights.safetensors") for folder in trained)
    assert torch.equal(one["descriptions.rows"], two["descriptions.rows"])
    assert int(one["descriptions.filled"]) == 4 * small.SMALL["batch_size"]
    torch.testing.assert_close(two["residual.moments.second"], one["residual.moments.second"], rtol=1e-4, atol=1e-6)


def flags(params: Any) -> list[str]:
    """The command line of a stage's params, its system's settings after its own."""
    found = []
    for field in dataclasses.fields(params):
        value = getattr(params, field.name)
        if field.name == "settings":
            found += flags(value)
        elif isinstance(value, bool):
            found.append(f"--{field.name}" if value else f"--no-{field.name}")
        else:
            found += [f"--{field.name}", str(value)]
    return found


def start(stage: str, params: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}", *flags(params)],
        cwd=ROOT,
        env=ENV | {"FACET_PROCESSES": "2"},
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(started: subprocess.Popen[str]) -> tuple[int, str]:
    said = started.communicate(timeout=300)[1]
    return started.returncode, said


def started_ranks(running: subprocess.Popen[str], params: train_gan.Params) -> list[int]:
    """The processes that train, once they have trained some steps."""
    deadline = time.monotonic() + 120
    while not params.samples.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return [int(pid) for pid in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()]


def test_the_command_trains_on_as_many_processes_as_the_environment_says(tmp_path):
    """Stopped on the way, with a checkpoint, it ends with the bytes of an undisturbed run."""
    params = small.gan_params(tmp_path, "vigan", steps=60)
    code, said = outcome(start("train_gan", params))
    assert code == 0, said
    assert said.count("wrote") == 1
    whole = {path: (tmp_path / path).read_bytes() for path in ("model/weights.safetensors", "gan.csv", "gan.png")}

    params.samples.unlink()
    stopped = start("train_gan", params)
    started_ranks(stopped, params)
    stopped.send_signal(signal.SIGTERM)
    code, said = outcome(stopped)
    assert code == 143, said
    assert "the next run continues from there" in said
    code, said = outcome(start("train_gan", params))
    assert code == 0, said
    assert "resuming at step" in said
    assert {path: (tmp_path / path).read_bytes() for path in whole} == whole

    two = pd.read_csv(params.history)
    train_gan.run(params)
    one = pd.read_csv(params.history)
    assert (two["pixel"] - one["pixel"]).abs().max() < 0.02


def test_a_fault_is_told_once_and_a_killed_process_ends_the_other(tmp_path):
    code, said = outcome(start("train_gan", small.gan_params(tmp_path, "vigan", batch_size=7)))
    assert code == 1
    assert said.splitlines() == [
        "training on 2 processes", "error: batch_size 7 is not a multiple of the 2 processes that share it",
    ]  # fmt: skip

    params = small.gan_params(tmp_path, "vigan", steps=100_000)
    running = start("train_gan", params)
    one, _ = started_ranks(running, params)
    os.kill(one, signal.SIGKILL)
    code, said = outcome(running)
    assert code == 1
    assert said.endswith("was ended by signal 9; run it again to continue from the last checkpoint\n")


def test_ranks_end_with_a_checkpoint_where_what_launched_them_is_killed(tmp_path):
    params = small.gan_params(tmp_path, "vigan", steps=100_000)
    running = start("train_gan", params)
    left = [Path(f"/proc/{pid}") for pid in started_ranks(running, params)]
    assert len(left) == 2
    running.kill()
    running.communicate()
    deadline = time.monotonic() + 120
    while any(map(_runs, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, left))
    (saved,) = params.resume.glob("*.pt")
    assert torch.load(saved, weights_only=True)["step"] > 1


def _runs(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("text", ["two", "-1", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("FACET_PROCESSES", text)
    with pytest.raises(InputError, match=f"FACET_PROCESSES '{text}': expected a number"):
        launch.requested_ranks()
    monkeypatch.setenv("FACET_PROCESSES", "5000")
    with pytest.raises(InputError, match="FACET_PROCESSES 5000: this machine supports at most"):
        launch.requested_ranks()


@pytest.mark.parametrize("changes", [{"norm": "spectral"}, {"norm": "none", "dropout": 0.3}])
def test_what_layers_draw_by_themselves_comes_from_the_seed(tmp_path, changes):
    system = "icgan" if "dropout" in changes else "dcgan"
    found = []
    for run in range(2):
        torch.manual_seed(run)
        params = small.gan_params(tmp_path, system, warmup=0, **changes)
        train_gan.run(params)
        found.append((params.model / "weights.safetensors").read_bytes())
    assert found[0] == found[1]
