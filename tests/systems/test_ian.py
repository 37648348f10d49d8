"""The introspective adversarial network: its blocks, and which loss reaches which weights."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facet import systems
from facet.base import checkpoints
from facet.base.errors import InputError
from facet.losses.orthogonal import orthogonal_penalty, orthogonality
from facet.nets.made import Iaf, Made
from facet.nets.mdc import Mdc, RgbBeta
from facet.nets.minibatch import MinibatchDiscrimination
from facet.systems import ian
from facet.training.loop import Batch
from tests.support import small

CPU = torch.device("cpu")
DATA = systems.Data(crop="face120", size=64, channels=3, attributes=("A", "B"), split_hash="h")
BATCH = Batch(
    2 * torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(1)) - 1,
    torch.tensor([[1, -1], [-1, 1]] * 4, dtype=torch.int8),
)


def trainer(**changes):
    settings = small.gan_settings("ian", **({"warmup": 0, "steps": 100} | changes))
    return ian.GanTrainer(settings, DATA, seed=1, device=CPU, precision="fp32")


def test_a_bank_of_filters_costs_nine_weights_a_pair_and_one_a_branch():
    """N (9 C + S + 1), the paper's formula, for S dilations beside the plain one."""
    layer = Mdc(256, 512, dilations=(0, 2, 3))
    assert sum(w.numel() for w in layer.parameters()) == 512 * (9 * 256 + 3 + 1)


def test_a_bank_of_filters_is_the_weighted_sum_of_its_branches():
    layer = Mdc(2, 3, dilations=(0, 2))
    generator = torch.Generator().manual_seed(1)
    nn.init.normal_(layer.weight, generator=generator)
    nn.init.normal_(layer.shares, generator=generator)
    x = torch.randn(1, 2, 9, 9, generator=generator)
    branches = [
        F.conv2d(x, layer.weight, padding=1),
        F.conv2d(x, layer.weight.mean((2, 3), keepdim=True)),
        F.conv2d(x, layer.weight, padding=2, dilation=2),
    ]
    expected = sum(k[:, None, None] * y for k, y in zip(layer.shares, branches, strict=True))
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_colours_are_means_of_beta_distributions_and_blue_knows_red():
    block = RgbBeta(4, colours=3)
    for weight in block.parameters():
        nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    h = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    first = block(h)
    assert first.abs().max() < 1
    with torch.no_grad():
        block.heads[0].weight.add_(1.0)
    second = block(h)
    assert not torch.equal(first[:, 2], second[:, 2])
    with torch.no_grad():
        block.heads[2].weight.add_(1.0)
    torch.testing.assert_close(block(h)[:, :2], second[:, :2], rtol=0, atol=0)


@pytest.mark.parametrize("degrees", ["textbook", "published"])
def test_each_output_of_a_made_depends_on_earlier_inputs_only(degrees):
    order = torch.tensor([2, 0, 3, 1])
    made = Made(order, degrees=degrees, generator=torch.Generator().manual_seed(1))
    jacobian = torch.autograd.functional.jacobian(lambda z: made(z[None])[0], torch.randn(4))
    for i, j in itertools.product(range(4), range(4)):
        if i <= j:  # the input j of the order is not before the output i of the order
            assert jacobian[order[i], order[j]] == 0
    assert jacobian[order[3], order[0]] != 0


def test_the_published_slip_lets_hidden_units_see_the_first_input_only():
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    made = Made(order, degrees="published", generator=torch.Generator().manual_seed(1))
    assert made.into.abs().sum(0).nonzero().flatten().tolist() == [int(order[0])]
    textbook = Made(order, degrees="textbook", generator=torch.Generator().manual_seed(1))
    assert len(textbook.into.abs().sum(0).nonzero()) == 5


def test_the_flow_is_frozen_invertible_in_its_order_and_the_same_every_time():
    flow, again = Iaf(5, degrees="textbook"), Iaf(5, degrees="textbook")
    assert not list(flow.parameters())
    z0 = torch.randn(3, 5)
    z = flow(z0)
    torch.testing.assert_close(z, again(z0), rtol=0, atol=0)
    torch.testing.assert_close(z * flow.s(z0).exp() + flow.m(z0), z0, rtol=1e-4, atol=1e-5)


def test_minibatch_discrimination_sees_twins():
    layer = MinibatchDiscrimination(3, kernels=2, dims=5)
    layer.init(torch.Generator().manual_seed(1))
    apart = 50 * torch.eye(3)
    found = layer(apart)[:, 3:]
    torch.testing.assert_close(found, torch.full((3, 2), -1.0), rtol=0, atol=1e-3)  # nobody near: the bias
    twins = layer(torch.stack([apart[0], apart[0], apart[1]]))[:, 3:]
    torch.testing.assert_close(twins[:2], torch.zeros(2, 2), rtol=0, atol=1e-3)  # one near: exp(0) - 1


def test_orthonormal_filters_cost_nothing_and_the_zero_filter_its_side():
    assert orthogonality(torch.eye(3).view(1, 1, 3, 3)).item() == pytest.approx(0, abs=1e-6)
    assert orthogonality(torch.zeros(2, 5, 3, 3)).item() == 6
    assert orthogonal_penalty(nn.Linear(2, 2), nn.Conv2d(1, 1, 3)) > 0


@pytest.mark.parametrize(("step", "still"), [(1, "g"), (2, "d")])
def test_steps_alternate_and_the_head_learns_in_both(step, still):
    one = trainer(orthogonal=0.001, adversarial=1.0)
    before = {name: [w.detach().clone() for w in weights] for name, weights in one.parts.items()}
    one.step(step, BATCH)
    moved = {
        name: any(not torch.equal(a, b) for a, b in zip(weights, before[name], strict=True))
        for name, weights in one.parts.items()
    }
    assert moved == {"z": True, "g": still != "g", "d": still != "d", "v": still != "d"}


def test_after_a_warm_up_trunk_and_verdict_have_rates_of_their_own():
    one = trainer(warmup=1, learning_rate=0.4, learning_rate_d=0.1, learning_rate_v=0.2, final_rate=1.0)
    for step, expected in ((1, {"z": 0.4, "g": 0.4, "d": 0.4}), (2, {"z": 0.4, "g": 0.4, "d": 0.1})):
        one._set_rates(step, warm=step == 1)
        rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in one.optimisers.items()}
        assert rates == expected | {"v": 0.2}


@pytest.mark.parametrize("loss", ["ternary", "binary"])
@pytest.mark.parametrize("term", ["pixel", "kl", "attribute", "feature", "adversarial"])
def test_the_discriminator_hears_only_its_own_verdicts_and_the_encoder_every_term(loss, term):
    """The trunk and the verdict have the same gradient whatever the encoder's terms weigh, the head another one."""
    found: dict[str, list[list[torch.Tensor]]] = {"d": [], "z": []}
    for weight in (0.01, 100.0):
        one = trainer(**{"pixel": 1.0, "loss": loss, term: weight})
        one.step(1, BATCH)
        for part, gradients_of in found.items():
            gradients_of.append([w.grad.clone() for w in one.parts[part]])
    for a, b in zip(*found["d"], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert any(not torch.equal(a, b) for a, b in zip(*found["z"], strict=True))


def test_generated_images_leave_the_trunk_s_running_statistics_alone():
    one = trainer(width=8)
    x = Batch(torch.zeros(8, 3, 64, 64), BATCH.y)
    reference = trainer(width=8)
    reference.trunk(x.x)
    one.step(1, x)
    for mine, theirs in zip(one.trunk.buffers(), reference.trunk.buffers(), strict=True):
        if mine.is_floating_point():
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_three_verdicts_are_told_apart_and_two_where_the_loss_is_binary():
    logits = torch.tensor([[9.0, 0.0, 0.0]])
    assert ian.verdict_loss(logits, ian.REAL).item() == pytest.approx(0, abs=1e-3)
    assert ian.verdict_loss(logits, ian.GENERATED).item() == pytest.approx(9, abs=1e-3)
    assert ian.verdict_loss(torch.tensor([[9.0]]), ian.RECONSTRUCTED).item() == pytest.approx(9, abs=1e-3)
    right = ian.accuracy(logits, torch.tensor([[0.0, 9.0, 0.0]]), logits)
    assert right.item() == pytest.approx(2 / 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "iaf", "kernel"), [("full", "textbook", 5), ("full", "published", 5), ("simple", "none", 5)]
)
def test_both_variants_of_the_code_train_and_load(tmp_path, variant, iaf, kernel):
    folder = small.train(tmp_path, "ian", variant=variant, iaf=iaf, kernel=kernel, orthogonal=0.001)
    system = systems.load(folder, CPU)
    assert system.decode(system.encode(BATCH.x)).shape == BATCH.x.shape


def test_the_code_s_full_model_has_the_code_s_sizes():
    settings = small.gan_settings("ian", variant="full", z_dim=100, width=128, kernel=5, hidden=1000, kernels=500)
    parts = ian.networks(settings, DATA)
    assert [tuple(f.shape[1:]) for f in parts["trunk"](torch.zeros(1, 3, 64, 64))] == [
        (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4)
    ]  # fmt: skip
    assert parts["verdict"].linear.weight.shape == (3, 1524)
    assert parts["head"].hidden[1].weight.shape == (1000, 16384)
    transposed = [m for m in parts["generator"].modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [tuple(m.weight.shape[:2]) for m in transposed] == [(512, 512), (512, 256), (256, 128), (128, 128)]
    assert parts["generator"].project[0].weight.shape == (8192, 100)


@pytest.mark.parametrize("change", [{"variant": "tiny"}, {"iaf": "odd"}, {"loss": "hinge"}, {"prior": "flat"}])
def test_an_unknown_word_is_an_input_error(change):
    with pytest.raises(InputError, match="is unknown; choose one of"):
        trainer(**change)


def test_features_are_the_encoder_s_linear_layer_after_norm_and_relu(tmp_path):
    system = systems.load(small.train(tmp_path, "ian"), CPU)
    h = system.features(BATCH.x)
    linear, norm = system.head.hidden[1], system.head.hidden[2]
    expected = norm(linear(system.trunk(BATCH.x)[-1].flatten(1))).relu()
    torch.testing.assert_close(h, expected)
    assert h.shape == (8, 16)
    assert h.min() == 0


def test_the_untrained_network_is_the_one_that_training_began_with(tmp_path):
    folder = small.train(tmp_path, "ian")
    x = BATCH.x
    before, after = ian.untrained(folder, x, seed=1, device=CPU), systems.load(folder, CPU)
    data = systems.Data.from_json(checkpoints.read_card(folder)["data"])
    first = ian.GanTrainer(small.gan_settings("ian"), data, seed=1, device=CPU, precision="fp32")
    for name in ("trunk", "head"):
        weights = getattr(before, name).named_parameters()
        for (key, mine), theirs in zip(weights, getattr(first, name).parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0, msg=key)
    assert not torch.equal(before.head.hidden[1].weight, after.head.hidden[1].weight)
    norm = before.head.hidden[2]
    h = before.head.hidden[1](before.trunk(x)[-1].flatten(1))
    torch.testing.assert_close(norm.running_mean, h.mean(0), rtol=0.3, atol=0.3 * float(h.abs().mean()))
    assert before.features(x).std() > 0.1  # normed by these images, where the bare weights give next to nothing


@pytest.mark.parametrize(("prior", "followed"), [("normal", False), ("fitted", True)])
def test_samples_are_drawn_from_the_codes_of_training_where_the_prior_is_fitted(tmp_path, prior, followed):
    folder = small.train(tmp_path, "ian", prior=prior)
    system = systems.load(folder, CPU)
    eps = torch.randn(5, system.z_dim, generator=torch.Generator().manual_seed(3))
    assert (int(system.prior.moments.steps) == 4) == followed
    assert torch.equal(system.prior(eps), eps) != followed
    drawn = ian.prior(folder, CPU)
    torch.testing.assert_close(drawn.draw(5, torch.Generator().manual_seed(3)), system.iaf(system.prior(eps)))
    assert ("fitted" in drawn.name) == followed


@pytest.mark.parametrize("iaf", ["textbook", "none"])
def test_interpolation_is_straight_before_the_flow(monkeypatch, iaf):
    one = trainer(iaf=iaf)
    system = ian.Ian(one.networks, one.settings, DATA, CPU)
    monkeypatch.setattr(system, "_mean", lambda x: 2 * x.flatten(1)[:, :6])  # wider apart than an untrained head has it
    a, b = BATCH.x[:4], BATCH.x[4:]
    start, end = system.encode(a), system.encode(b)
    torch.testing.assert_close(system.interpolate(a, b, 0.0), start)
    torch.testing.assert_close(system.interpolate(a, b, 1.0), end)
    middle = system.interpolate(a, b, 0.5)
    torch.testing.assert_close(middle, system.iaf((a + b).flatten(1)[:, :6]))
    away = (middle - (start + end) / 2).norm() / (end - start).norm()
    assert (away > 0.1) == (iaf != "none")
