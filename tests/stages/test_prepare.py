import dataclasses
import hashlib
import json
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from facet.base.errors import InputError
from facet.base.images import open_images, open_large
from facet.base.params import check, run_stage
from facet.base.tables import Faces, FacesMeta, read_faces, scaled
from facet.pictures.crops import CROPS, crop
from facet.pictures.decode import BadImage
from facet.pictures.resize import box_on, resize
from facet.preparation import pixels
from stages import prepare, source
from tests.support.pictures import encoded, jpeg, name_of, picture, write_celeba, write_lines


def prepared(root: Path, **changes) -> Faces:
    """`root` through source and prepare, into folders beside it."""
    raw, out = root.parent / "raw", root.parent / "prepared"
    kind = changes.pop("kind", "celeba")
    source.run(source.Params(kind=kind, root=root, raw=raw, count=0, seed=0, workers=2, download=False))
    params = prepare.Params(
        raw=raw,
        root=root,
        prepared=out,
        card=root.parent / "card.json",
        reuse=root.parent / "reuse",
        crop="dcgan108",
        size=64,
        large=0,
        channels=3,
        split="identity",
        ratios=(0.6, 0.2, 0.2),
        seed=0,
        workers=2,
        attributes=("all",),
    )
    prepare.run(check(dataclasses.replace(params, **changes)))
    return read_faces(out)


def gradient(width: int = 178, height: int = 218) -> np.ndarray:
    """Red counts the columns, green the rows: uint8 (height, width, 3)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width)[None]
    pixels[..., 1] = np.arange(height)[:, None]
    return pixels


def cropped(pixels: np.ndarray, name: str, size: int = 64) -> np.ndarray:
    return resize([pixels], crop(name), size)[0]


@pytest.mark.parametrize(
    ("name", "left", "top", "side"),
    [("dcgan108", 35, 55, 108), ("icgan138", 30, 40, 138), ("larsen148", 15, 40, 148), ("face120", 29, 49, 120)],
)
def test_a_crop_takes_exactly_its_box(name, left, top, side):
    # a linear ramp survives resampling: output pixel k shows column left + (k + 1/2) side / 64 - 1/2
    middle = cropped(gradient(), name)[8:-8, 8:-8].astype(float)
    at = (np.arange(64)[8:-8] + 0.5) * side / 64 - 0.5
    assert np.abs(middle[:, :, 0] - (left + at)[None]).max() <= 1
    assert np.abs(middle[:, :, 1] - (top + at)[:, None]).max() <= 1
    assert np.abs(middle[:, :, 0].mean() - (left + at).mean()) < 0.3
    # one pixel that is white just outside the box changes nothing
    outside = gradient()
    outside[top - 1, :], outside[top + side, :] = 255, 255
    outside[:, left - 1], outside[:, left + side] = 255, 255
    np.testing.assert_array_equal(cropped(outside, name), cropped(gradient(), name))


def test_ali64_is_rows_7_to_71_of_the_picture_resized_to_64_by_78():
    whole = np.asarray(Image.fromarray(picture(3)).resize((64, 78), Image.Resampling.BICUBIC))[7:71]
    assert np.abs(cropped(picture(3), "ali64").astype(int) - whole).max() <= 1


def test_larsen148_is_blurred_before_it_is_resized():
    region = picture(4)[40:188, 15:163].astype(float)
    sigma = (148 / 64) ** 0.5 / 2
    blurred = np.rint(gaussian_filter(region, (sigma, sigma, 0))).clip(0, 255).astype(np.uint8)
    expected = np.asarray(Image.fromarray(blurred).resize((64, 64), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    assert np.abs(cropped(picture(4), "larsen148").astype(int) - expected).max() <= 1
    assert cropped(noise, "larsen148").std() < cropped(noise, "icgan138").std()


@pytest.mark.parametrize("name", ["dcgan108", "icgan138", "face120"])
def test_the_resize_agrees_with_pillow_within_one_level(name):
    noise = np.random.default_rng(1).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    box = tuple(int(edge) for edge in crop(name).box)
    expected = np.asarray(Image.fromarray(noise).crop(box).resize((64, 64), Image.Resampling.BICUBIC))
    assert np.abs(cropped(noise, name).astype(int) - expected).max() <= 1


def test_a_box_is_scaled_to_the_picture_and_rounded_to_whole_pixels():
    assert box_on(crop("dcgan108"), 356, 436, 64) == (70, 110, 286, 326)
    assert box_on(crop("dcgan108"), 89, 109, 64) == (18, 28, 72, 82)  # 17.5, 27.5, 71.5, 81.5
    assert box_on(crop("whole"), 100, 60, 64) == (20, 0, 80, 60)
    assert box_on(crop("lfw150"), 250, 250, 64) == (50, 50, 200, 200)


@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize("width", range(60, 200, 7))
def test_every_crop_fits_into_every_picture_of_the_frame_s_aspect(name, width):
    height = round(width * 218 / 178)
    left, top, right, bottom = box_on(crop(name), width, height, 64)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_what_a_picture_becomes_does_not_depend_on_its_batch():
    sides = [(100, 130), (90, 120), (90, 120), (1600, 1500), (100, 130), (100, 130)]  # the fourth is over the buffer
    pictures = [picture(seed, *side) for seed, side in enumerate(sides)]
    together = resize(pictures, crop("whole"), 64)
    for index, alone in enumerate(pictures):
        np.testing.assert_array_equal(resize([alone], crop("whole"), 64)[0], together[index])


@pytest.mark.parametrize(("width", "height"), [(178, 178), (218, 178), (178, 230), (1, 1), (640, 480), (178, 208)])
def test_a_picture_that_is_not_framed_like_celeba_is_refused(width, height):
    with pytest.raises(BadImage, match="aspect"):
        box_on(crop("dcgan108"), width, height, 64)


def test_a_picture_too_small_for_the_square_is_refused():
    with pytest.raises(BadImage, match="too_small"):
        box_on(crop("dcgan108"), 18, 22, 64)


def test_celeba_becomes_one_array_and_one_table(tmp_path):
    faces = prepared(write_celeba(tmp_path / "celeba", 20))
    images = open_images(tmp_path / "prepared")
    assert images.shape == (20, 64, 64, 3)
    assert faces.meta.crop == "dcgan108"
    assert faces.meta.attributes == ("Eyeglasses", "Male", "Smiling")
    assert faces.labels()[6].tolist() == [-1, 1, 1]
    assert faces.table["sha256"][3] == hashlib.sha256(jpeg(3)).hexdigest()
    lines = "".join(f"{row.image_id}\t{row.split}\n" for row in faces.ok.itertuples())
    assert faces.meta.split_hash == hashlib.sha256(lines.encode()).hexdigest()
    for row in (0, 7, 19):
        expected = Image.fromarray(picture(row)).crop((35, 55, 143, 163)).resize((64, 64), Image.Resampling.BICUBIC)
        assert np.abs(images[row].astype(int) - np.asarray(expected)).mean() < 3


def test_zip_and_folder_and_any_number_of_workers_give_the_same_bytes(tmp_path):
    made = {}
    bad = {name_of(30): jpeg(30)[:-400], name_of(31): jpeg(5), name_of(32): jpeg(32, 300, 300)}
    for zipped, workers in ((True, 1), (True, 5), (False, 0)):
        root = write_celeba(tmp_path / f"{zipped}{workers}" / "celeba", 150, files=bad, zipped=zipped)
        prepared(root, workers=workers)
        folder = root.parent / "prepared"
        files = {path.name: path.read_bytes() for path in (*folder.iterdir(), root.parent / "card.json")}
        made[zipped, workers] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert made[True, 1] == made[True, 5] == made[False, 0]
    assert set(made[True, 1]) == {"images.npy", "faces.parquet", "card.json"}


BAD = {
    "empty": b"",
    "truncated": jpeg(50)[:-300],
    "not_an_image": b"<html>not here</html>",
    "unreadable": b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
    "aspect": jpeg(51, 300, 300),
    "too_small": jpeg(52, 18, 22),
    "animated": encoded(Image.fromarray(picture(5)), "GIF", save_all=True, append_images=[Image.fromarray(picture(6))]),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_picture_is_quarantined_with_its_reason_and_the_others_go_on(tmp_path, reason):
    faces = prepared(write_celeba(tmp_path / "celeba", 12, files={name_of(4): BAD[reason]}))
    row = faces.table.iloc[4]
    assert (row["status"], row["row"], row["split"]) == ("quarantined", -1, "")
    assert row["reason"].split(":")[0] == reason
    assert len(open_images(tmp_path / "prepared")) == 11
    assert faces.ok["image_id"].tolist() == [name_of(index) for index in range(12) if index != 4]
    assert json.loads((tmp_path / "card.json").read_text())["reasons"] == {reason: 1}


@pytest.mark.parametrize("kind", ["PNG", "16 bit", "CMYK", "palette", "alpha", "WEBP"])
def test_unusual_encodings_of_a_face_are_kept(tmp_path, kind):
    image = Image.fromarray(picture(40))
    data = {
        "PNG": lambda: encoded(image, "PNG"),
        "16 bit": lambda: encoded(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "PNG"),
        "CMYK": lambda: encoded(image.convert("CMYK"), quality=92),
        "palette": lambda: encoded(image.quantize(200), "PNG"),
        "alpha": lambda: encoded(image.convert("RGBA"), "PNG"),
        "WEBP": lambda: encoded(image, "WEBP", lossless=True),
    }[kind]()
    faces = prepared(write_celeba(tmp_path / "celeba", 8, files={name_of(4): data}))
    assert faces.table["status"].eq("ok").all()
    mean = np.asarray(image.convert("L") if kind == "16 bit" else image, float)[55:163, 35:143].mean()
    assert abs(open_images(tmp_path / "prepared")[4].mean() - mean) < 4


def test_a_copy_is_excluded_whether_its_bytes_or_only_its_pixels_are_the_same(tmp_path):
    copies = {name_of(6): jpeg(2), name_of(9): jpeg(3) + b"trailing bytes"}
    faces = prepared(write_celeba(tmp_path / "celeba", 12, files=copies))
    reasons = faces.table.set_index("image_id")["reason"]
    assert reasons[name_of(6)] == f"duplicate of {name_of(2)}, with other labels: Smiling, identity"
    assert reasons[name_of(9)] == f"duplicate of {name_of(3)}, with other labels: Male, identity"
    assert faces.table.set_index("image_id")["status"][name_of(9)] == "excluded"
    assert len(faces.ok) == 10


def test_copies_with_other_labels_or_another_person_are_counted_and_named(tmp_path, caplog):
    copies = {name_of(6): jpeg(2), name_of(8): jpeg(2), name_of(9): jpeg(3) + b"trailing bytes"}
    root = write_celeba(tmp_path / "celeba", 12, files=copies)
    lines = (root / "list_attr_celeba.txt").read_text().splitlines()
    lines[2 + 8] = lines[2 + 2].replace(name_of(2), name_of(8))  # the same labels, but another person
    lines[2 + 9] = lines[2 + 3].replace(name_of(3), name_of(9))
    write_lines(root / "list_attr_celeba.txt", lines)
    people = [100 + index // 2 for index in range(12)]
    people[9] = people[3]
    write_lines(root / "identity_CelebA.txt", [f"{name_of(i)} {person}" for i, person in enumerate(people)])
    reasons = prepared(root).table.set_index("image_id")["reason"]
    assert reasons[name_of(8)] == f"duplicate of {name_of(2)}, with other labels: identity"
    assert reasons[name_of(9)] == f"duplicate of {name_of(3)}"
    assert json.loads((tmp_path / "card.json").read_text())["reasons"] == {
        "duplicate": 1,
        "duplicate with other labels": 2,
    }
    assert (
        "2 pictures are copies with other labels or another person, of which the first are kept: "
        f"{name_of(6)} is {name_of(2)} (Smiling, identity), {name_of(8)} is {name_of(2)} (identity)"
    ) in caplog.text


def test_pictures_are_copies_only_if_every_pixel_is_the_same(tmp_path, monkeypatch):
    copies = {name_of(9): jpeg(3) + b"trailing bytes", name_of(80): jpeg(3) + b"other bytes"}
    expected = prepared(write_celeba(tmp_path / "celeba", 90, files=copies), size=9)
    images = open_images(tmp_path / "prepared").copy()
    monkeypatch.setattr(pixels, "pixel_keys", lambda batch: [0] * len(batch))
    unlucky = prepared(tmp_path / "celeba", size=9)
    assert len(images) == 88
    np.testing.assert_array_equal(open_images(tmp_path / "prepared"), images)
    pd.testing.assert_frame_equal(unlucky.table, expected.table)


def test_a_copy_of_a_bad_file_is_quarantined_like_it(tmp_path):
    bad = {name_of(3): BAD["truncated"], name_of(5): BAD["truncated"]}
    table = prepared(write_celeba(tmp_path / "celeba", 12, files=bad)).table
    assert table["status"].iloc[[3, 5]].tolist() == ["quarantined", "quarantined"]
    assert table["reason"][5] == "truncated"


def test_a_partial_copy_keeps_the_pictures_that_are_there(tmp_path):
    root = write_celeba(tmp_path / "celeba", 20, zipped=False)
    for index in range(0, 20, 2):
        (root / "img_align_celeba" / name_of(index)).unlink()
    faces = prepared(root)
    assert faces.table["image_id"].tolist() == [name_of(index) for index in range(1, 20, 2)]
    notes = json.loads((tmp_path / "raw" / "source.json").read_text())["notes"]
    assert notes["label_rows_without_picture"] == 10
    assert faces.labels()[2].tolist() == [1, -1, 1]  # picture 5


def test_a_picture_without_labels_is_quarantined(tmp_path):
    faces = prepared(write_celeba(tmp_path / "celeba", 8, files={"extra.jpg": jpeg(70)}))
    assert faces.table.set_index("image_id").loc["extra.jpg", ["status", "reason"]].tolist() == [
        "quarantined",
        "no_labels",
    ]


def test_a_picture_that_vanished_since_source_ran_is_quarantined(tmp_path):
    root = write_celeba(tmp_path / "celeba", 8, zipped=False, per_identity=1)
    prepared(root)
    (root / "img_align_celeba" / name_of(2)).unlink()
    raw = tmp_path / "raw"
    params = prepare.Params(
        raw=raw, root=root, prepared=tmp_path / "prepared", card=tmp_path / "card.json",
        reuse=tmp_path / "reuse", crop="dcgan108", size=64, large=0, channels=3, split="random",
        ratios=(0.6, 0.2, 0.2), seed=0, workers=1, attributes=("Male",),
    )  # fmt: skip
    prepare.run(params)
    faces = read_faces(tmp_path / "prepared")
    assert faces.table["reason"][2].startswith("unreadable")
    assert faces.meta.attributes == ("Male",)


def test_a_split_by_identity_keeps_every_identity_whole_and_meets_the_ratios(tmp_path):
    faces = prepared(write_celeba(tmp_path / "celeba", 200, per_identity=4), size=8)
    assert faces.ok.groupby("identity")["split"].nunique().eq(1).all()
    assert [len(faces.rows(split)) for split in ("train", "valid", "test")] == [120, 40, 40]


def test_another_seed_splits_otherwise_and_the_same_seed_the_same(tmp_path):
    root = write_celeba(tmp_path / "celeba", 40)
    hashes = [prepared(root, seed=seed, size=8).meta.split_hash for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_in_the_official_split_an_identity_stays_where_most_of_its_pictures_are(tmp_path):
    root = write_celeba(tmp_path / "celeba", 20)
    identities = [100 + index // 2 for index in range(20)]
    identities[19] = identities[0]  # pictures 0, 1 are train, 19 is test
    write_lines(root / "identity_CelebA.txt", [f"{name_of(i)} {who}" for i, who in enumerate(identities)])
    faces = prepared(root, split="official")
    assert faces.table.loc[19, ["status", "reason"]].tolist() == ["excluded", "leak: identity 100 is in train"]
    assert [len(faces.rows(split)) for split in ("train", "valid", "test")] == [12, 4, 3]


def test_a_random_split_that_tears_identities_apart_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"identity 1\d\d is in \d splits"):
        prepared(write_celeba(tmp_path / "celeba", 60, per_identity=6), split="random", size=8)
    assert not (tmp_path / "prepared").exists()


def test_an_official_split_of_which_only_one_part_is_there_is_an_error_that_says_what_to_do(tmp_path):
    root = write_celeba(tmp_path / "celeba", 20, zipped=False)
    for index in range(12, 20):
        (root / "img_align_celeba" / name_of(index)).unlink()
    with pytest.raises(
        InputError, match="none of them is in the split 'valid', which later stages need; use split `iden"
    ):
        prepared(root, split="official")
    (root / "list_eval_partition.txt").unlink()
    with pytest.raises(InputError, match="the source has no official split; use `identity` or `random`"):
        prepared(root, split="official")


def test_a_split_whose_people_are_all_elsewhere_is_said_to_have_lost_them_as_leaks(tmp_path):
    root = write_celeba(tmp_path / "celeba", 20)
    people = [100 + index % 4 for index in range(20)]  # everybody has most pictures in train
    write_lines(root / "identity_CelebA.txt", [f"{name_of(i)} {person}" for i, person in enumerate(people)])
    with pytest.raises(
        InputError, match=r"in the split 'valid', .*left out of it: 4 leak\), because the people of the"
    ):
        prepared(root, split="official")


def test_pictures_that_the_crop_is_not_for_are_told_with_the_crops_that_are(tmp_path, caplog):
    prepared(write_celeba(tmp_path / "celeba", 12, files={name_of(4): jpeg(4, 300, 300)}))
    assert (
        f"1 of 12 pictures do not fit the crop dcgan108, which is for faces aligned like CelebA's ({name_of(4)}: "
        in (caplog.text)
    )
    with pytest.raises(InputError, match=r"\(aspect 12\); 12 of 12 .* 300x300 .*set prepare\.crop to whole"):
        prepared(write_celeba(tmp_path / "celeba", 12, files={name_of(i): jpeg(i, 300, 300) for i in range(12)}))


def test_one_person_is_divided_by_split_random_which_the_message_names(tmp_path, caplog):
    root = tmp_path / "celeba"
    write_celeba(root, count=12)
    write_lines(root / "identity_CelebA.txt", [f"{name_of(number)} 7" for number in range(12)])
    with pytest.raises(InputError, match=r"they show too few people \(1\) to divide by identity: use split `random`"):
        prepared(root)
    faces = prepared(root, split="random")
    assert set(faces.ok["split"]) == {"train", "valid", "test"}
    assert "fewer people (1) than splits: tests see people that training saw, too" in caplog.text


def test_labels_of_one_class_stop_here_and_one_such_attribute_is_a_warning(tmp_path, caplog):
    root = tmp_path / "celeba"
    write_celeba(root, count=12, per_identity=1)
    path = root / "list_attr_celeba.txt"
    count, names, *rows = path.read_text().splitlines()
    first, *_ = names.split()
    ones = [" ".join([row.split()[0], "1", *row.split()[2:]]) for row in rows]
    write_lines(path, [count, names, *ones])
    prepared(root, split="random")
    assert f"attributes of one class in the train split, which no model learns: 1 ({first}: " in caplog.text
    with pytest.raises(
        InputError, match=rf"every attribute has one class in the train split \({first}: \d+ with, 0 without"
    ):
        prepared(root, split="random", attributes=(first,))


def test_the_data_card_counts_what_is_there(tmp_path):
    prepared(write_celeba(tmp_path / "celeba", 20, files={name_of(19): b"", name_of(18): jpeg(0)}), split="official")
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["files"] == {"total": 20, "ok": 18, "quarantined": 1, "excluded": 1}
    assert card["reasons"] == {"duplicate with other labels": 1, "empty": 1}
    train = card["splits"]["train"]
    assert (train["images"], train["identities"]) == (12, 6)
    assert train["attributes"]["Eyeglasses"] == {"present": 6, "absent": 6, "unknown": 0, "share": 0.5}
    assert train["attributes"]["Smiling"]["share"] == 0.333333


def test_the_correlation_of_two_attributes_is_pearson_s_over_the_training_split():
    signs = {"a": [1, 1, -1, -1, -1], "b": [1, -1, -1, -1, 1], "always": [1] * 5}
    table = pd.DataFrame({"split": ["train"] * 4 + ["test"], "status": "ok", "reason": "", "identity": None} | signs)
    meta = FacesMeta(
        source="drawn", crop="whole", size=8, channels=3, attributes=("a", "b", "always"), split_hash="0"
    )  # fmt: skip
    pairs = prepare.data_card(table, meta)["correlations"]
    assert pairs == [{"a": "a", "b": "b", "phi": 0.57735}]  # (1/2) / sqrt(3/4)


def test_attributes_are_chosen_by_name_and_a_misspelt_one_is_named(tmp_path):
    root = write_celeba(tmp_path / "celeba", 10)
    assert prepared(root, attributes=("Smiling", "Male")).meta.attributes == ("Smiling", "Male")
    with pytest.raises(InputError, match=r"'Smilling' is none of .*Smiling"):
        prepared(root, attributes=("Smilling",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": "centre"}, "crop 'centre' is unknown"),
        ({"size": 4}, "size 4"),
        ({"size": 5000}, "size 5000"),
        ({"large": 64}, "large 64: expected more than the size 64, or 0"),
        ({"split": "odd"}, "split 'odd' is unknown"),
        ({"ratios": (0.5, 0.5, 0.5)}, "add up to 1"),
        ({"ratios": (1.5, -0.5, 0.0)}, "ratios 1.5: expected 0 or more, at most 1"),
        ({"ratios": (0.5, 0.5)}, "three shares"),
        ({"ratios": (float("nan"), 0.5, 0.5)}, "ratios nan"),
        ({"workers": -1}, "workers -1"),
        ({"ratios": (0.0, 0.5, 0.5)}, "none of them is in the split 'train'"),
        ({"attributes": ("Male", "Male")}, "a name is repeated"),
    ],
)
def test_a_param_that_does_not_fit_is_named_and_nothing_is_written(tmp_path, changes, message):
    root = write_celeba(tmp_path / "celeba", 6)
    with pytest.raises(InputError, match=message):
        prepared(root, **changes)
    assert {path.name for path in tmp_path.iterdir()} == {"celeba", "raw"}


def test_a_source_whose_every_picture_is_bad_is_an_error_that_says_why(tmp_path):
    root = write_celeba(tmp_path / "celeba", 4, files={name_of(i): jpeg(i, 300, 300) for i in range(4)})
    with pytest.raises(InputError, match=r"no picture that can be used \(aspect 4\)"):
        prepared(root)
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize("fault", ["a file where the folder should be", "a full disk", "no raw", "no pictures"])
def test_a_run_that_cannot_end_is_one_clear_line_and_leaves_nothing_behind(tmp_path, monkeypatch, fault):
    root = write_celeba(tmp_path / "celeba", 40, per_identity=1)
    prepared(root)
    (tmp_path / "prepared" / "faces.parquet").write_bytes(b"the last good one")
    (tmp_path / "file").write_text("")
    before = {path.name for path in tmp_path.iterdir()}
    flags = {
        "raw": tmp_path / "raw", "root": root, "prepared": tmp_path / "prepared", "card": tmp_path / "card.json",
        "reuse": tmp_path / "reuse",
        "crop": "dcgan108", "size": 64, "large": 0, "channels": 3, "split": "random", "ratios": "0.6 0.2 0.2",
        "seed": 0, "workers": 1,
        "attributes": "all",
    }  # fmt: skip
    wrong = {
        "a file where the folder should be": {"prepared": tmp_path / "file" / "prepared"},
        "a full disk": {},
        "no raw": {"raw": tmp_path / "nowhere"},
        "no pictures": {"root": tmp_path / "nowhere"},
    }
    words = [word for name, value in (flags | wrong[fault]).items() for word in (f"--{name}", *str(value).split())]
    monkeypatch.setattr(sys, "argv", ["prepare", *words])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if fault == "a full disk":
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        with pytest.raises(SystemExit) as end:
            run_stage(prepare.Params, prepare.run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(end.value).startswith("error:")
    assert "\n" not in str(end.value)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert (tmp_path / "prepared" / "faces.parquet").read_bytes() == b"the last good one"


def test_real_valued_attributes_stand_beside_the_signs_and_are_described_by_their_range(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    for index in range(10):
        (root / f"{index}.jpg").write_bytes(jpeg(index, 90, 90))
    ages = ["", *(20.5 + i for i in range(1, 10))]
    write_lines(root / "labels.csv", ["image,smile,age", *[f"{i}.jpg,{i % 2},{ages[i]}" for i in range(10)]])
    faces = prepared(root, kind="folder", crop="whole", split="random")
    assert faces.meta.attributes == ("smile", "age")
    assert faces.ok["age"].tolist()[1:] == ages[1:]
    assert str(pq.read_schema(tmp_path / "prepared" / "faces.parquet").field("age").type) == "float"
    train = faces.ok["age"][faces.ok["split"] == "train"].dropna()
    low, high = faces.meta.ranges["age"]
    assert (low, high) == pytest.approx(np.percentile(train, [1, 99]))
    described = faces.descriptions()
    assert described[:, 0].tolist() == [-1, 1] * 5
    expected = np.clip((np.array(ages[1:], float) - low) / (high - low) * 2 - 1, -1, 1)
    assert described[1:, 1] == pytest.approx(expected, abs=1e-5)
    assert described[0, 1] == 0  # unknown
    assert faces.labels()[:, 1].tolist() == [0, *np.where(expected >= 0, 1, -1)]
    card = json.loads((tmp_path / "card.json").read_text())
    assert sum(part["attributes"]["age"]["unknown"] for part in card["splits"].values()) == 1


def test_a_value_in_the_very_middle_is_known():
    assert 0 < scaled(np.float32([5.0]), (0.0, 10.0))[0] < 1e-3
    assert scaled(np.float32([np.nan, -9.0, 99.0]), (0.0, 10.0)).tolist() == [0, -1, 1]


def test_pictures_of_the_last_run_are_not_decoded_again_and_the_bytes_are_the_same(tmp_path, monkeypatch):
    root = write_celeba(tmp_path / "celeba", 12, per_identity=1, files={name_of(4): b"no picture"})
    decoded = []
    real = pixels.decode
    monkeypatch.setattr(pixels, "decode", lambda data: decoded.append(1) or real(data))
    prepared(root)
    assert len(decoded) == 12
    write_celeba(tmp_path / "celeba", 30, per_identity=1, files={name_of(4): b"no picture"})
    decoded.clear()
    prepared(root)
    assert len(decoded) == 30 - 11
    reused = tree_bytes(tmp_path / "prepared")
    shutil.rmtree(tmp_path / "reuse")
    prepared(root)
    assert tree_bytes(tmp_path / "prepared") == reused
    decoded.clear()
    prepared(root, size=32)  # other pixels
    assert len(decoded) == 30
    prepared(root, size=32, workers=1)
    decoded.clear()
    (tmp_path / "reuse" / "images.npy").write_bytes(b"torn")
    prepared(root, size=32)
    assert len(decoded) == 30
    decoded.clear()
    prepared(root, size=32, channels=1)
    prepared(root, size=32, channels=1)
    assert len(decoded) == 31  # the bad one twice


def tree_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_larger_squares_are_the_same_crops_row_for_row_and_change_nothing_else(tmp_path):
    bad = {name_of(4): b"no picture", name_of(6): jpeg(2), name_of(8): jpeg(8, 18, 22), name_of(9): jpeg(9, 36, 44)}
    root = write_celeba(tmp_path / "celeba", 80, files=bad)
    without = prepared(root)
    images = (tmp_path / "prepared" / "images.npy").read_bytes()
    with pytest.raises(InputError, match=r"large\.npy is missing.*prepare\.large"):
        open_large(tmp_path / "prepared")
    faces = prepared(root, large=128)
    assert (tmp_path / "prepared" / "images.npy").read_bytes() == images
    pd.testing.assert_frame_equal(faces.table, without.table)
    assert (without.meta.large, faces.meta.large) == (0, 128)
    large = open_large(tmp_path / "prepared")
    assert large.shape == (77, 128, 128, 3)
    for row, name in enumerate(faces.ok["image_id"]):  # the ninth is enlarged five times
        index = int(name.split(".")[0]) - 1
        source_pixels = picture(index) if index != 9 else picture(9, 36, 44)
        np.testing.assert_allclose(
            large[row].astype(float).mean(), open_images(tmp_path / "prepared")[row].mean(), atol=1
        )
        if index != 9:
            assert np.abs(large[row].astype(int) - cropped(source_pixels, "dcgan108", 128)).mean() < 3


def test_larger_squares_are_reused_too(tmp_path, monkeypatch):
    root = write_celeba(tmp_path / "celeba", 12, per_identity=1)
    decoded = []
    real = pixels.decode
    monkeypatch.setattr(pixels, "decode", lambda data: decoded.append(1) or real(data))
    prepared(root, large=96)
    write_celeba(tmp_path / "celeba", 20, per_identity=1)
    prepared(root, large=96)
    assert len(decoded) == 20
    reused = tree_bytes(tmp_path / "prepared")
    shutil.rmtree(tmp_path / "reuse")
    prepared(root, large=96)
    assert tree_bytes(tmp_path / "prepared") == reused
    prepared(root)
    assert set(tree_bytes(tmp_path / "prepared")) == {"images.npy", "faces.parquet"}
    assert not (tmp_path / "reuse" / "large.npy").exists()


def test_a_picture_large_enough_for_the_square_is_kept_however_small_it_is_for_the_larger_one(tmp_path):
    faces = prepared(write_celeba(tmp_path / "celeba", 8, files={name_of(3): jpeg(3, 36, 44)}), large=512)
    assert faces.table["status"].eq("ok").all()  # a box of 22 pixels
    assert open_large(tmp_path / "prepared").shape == (8, 512, 512, 3)
