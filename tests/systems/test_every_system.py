"""Promises of every system in facet/systems; a new one is tested here without a change."""

import itertools
from pathlib import Path

import pytest
import torch

from facet import systems
from facet.base import compute, images
from facet.base.errors import InputError
from facet.base.tables import read_faces
from facet.training.loop import Batch
from stages import train_encoder, train_gan
from tests.support import small, tiny
from tests.support.dying import Killed
from tests.support.trainings import kill_at, outs

CPU = torch.device("cpu")
SYSTEMS = systems.SYSTEMS
ENCODERS = [small.model_of(name) for name in SYSTEMS if small.model_of(name) != "model"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each system, trained for a few steps."""
    return {name: small.train(tmp_path_factory.mktemp(name), name) for name in SYSTEMS}


def test_the_list_of_systems_names_every_module_of_the_folder():
    modules = {path.stem for path in Path(systems.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == {*SYSTEMS, *(f"{name}_encoders" for name in systems.ENCODERS)}
    assert set(systems.ENCODERS) <= set(SYSTEMS)
    assert [systems.module(name).NAME for name in SYSTEMS] == list(SYSTEMS)
    with pytest.raises(InputError, match=f"system 'gan' is unknown; choose one of {', '.join(SYSTEMS)}"):
        systems.encoders("gan")
    with pytest.raises(InputError, match="system 'ian' has no separate encoders: stage `train_gan` trains all of it"):
        systems.encoders("ian")


def test_params_yaml_trains_and_uses_every_system():
    assert set(small.PARAMS["train_gan"]) == set(small.PARAMS["systems"]) == set(SYSTEMS)


@pytest.mark.parametrize("name", SYSTEMS)
def test_images_become_latents_and_latents_images_within_range(trained, name):
    system = systems.load(trained[name], CPU)
    x = 2 * torch.rand(5, 3, 64, 64) - 1
    latent = system.encode(x)
    assert latent.shape == (5, system.z_dim + system.y_dim)
    assert latent.dtype == torch.float32
    assert system.y_dim in (0, len(tiny.ATTRIBUTES))
    assert latent[:, system.z_dim :].abs().le(1).all()
    decoded = system.decode(latent)
    assert decoded.shape == x.shape
    assert decoded.abs().max() <= 1
    assert not decoded.requires_grad
    assert (system.name, system.crop, system.size, system.attributes) == (name, "face120", 64, tiny.ATTRIBUTES)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_latent_and_a_picture_do_not_depend_on_the_others_of_the_batch(trained, name):
    system = systems.load(trained[name], CPU)
    x = 2 * torch.rand(6, 3, 64, 64) - 1
    latent = system.encode(x)
    torch.testing.assert_close(latent[:1], system.encode(x[:1]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(system.decode(latent)[:1], system.decode(latent[:1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_entry_of_a_latent_moves_the_picture(trained, name):
    system = systems.load(trained[name], CPU)
    latent = system.encode(torch.zeros(1, 3, 64, 64)).repeat(system.z_dim + system.y_dim, 1)
    moved = system.decode(latent + torch.eye(len(latent)))
    assert (moved - system.decode(latent)).abs().amax((1, 2, 3)).gt(0).all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_prior_can_be_drawn_from_and_the_same_seed_draws_the_same(trained, name):
    folder = trained[name].parent / "model"
    prior, system = systems.module(name).prior(folder, CPU), systems.load(trained[name], CPU)
    latent = prior.draw(4, compute.generator(1))
    torch.testing.assert_close(prior.draw(4, compute.generator(1)), latent, rtol=0, atol=0)
    assert not torch.equal(prior.draw(4, compute.generator(2)), latent)
    assert latent.shape == (4, system.z_dim + system.y_dim)
    assert system.decode(latent).std(0).max() > 0
    assert prior.name.startswith("z ")


def test_a_system_that_offers_features_offers_itself_untrained_to_compare(trained):
    x = 2 * torch.rand(5, 3, 64, 64) - 1
    for name in SYSTEMS:
        system, module = systems.load(trained[name], CPU), systems.module(name)
        assert hasattr(system, "features") == hasattr(module, "untrained"), name
        if hasattr(system, "features"):
            before = module.untrained(trained[name], x, seed=1, device=CPU)
            assert before.features(x).shape == system.features(x).shape
            assert not torch.equal(before.features(x), system.features(x))


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("at", [2, 4])
def test_training_killed_and_resumed_ends_with_the_bytes_of_an_undisturbed_run(tmp_path, monkeypatch, name, at):
    params = small.gan_params(tmp_path, name)
    train_gan.run(params)
    whole = outs(tmp_path, "model", "gan.csv", "gan.png")
    with monkeypatch.context() as patched:
        kill_at(patched, at)
        with pytest.raises(Killed):
            train_gan.run(params)
    train_gan.run(params)
    assert outs(tmp_path, "model", "gan.csv", "gan.png") == whole


@pytest.mark.parametrize("variant", ENCODERS)
def test_an_encoder_killed_and_resumed_ends_with_the_bytes_of_an_undisturbed_one(tmp_path, monkeypatch, variant):
    train_gan.run(small.gan_params(tmp_path, small.PARAMS["train_encoder"][variant]["system"]))
    params = small.encoder_params(tmp_path, variant)
    train_encoder.run(params)
    whole = outs(tmp_path, variant, "encoder.csv", "encoder.png")
    with monkeypatch.context() as patched:
        kill_at(patched, 3)
        with pytest.raises(Killed):
            train_encoder.run(params)
    train_encoder.run(params)
    assert outs(tmp_path, variant, "encoder.csv", "encoder.png") == whole


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_loss_falls_on_one_repeated_batch(tmp_path, name):
    prepared = tiny.prepared(tmp_path)
    faces, pixels = read_faces(prepared), images.open_images(prepared)
    batch = Batch(
        images.gather(pixels, faces.rows("train")[:8]), torch.from_numpy(faces.labels()[faces.rows("train")[:8]])
    )
    settings = small.gan_settings(name, warmup=1000, steps=1000)
    data = train_gan.data_of(faces, 3)
    trainer = systems.module(name).GanTrainer(settings, data, seed=1, device=CPU, precision="fp32")
    losses = [float(trainer.step(step, batch)["pixel"].detach()) for step in range(1, 31)]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(("name", "size", "channels"), list(itertools.product(SYSTEMS, [28, 32, 64], [1, 3])))
def test_networks_fit_other_sizes_and_grey_pictures(name, size, channels):
    data = systems.Data(crop="whole", size=size, channels=channels, attributes=("A", "B"), split_hash="h")
    trainer = systems.module(name).GanTrainer(
        small.gan_settings(name, warmup=1), data, seed=1, device=CPU, precision="fp32"
    )
    batch = Batch(torch.zeros(8, channels, size, size), torch.tensor([[1, -1], [-1, 1]] * 4, dtype=torch.int8))
    for step in (1, 2, 3):
        trainer.step(step, batch)
    assert trainer.samples(2).shape == (2, channels, size, size)
