"""benchmarks/photo_quality: each measure moves the right way, and each photo keeps the place of its face."""

import dataclasses
import types

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.photo_quality import measures, outside, run, sets, table
from benchmarks.photo_quality.__main__ import REPOSITORY, check_outside_repository
from facet.base.errors import InputError
from facet.metrics.intervals import Estimate
from facet.photos.faces import align
from facet.photos.faces.align import Placement
from facet.photos.options import Options
from tests.support import photographs

FACE = 100.0
PERSON = np.ones((200, 200), np.float32)


def texture(seed: int = 1, side: int = 200) -> np.ndarray:
    """A photo (side, side, 3) with detail of several sizes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (side, side, 3)).astype(np.float32)
    values = 128 + sum(30 * sigma * cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (0.8, 3, 9))
    return np.clip(values, 0, 255).astype(np.uint8)


def patched(before: np.ndarray, patch: np.ndarray, soft: float = 0) -> np.ndarray:
    """`before` with its middle square replaced by that of `patch`, faded over `soft` pixels."""
    weight = np.zeros(before.shape[:2], np.float32)
    weight[70:130, 70:130] = 1
    weight = (cv2.GaussianBlur(weight, (0, 0), soft) if soft else weight)[..., None]
    return np.round(before + weight * (patch.astype(np.float32) - before)).astype(np.uint8)


def test_an_untouched_photo_has_no_damage():
    found = measures.damage(texture(), texture(), PERSON, FACE)
    assert (found.changed, found.background, found.background_levels) == (0, 0, 0)
    assert np.isnan(found.sharpness)
    assert np.isnan(found.seam)


def test_a_smear_loses_sharpness_and_grain_adds_some():
    before = texture()
    smear = patched(before, cv2.GaussianBlur(before, (0, 0), 3), soft=4)
    grain = np.clip(before + np.random.default_rng(0).normal(0, 20, before.shape), 0, 255).astype(np.uint8)
    assert measures.damage(before, smear, PERSON, FACE).sharpness < 0.4
    assert measures.damage(before, patched(before, grain), PERSON, FACE).sharpness > 1.5


def test_a_change_of_light_keeps_sharpness():
    before = np.clip(texture(), 30, 180)
    assert measures.damage(before, before + np.uint8(20), PERSON, FACE).sharpness == pytest.approx(1)


def test_a_hard_edge_is_a_seam_and_a_faded_one_is_none():
    before = cv2.GaussianBlur(texture(), (0, 0), 3)
    lighter = np.clip(before.astype(int) + 40, 0, 255).astype(np.uint8)
    assert measures.damage(before, patched(before, lighter), PERSON, FACE).seam > 3
    assert measures.damage(before, patched(before, lighter, soft=12), PERSON, FACE).seam < 1.5


def test_one_level_in_the_background_is_seen_and_one_in_the_person_is_not():
    before = np.full((200, 200, 3), 90, np.uint8)
    person = np.zeros((200, 200), np.float32)
    person[50:150, 50:150] = 0.9
    inside, edge, background = before.copy(), before.copy(), before.copy()
    inside[100, 100] += 50
    edge[100, 153] += 50  # within .05 of the face's size
    background[10, 10:12, 2] += 1
    assert measures.damage(before, inside, person, FACE).background == 0
    assert measures.damage(before, edge, person, FACE).background == 0
    found = measures.damage(before, background, person, FACE)
    assert (found.background, found.background_levels) == (2, 1)


def test_a_grey_photo_with_one_tinted_pixel_is_not_grey():
    grey = np.repeat(texture()[..., :1], 3, 2)
    assert measures.damage(grey, grey, PERSON, FACE).grey
    tinted = grey.copy()
    tinted[5, 5, 0] ^= 1
    assert not measures.damage(grey, tinted, PERSON, FACE).grey


def test_a_classifier_tells_photos_apart_by_the_edit_alone():
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(40), 2)
    untouched = rng.normal(0, 1, (40, 20))[people] + rng.normal(0, 0.1, (80, 20))
    edited = untouched + rng.normal(0, 0.1, (80, 20))
    same = measures.told_apart(untouched, edited, people, seed=1)
    assert same.low < 0.5 < same.high
    assert measures.told_apart(untouched, edited + 3, people, seed=1).value > 0.98


def test_too_few_people_give_no_classifier():
    assert np.isnan(measures.told_apart(np.zeros((7, 2)), np.ones((7, 2)), np.arange(7), seed=1).value)


def test_the_kernel_distance_of_an_edit_is_above_its_floor():
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(60), 3)
    untouched = rng.normal(0, 1, (60, 8))[people]
    same, floor = measures.kernel_distance(untouched, untouched, people, seed=1)
    assert same == floor
    assert same.low < 0 < same.high  # three copies of a photo are no distance
    other, _ = measures.kernel_distance(untouched, untouched + 1, people, seed=1)
    assert other.low > floor.high


def test_thresholds_and_auc_by_hand():
    assert measures.auc(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == pytest.approx(3.5 / 4)
    assert measures.best_threshold(np.array([4.0, 1.0, 2.0, 3.0]), np.array([1, -1, -1, 1])) == 2.5
    assert measures.distance_at(np.arange(101.0), 0.01) == 1


def sample() -> sets.Sample:
    """A whole photo of 250 x 250 whose head is turned a little."""
    cos, sin = 110 * np.cos(0.1), 110 * np.sin(0.1)
    head = Placement(np.array([[cos, -sin, 80], [sin, cos, 65]]))
    photo = cv2.GaussianBlur(texture(2, 250), (0, 0), 2)
    return sets.Sample("lfw/A/A_0001.jpg", 7, photo, head, align.from_box((50, 50, 200, 200)), {"Smiling": -1})


@pytest.mark.parametrize("name", ["whole", "tight", "turned", "small", "enlarged"])
def test_a_variant_keeps_the_place_of_the_face(name):
    whole = sample()
    variant = sets.variant(whole, name, seed=1)
    middle = slice(64, 192)  # a tight cut does not hold all of a head
    first, second = (outside.cut_head(one.pixels, one.head)[middle, middle].astype(float) for one in (whole, variant))
    assert np.abs(first - second).mean() < 3
    moved = outside.cut_head(variant.pixels, variant.head.widened(0.03))[middle, middle]
    assert np.abs(first - moved).mean() > np.abs(first - second).mean()


def test_variants_are_what_they_are_called():
    whole = sample()
    variants = {name: sets.variant(whole, name, seed=1) for name in sets.SETS}
    assert variants["enlarged"].pixels.shape == (750, 750, 3)
    assert variants["small"].head.side / 2 * 0.85 == pytest.approx(sets.SMALL, rel=0.02)
    assert (variants["grey"].pixels == variants["grey"].pixels[..., :1]).all()
    assert max(variants["tight"].pixels.shape) == pytest.approx(sets.TIGHT * whole.head.side, abs=1)
    assert sets.variant(whole, "turned", seed=1).pixels.tobytes() == variants["turned"].pixels.tobytes()


@pytest.mark.parametrize("degrees", [-25, -3, 0, 11, 25])
def test_a_turned_photo_has_no_empty_corner(degrees):
    framed = sample().pixels * 0 + 200
    framed[[0, -1]] = framed[:, [0, -1]] = 0  # would be repeated outside the photo
    assert (sets._turned(dataclasses.replace(sample(), pixels=framed), degrees).pixels == 200).all()


def test_chosen_photos_show_rare_states_and_each_person_once():
    faces = pd.DataFrame({"image_id": [f"{i}" for i in range(300)], "identity": np.arange(300) // 3})
    faces["Male"] = np.where(np.arange(300) % 2, 1, -1)
    faces["Bald"] = np.where(np.arange(300) % 25 == 0, 1, -1)
    chosen = sets.choose(faces, ["Male", "Bald"], 40, seed=1)
    assert chosen["identity"].is_unique
    assert (chosen["Bald"] > 0).sum() >= 10
    assert chosen.equals(sets.choose(faces, ["Male", "Bald"], 40, seed=1))


def test_a_head_is_twice_the_face_and_upright():
    points = np.zeros((468, 2))
    points[:] = (0, 0)
    points[[*outside.EYES[0], *outside.EYES[1]]] = [(-12, -10), (-8, -10), (8, -10), (12, -10)]
    points[0], points[1] = (0, 30), (0, -30)  # chin and forehead
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placement = outside.head_placement(points @ turn.T + (100, 80))
    assert placement.side == pytest.approx(120)
    np.testing.assert_allclose(placement.corners.mean(0), (100, 80))
    np.testing.assert_allclose(placement.matrix[:, 0] / 120, turn[:, 0])


def test_missing_and_foreign_files_are_named_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match=r"age-v1.onnx is missing; install .* --require-hashes"):
        outside.checked(tmp_path / "age-v1.onnx", "0")
    (tmp_path / "age-v1.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match="expected 0; install it anew"):
        outside.checked(tmp_path / "age-v1.onnx", "0")


def test_pooling_pads_even_sides_at_the_end_as_keras_does():
    x = -torch.arange(16.0).reshape(1, 1, 4, 4)
    torch.testing.assert_close(outside.largest_of_nine(x)[0, 0], -torch.tensor([[0.0, 2], [8, 10]]))
    x = -torch.arange(9.0).reshape(1, 1, 3, 3)
    torch.testing.assert_close(outside.largest_of_nine(x)[0, 0], -torch.tensor([[0.0, 1], [3, 4]]))


def test_ways_are_modes_or_named_options():
    assert run.way_of("replace") == run.Way("replace", {"mode": "replace"})
    assert run.way_of("a:mode=add,clip=true,refine=20").options == {"mode": "add", "clip": True, "refine": 20}
    with pytest.raises(InputError, match="'sharp=1' is no option=value of"):
        run.way_of("a:sharp=1")


def test_a_refused_photo_has_its_reason_and_one_that_came_back_as_it_was_is_unchanged():
    editor = photographs.editor()
    photos = [photographs.pixels(seed=seed) for seed in range(2)]
    options = Options(spec="Smiling=+0", aligned=True)
    faces = ["no_face", editor.face_crops(run.photo_of(photos[1]), options)]
    assert run.edited(editor, photos, faces, options) == [(None, "no_face"), (None, run.UNCHANGED)]


def seen(*, happy: float = 0.0, place: float = 0.0, features: float = 0.0) -> outside.Seen:
    return outside.Seen(np.array([place, 0]), happy, 0.0, 30.0, 0.0, 0.0, np.full(4, features))


UNSEEN = seen()


def edit(
    person: int, *, refused: str = "", before: outside.Seen = UNSEEN, after: outside.Seen = UNSEEN, b: float = 0.9
) -> run.Edit:
    damage = measures.Damage(0.1, 0.5 + 0.1 * person, 1.0, person, person, True)
    done = {"b": (0.1, b), "before": before, "after": after, "damage": damage} if not refused else {}
    return run.Edit("whole", "Smiling", True, "replace", f"{person}", person, refused, **done)


def test_a_row_counts_success_identity_and_damage():
    card = run.Card("Smiling", "happy", 1, Estimate(0.99, 0.98, 1, 100), 0.5)
    identity = run.IdentityCard(Estimate(1, 1, 1, 9), 0.5, 0.98, 0.99, 0.02)
    edits = [
        edit(0, after=seen(happy=0.9)),
        edit(1, after=seen(happy=0.2, place=0.55), b=0.4),
        edit(2, before=seen(happy=0.8), after=seen(happy=0.8, place=0.2)),
        edit(3, after=seen(happy=0.7, place=0.9)),
        edit(4, refused="no_face"),
    ]
    found = table.row(edits, [card], identity, {"Smiling"})
    assert (found["edited"].value, found["refused"]) == (0.8, {"no_face": 1})
    assert (found["b_before"].value, found["b_after"].value) == (0, 0.75)
    by_happy = found["outside"]["Smiling by happy"]
    assert (by_happy["before"].value, by_happy["after"].value) == (0.25, 0.75)
    assert (by_happy["turned"].value, by_happy["turned"].n) == (pytest.approx(2 / 3), 3)
    assert (found["verified"].value, found["verified_usual"].value) == (0.5, 0.75)
    assert found["distance"].value == pytest.approx(0.375)
    assert found["sharpness"].value == pytest.approx(0.65)
    assert found["blurred"].value == 0.75
    assert (found["background_kept"].value, found["background_levels"]) == (0.25, 3)


def test_a_network_that_sees_badly_and_an_attribute_judge_b_does_not_see_give_no_success():
    card = run.Card("Smiling", "happy", 1, Estimate(0.7, 0.6, 0.8, 100), 0.5)
    found = table.row([edit(0), edit(1)], [card], run.IdentityCard(Estimate(1, 1, 1, 9), 0.5, 1, 1, 0), set())
    assert found["outside"] == {}
    assert np.isnan(found["b_after"].value)


def test_rows_over_all_attributes_leave_male_and_young_out_of_identity():
    identity = run.IdentityCard(Estimate(1, 1, 1, 9), 0.5, 1, 1, 0)
    male = dataclasses.replace(edit(1, after=seen(place=2.0)), attribute="Male")
    made = table.rows([edit(0), male], [], identity, ["Smiling", "Male"])
    verified = {(row["attribute"], row["set"]): row["verified"].value for row in made}
    assert verified[table.ALL, "whole"] == 0.5
    assert verified[table.SELF, table.ALL] == 1
    text = table.markdown(made)
    assert len(text.splitlines()) == 2 + len(made)
    assert "Smiling=on | whole | replace | 1 |" in text
    assert "| all | replace | 100 | 100 (Smiling=on) | - |" in table.summary(made)


def test_photos_that_lack_an_attribute_are_edited_in_every_way_and_the_others_are_not():
    def see(one: sets.Sample, pixels: np.ndarray) -> tuple[outside.Seen, list[np.ndarray]]:
        return UNSEEN, [np.array([0.0, pixels.mean() / 255])]

    viewer = types.SimpleNamespace(
        see=see,
        outside=types.SimpleNamespace(person=lambda pixels: np.ones(pixels.shape[:2])),
        judge=types.SimpleNamespace(attributes=("Male", "Smiling")),
        eyes=[None],
    )
    samples = [
        dataclasses.replace(sample(), name=f"{i}", pixels=photographs.pixels(seed=i), labels={"Smiling": label})
        for i, label in enumerate([-1, 1, 0, -1, -1])
    ]
    ways = [run.way_of("plain:aligned=true"), run.way_of("light:aligned=true,mode=add")]
    bench = run.Bench("whole", samples, viewer)
    made = list(bench.edits(photographs.editor(), "Smiling", True, ways, most=2))
    assert [one.name for one, _, _ in made] == ["0", "3"]
    for one, edits, results in made:
        assert [edit.way for edit in edits] == ["plain", "light"]
        assert [edit.refused for edit in edits] == ["", ""]
        assert edits[0].b == (pytest.approx(one.pixels.mean() / 255), pytest.approx(results[0].mean() / 255))
        assert edits[0].damage.changed > 0
        assert not np.array_equal(results[0], results[1])


class Brightness:
    """A judge that sees how bright a crop is."""

    attributes, judged, thresholds = ("Light", "Hidden"), (True, False), torch.tensor([0.5, 0.5])
    crop, size, channels = "face120", 8, 3

    def probabilities(self, x):
        return ((x.mean((1, 2, 3)) + 1) / 2)[:, None].expand(-1, 2)


def test_another_project_s_judge_looks_at_its_own_crop_of_the_face():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[30:50, 30:50] = 255  # the middle of the face
    face = align.from_box((20, 20, 60, 60))
    own, tight = run.Eye(Brightness()), run.Eye(Brightness(), align.from_box((0.3, 0.3, 0.7, 0.7)))
    assert own.probabilities(pixels, face)[0] == pytest.approx(0.25, abs=0.05)
    assert tight.probabilities(pixels, face)[0] > 0.95
    assert tight.present(tight.probabilities(pixels, face), "Light") is True
    assert own.present(own.probabilities(pixels, face), "Light") is False
    assert own.present(np.ones(2), "Hidden") is None
    assert own.present(np.ones(2), "Odd") is None


def test_what_the_other_judge_sees_has_its_own_column():
    identity = run.IdentityCard(Estimate(1, 1, 1, 9), 0.5, 1, 1, 0)
    edits = [dataclasses.replace(edit(i), other=(False, i > 0)) for i in range(4)]
    made = table.rows(edits, [], identity, ["Smiling"])
    assert (made[0]["other_before"].value, made[0]["other_after"].value) == (0, 0.75)
    assert "| 75 |" in table.summary(made)


def test_the_cards_threshold_the_identity_distance_at_one_in_a_hundred():
    people = np.array([0, 0, *range(1, 15)])
    places = np.array([0, 0.1, *range(1, 15)])
    card = run.identity_card([seen(place=place) for place in places], people)
    assert card.auc.value == 1
    assert 0.9 <= card.threshold <= 1
    assert card.accepted == 1


def test_pictures_of_people_may_not_be_written_into_the_repository(tmp_path):
    check_outside_repository(tmp_path)
    with pytest.raises(InputError, match="may not be in the repository"):
        check_outside_repository(REPOSITORY / "reports" / "sheets")
