"""What the studio shows of a state: picture, attributes, latent, panels; strokes, tiles and modes."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from facet.base import images
from facet.editing import brush
from facet.photos.crop_editor import CropEditor
from facet.photos.file.photo import read
from facet.photos.file.xmp import Packet
from facet.photos.options import Options
from facet.studio.documents import CANVASES, SCREEN, Document, Documents, sample_of
from facet.studio.states import command, parse
from tests.support import photographs, studio
from tests.support.linear_system import BRIGHTNESS

PAINT = {"x": 0.125, "y": 0.125, "size": 0.25, "colour": "#ffffff", "steps": 3}


def picture(uri: str) -> np.ndarray:
    """The pixels of a data URI."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")).astype(int)


@pytest.fixture
def page():
    return studio.client()


@pytest.fixture
def photo(page):
    return studio.uploaded(page, photographs.encoded(Image.fromarray(photographs.pixels()), "PNG"), "a.png")


def test_an_unedited_photo_is_shown_as_it_is(page, photo):
    shown = studio.shown(page, photo["id"], {})
    assert np.abs(picture(shown["image"]) - photographs.pixels()).mean() < 3  # JPEG
    assert not shown["looked"]["moved"]
    assert shown["looked"]["latent"] == shown["looked"]["from"]


@pytest.mark.parametrize("mode", ["auto", "move", "ian", "ian_code", "add", "replace", "decode"])
def test_the_screen_shows_what_is_saved_in_every_mode(mode, page, photo):
    state = {"spec": "Smiling=+2", "mode": mode}
    on_screen = picture(studio.shown(page, photo["id"], state)["image"])
    data, outcome = studio.saved(page, photo["id"], state)
    result = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    assert outcome["status"] == "edited"
    assert np.abs(on_screen - result).mean() < 3
    assert np.abs(result - photographs.pixels()).max() > 20


def test_a_face_unlike_training_is_said_to_be_left_alone(page, photo, monkeypatch):
    monkeypatch.setattr(CropEditor, "_unlike", lambda self, start: np.ones(len(start.x), bool))
    shown = studio.shown(page, photo["id"], {"spec": "Smiling=+2"})
    assert "unlike those of training" in shown["faces"][0]["refused"]
    assert not shown["looked"]["moved"]
    asked = studio.shown(page, photo["id"], {"spec": "Smiling=+2", "unlike_training": True})
    assert asked["faces"][0]["refused"] == ""
    assert asked["looked"]["moved"]


def test_a_slider_raises_its_attribute_and_side_effects_are_seen(page, photo):
    looked = studio.shown(page, photo["id"], {"spec": "Smiling=+2", "mode": "add"})["looked"]
    smiling = looked["attributes"]["Smiling"]
    assert smiling["after"] > smiling["before"] + 0.3
    assert looked["attributes"]["Eyeglasses"]["after"] == pytest.approx(
        looked["attributes"]["Eyeglasses"]["before"], abs=0.05
    )
    assert looked["strengths"]["Smiling"] == pytest.approx(1.2)  # twice the calibrated .6


def test_paint_under_the_brush_comes_closer_to_its_colour(page, photo):
    state = {"strokes": {"0": [PAINT]}, "mode": "add"}
    shown = studio.shown(page, photo["id"], state, panels=True)["looked"]
    before, after = (picture(shown["panels"][name])[:4, :4].mean() for name in ("original", "output"))
    assert after > before + 5
    assert shown["latent"][0] > shown["from"][0]
    assert shown["latent"][1:] == pytest.approx(shown["from"][1:], abs=1e-3)


def test_the_panels_are_those_of_the_brush_itself(page, photo):
    own = studio.trained().editor
    (face,) = own.face_crops(
        read(photographs.encoded(Image.fromarray(photographs.pixels()), "PNG")), Options(spec="", aligned=True)
    )
    x = images.to_tensor(face.crop[None])
    strokes = brush.parse([PAINT], "test", 16)
    painted = brush.paint(own.editor, x, strokes, "ian")
    panels = studio.shown(page, photo["id"], {"strokes": {"0": [PAINT]}, "mode": "ian"}, panels=True)["looked"][
        "panels"
    ]
    for name, expected in (
        ("modified", painted.edited),
        ("reconstruction", own.editor.decode(own.editor.encode(x))),
        ("original", x),
    ):
        assert np.abs(picture(panels[name]) - images.to_pixels(expected)[0]).max() <= 1
    assert np.abs(picture(panels["output"]) - images.to_pixels(painted.y)[0]).max() <= 3


def test_a_tile_sets_its_number_of_the_latent(page, photo):
    looked = studio.shown(
        page, photo["id"], {"strokes": {"0": [{"latent": {"3": 1.5}}]}, "mode": "decode"}, panels=True
    )["looked"]
    assert looked["latent"][3] == 1.5
    expected = round(127.5 + 127.5 * 1.5 * BRIGHTNESS)
    assert np.abs(picture(looked["panels"]["modified"])[1:3, 13:15] - expected).max() <= 1


def test_lighten_and_darken_do_what_they_say(page, photo):
    def under(sign: int) -> float:
        stroke = {"x": 0.5, "y": 0.5, "size": 0.2, "lighten": sign, "steps": 10}
        looked = studio.shown(page, photo["id"], {"strokes": {"0": [stroke]}, "mode": "decode"}, panels=True)["looked"]
        return float(picture(looked["panels"]["output"])[7:9, 7:9].mean())

    assert under(1) > under(-1) + 5


def test_a_stroke_after_others_gives_the_bits_of_all_at_once(page, photo):
    strokes = [PAINT, {"latent": {"5": 1.0}}, {"stack": True}, PAINT | {"x": 0.6}]
    for count in range(1, len(strokes)):
        studio.shown(page, photo["id"], {"strokes": {"0": strokes[:count]}})
    again = studio.client()
    other = studio.uploaded(again, photographs.encoded(Image.fromarray(photographs.pixels()), "PNG"), "a.png")
    state = {"strokes": {"0": strokes}, "spec": "Eyeglasses=+1"}
    a, b = studio.shown(page, photo["id"], state), studio.shown(again, other["id"], state)
    assert a["image"] == b["image"]
    assert a["looked"]["latent"] == b["looked"]["latent"]


def test_canvases_that_are_kept_do_not_grow_without_limit():
    document, own = Document("a.png", photographs.jpeg()), studio.trained()
    (face,) = document.faces(own, Options(spec="", aligned=True))
    for count in range(2 * CANVASES):
        strokes = brush.parse([{"latent": {"0": float(count)}}], "test", 16)
        document.canvas(own, face, strokes, "ian")
    assert len(document._canvases) == CANVASES


@pytest.mark.parametrize("mode", ["auto", "ian"])
def test_inferring_again_keeps_what_was_painted(mode, page, photo):
    once = studio.shown(page, photo["id"], {"strokes": {"0": [PAINT]}, "mode": mode})
    stacked = studio.shown(page, photo["id"], {"strokes": {"0": [PAINT, {"stack": True}]}, "mode": mode})
    plain = picture(studio.shown(page, photo["id"], {})["image"])
    assert stacked["looked"]["moved"]
    far, near = (
        np.abs(picture(stacked["image"]) - plain).max(),
        np.abs(picture(stacked["image"]) - picture(once["image"])).max(),
    )
    assert near < far


def test_a_painted_photo_is_saved_with_its_strokes_named_and_nothing_else_changed(page, photo):
    data, outcome = studio.saved(page, photo["id"], {"strokes": {"0": [PAINT, PAINT]}, "mode": "ian"})
    result, before = read(data), photographs.pixels()
    assert outcome["status"] == "edited"
    assert Packet(result.metadata.xmp).iptc("AIPromptInformation") == "2 strokes of the contextual brush"
    changed = (result.pixels != before).any(2)
    assert changed.any()
    assert not changed[140:].any()  # the brush was at the top of the crop


def test_strokes_and_a_spec_act_together(page, photo):
    state = {"strokes": {"0": [{"latent": {"6": 1.4}}]}, "spec": "Smiling=+2", "mode": "decode"}
    looked = studio.shown(page, photo["id"], state)["looked"]
    assert looked["latent"][6] == pytest.approx(1.4)
    assert looked["attributes"]["Smiling"]["after"] > looked["attributes"]["Smiling"]["before"]
    assert studio.saved(page, photo["id"], state)[1]["status"] == "edited"


def test_a_photo_without_a_face_is_told_and_comes_back_as_it_is(page):
    data = photographs.jpeg()
    photo = studio.uploaded(page, data)
    shown = studio.shown(page, photo["id"], {"aligned": False, "spec": "Smiling=on"})
    assert shown["refused"] == "no face was found"
    assert shown["looked"] is None
    saved, outcome = studio.saved(page, photo["id"], {"aligned": False, "spec": "Smiling=on"})
    assert saved == data
    assert (outcome["status"], outcome["reason"]) == ("skipped", "no face was found")


@pytest.mark.slow
def test_a_large_photo_is_shown_at_the_size_of_the_screen_and_in_full_when_asked(page):
    large = photographs.encoded(Image.fromarray(photographs.pixels(2180, 1780)), "JPEG", quality=80)
    photo = studio.uploaded(page, large)
    assert max(photo["screen"]) == SCREEN
    assert max(picture(studio.shown(page, photo["id"], {"spec": "Smiling=+1"})["image"]).shape[:2]) == SCREEN
    full = studio.asked(page, photo["id"], "full", {"spec": "Smiling=+1"})
    assert Image.open(io.BytesIO(full.content)).size == (1780, 2180)


def test_before_and_after_are_one_picture(page, photo):
    both = Image.open(io.BytesIO(studio.asked(page, photo["id"], "both", {"spec": "Smiling=+2"}).content))
    assert both.size == (2 * 178 + 8, 218)
    pixels = np.asarray(both).astype(int)
    assert np.array_equal(pixels[:, :178], photographs.pixels())
    assert np.abs(pixels[:, 186:] - photographs.pixels()).max() > 20


def test_what_is_taken_away_says_the_command(page, photo):
    state = {"spec": "Smiling=on,Eyeglasses=-1", "mode": "ian", "clip": True, "sure": 0.9, "strokes": {"0": [PAINT]}}
    taken = studio.asked(page, photo["id"], "taken", state).json()
    assert taken["spec"] == "Smiling=on, Eyeglasses=-1"
    assert taken["command"] == (
        "facet edit a.png edited --set Smiling=on,Eyeglasses=-1 --system linear --mode ian --sure 0.9 --clip --aligned"
    )
    assert json.loads(taken["strokes"]["0"]) == [PAINT]
    assert taken["landmarks"] == ""


def test_a_command_quotes_names_that_a_shell_would_take_apart():
    line = command(parse({"spec": "Smiling=on"}), "-x $(rm).jpg", ("--system", "ian"), landmarks=True)
    assert line == "facet edit './-x $(rm).jpg' edited --set Smiling=on --system ian --landmarks landmarks.csv"


def test_a_sample_begins_at_its_own_latent_and_is_saved_as_a_picture(page):
    own = studio.trained()
    latent = torch.linspace(-1, 1, 16)[None]
    document = sample_of(images.to_pixels(own.editor.editor.decode(latent))[0], "sample-1.png", latent, "linear")
    from facet.studio.rendering import preview
    from facet.studio.saving import saved

    looked = preview(document, own, parse({"mode": "decode"}))["looked"]
    assert looked["latent"] == pytest.approx(latent[0].tolist(), abs=1e-4)
    moved = parse({"spec": "Smiling=+1", "mode": "decode"})
    assert preview(document, own, moved)["looked"]["latent"][0] == pytest.approx(-1 + 2 * 0.6, abs=1e-3)
    made = saved(document, own, moved)
    assert (made.status, made.name) == ("edited", "sample-1.png")
    assert read(made.data).size == (256, 256)


def test_a_system_without_a_prior_says_so(page):
    answer = page.post("api/samples", json={"system": "linear", "kind": "prior", "seed": 1})
    assert answer.status_code == 400
    assert "open a photo" in answer.json()["error"]


def test_the_photo_that_was_not_used_for_longest_is_closed_first():
    documents = Documents(most=2 * Document("a", photographs.jpeg()).bytes + 10)
    first, second, third = (documents.add(Document(name, photographs.jpeg())) for name in "abc"[:3])
    assert documents.get(third.id) is third
    assert documents.get(second.id) is second
    with pytest.raises(Exception, match="open it again"):
        documents.get(first.id)
    assert documents.add(Document("b", photographs.jpeg())) is second
