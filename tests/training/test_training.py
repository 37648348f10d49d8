import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
import torch

from facet import systems
from facet.base import checkpoints
from facet.base.checkpoints import load_weights, read_card
from facet.base.errors import InputError
from facet.base.files import write_json
from facet.training import loop, resume, states, warm_start
from facet.training.history import History
from facet.training.resume import Resume
from stages import train_encoder, train_gan
from tests.support import tiny
from tests.support.dying import Killed
from tests.support.paths import ROOT
from tests.support.trainings import encoder_params, gan_params, kill_at, outs


@pytest.mark.parametrize("at", [2, 3, 4])
@pytest.mark.parametrize("warmup", [0, 2])
def test_a_gan_killed_while_training_ends_with_the_bytes_of_an_undisturbed_one(tmp_path, monkeypatch, at, warmup):
    train_gan.run(gan_params(tmp_path / "whole", warmup=warmup))
    # one folder for both runs: the resume key covers the params, and paths are params
    params = gan_params(tmp_path / "whole", warmup=warmup)
    whole = outs(tmp_path / "whole", "model", "gan.csv", "gan.png")
    with monkeypatch.context() as patched:
        kill_at(patched, at)
        with pytest.raises(Killed):
            train_gan.run(params)
    assert list(params.resume.glob("*.pt"))
    train_gan.run(params)
    assert outs(tmp_path / "whole", "model", "gan.csv", "gan.png") == whole
    assert not list(params.resume.glob("*.pt"))


@pytest.mark.parametrize("at", [2, 4])
def test_an_encoder_killed_while_training_ends_with_the_bytes_of_an_undisturbed_one(tmp_path, monkeypatch, at):
    train_gan.run(gan_params(tmp_path))
    params = encoder_params(tmp_path, "in_domain")
    train_encoder.run(params)
    whole = outs(tmp_path, "in_domain", "encoder.csv", "encoder.png")
    with monkeypatch.context() as patched:
        kill_at(patched, at)
        with pytest.raises(Killed):
            train_encoder.run(params)
    train_encoder.run(params)
    assert outs(tmp_path, "in_domain", "encoder.csv", "encoder.png") == whole


def test_sigterm_saves_the_state_and_ends_with_143(tmp_path, monkeypatch):
    params = gan_params(tmp_path)
    gather = loop.images.gather

    def gather_and_terminate(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return gather(*arguments)

    monkeypatch.setattr(loop.images, "gather", gather_and_terminate)
    with pytest.raises(SystemExit) as stop:
        train_gan.run(params)
    assert stop.value.code == 143
    (saved,) = params.resume.glob("*.pt")
    assert states.load(saved)["step"] == 1


@pytest.mark.parametrize("content", [b"torn", b"", [1], {"step": 3}])
def test_a_checkpoint_that_is_torn_or_none_starts_training_anew(tmp_path, content, caplog):
    params = gan_params(tmp_path)
    key = resume.key(params, params.prepared / "faces.parquet", *systems.code_files("dcgan"))
    params.resume.mkdir()
    path = params.resume / f"{key}.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        states.save(path, content)
    train_gan.run(params)
    assert (params.model / "model.json").exists()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "starting from the first step" in warning


def test_a_checkpoint_with_a_flipped_byte_is_not_used_and_that_is_one_line(tmp_path, caplog):
    path, state = tmp_path / "a.pt", {"modules": torch.arange(1000.0)}
    states.save(path, state)
    assert torch.equal(states.load(path)["modules"], state["modules"])
    content = bytearray(path.read_bytes())
    place = content.index(torch.tensor([500.0]).numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert states.load(path) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be used (its digest does not fit); starting from the first step"
    ]


@pytest.mark.slow
def test_a_folder_of_checkpoints_has_one_training_at_a_time(tmp_path, monkeypatch):
    """Another training may still be writing its checkpoint after its dvc was killed; it is waited for."""
    code = (
        "import sys; from pathlib import Path; from facet.training.resume import Resume; Resume(Path(sys.argv[1]), 'a')"
    )
    holder = f"{code}; print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(resume, "WAIT", 0.0)
        with pytest.raises(
            InputError, match=rf"another training writes checkpoints in {tmp_path} \(process {other.pid}\)"
        ):
            Resume(tmp_path, "a")
        monkeypatch.setattr(resume, "WAIT", 60.0)
        threading.Timer(0.3, other.stdin.close).start()
        Resume(tmp_path, "a")
    Resume(tmp_path, "a")  # again in this process


def test_another_params_or_data_never_resumes_an_old_run(tmp_path):
    params = gan_params(tmp_path)
    table = params.prepared / "faces.parquet"
    key = resume.key(params, table)
    assert resume.key(dataclasses.replace(params, seed=2), table) != key
    table.write_bytes(table.read_bytes() + b" ")
    assert resume.key(params, table) != key


def test_a_training_with_other_numbers_starts_anew_in_one_line_and_a_return_resumes_the_first(tmp_path, caplog):
    """As after `git stash` or on another branch. Checkpoints of others do not pile up."""
    caplog.set_level("INFO")
    for number, key in enumerate("abcd"):
        resumed = Resume(tmp_path, key)
        assert resumed.load() is None
        resumed.save({"step": number, "modules": {}, "optimisers": {}, "history": {}})
        os.utime(resumed.path, (number, number))
    assert sorted(path.stem for path in tmp_path.glob("*.pt")) == ["b", "c", "d"]
    told = f"{tmp_path} holds the checkpoint of a training with other numbers, data or code; it is kept and not used"
    assert [record.getMessage() for record in caplog.records] == [told] * 3
    assert Resume(tmp_path, "b").load()["step"] == 1
    assert len(caplog.records) == 3


def test_the_key_of_a_checkpoint_covers_the_code_of_its_system_and_what_all_share(tmp_path, monkeypatch):
    assert all((resume.FACET / name).is_file() for name in resume.CODE_FILES)
    assert all(any((resume.FACET / folder).glob("*.py")) for folder in resume.CODE_FOLDERS)
    names = {path.name for path in systems.code_files("dcgan")}
    assert names == {"__init__.py", "dcgan.py", "dcgan_encoders.py"}  # editing ian.py keeps this checkpoint
    assert all(path.is_file() for name in systems.SYSTEMS for path in systems.code_files(name))

    copy = tmp_path / "facet"
    shutil.copytree(resume.FACET, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(resume, "FACET", copy)
    params = gan_params(tmp_path)
    key = resume.key(params)
    for name in ("nets/ema.py", "losses/latent.py", *resume.CODE_FILES):
        text = (copy / name).read_text()
        (copy / name).write_text(text + "# changed")
        assert resume.key(params) != key, name
        (copy / name).write_text(text)
    assert resume.key(params) == key


def test_a_loss_that_is_not_finite_stops_the_stage_and_names_the_term(tmp_path):
    with pytest.raises(loop.TrainingError, match=r"loss term `\w+` is (nan|inf|-inf); training diverged"):
        train_gan.run(gan_params(tmp_path, learning_rate_d=1e30, steps=6))
    assert not (tmp_path / "model").exists()


def test_a_collapsed_generator_stops_the_stage(tmp_path, monkeypatch):
    params = gan_params(tmp_path)
    trainer_class = systems.module("dcgan").GanTrainer
    monkeypatch.setattr(trainer_class, "samples", lambda self, count: torch.zeros(count, 3, 64, 64))
    trainer = systems.module("dcgan").GanTrainer(
        params.settings, train_gan.data_of(train_gan.read_faces(params.prepared), 3), seed=1,
        device=torch.device("cpu"), precision="fp32",
    )  # fmt: skip
    assert trainer.check(100) is None
    assert "collapsed" in trainer.check(201)


def test_a_collapse_is_seen_at_the_end_of_training_whatever_the_step(tmp_path, monkeypatch):
    """Few steps may end with alike samples, but not with more alike ones than those of the untrained generator."""
    params = gan_params(tmp_path)
    train_gan.run(params)
    monkeypatch.setattr(
        systems.module("dcgan").GanTrainer, "samples", lambda self, count: torch.zeros(count, 3, 64, 64)
    )
    with pytest.raises(loop.TrainingError, match=r"step 4: the generator has collapsed"):
        train_gan.run(dataclasses.replace(params, model=tmp_path / "collapsed"))
    assert not (tmp_path / "collapsed").exists()


def test_a_generator_that_draws_what_is_no_number_is_not_published(tmp_path):
    with pytest.raises(loop.TrainingError, match="draws values that are not finite"):
        train_gan.run(dataclasses.replace(gan_params(tmp_path, learning_rate_g=1e12, steps=1), log_every=1))
    assert not (tmp_path / "model").exists()


def test_a_learning_rate_of_nothing_is_refused_at_the_end(tmp_path):
    reason = "optimiser `g` have not changed; raise learning_rate_g or learning_rate_d"
    with pytest.raises(loop.TrainingError, match=reason):
        train_gan.run(gan_params(tmp_path, learning_rate_g=0.0))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "weights `weight` of a are not finite; training diverged. Lower learning_rate in params.yaml"),
        (2e6, "weights `weight` of a exceed 1e+06; training diverged. Lower learning_rate in params.yaml"),
    ],
)
def test_weights_that_no_training_ends_with_are_found(value, reason):
    network = torch.nn.Linear(2, 2)
    settings = types.SimpleNamespace(learning_rate=1e12)
    trainer = types.SimpleNamespace(modules={"a": network}, optimisers={}, settings=settings)
    assert loop.unsound(trainer, {}) is None
    with torch.no_grad():
        network.weight[0, 0] = value
    assert loop.unsound(trainer, {}) == reason


def test_advice_names_settings_that_the_stage_has():
    class Judge:
        settings = types.SimpleNamespace(learning_rate=1.0, dropout=0.1)

    text = loop.diverged({"loss": float("nan")}, Judge())
    assert text == "the loss term `loss` is nan; training diverged. Lower learning_rate in params.yaml"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_an_error_when_a_model_is_loaded(tmp_path, value):
    network = torch.nn.Linear(2, 2)
    with torch.no_grad():
        network.weight[0, 1] = value
    checkpoints.save(tmp_path / "model", {"g": network}, {"system": "dcgan"})
    with pytest.raises(InputError, match=r"1 of 4 numbers of `g.weight` are NaN or infinite"):
        checkpoints.load_weights(tmp_path / "model", {"g": torch.nn.Linear(2, 2)})


def test_weights_have_the_rights_of_the_umask_and_permission_is_called_permission(tmp_path, monkeypatch):
    old = os.umask(0o027)
    try:
        checkpoints.save(tmp_path / "model", {"g": torch.nn.Linear(2, 2)}, {"system": "dcgan"})
    finally:
        os.umask(old)
    assert {path.name: oct(path.stat().st_mode)[-3:] for path in (tmp_path / "model").iterdir()} == {
        "weights.safetensors": "640", "model.json": "640",
    }  # fmt: skip

    def refused(*words, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)  # root may read everything
    with pytest.raises(InputError, match=r"not permitted to read it; its owner gives the right: chmod"):
        checkpoints.load_weights(tmp_path / "model", {"g": torch.nn.Linear(2, 2)})


def test_the_history_averages_terms_over_its_rows(tmp_path):
    history = History(tmp_path / "h.csv", every=2)
    assert not history.add(1, 8, {"loss": torch.tensor(1.0)})
    assert history.add(2, 16, {"loss": torch.tensor(3.0), "r1": torch.tensor(5.0)})
    history.write()
    assert (tmp_path / "h.csv").read_text() == "step,images_seen,loss,r1\n2,16,2,5\n"


def test_an_encoder_of_another_split_is_refused(tmp_path):
    train_gan.run(gan_params(tmp_path))
    params = encoder_params(tmp_path, "fc")
    card = read_card(params.gan)
    card["data"]["crop"] = "dcgan108"
    write_json(params.gan / "model.json", card)
    with pytest.raises(InputError, match="was trained with crop dcgan108, but"):
        train_encoder.run(params)


def test_the_gan_of_the_training_split_never_sees_another_face(tmp_path):
    prepared = tiny.prepared(tmp_path / "prepared")
    faces = train_gan.read_faces(prepared)
    rows = train_gan.training_rows(faces, "train")
    assert set(faces.ok.loc[rows, "split"]) == {"train"}
    assert len(train_gan.training_rows(faces, "all")) == len(faces.ok)


def test_weights_that_do_not_fit_are_an_error_with_the_path(tmp_path):
    train_gan.run(gan_params(tmp_path))
    with pytest.raises(InputError, match=r"weights\.safetensors: the weights of `generator` do not fit"):
        load_weights(tmp_path / "model", {"generator": torch.nn.Linear(2, 2)})
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"x" * 20)
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_weights(tmp_path / "model", {})


def test_the_global_random_state_does_not_touch_the_bytes(tmp_path):
    train_gan.run(gan_params(tmp_path))
    first = outs(tmp_path, "model")
    torch.manual_seed(99)
    train_gan.run(gan_params(tmp_path))
    assert outs(tmp_path, "model") == first


def test_a_log_that_would_stay_empty_is_refused_before_the_first_step(tmp_path):
    params = dataclasses.replace(gan_params(tmp_path), log_every=1000)
    with pytest.raises(InputError, match="log_every 1000 exceeds the 4 steps"):
        train_gan.run(params)


@pytest.mark.slow
def test_a_warm_start_goes_on_from_where_another_training_ended(tmp_path, monkeypatch):
    params = dataclasses.replace(gan_params(tmp_path), resume=tmp_path / "kept/train_gan/dcgan")
    train_gan.run(params)
    cold = outs(tmp_path, "model", "gan.csv")
    (end,) = warm_start.ends_of(tmp_path / "kept", params.model)
    start = tmp_path / "start/train_gan/dcgan"
    warm_start.copy(end, start)

    train_gan.run(params)
    assert outs(tmp_path, "model", "gan.csv") == cold  # nothing says that it should be warm
    monkeypatch.setenv(warm_start.START, os.pathsep.join(["", str(tmp_path / "start/train_gan/vigan"), str(start)]))
    monkeypatch.setenv(warm_start.SHARE, "0.5")
    train_gan.run(params)
    warmed = outs(tmp_path, "model", "gan.csv")
    assert warmed["model/weights.safetensors"] != cold["model/weights.safetensors"]
    assert warm_start.ends_of(tmp_path / "start", params.model) == []  # another training's now
    steps = params.settings.steps
    assert int(warmed["gan.csv"].splitlines()[1].split(b",")[0]) > steps // 2
    assert int(warmed["gan.csv"].splitlines()[-1].split(b",")[0]) == steps

    monkeypatch.setenv(warm_start.SHARE, "much")
    with pytest.raises(InputError, match="expected a share of the steps"):
        train_gan.run(params)
    monkeypatch.setenv(warm_start.SHARE, "0.5")
    wider = dataclasses.replace(params, settings=dataclasses.replace(params.settings, width=2 * params.settings.width))
    with pytest.raises(InputError, match="belongs to other networks"):
        train_gan.run(wider)
    state = states.load(start / warm_start.FINAL)
    for entry in state["optimisers"]["g"]["state"].values():
        entry["exp_avg"] = torch.zeros(3)
    states.save(start / warm_start.FINAL, state)
    with pytest.raises(InputError, match=r"belongs to other networks .*exp_avg is of shape \(3,\)"):
        train_gan.run(params)
    for content in ([1], {"modules": {}}):
        torch.save(content, start / warm_start.FINAL)
        train_gan.run(params)
        assert outs(tmp_path, "model", "gan.csv") == cold
    (start / warm_start.FINAL).write_bytes(b"torn")
    train_gan.run(params)
    assert outs(tmp_path, "model", "gan.csv") == cold
    (end / warm_start.SIDE).write_text("")
    assert warm_start.ends_of(tmp_path / "kept", params.model) == []


def test_an_encoder_starts_warm_too_and_its_gan_with_it_where_it_is_the_one_it_was_trained_on(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    gan = dataclasses.replace(gan_params(tmp_path), resume=kept / "train_gan/dcgan")
    params = dataclasses.replace(encoder_params(tmp_path, "in_domain"), resume=kept / "train_encoder/in_domain")
    train_gan.run(gan)
    train_encoder.run(params)
    cold = outs(tmp_path, "in_domain", "encoder.csv")
    ends = [kept / "train_encoder/in_domain", kept / "train_gan/dcgan"]
    assert warm_start.ends_of(kept, params.encoder) == ends
    for end in ends:
        warm_start.copy(end, tmp_path / "start" / end.relative_to(kept))
    monkeypatch.setenv(warm_start.START, str(tmp_path / "start/train_encoder/in_domain"))
    train_encoder.run(params)
    warmed = outs(tmp_path, "in_domain", "encoder.csv")
    assert warmed["in_domain/weights.safetensors"] != cold["in_domain/weights.safetensors"]
    assert int(warmed["encoder.csv"].splitlines()[1].split(b",")[0]) > params.settings.steps // 2
    monkeypatch.setenv(warm_start.START, "")
    train_gan.run(dataclasses.replace(gan, seed=2))
    assert warm_start.ends_of(kept, params.encoder) == ends[:1]
