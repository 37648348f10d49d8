"""The data sets of digits and LFW, from files written in their published formats."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from facet.base import images
from facet.base.errors import InputError
from facet.base.images import open_images
from facet.base.tables import read_faces
from facet.sources import digits
from facet.sources.labels import Listing, read_labels
from stages import prepare, source
from tests.support.pictures import jpeg


def packed(data: bytes) -> bytes:
    """gzip without the time of day."""
    return gzip.compress(data, mtime=0)


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the IDX format."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(root: Path, train: int = 60, test: int = 20) -> Path:
    """Random pictures whose first pixel is their label, as the four published files."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for part, count in (("train", train), ("test", test)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pictures = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        pictures[:, 0, 0] = labels
        for name, array in zip(digits.MNIST_FILES[part], (pictures, labels), strict=True):
            (root / f"{name}.gz").write_bytes(packed(idx(array)))
    return root


def sourced(root: Path, kind: str, **changes) -> Listing:
    raw = root.parent / "raw"
    values = {"kind": kind, "root": root, "raw": raw, "count": 0, "seed": 0, "workers": 1, "download": False} | changes
    source.run(source.Params(**values))
    return read_labels(raw)


def prepared(root: Path, **changes):
    values = {
        "raw": root.parent / "raw", "root": root, "prepared": root.parent / "prepared",
        "card": root.parent / "card.json", "reuse": root.parent / "reuse", "crop": "whole",
        "size": 28, "large": 0, "channels": 1, "split": "official",
        "ratios": (0.8, 0.1, 0.1), "seed": 0, "workers": 1, "attributes": ("all",),
    } | changes  # fmt: skip
    prepare.run(prepare.Params(**values))
    return read_faces(values["prepared"]), open_images(values["prepared"])


def test_mnist_goes_through_source_and_prepare_with_every_pixel_kept(tmp_path):
    root = write_mnist(tmp_path / "mnist")
    listing = sourced(root, "mnist")
    assert listing.attributes == tuple(f"Digit_{i}" for i in range(10))
    assert listing.table["official_split"].value_counts().to_dict() == {"train": 54, "test": 20, "valid": 6}
    faces, pixels = prepared(root)
    original, labels = digits.read_mnist(root)["train"]
    assert pixels.shape == (80, 28, 28, 1)
    np.testing.assert_array_equal(pixels[:60, :, :, 0], original)
    assert (faces.labels()[:60].argmax(1) == labels).all()
    assert (faces.labels() == 1).sum() == 80
    assert faces.meta.channels == 1


def test_mnist_may_be_enlarged_to_64_pixels(tmp_path):
    root = write_mnist(tmp_path / "mnist", 20, 10)
    sourced(root, "mnist")
    _, pixels = prepared(root, size=64)
    assert pixels.shape == (30, 64, 64, 1)


def test_a_luma_of_grey_is_that_grey_and_green_is_the_lightest_colour():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None, None], 3, axis=3)
    np.testing.assert_array_equal(images.luma(grey)[..., 0], grey[..., 0])
    colours = 255 * np.eye(3, dtype=np.uint8)[:, None, None]
    assert images.luma(colours).ravel().tolist() == [76, 150, 29]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train-images-idx3-ubyte.gz", None, "has no train-images-idx3-ubyte.gz"),
        ("train-images-idx3-ubyte.gz", b"<html>", "is not a complete gzip file"),
        ("train-images-idx3-ubyte.gz", packed(b"<!doctype html>"), "is not an IDX file of 3 dimensions"),
        ("train-labels-idx1-ubyte.gz", packed(idx(np.zeros(9, np.uint8))), "60 pictures and .* 9 labels"),
        ("train-labels-idx1-ubyte.gz", packed(idx(np.zeros(60, np.uint8))[:-5]), "is truncated"),
        ("train-labels-idx1-ubyte.gz", packed(idx(np.zeros(60, np.uint8)))[:-9], "is not a complete gzip file"),
        ("train-images-idx3-ubyte.gz", packed(idx(np.zeros((60, 32, 32), np.uint8))), "32x32 pictures"),
    ],
)
def test_a_wrong_file_of_mnist_is_a_clear_error_and_leaves_nothing(tmp_path, name, data, message):
    root = write_mnist(tmp_path / "mnist")
    (root / name).unlink()
    if data is not None:
        (root / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        sourced(root, "mnist")
    assert [path.name for path in tmp_path.iterdir()] == ["mnist"]


def test_a_canvas_holds_one_digit_in_either_half_anywhere_in_it():
    pictures = np.full((10, 28, 28), 7, np.uint8) + np.arange(10, dtype=np.uint8)[:, None, None]
    canvases, left, right = digits.canvases_of(pictures, np.arange(10), 500, np.random.default_rng(0))
    for canvas, a, b in zip(canvases, left, right, strict=True):
        for half, label, columns in ((canvas[:, :32], a, digits.LEFT), (canvas[:, 32:], b, (0, 4))):
            rows, cols = np.nonzero(half)
            assert set(half[half > 0]) == {7 + label}
            assert np.ptp(rows) == np.ptp(cols) == 27
            assert columns[0] <= cols.min() <= columns[1]
            assert 0 <= rows.min() <= 36
    tops = np.array([np.nonzero(canvas[:, :32])[0].min() for canvas in canvases])
    assert (tops.min(), tops.max()) == (0, 36)


def test_two_digit_canvases_are_the_same_for_a_seed_and_share_no_digit_between_splits(tmp_path):
    root = write_mnist(tmp_path / "mnist", 100, 40)
    listing = sourced(root, "two_digit_mnist", count=50)
    first = (tmp_path / "raw" / "pictures.zip").read_bytes()
    assert listing.table["official_split"].value_counts().to_dict() == {"train": 40, "valid": 5, "test": 5}
    assert listing.attributes[0] == "Left_0"
    assert listing.attributes[-1] == "Right_9"
    labels = listing.table[list(listing.attributes)].to_numpy()
    assert ((labels[:, :10] == 1).sum(1) == 1).all()
    assert ((labels[:, 10:] == 1).sum(1) == 1).all()
    sourced(root, "two_digit_mnist", count=50)
    assert (tmp_path / "raw" / "pictures.zip").read_bytes() == first
    sourced(root, "two_digit_mnist", count=50, seed=1)
    assert (tmp_path / "raw" / "pictures.zip").read_bytes() != first
    with pytest.raises(InputError, match="needs the number of canvases"):
        sourced(root, "two_digit_mnist", count=0)


def write_svhn(root: Path) -> Path:
    root.mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("train", 30), ("test", 10)):
        x = rng.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        savemat(root / f"{part}_32x32.mat", {"X": x, "y": (np.arange(count) % 10 + 1)[:, None].astype(np.uint8)})
    return root


def test_svhn_s_ten_is_a_zero_and_its_axes_are_turned(tmp_path):
    root = write_svhn(tmp_path / "svhn")
    listing = sourced(root, "svhn")
    assert listing.table["Digit_0"].to_numpy()[:10].tolist() == [-1] * 9 + [1]
    assert listing.table["Digit_1"][0] == 1
    from scipy.io import loadmat

    _, pixels = prepared(root, size=32, channels=3)
    np.testing.assert_array_equal(pixels[3], loadmat(root / "train_32x32.mat")["X"][..., 3])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "is missing; expected train_32x32.mat"),
        (b"<html>", "cannot be read as a MATLAB file"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8)}, "has no variable 'y'"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.full((3, 1), 1)}, "and 3 labels"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.full((4, 1), 11)}, "labels from 11 to 11"),
        (
            {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.full((4, 1), np.nan)},
            "expected whole numbers from 1 to 10",
        ),
    ],
)
def test_a_wrong_file_of_svhn_is_a_clear_error(tmp_path, data, message):
    root = write_svhn(tmp_path / "svhn")
    path = root / "test_32x32.mat"
    path.unlink()
    if isinstance(data, dict):
        savemat(path, data)
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        sourced(root, "svhn")
    assert not (tmp_path / "raw").exists()


NAMES = ("Smiling", "Eyes Wide Open", "Male")
ROWS = [("Ann Lee", 1, (0.5, -1.25, 2.0)), ("Ann Lee", 2, (1.5, 0.0, 2.5)), ("Bo", 1, (-3.0, 1.0, -1.0))]


def write_lfw(root: Path, rows=ROWS) -> Path:
    for number, (person, image, _) in enumerate(ROWS):
        name = person.replace(" ", "_")
        (root / "lfw" / name).mkdir(parents=True, exist_ok=True)
        (root / "lfw" / name / f"{name}_{image:04d}.jpg").write_bytes(jpeg(number, 250, 250))
    lines = ["# Columbia attributes", "#\t" + "\t".join(("person", "imagenum", *NAMES))]
    lines += ["\t".join((person, str(image), *map(str, scores))) for person, image, scores in rows]
    (root / "lfw_attributes.txt").write_text("\n".join(lines) + "\n")
    return root


def test_lfw_s_scores_are_real_numbers_and_its_people_identities(tmp_path):
    root = write_lfw(tmp_path / "lfw_set")
    listing = sourced(root, "lfw")
    assert listing.real == ("Smiling", "Eyes_Wide_Open", "Male")
    assert listing.attributes == ()
    assert listing.table["image_id"].tolist()[:2] == ["Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg"]
    assert listing.table["identity"].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(listing.table["Eyes_Wide_Open"], np.float32([-1.25, 0, 1]))


def test_lfw_pictures_without_scores_are_listed_last_and_scores_without_picture_counted(tmp_path):
    rows = [ROWS[0], ("Nobody Here", 1, (0.0, 0.0, 0.0))]
    listing = sourced(write_lfw(tmp_path / "lfw_set", rows), "lfw")
    assert listing.table["problem"].tolist() == ["", "no_labels", "no_labels"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("<html>", "is a web page"),
        ("person imagenum\n", "has no line"),
        ("#\tperson\timagenum\tA\nAnn\t1\n", "line 2 has 2 cells; expected 3"),
        ("#\tperson\timagenum\tA\nAnn\t1\tx\n", r"line 2 \(Ann\).*expected numbers"),
        ("#\tperson\timagenum\tA\nStranger\t1\t0.5\n", "none of the 1 rows"),
        ("#\tperson\timagenum\tA\nBo\t1\t0.5\nBo\t1\t0.7\n", r"line 3: Bo/Bo_0001\.jpg is in line 2 too"),
    ],
)
def test_a_wrong_table_of_lfw_is_a_clear_error(tmp_path, table, message):
    root = write_lfw(tmp_path / "lfw_set")
    (root / "lfw_attributes.txt").write_text(table)
    with pytest.raises(InputError, match=message):
        sourced(root, "lfw")


def test_lfw_still_packed_is_said(tmp_path):
    (tmp_path / "lfw_set").mkdir()
    (tmp_path / "lfw_set" / "lfw.tgz").write_bytes(b"")
    with pytest.raises(InputError, match=r"unpack lfw\.tgz"):
        sourced(tmp_path / "lfw_set", "lfw")


def test_a_downloaded_mnist_is_unpacked_into_raw_and_what_was_fetched_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(source.fetch, "download", lambda kind, root: write_mnist(root / "MNIST" / "raw"))
    listing = sourced(tmp_path / "nowhere", "mnist", download=True)
    assert len(listing.table) == 80
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == [
        "labels.parquet",
        "pictures.zip",
        "source.json",
    ]
