"""Drawn faces: the same bytes for the same seed, and labels that are true of the pixels."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from facet.drawn import ATTRIBUTES, GRADES, Person, draw, identity_of, sample, sample_graded

HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")


@functools.cache
def people(count: int = 2000) -> list[Person]:
    return [sample(0, index) for index in range(count)]


@functools.cache
def labels() -> dict[str, np.ndarray]:
    return {name: np.array([person.attributes[name] for person in people()]) > 0 for name in ATTRIBUTES}


def plain(index: int = 0, **changes: Any) -> Person:
    """A bare-faced young woman with long brown hair, looking ahead; `changes` name fields of Traits or Moment."""
    person = sample(0, index)
    chosen: dict[str, Any] = {
        "male": False, "age": 25.0, "pale": False, "skin": (0.85, 0.65, 0.52), "hair": "brown", "style": "long",
        "hair_rgb": (0.42, 0.26, 0.15), "wavy": False, "bushy": False, "volume": 7.0, "beard": "none",
        "yaw": 0.0, "pitch": 0.0, "roll": 0.0, "scale": 1.0, "du": 0.0, "dv": 0.0, "smile": 0.0, "opening": 0.0,
        "hat": "", "bangs": "", "glasses": "", "dark": False, "makeup": False, "lipstick": False,
        "tint": (1.0, 1.0, 1.0), "exposure": 1.0, "light": (0.3, -0.4, 0.866), "background": ((0.5,) * 3,) * 2}
    chosen |= changes

    def changed(part: Any) -> Any:
        names = {field.name for field in dataclasses.fields(part)}
        return dataclasses.replace(part, **{name: value for name, value in chosen.items() if name in names})

    return dataclasses.replace(person, traits=changed(person.traits), moment=changed(person.moment))


def region(person: Person, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    """Mean RGB of a rectangle of the picture, 0..255."""
    return draw(person)[rows[0]:rows[1], columns[0]:columns[1]].mean((0, 1))


def difference(a: Person, b: Person, rows: tuple[int, int], columns: tuple[int, int]) -> float:
    """Mean absolute difference of two pictures in a rectangle, 0..255."""
    window = slice(*rows), slice(*columns)
    return float(np.abs(draw(a)[window].astype(float) - draw(b)[window]).mean())


def test_a_picture_is_a_celeba_frame():
    image = draw(sample(0, 0))
    assert image.shape == (218, 178, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


def test_a_picture_depends_on_nothing_but_seed_and_index():
    indices = [5, 17, 2, 40, 11, 300, 7, 23]
    forward = {index: draw(sample(3, index)).tobytes() for index in indices}
    with ThreadPoolExecutor(4) as pool:
        backward = dict(zip(indices[::-1], pool.map(lambda index: draw(sample(3, index)).tobytes(), indices[::-1])))
    assert forward == backward
    assert draw(sample(4, 5)).tobytes() != forward[5]
    assert len(set(forward.values())) == len(indices)


def test_the_pictures_of_a_seed_never_change():
    """What dvc.lock and every report were made of; who changes them on purpose writes the new sum here."""
    pixels = hashlib.sha256()
    for index in range(20):
        pixels.update(draw(sample(1, index)).tobytes())
    assert pixels.hexdigest() == "e5823e6c0a8d20049ff6555e9c592cffa634fe26b59111e7afcc049d35ab2616"


def test_a_negative_index_is_refused():
    with pytest.raises(ValueError, match="-1"):
        sample(0, -1)


def test_every_attribute_is_neither_rare_nor_universal():
    assert len(ATTRIBUTES) >= 16
    for name, present in labels().items():
        low, high = (0.06, 0.62) if name != "No_Beard" else (0.60, 0.80)     # most people have no beard
        assert low < present.mean() < high, f"{name}: {present.mean():.3f}"


def test_attributes_go_together_as_in_life():
    of = labels()
    old, female = ~of["Young"], ~of["Male"]

    def share(name: str, among: np.ndarray) -> float:
        return float(of[name][among].mean())

    assert share("Heavy_Makeup", female) > 0.35 > 0.05 > share("Heavy_Makeup", of["Male"])
    assert share("Wearing_Lipstick", of["Heavy_Makeup"]) > 0.8
    assert share("Gray_Hair", old) > 0.2 > share("Gray_Hair", of["Young"])
    assert share("Bald", old) > share("Bald", of["Young"])
    assert share("No_Beard", female) == 1
    assert share("No_Beard", of["Male"]) < 0.5
    assert share("Mouth_Slightly_Open", of["Smiling"]) > share("Mouth_Slightly_Open", ~of["Smiling"]) + 0.2


def test_nobody_has_two_hair_colours():
    assert max(sum(labels()[name].astype(int) for name in HAIR_COLOURS)) == 1


def test_what_a_hat_hides_is_not_claimed():
    hat = labels()["Wearing_Hat"]
    for name in ("Bald", "Bangs"):
        assert not labels()[name][hat].any()
    hatted = [person for person in people() if person.moment.hat]
    for person in hatted:
        if person.traits.style not in ("bob", "long"):
            assert all(person.attributes[name] < 0 for name in (*HAIR_COLOURS, "Wavy_Hair"))
    under = plain(style="short", male=True, hat="cap")
    blond = plain(style="short", male=True, hat="cap", hair_rgb=(0.9, 0.8, 0.5))
    assert difference(under, blond, (40, 90), (35, 143)) == 0      # and short hair under a hat is indeed not to be seen


def test_a_bald_head_without_hair_has_no_hair_colour():
    for person in people():
        if person.traits.style == "bald":
            assert all(person.attributes[name] < 0 for name in (*HAIR_COLOURS, "Bangs", "Wavy_Hair"))


def test_pictures_of_one_identity_share_what_belongs_to_it():
    first: dict[int, Person] = {}
    sizes: dict[int, int] = {}
    for index, person in enumerate(people(600)):
        assert person.identity == identity_of(index)
        kept = first.setdefault(person.identity, person)
        assert person.traits == kept.traits
        for name in ("Male", "Young", "Pale_Skin", "Bushy_Eyebrows"):
            assert person.attributes[name] == kept.attributes[name]
        sizes[person.identity] = sizes.get(person.identity, 0) + 1
    assert sorted(first) == list(range(len(first)))
    assert set(sizes.values()) == {2, 3, 4, 5, 6}
    assert len({person.moment for person in people(600)}) == 600


def test_hair_is_of_the_colour_of_its_label():
    """The crowns of many heads: blond is yellow, black is dark, grey is bright and colourless."""
    crowns: dict[str, list[np.ndarray]] = {name: [] for name in HAIR_COLOURS}
    for person in people()[:300:3]:
        colour = [name for name in HAIR_COLOURS if person.attributes[name] > 0]
        if colour and not person.moment.hat and person.traits.style not in ("fringe", "receding", "buzz"):
            moment = dataclasses.replace(person.moment, du=0.0, dv=0.0, roll=0.0, yaw=0.0)
            crowns[colour[0]].append(region(dataclasses.replace(person, moment=moment), (58, 66), (79, 99)))
    black, blond, brown, grey = (np.array(crowns[name]) for name in HAIR_COLOURS)
    yellow = lambda rgb: rgb[:, :2].mean(1) - rgb[:, 2]        # noqa: E731
    assert black.mean(1).max() < min(brown.mean(1).min(), blond.mean(1).min(), grey.mean(1).min())
    assert yellow(blond).min() > 40 > 25 > yellow(grey).max()
    assert yellow(blond).min() > yellow(black).max()
    assert brown.mean(1).max() < blond.mean(1).min() + 15
    assert brown.mean(1).mean() < blond.mean(1).mean() - 40


@pytest.mark.parametrize(("name", "changes", "rows", "columns"), [
    ("Eyeglasses", {"glasses": "round"}, (95, 128), (50, 128)),
    ("Eyeglasses", {"glasses": "square", "dark": True}, (95, 128), (50, 128)),
    ("Wearing_Hat", {"hat": "beanie"}, (48, 90), (45, 133)),
    ("Wearing_Hat", {"hat": "brim"}, (48, 90), (45, 133)),
    ("Bangs", {"bangs": "full"}, (72, 94), (60, 118)),
    ("Smiling", {"smile": 0.9}, (135, 155), (68, 110)),
    ("Mouth_Slightly_Open", {"opening": 0.6}, (138, 158), (75, 103)),
    ("Mustache", {"beard": "mustache"}, (134, 146), (76, 102)),
    ("Goatee", {"beard": "goatee"}, (150, 168), (77, 101)),
    ("Wearing_Lipstick", {"lipstick": True, "lipstick_rgb": (0.76, 0.1, 0.22)}, (138, 152), (76, 102)),
    ("Heavy_Makeup", {"makeup": True}, (99, 112), (56, 122)),
    ("Bushy_Eyebrows", {"bushy": True, "brow_width": 6.5}, (92, 106), (58, 120)),
    ("Young", {"age": 70.0}, (76, 160), (55, 123)),
    ("Pale_Skin", {"pale": True, "skin": (0.97, 0.87, 0.82)}, (76, 160), (55, 123)),
    ("Bald", {"style": "bald"}, (55, 90), (55, 123)),
])
def test_an_attribute_changes_the_pixels_it_is_about(name: str, changes: dict, rows: tuple, columns: tuple):
    off, on = plain(), plain(**changes)
    assert off.attributes[name] == -on.attributes[name]
    changed = difference(off, on, rows, columns)
    elsewhere = difference(off, on, (204, 218), (80, 98))         # the clothes
    assert changed > 6, changed
    assert elsewhere < 1


def test_a_smile_lifts_the_corners_of_the_mouth():
    def corner_row(smile: float) -> float:
        bare, lips = plain(smile=smile), plain(smile=smile, lipstick=True, lipstick_rgb=(0.0, 0.0, 1.0))
        painted = np.abs(draw(bare).astype(int) - draw(lips)).sum(2) > 60
        rows, columns = np.nonzero(painted)
        left = columns <= columns.min() + 4
        return float(rows[left].mean() - rows[np.abs(columns - 89) < 4].mean())

    assert corner_row(0.9) < corner_row(0.0) - 3


def test_sunglasses_hide_the_eyes():
    def contrast(person: Person) -> float:
        return float(draw(person)[106:116, 60:80].std())

    assert contrast(plain(glasses="square", dark=True)) < 15 < 40 < contrast(plain(glasses="square"))
    assert plain(glasses="square", dark=True, makeup=True).attributes["Heavy_Makeup"] == -1


def test_eyes_stand_where_celeba_has_them():
    """The darkest spots beside the nose are the pupils: rows near 111, columns near 70 and 108, on average."""
    places = []
    for index in range(0, 60, 6):
        person = sample(0, index)
        moment = dataclasses.replace(person.moment, glasses="", dark=False, makeup=False, hat="")
        at = dataclasses.replace(person, moment=moment)
        blue = dataclasses.replace(at, traits=dataclasses.replace(at.traits, eye_rgb=(0.0, 0.0, 1.0)))
        rows, columns = np.nonzero(draw(at).astype(int)[..., 2] + 12 < draw(blue)[..., 2])
        left = columns < 89
        places.append((rows.mean(), columns[left].mean(), columns[~left].mean()))
    np.testing.assert_allclose(np.mean(places, axis=0), (111, 70, 108), atol=3)


@functools.cache
def graded(count: int = 1000) -> dict[str, np.ndarray]:
    people = [sample_graded(0, index) for index in range(count)]
    return {name: np.array([person.grades[name] for person in people]) for name in GRADES}


@pytest.mark.parametrize("name", GRADES)
def test_grades_fill_their_range_without_a_gap(name: str):
    values = graded()[name]
    values = np.unique(values[np.isfinite(values)])
    assert len(values) > 100
    assert np.diff(values).max() < 0.06 * np.ptp(values)


def test_grades_are_independent_of_each_other_and_of_the_attributes():
    people = [sample_graded(0, index) for index in range(1000)]
    kept = [name for name in ATTRIBUTES if not any(name in others for others in GRADES.values())]
    columns = [*graded().values(), *(np.array([person.attributes[name] for person in people]) for name in kept)]
    table = np.stack(columns)[:, np.isfinite(graded()["Hair_Lightness"])]
    among_grades = np.corrcoef(table)[: len(GRADES)] - np.eye(len(GRADES), len(table))
    assert np.abs(among_grades).max() < 0.2         # a few hundred people: 0.1 is two standard errors


def test_hair_that_cannot_be_seen_has_no_lightness():
    for index, lightness in enumerate(graded()["Hair_Lightness"]):
        assert np.isnan(lightness) != sample_graded(0, index).hair_seen
    assert 0.05 < np.isnan(graded()["Hair_Lightness"]).mean() < 0.3


def test_one_person_keeps_age_skin_and_hair_and_changes_smile_and_turn():
    same = [sample_graded(0, index) for index in range(40) if identity_of(index) == 0]
    assert len(same) > 1
    assert len({person.traits for person in same}) == 1
    assert len({person.moment.smile for person in same}) == len({person.moment.yaw for person in same}) == len(same)


@pytest.mark.parametrize(("field", "values"), [
    ("age", np.interp(np.linspace(0, 1, 17), (0, 0.55, 1), (40, 54, 80))), ("smile", np.linspace(-0.7, 1, 17)),
    ("opening", np.linspace(0, 1, 65)), ("yaw", np.linspace(-1.1, 1.1, 33))])
def test_what_is_graded_is_drawn_without_a_jump(field: str, values: np.ndarray):
    """No step of a fine walk through the range changes the picture by far more than its neighbours do."""
    shown = {"opening": 0.5, "smile": 0.5}
    walk = [draw(plain(**shown | {field: value})).astype(float) for value in values.tolist()]
    sizes = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(walk)])
    assert sizes.min() > 0
    assert sizes.max() < 3 * np.median(sizes)
    assert np.abs(walk[-1] - walk[0]).mean() > 2 * sizes.max()      # and the range is worth it
