import pytest
import torch

from facet.base.images import to_pixels
from facet.editing.compositing import LEVEL, Gates, composite, smoothstep
from facet.editing.modes import MODES

GATES = Gates(fade=(0.2, 0.5))


def pictures(count=3, size=16, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.rand((count, 3, size, size), generator=draw) * 2 - 1 for _ in range(3)]


@pytest.mark.parametrize("mode", ["ian", "add", "replace"])
def test_a_zero_edit_gives_back_the_photo_bit_for_bit(mode):
    x, reconstruction, _ = pictures()
    y, mask, _ = composite(x, reconstruction, reconstruction.clone(), mode, GATES)
    assert torch.equal(y, x)
    assert mask.max() == 0


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_user_mask_gives_back_the_photo_bit_for_bit(mode):
    x, reconstruction, edited = pictures()
    y, *_ = composite(x, reconstruction, edited, mode, GATES, user=torch.zeros(3, 1, 16, 16))
    assert torch.equal(y, x)


@pytest.mark.parametrize("user", [None, torch.ones(3, 1, 16, 16)])
def test_decode_is_the_edited_picture_itself(user):
    x, reconstruction, edited = pictures()
    assert torch.equal(composite(x, reconstruction, edited, "decode", GATES, user=user)[0], edited)


@pytest.mark.parametrize("mode", ["ian", "add", "replace"])
def test_where_the_mask_is_zero_the_photo_stays_bit_for_bit(mode):
    x, reconstruction, _ = pictures()
    edited = reconstruction.clone()
    edited[:, :, :4, :4] = -edited[:, :, :4, :4]
    y, mask, _ = composite(x, reconstruction, edited, mode, GATES)
    outside = (mask == 0).expand_as(x)
    assert outside.float().mean() > 0.7
    assert torch.equal(y[outside], x[outside])
    assert not torch.equal(y, x)


def test_ian_applies_a_change_of_three_tenths_at_three_tenths():
    x = torch.zeros(1, 3, 16, 16)
    y, *_ = composite(x, x, x + 0.3, "ian", GATES)
    torch.testing.assert_close(y, x + 0.09)


def test_ian_shows_the_decoder_alone_where_the_change_is_as_large_as_one():
    x, reconstruction = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), -0.5)
    y, *_ = composite(x, reconstruction, reconstruction + 1.2, "ian", GATES)
    torch.testing.assert_close(y, reconstruction + 1.2)


def test_add_brings_a_clear_change_in_full_and_keeps_the_detail_of_the_photo():
    x, reconstruction, _ = pictures()
    x, reconstruction = x / 4, reconstruction / 4
    y, *_ = composite(x, reconstruction, reconstruction + 0.3, "add", GATES)
    torch.testing.assert_close(y, x + 0.3)


def test_replace_drops_the_detail_of_the_photo_where_the_change_is_large():
    x, reconstruction, _ = pictures()
    edited = reconstruction / 4 + 0.6
    y, *_ = composite(x / 4, reconstruction / 4, edited, "replace", GATES)
    torch.testing.assert_close(y, edited)


def test_a_change_below_two_levels_is_not_worth_touching_the_photo():
    x, reconstruction, _ = pictures()
    assert torch.equal(composite(x, reconstruction, reconstruction + 1.9 * LEVEL, "add", GATES)[0], x)


def test_a_composite_is_clipped_before_it_becomes_pixels():
    x = torch.full((1, 3, 16, 16), 0.9)
    y, *_ = composite(x, x, x + 0.5, "add", GATES)
    assert y.max() == 1
    assert to_pixels(y).min() == 255  # unclipped arithmetic would wrap around to dark


def test_smoothstep_is_flat_at_both_ends_and_a_half_between():
    values = smoothstep(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.9]), 0.2, 0.4)
    torch.testing.assert_close(values, torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match="blend"):
        composite(*pictures(), "blend", GATES)
