"""What the conditional systems do beyond the promises of test_every_system: who learns what in ViGAN and IcGAN."""

import dataclasses
import math

import pytest
import torch

from facet import systems
from facet.base import compute
from facet.base.errors import InputError
from facet.losses.latent import description_error, recognition_loss
from facet.nets.descriptions import ROWS, Descriptions, one_hots, read
from facet.nets.residual import Residual
from facet.systems import icgan, icgan_encoders, vigan
from facet.training.loop import Batch
from stages import train_encoder, train_gan
from tests.support import small

CPU = torch.device("cpu")
DATA = systems.Data(crop="face120", size=64, channels=3, attributes=("A", "B"), split_hash="h")
Y = torch.tensor([[1, -1], [-1, 1], [1, 1], [-1, -1]] * 2, dtype=torch.int8)


def batch() -> Batch:
    return Batch(2 * torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(1)) - 1, Y)


def vigan_trainer(**changes):
    settings = small.gan_settings("vigan", **({"warmup": 0, "steps": 100} | changes))
    return vigan.GanTrainer(settings, DATA, seed=1, device=CPU, precision="fp32")


def moved(network, before):
    return any(not torch.equal(value, before[name]) for name, value in network.named_parameters())


def weights(network):
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def largest(parameters):
    """The largest gradient there is."""
    return max(0.0 if weight.grad is None else weight.grad.abs().max().item() for weight in parameters)


def test_a_confident_right_answer_costs_nothing_and_an_unknown_entry_is_left_out():
    c = torch.tensor([[1.0, -1.0, 0.0]])
    assert recognition_loss(torch.tensor([[20.0, -20.0, 3.0]]), c).item() == pytest.approx(0, abs=1e-6)
    assert recognition_loss(torch.zeros(1, 3), c).item() == pytest.approx(2 * math.log(2))


def test_a_soft_description_is_fitted_best_by_its_own_logit():
    c = torch.tensor([[0.5]])
    best = torch.logit((c + 1) / 2)
    assert recognition_loss(best, c) < recognition_loss(best + 0.1, c)
    assert recognition_loss(best, c) < recognition_loss(best - 0.1, c)


def test_of_a_group_s_entries_one_holds_and_its_softmax_is_what_counts():
    logits = torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    c = torch.tensor([[-1.0, 1.0, -1.0, 1.0]])
    one = -torch.log_softmax(logits[0, :3], 0)[1] + torch.nn.functional.softplus(-logits[0, 3])
    assert recognition_loss(logits, c, [(0, 1, 2)]).item() == pytest.approx(one.item())
    unknown = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
    assert recognition_loss(logits, unknown, [(0, 1, 2)]).item() == pytest.approx(
        recognition_loss(logits[:, 3:], c[:, 3:]).item()
    )


def test_a_description_is_read_by_softmax_in_its_groups_and_by_sigmoid_elsewhere():
    logits = torch.tensor([[math.log(6), math.log(3), 0.0, 0.0]])
    torch.testing.assert_close(read(logits, [(0, 1, 2)]), torch.tensor([[0.2, -0.4, -0.8, 0.0]]))
    torch.testing.assert_close(read(logits)[0, :2], 2 * logits[0, :2].sigmoid() - 1)


def test_groups_are_the_places_of_which_all_ten_digits_are_described():
    both = [f"{place}_{digit}" for place in ("Left", "Right") for digit in range(10)]
    assert one_hots(both) == (tuple(range(10)), tuple(range(10, 20)))
    assert one_hots(["Smiling", *both[:9], *both[10:]]) == (tuple(range(10, 20)),)
    assert one_hots(["Smiling", "Male"]) == ()


def test_a_vigan_of_digits_is_asked_and_answers_by_softmax(tmp_path):
    names = tuple(f"Digit_{digit}" for digit in range(10))
    data = dataclasses.replace(DATA, attributes=names)
    softmax, sigmoid = (
        vigan.GanTrainer(
            small.gan_settings("vigan", warmup=0, steps=100, softmax=softmax),
            data,
            seed=1,
            device=CPU,
            precision="fp32",
        )
        for softmax in (True, False)
    )
    shown = Batch(batch().x, 2 * torch.eye(10)[torch.arange(8)] - 1)
    terms = {name: trainer.step(1, shown)["recognition"].item() for name, trainer in
             {"softmax": softmax, "sigmoid": sigmoid}.items()}  # fmt: skip
    assert terms["softmax"] < math.log(10) + 1 < 10 * math.log(2) - 1 < terms["sigmoid"]
    softmax.save(tmp_path)
    y = systems.load(tmp_path, CPU).encode(shown.x)[:, 6:]
    torch.testing.assert_close((y + 1).sum(1), torch.full((8,), 2.0))


def test_the_error_of_a_description_counts_known_entries_only():
    y = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    assert description_error(torch.zeros(2, 2), y).item() == pytest.approx(1.0)
    assert description_error(torch.tensor([[1.0, 9.0], [-1.0, 1.0]]), y).item() == 0


@pytest.mark.parametrize(
    ("rates", "still"),
    [
        ({"learning_rate_d": 0.0}, {"discriminator"}),
        ({"learning_rate": 0.0}, {"encoder", "generator"}),
    ],
)
def test_vigan_s_networks_move_by_their_own_optimisers(rates, still):
    trainer = vigan_trainer(**rates)
    before = {name: weights(getattr(trainer, name)) for name in trainer.parts}
    trainer.step(1, batch())
    assert {name for name in trainer.parts if not moved(getattr(trainer, name), before[name])} == still


def test_vigan_s_encoder_hears_neither_the_discriminator_nor_the_recogniser():
    """L_enc is the prior and the reconstruction: its gradient is the same however much D and Q have to say."""
    loud, quiet = (vigan_trainer(adversarial=weight, recognition=weight) for weight in (5.0, 0.0))
    for trainer in (loud, quiet):
        trainer.step(1, batch())
    heard, unheard = ([weight.grad for weight in trainer.parts["encoder"]] for trainer in (loud, quiet))
    assert largest(quiet.parts["encoder"]) > 0
    for one, other in zip(heard, unheard, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
    assert largest(loud.parts["generator"]) > 2 * largest(quiet.parts["generator"])


VAE_ONLY = {"adversarial": 0.0, "recognition": 0.0, "feature": 0.0}
GAN_ONLY = {"pixel": 0.0, "kl": 0.0, "feature": 0.0}


@pytest.mark.parametrize(
    ("terms", "still", "named"),
    [
        (VAE_ONLY, {"discriminator"}, {"pixel", "kl"}),
        (GAN_ONLY, {"encoder"}, {"adversarial", "obeyed", "recognition", "discriminator"}),
    ],
)
def test_with_its_terms_switched_off_vigan_is_a_vae_or_a_gan(terms, still, named):
    trainer = vigan_trainer(**terms)
    before = {name: weights(getattr(trainer, name)) for name in trainer.parts}
    assert set(trainer.step(1, batch())) == named
    assert {name for name in trainer.parts if not moved(getattr(trainer, name), before[name])} == still


def test_a_gan_s_generator_and_discriminator_never_meet_a_reconstruction(monkeypatch):
    """All that is generated comes from draws of z: the encoder is not even asked, whatever `edits` and `warmup` say."""
    trainer = vigan_trainer(**GAN_ONLY, edits=1.0, warmup=50)
    monkeypatch.setattr(trainer.encoder, "forward", lambda x: pytest.fail("the encoder was asked"))
    made = []
    trainer.generator.register_forward_hook(lambda _, __, images: made.append(len(images)))
    trainer.step(1, batch())
    assert made == [len(Y)]


def test_a_vae_s_warm_up_lasts_as_long_as_there_is_no_discriminator_to_meet():
    short, long = (vigan_trainer(**VAE_ONLY, warmup=warmup) for warmup in (0, 100))
    for step in range(1, 4):
        for trainer in (short, long):
            trainer.step(step, batch())
    for one, other in zip(short.parts["generator"], long.parts["generator"], strict=True):
        assert torch.equal(one, other)


def test_a_vigan_without_any_term_is_a_clear_error():
    with pytest.raises(InputError, match="are all 0: there is nothing to learn"):
        vigan_trainer(**(VAE_ONLY | GAN_ONLY))


def test_a_vigan_of_an_unknown_distance_is_a_clear_error():
    with pytest.raises(InputError, match="distance 'huber' is unknown; choose one of l1, l2"):
        vigan_trainer(distance="huber")


def test_vigan_s_generator_is_not_moved_by_the_prior():
    trainer = vigan_trainer(pixel=0.0, feature=0.0, kl=1.0, adversarial=0.0, recognition=0.0)
    trainer.step(1, batch())
    assert largest(trainer.parts["generator"]) == 0
    assert largest(trainer.parts["encoder"]) > 0


def test_vigan_s_recogniser_learns_real_images_only():
    """With the discriminator's own loss out of the way, its gradient is that of -log Q(c | x)."""
    trainer = vigan_trainer(norm="none", noise=0.0)
    trainer.step(1, batch())
    got = trainer.discriminator.recogniser[-1].weight.grad.clone()
    fresh = vigan_trainer(norm="none", noise=0.0)
    features = fresh.discriminator.features(batch().x)
    recognition_loss(fresh.discriminator.recognise(features), Y.float()).backward()
    torch.testing.assert_close(got, fresh.discriminator.recogniser[-1].weight.grad, rtol=1e-4, atol=1e-6)


def test_vigan_s_discriminator_and_recogniser_see_through_noise_and_the_encoder_does_not():
    trainer = vigan_trainer(norm="none", noise=0.5)
    seen = {}
    trainer.discriminator.trunk.register_forward_pre_hook(lambda _, given: seen.setdefault("d", given[0]))
    trainer.encoder.register_forward_pre_hook(lambda _, given: seen.setdefault("e", given[0]))
    trainer.step(1, batch())
    assert torch.equal(seen["e"], batch().x)
    per_image = (seen["d"] - batch().x).std(dim=(1, 2, 3))
    assert per_image.max() < 0.55
    assert per_image.std() > 0.05  # from none to all of it, image by image


@pytest.mark.slow
def test_q_learns_to_read_a_description_off_real_images():
    trainer = vigan_trainer(learning_rate_d=0.005, steps=1000)
    losses = [trainer.step(step, batch())["recognition"].item() for step in range(1, 41)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_residual_is_uncorrelated_with_the_description_and_keeps_the_rest():
    generator = torch.Generator().manual_seed(1)
    residual, c = Residual(2, 3), torch.randn(4096, 3, generator=generator).sign()
    c[:, 1] = -c[:, 0]  # as two classes of one digit are
    own = torch.randn(4096, 2, generator=generator)
    codes = own + c @ torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.5, -2.0]]) + 3
    assert torch.equal(residual(codes, c), codes)  # nothing was followed
    for chosen in torch.arange(4096).split(16):
        with torch.autocast("cpu", torch.bfloat16):
            residual.follow(codes[chosen], c[chosen])
    left = residual(codes, c)
    assert torch.corrcoef(torch.cat([left, c], 1).T)[:2, 2:].abs().max() < 0.1
    torch.testing.assert_close(left, own + 3, rtol=0, atol=0.4)


def test_gradients_pass_the_regression_by():
    residual, c = Residual(1, 1), torch.tensor([[1.0], [-1.0]] * 8)
    codes = c.clone().requires_grad_(True)
    residual.follow(codes, c)
    residual(codes, c).sum().backward()
    assert codes.grad.eq(1).all()


@pytest.mark.parametrize("system", ["vigan", "icgan"])
@pytest.mark.parametrize("on", [True, False])
def test_latents_say_nothing_of_the_description_where_they_are_residuals(tmp_path, system, on):
    """In training too: the steps of a warm-up see codes less the regression."""
    settings = small.gan_settings(system, residual=on, warmup=100, steps=200)
    trainer = systems.module(system).GanTrainer(settings, DATA, seed=1, device=CPU, precision="fp32")
    seen = []
    trainer.generator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    x = 0.5 * Y[:, :1, None, None].float().expand(-1, 3, 64, 64) + 0.3 * batch().x  # A is plain to see
    for step in range(1, 41):
        trainer.step(step, Batch(x, Y))
    by_a = torch.stack([z[Y[:, 0] > 0].mean(0) - z[Y[:, 0] < 0].mean(0) for z in seen[-20:]]).mean(0)
    assert (by_a.norm() < 2.0) == on  # 5 to 6 without; not 0, for codes move fast in these first steps
    assert trainer.residual.moments.seen == on


def test_descriptions_are_the_first_label_vectors_and_nothing_else():
    kept = Descriptions(2)
    kept.add(Y.float())
    drawn = kept.draw(50, compute.generator(1))
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in Y.tolist()}
    kept.add(torch.full((2 * ROWS, 2), 0.5))
    assert int(kept.filled) == ROWS
    assert torch.equal(kept.rows[:8], Y.float())
    assert kept.rows[8:].eq(0.5).all()


def test_a_wrong_label_always_differs_and_is_somebody_else_s():
    y = torch.tensor([[1.0, 1.0]] * 6 + [[-1.0, 1.0]])
    wrong, found = icgan.wrong_labels(y, torch.Generator().manual_seed(1))
    assert found.all()
    assert torch.equal(wrong[:6], y[6:].expand(6, -1))
    assert torch.equal(wrong[6], y[0])
    _, found = icgan.wrong_labels(y[:3], torch.Generator().manual_seed(1))
    assert not found.any()


@pytest.mark.slow
def test_icgan_s_discriminator_is_taught_to_refuse_a_wrong_label():
    settings = small.gan_settings("icgan", warmup=0, steps=500, learning_rate_d=0.003, learning_rate_g=0.0, width_d=8)
    trainer = icgan.GanTrainer(settings, DATA, seed=1, device=CPU, precision="fp32")
    x = torch.where(Y[:, :1, None, None] > 0, 0.7, -0.7).expand(-1, 3, 64, 64) + 0.05 * batch().x
    for step in range(1, 81):
        terms = trainer.step(step, Batch(x, Y))
    assert terms["d_real"] > terms["d_wrong"] + 0.5  # the attribute A is plain to see


def test_icgan_s_encoders_start_from_the_warm_up_and_say_when_there_was_none(tmp_path):
    train_gan.run(small.gan_params(tmp_path, "icgan", warmup=0))
    with pytest.raises(InputError, match="has no warm-up encoder to start from"):
        train_encoder.run(small.encoder_params(tmp_path, "icgan_zy"))
    train_encoder.run(small.encoder_params(tmp_path, "icgan_zy", warm=False, pixel=0.0))
    assert systems.load(tmp_path / "icgan_zy", CPU).encode(torch.zeros(1, 3, 64, 64)).shape == (1, 8)


def test_icgan_s_encoder_goes_on_with_the_regression_of_the_warm_up(tmp_path):
    train_gan.run(small.gan_params(tmp_path, "icgan"))
    for on in (True, False):
        settings = small.encoder_params(tmp_path, "icgan_zy", residual=on).settings
        one = icgan_encoders.EncoderTrainer(settings, tmp_path / "model", seed=1, device=CPU, precision="fp32")
        assert int(one.residual.moments.steps) == (2 if on else 0)  # those of the warm-up
        one.step(1, batch())
        assert int(one.residual.moments.steps) == (3 if on else 0)


@pytest.mark.parametrize("threshold", [True, False])
def test_a_photo_s_y_is_a_sign_or_stays_within_one(tmp_path, threshold):
    train_gan.run(small.gan_params(tmp_path, "icgan"))
    train_encoder.run(small.encoder_params(tmp_path, "icgan_zy", threshold=threshold))
    y = systems.load(tmp_path / "icgan_zy", CPU).encode(batch().x)[:, 6:]
    assert y.abs().eq(1).all() == threshold


def test_the_papers_icgan_has_the_papers_sizes():
    settings = small.gan_settings("icgan", z_dim=100, width=64, width_d=64, norm="batch")
    data = systems.Data(crop="icgan138", size=64, channels=3, attributes=tuple("abcdefghijklmnopqr"), split_hash="h")
    generator, discriminator, _ = icgan.networks(settings, data)
    convolutions = 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3
    assert sum(w.numel() for w in generator.parameters()) == 118 * 8192 + 2 * (512 + 256 + 128 + 64) + convolutions
    assert discriminator.trunk[0][0][0].weight.shape == (128, 64 + 18, 4, 4)  # y joins after the first convolution
    hidden = small.gan_settings("icgan", z_dim=100, width=64, variant="cs230")
    assert icgan.networks(hidden, data)[0].project[0].weight.shape == (1024, 118)


def test_the_paper_s_vigan_has_the_paper_s_sizes():
    data = systems.Data(crop="dcgan108", size=64, channels=3, attributes=tuple("abcdefghij"), split_hash="h")
    encoder, generator, discriminator, _ = vigan.networks(
        small.gan_settings("vigan", body="paper", z_dim=256, width=64, width_d=64), data
    )
    assert [tuple(layer[0].weight.shape[:2]) for layer in encoder.trunk[:3]] == [(64, 3), (128, 64), (256, 128)]
    assert encoder.trunk[4].weight.shape == (512, 256 * 8 * 8)
    assert generator.project[0].weight.shape == (512, 266)
    assert discriminator.features(torch.zeros(1, 3, 64, 64)).shape == (1, 256, 8, 8)
    assert discriminator.recogniser[0].weight.shape == (128, 256 * 8 * 8)
