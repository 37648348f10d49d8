"""Where faces lie, what is cut, what comes back: geometry and pixels, on arrays whose every answer is known."""

import numpy as np
import pytest
import torch
from PIL import Image

import facet
from facet.base.errors import InputError
from facet.editing.refine import refine
from facet.photos import scenes
from facet.photos.editor import BATCH, Options, compositing_mode
from facet.photos.faces import align, head_mask, paste
from facet.photos.faces.detect import Face, detector, landmarks_of, merged
from facet.photos.faces.paste import Change
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo
from facet.pictures import crops
from facet.pictures.decode import BadImage
from tests.support import photographs

WHOLE = crops.crop("whole")


def turned(angle, scale=100.0, shift=(40.0, 70.0)):
    """The placement of a crop of `scale` pixels, turned by `angle` degrees about its corner at `shift`."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return align.Placement(np.array([[scale * c, -scale * s, shift[0]], [scale * s, scale * c, shift[1]]]))


@pytest.mark.parametrize("angle", [0, 17, -90])
def test_landmarks_place_the_crop_and_the_nose_has_no_say(angle):
    placement = turned(angle)
    square = np.array([(0.3, 0.4), (0.7, 0.45), (0.5, 0.6), (0.35, 0.8), (0.65, 0.82)])
    points = square @ placement.matrix[:, :2].T + placement.matrix[:, 2]
    points[2] += 30
    found = align.from_landmarks(square.ravel(), points)
    np.testing.assert_allclose(found.matrix, placement.matrix, atol=1e-9)
    assert found.side == pytest.approx(100)


def test_a_nose_beside_the_middle_is_a_head_turned_away_whatever_its_tilt():
    face = np.array([(0.0, 0.0), (10.0, 0.0), (5.0, 6.0), (2.0, 12.0), (8.0, 12.0)])
    assert align.turned_away(face) == pytest.approx(0)
    face[2, 0] = 9
    tilt = np.deg2rad(25)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    assert align.turned_away(face) == pytest.approx(0.4)
    assert align.turned_away(3 * face @ turn.T) == pytest.approx(0.4)


@pytest.mark.parametrize("scale", [40, 64, 300, 2500])
def test_a_crop_is_what_lies_there_at_any_size(scale):
    """A picture that is a linear ramp is cut to the ramp, however it is turned."""
    rows, columns = np.mgrid[0:3000, 0:3000].astype(np.float32) + 0.5
    ramp = np.stack([columns * 0.08, rows * 0.08, np.full_like(rows, 90)], 2)
    placement = turned(10, scale, (450.0, 60.0))
    cut = align.cut(np.rint(ramp).astype(np.uint8), placement, WHOLE, 16).astype(float)
    at = (np.mgrid[0:16, 0:16].reshape(2, -1).T[:, ::-1] + 0.5) / 16
    expected = (at @ placement.matrix[:, :2].T + placement.matrix[:, 2]) * 0.08
    inside = np.abs(at - 0.5).max(1) < 0.4  # a resize repeats the border
    np.testing.assert_allclose(cut.reshape(-1, 3)[inside, :2], expected[inside], atol=1.5)


def test_an_upright_crop_at_its_own_size_is_the_photo_itself():
    pixels = photographs.pixels(120, 130)
    placement = align.from_box((20, 30, 84, 94))
    np.testing.assert_array_equal(align.cut(pixels, placement, WHOLE, 64), pixels[30:94, 20:84])


def test_beyond_the_photo_its_border_goes_on():
    pixels = np.full((50, 50, 3), 77, np.uint8)
    assert (align.cut(pixels, align.from_box((-30, -30, 34, 34)), WHOLE, 32) == 77).all()


def change(size=16, level=60.0, weight=1.0):
    grey = np.full((size, size, 3), 100, np.float32)
    return Change(
        grey,
        np.full_like(grey, level),
        grey,
        np.full((size, size), weight, np.float32),
        np.zeros((size, size), np.float32),
    )


@pytest.mark.parametrize("angle", [0, 20])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_change_arrives_in_full_inside_fades_beyond_the_border_and_ends_there(angle, orientation):
    photo = Photo(np.full((300, 260, 3), 100, np.uint8), "RGB", "PNG", orientation)
    placement = turned(angle, 120, (90.0, 60.0))
    touched = paste.paste(photo, Colours(photo), placement, change(), None)
    moved = photo.upright[:, :, 0].astype(int) - 100
    rows, columns = np.mgrid[0 : moved.shape[0], 0 : moved.shape[1]] + 0.5
    inverse = np.linalg.inv(placement.matrix[:, :2])
    u, v = np.tensordot(inverse, np.stack([columns, rows]) - placement.matrix[:, 2][:, None, None], 1)
    depth = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    assert (np.abs(moved[depth > 0.03] - 60) <= 3).all()  # a cubic rings
    assert (moved[depth > 0.2] == 60).all()
    assert (moved[depth < -0.25] == 0).all()  # 4 of 16 pixels
    assert 15 < moved[(depth < -0.1) & (depth > -0.15)].mean() < 45
    assert touched.pixels == (moved != 0).sum()
    left, top, right, bottom = touched.box
    moved[top:bottom, left:right] = 0
    assert not moved.any()


def test_beyond_the_border_a_change_goes_on_in_the_same_colour_alone():
    pixels = np.full((200, 200, 3), 100, np.uint8)
    pixels[:, :50] = 180  # left of the crop
    pixels[42:46, 60:140] = 20  # a line above it
    photo = Photo(pixels.copy(), "RGB", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((60, 60, 140, 140)), change())
    moved = photo.pixels[:, :, 0].astype(int) - pixels[:, :, 0]
    assert (moved[60:140, 142:150] >= 20).all()
    assert (moved[60:140, 54:58] >= 20).all()
    assert moved[:, :46].max() < 3
    assert (moved[52:60, 70:130] > 20).all()
    assert moved[:42].max() < 3


def test_what_lies_away_from_the_head_in_a_colour_of_its_own_stays():
    size, pad = 64, 13
    away = head_mask.distance(tuple(photographs.LANDMARKS), size, pad)
    around = np.full((*away.shape, 3), (90, 60, 40), np.uint8)
    around[away > 1] = (40, 120, 200)
    around[(away > 1) & (np.arange(len(away)) > len(away) // 2)] = (90, 60, 40)  # on its right the same as the head
    own = head_mask.head_weights(around, away)
    middle = len(away) // 2
    assert (own[away < 0.9] > 0.99).all()
    background = (away > 1.1) & (np.arange(len(away)) < middle - 5)
    assert background.any()
    assert own[background].max() < 0.05
    assert own[away > head_mask.GONE].max(initial=0) == 0
    same = (away > 1.05) & (away < 1.15) & (np.arange(len(away)) > middle + 5)
    assert own[same].min() > 0.2


def test_no_weight_touches_nothing_and_a_mask_of_the_user_nothing_outside_it():
    photo = Photo(photographs.pixels(300, 260), "RGB", "PNG")
    before = photo.pixels.copy()
    assert paste.paste(photo, Colours(photo), turned(5), change(weight=0.0), None).pixels == 0
    np.testing.assert_array_equal(photo.pixels, before)
    user = np.zeros((300, 260), np.float32)
    user[:, :90] = 1
    assert paste.paste(photo, Colours(photo), turned(5), change(), user).pixels > 100
    np.testing.assert_array_equal(photo.pixels[:, 90:], before[:, 90:])


def test_a_change_follows_the_photo_s_edges():
    """Where D follows luma in the crop, its enlargement steps where the photo steps, not a blurred step."""
    size, scale = 16, 12
    small = np.full((size, size, 3), 40, np.float32)
    small[:, size // 2 :] = 200
    step = np.where(small > 100, -50, 0).astype(np.float32)
    one = np.ones((size, size), np.float32)
    sharp = np.full((size * scale, size * scale, 3), 40, np.uint8)
    sharp[:, size * scale // 2 :] = 200
    photo = Photo(sharp.copy(), "RGB", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 192, 192)), Change(small, step, small, one, 0 * one), None)
    found = photo.pixels[96, :, 0].astype(int) - sharp[96, :, 0]
    plain = np.asarray(Image.fromarray(step[:, :, 0]).resize((192, 192), Image.Resampling.BICUBIC))[96]
    wanted = np.where(sharp[96, :, 0] > 100, -50, 0)
    near = slice(84, 108)
    assert np.abs(found - wanted)[near].mean() < 0.6 * np.abs(plain - wanted)[near].mean()


def test_fading_takes_the_photo_s_detail_out():
    photo = Photo(photographs.pixels(160, 160), "RGB", "PNG")
    flat = np.full((16, 16, 3), 100, np.float32)
    one = np.ones((16, 16), np.float32)
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 160, 160)), Change(flat, 0 * flat, flat, one, one), None)
    assert (photo.pixels[40:120, 40:120] == 100).all()


def test_colours_keep_the_photo_s_detail_and_shapes_do_not():
    parse = photographs.editor().parse
    assert compositing_mode(parse("Black_Hair=on"), "auto") == "add"
    assert compositing_mode(parse("Black_Hair=on, Smiling=on"), "auto") == "replace"
    assert compositing_mode(parse("Black_Hair=on"), "ian") == "ian"
    with pytest.raises(InputError, match="mode 'magic' is unknown"):
        compositing_mode(parse("Smiling=on"), "magic")


def test_faces_of_a_batch_are_edited_each_by_itself():
    editor = photographs.editor()
    options = Options(spec="Smiling=on", aligned=True)
    looks = [editor.face_crops(Photo(photographs.pixels(seed=seed), "RGB", "PNG"), options)[0] for seed in range(5)]
    together = editor.edits(looks, editor.parse("Smiling=on"), options)
    for look, edit in zip(looks, together, strict=True):
        alone = editor.edits([look], editor.parse("Smiling=on"), options)[0]
        np.testing.assert_array_equal(alone.change.change, edit.change.change)
        assert alone.strengths == edit.strengths
    with pytest.raises(ValueError, match=f"{BATCH} at most"):
        editor.edits(looks * 4, editor.parse("Smiling=on"), options)


def test_python_edits_pictures_arrays_and_batches_alike():
    editor = photographs.editor()
    assert isinstance(editor, facet.Editor)
    batch = np.stack([photographs.pixels(seed=seed) for seed in range(3)])
    kept = batch.copy()
    edited = editor.edit(batch, "Smiling=on", aligned=True)
    np.testing.assert_array_equal(batch, kept)
    assert (edited != batch).any((1, 2, 3)).all()
    for one, result in zip(batch, edited, strict=True):
        np.testing.assert_array_equal(editor.edit(one, "Smiling=on", aligned=True), result)
        np.testing.assert_array_equal(np.asarray(editor.edit(Image.fromarray(one), "Smiling=on", aligned=True)), result)
    both = editor.edit([batch[0], Image.fromarray(batch[1])], "Smiling=on", aligned=True)
    np.testing.assert_array_equal(both[0], edited[0])
    np.testing.assert_array_equal(np.asarray(both[1]), edited[1])
    with pytest.raises(InputError, match="is a path: open it first"):
        editor.edit("photo.jpg", "Smiling=on")
    with pytest.raises(InputError, match=r"expected uint8 \(H, W, 3\)"):
        editor.edit(batch.astype(float), "Smiling=on")
    with pytest.raises(BadImage, match="aspect"):
        editor.edit(batch[0][:100], "Smiling=on", aligned=True)


def test_clipping_is_asked_for_with_each_edit():
    editor, photo = photographs.editor(), photographs.pixels()
    free, kept = (editor.edit(photo, "Smiling=+90", aligned=True, clip=clip) for clip in (False, True))
    assert np.abs(free.astype(int) - photo).sum() > 1.2 * np.abs(kept.astype(int) - photo).sum()
    np.testing.assert_array_equal(editor.edit(photo, "Smiling=+90", aligned=True), free)


def test_a_small_face_and_one_turned_away_are_refused_with_their_measure():
    editor = photographs.editor()
    photo = Photo(photographs.pixels(400, 400), "RGB", "PNG")
    points = np.array(photographs.LANDMARKS).reshape(5, 2) * 100 + 100
    editor.face_crops(photo, Options(spec=""), [points])
    with pytest.raises(BadImage) as bad:
        editor.face_crops(photo, Options(spec="", least=200), [points])
    assert (bad.value.reason, bad.value.detail) == ("too_small", "100 pixels; 200 are needed")
    points[2, 0] += 30
    with pytest.raises(BadImage) as bad:
        editor.face_crops(photo, Options(spec=""), [points])
    assert bad.value.reason == "off_frontal"
    editor.face_crops(photo, Options(spec="", away=0.0), [points])


def test_two_detections_of_one_face_are_one_and_neighbours_stay_two():
    def face(left, score, side=100.0):
        return Face((left, 0.0, left + side, side), ((0.0, 0.0),) * 5, score)

    assert merged([face(0, 0.95), face(20, 0.99), face(150, 0.9), face(30, 0.91, 40)]) == [
        face(20, 0.99),
        face(150, 0.9),
    ]


def test_refinement_brings_a_latent_nearer_to_the_photo_each_face_by_itself():
    editor = photographs.editor().editor
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 0.5
    far = editor.encode(x) + 0.5

    def error(latent):
        return (editor.decode(latent) - x).abs().mean((1, 2, 3))

    near = refine(editor, x, far, 60)
    assert (error(near) < error(far)).all()
    torch.testing.assert_close(refine(editor, x[1:2], far[1:2], 60), near[1:2])
    torch.testing.assert_close(refine(editor, x, far, 0), far)


@pytest.mark.slow
def test_the_detector_finds_drawn_people_where_they_are_and_nobody_in_an_empty_room():
    apart = []
    for index in range(6):
        scene = scenes.compose(4, index)
        faces = detector().find(scene.pixels)
        assert len(faces) == 1
        apart.append(np.linalg.norm(faces[0].points[:2] - scene.landmarks[:2], axis=1).mean() / scene.face)
    assert np.mean(apart) < 0.06
    assert detector().find(np.full((300, 400, 3), 90, np.uint8)) == []
    assert detector().find(np.zeros((10, 10, 3), np.uint8)) == []


@pytest.mark.slow
def test_landmarks_of_training_pictures_are_where_they_are_drawn_and_digits_have_none():
    from facet import drawn
    from facet.pictures.resize import resize

    faces = resize((drawn.draw(drawn.sample(5, index)) for index in range(12)), crops.crop("face120"), 64)
    found = landmarks_of(faces)
    assert found is not None
    left, top = 29, 49
    np.testing.assert_allclose(np.array(found[:4]) * 120 + (left, top, left, top), (70, 111, 108, 111), atol=4)
    assert landmarks_of(np.random.default_rng(0).integers(0, 255, (6, 64, 64, 1), dtype=np.uint8)) is None
