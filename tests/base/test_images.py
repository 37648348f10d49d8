import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from facet.base import images
from facet.base.errors import InputError


def test_every_pixel_level_survives_the_trip_to_tensors_and_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    tensor = images.to_tensor(pixels)
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor.min() == -1
    assert tensor.max() == 1
    np.testing.assert_array_equal(images.to_pixels(tensor), pixels)


def test_values_out_of_range_are_clipped_and_do_not_wrap_around():
    pixels = images.to_pixels(torch.tensor([-1.5, 1.5]).view(1, 1, 1, 2))
    assert pixels.ravel().tolist() == [0, 255]


def test_an_epoch_shows_every_row_once_and_the_next_one_in_another_order():
    rows = np.arange(10, 22)
    batches = images.batch_rows(rows, batch_size=4, seed=1)
    epochs = [np.concatenate(list(itertools.islice(batches, 3))) for _ in range(2)]
    for epoch in epochs:
        assert sorted(epoch) == list(rows)
    assert list(epochs[0]) != list(epochs[1])


@pytest.mark.parametrize("start", [2, 3, 4, 8])
def test_a_resumed_run_sees_the_batches_of_an_undisturbed_one(start):
    rows = np.arange(11)
    whole = list(itertools.islice(images.batch_rows(rows, batch_size=4, seed=1), 9))
    tail = list(itertools.islice(images.batch_rows(rows, batch_size=4, seed=1, start=start), 10 - start))
    np.testing.assert_array_equal(tail, whole[start - 1 :])


def test_too_few_images_for_a_batch_is_said():
    with pytest.raises(InputError, match="3 images do not fill one batch of 4"):
        next(images.batch_rows(np.arange(3), batch_size=4, seed=1))


def test_a_flip_mirrors_left_and_right_of_the_chosen_images_only():
    pixels = np.arange(2 * 2 * 2 * 1, dtype=np.uint8).reshape(2, 2, 2, 1)
    flipped = images.to_pixels(images.gather(pixels, np.array([0, 1]), np.array([False, True])))
    np.testing.assert_array_equal(flipped[0], pixels[0])
    np.testing.assert_array_equal(flipped[1], pixels[1, :, ::-1])


def test_a_wrong_array_is_refused_with_its_shape(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((2, 4, 4)))
    with pytest.raises(InputError, match=r"float64 \(2, 4, 4\)"):
        images.open_images(tmp_path)
    (tmp_path / "images.npy").write_bytes(b"not an array")
    with pytest.raises(InputError, match="not a NumPy array"):
        images.open_images(tmp_path)


def test_a_grid_shows_the_pictures_row_by_row(tmp_path):
    pixels = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (10, 20, 30)])
    images.write_grid(tmp_path / "grid.png", pixels, columns=2)
    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert grid.shape == (14, 14, 3)
    assert [grid[3, 3, 0], grid[3, 9, 0], grid[9, 3, 0], grid[9, 9, 0]] == [10, 20, 30, 255]
