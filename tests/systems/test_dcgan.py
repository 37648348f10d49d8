"""What every system promises, and what DCGAN's parts do."""

import json

import pytest
import torch

from facet import systems
from facet.base import images
from facet.base.errors import InputError
from facet.systems import dcgan, dcgan_encoders
from stages import train_encoder, train_gan
from tests.support import tiny
from tests.support.trainings import encoder_params, gan_params

DATA = systems.Data(crop="face120", size=64, channels=3, attributes=tiny.ATTRIBUTES, split_hash="h")
CPU = torch.device("cpu")
VARIANTS = {
    "in_domain": {},
    "fc": {"architecture": "fc"},
    "deep_conv": {"architecture": "deep_conv", "loss": "l1"},
    "transfer_ssim": {"architecture": "transfer", "loss": "ssim"},
    "extended": {"architecture": "extended"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny GAN and one encoder of each architecture on top of it."""
    folder = tmp_path_factory.mktemp("trained")
    train_gan.run(gan_params(folder, warmup=2))
    for variant, changes in VARIANTS.items():
        train_encoder.run(encoder_params(folder, variant, **changes))
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_system_encodes_images_to_latents_and_decodes_them_within_range(trained, variant):
    system = systems.load(trained / variant, CPU)
    x = 2 * torch.rand(5, 3, 64, 64) - 1
    latent = system.encode(x)
    assert latent.shape == (5, system.z_dim + system.y_dim)
    decoded = system.decode(latent)
    assert decoded.shape == x.shape
    assert decoded.abs().max() <= 1
    assert (system.crop, system.size, system.attributes) == ("face120", 64, tiny.ATTRIBUTES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_latent_does_not_depend_on_the_other_images_of_the_batch(trained, variant):
    system = systems.load(trained / variant, CPU)
    x = 2 * torch.rand(6, 3, 64, 64) - 1
    torch.testing.assert_close(system.encode(x)[:1], system.encode(x[:1]), rtol=1e-4, atol=1e-4)


def test_the_paper_s_encoders_keep_the_gan_s_generator_and_in_domain_tunes_it(trained):
    original, *_ = dcgan.load_gan(trained / "model")
    kept = systems.load(trained / "fc", CPU).generator.state_dict()
    for name, value in original.state_dict().items():
        torch.testing.assert_close(kept[name], value, rtol=0, atol=0)
    tuned = systems.load(trained / "in_domain", CPU).generator
    assert not torch.equal(tuned.to_rgb.weight, original.to_rgb.weight)


def test_a_frozen_trunk_stays_as_the_discriminator_left_it(trained):
    _, discriminator, settings, data = dcgan.load_gan(trained / "model")
    encoder = dcgan_encoders.load_gan(trained / "model")
    assert encoder[2] == settings
    assert data.split_hash == "h"
    transferred = systems.load(trained / "transfer_ssim", CPU).encoder
    for mine, theirs in zip(transferred.trunk.parameters(), discriminator.trunk.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gan", "in_domain", "fc"])
def test_the_loss_falls_on_one_repeated_batch(tmp_path, kind):
    train_gan.run(gan_params(tmp_path))
    prepared = tmp_path / "prepared"
    faces = train_gan.read_faces(prepared)
    x = images.gather(images.open_images(prepared), faces.rows("train")[:8])
    batch = train_gan.systems.module("dcgan").Batch(x, torch.from_numpy(faces.labels()[:8].copy()))
    if kind == "gan":
        settings = dcgan.GanSettings(**(tiny.GAN | {"warmup": 1000}))
        trainer, term = dcgan.GanTrainer(settings, DATA, seed=1, device=CPU, precision="fp32"), "pixel"
    else:
        params = encoder_params(tmp_path, kind, **({"steps": 1000} if kind == "in_domain" else {}))
        trainer = dcgan_encoders.encoder_trainer(
            kind, params.settings, params.gan, seed=1, device=CPU, precision="fp32"
        )
        term = "pixel" if kind == "in_domain" else "l2"
    losses = [float(trainer.step(step, batch)[term].detach()) for step in range(1, 31)]
    assert losses[-1] < (1 if kind == "fc" else 0.9) * losses[0]  # a frozen, hardly trained G can do little


def test_each_half_of_a_gan_step_moves_its_own_network_only():
    trainer = dcgan.GanTrainer(
        dcgan.GanSettings(**(tiny.GAN | {"learning_rate_g": 0.0})), DATA, seed=1, device=CPU, precision="fp32"
    )
    batch = dcgan.Batch(torch.zeros(8, 3, 64, 64), torch.zeros(8, 2))
    generator, discriminator = trainer.generator.to_rgb.weight.clone(), trainer.discriminator.head.weight.clone()
    trainer.step(1, batch)
    torch.testing.assert_close(trainer.generator.to_rgb.weight, generator, rtol=0, atol=0)
    assert not torch.equal(trainer.discriminator.head.weight, discriminator)


def test_the_paper_s_networks_have_the_paper_s_sizes():
    settings = dcgan.GanSettings(
        **(tiny.GAN | {"z_dim": 100, "width": 64, "width_d": 64, "kernel": 5, "norm": "batch"})
    )
    generator, discriminator = dcgan.networks(settings, DATA)
    weights = sum(weight.numel() for weight in generator.parameters())
    # linear 100x8192; batch norms of 512, 256, 128, 64 channels; 5x5 transposed convolutions; 3 biases
    convolutions = 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert weights == 100 * 8192 + 2 * (512 + 256 + 128 + 64) + convolutions + 3
    features = discriminator.features(torch.zeros(1, 3, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_a_warm_up_needs_a_normal_prior():
    with pytest.raises(InputError, match="needs prior normal"):
        dcgan.GanTrainer(
            dcgan.GanSettings(**(tiny.GAN | {"prior": "uniform", "warmup": 2})),
            DATA, seed=1, device=CPU, precision="fp32",
        )  # fmt: skip


def test_the_uniform_prior_is_signed_and_bounded():
    z = dcgan.sample_prior("uniform", 1000, 4, torch.Generator().manual_seed(1))
    assert z.min() < -0.9
    assert z.max() > 0.9
    assert z.abs().max() <= 1


def test_a_model_folder_that_is_none_or_of_an_unknown_system_is_an_input_error(tmp_path, trained):
    with pytest.raises(InputError, match="is not a model folder"):
        systems.load(tmp_path, CPU)
    (tmp_path / "model.json").write_text(json.dumps({"system": "stylegan"}))
    with pytest.raises(InputError, match=r"'stylegan' is unknown; choose one of .*dcgan"):
        systems.load(tmp_path, CPU)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card["settings"].pop("width"),
        lambda card: card["settings"].update(unknown=1),
        lambda card: card.pop("data"),
        lambda card: card.update(kind="joint"),  # a generator without its encoder
    ],
)
def test_a_model_of_another_version_is_one_clear_error(trained, tmp_path, change):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (trained / "fc").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    card = json.loads((folder / "model.json").read_text())
    change(card)
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=r"model\.json does not describe a system that this version can load"):
        systems.load(folder, CPU)
