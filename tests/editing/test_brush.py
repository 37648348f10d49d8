"""The contextual brush, on a system whose decoder is known: each latent dimension is the brightness of one region."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from facet.base import images
from facet.base.errors import InputError
from facet.cli import main
from facet.editing import brush, table
from facet.editing.brush import Stroke
from facet.editing.editor import Editor
from facet.photos.brush import brush_photo
from tests.support.linear_system import BRIGHTNESS, SIDE, SIZE, LinearSystem, planted

CPU = torch.device("cpu")
CENTRE = (1.5 / SIDE, 1.5 / SIDE)  # of the region (1, 1), latent dimension 5
REGION = 1 / SIDE


@pytest.fixture
def editor():
    return Editor(LinearSystem(), planted(), device=CPU)


def photo(value: float = 0.0) -> torch.Tensor:
    return torch.full((1, 3, SIZE, SIZE), value)


def test_paint_moves_the_latent_under_the_brush_and_no_other(editor):
    stroke = Stroke("paint", *CENTRE, size=REGION, colour=(0.8, 0.8, 0.8), steps=1)
    latent = torch.zeros(1, SIDE**2)
    moved = brush.move(editor, latent, stroke)
    # d/dz of (0.3 z - 0.8)^2 at 0, times the code's rate of 0.05 (1 + 4 pixels)
    assert moved[0, 5].item() == pytest.approx(0.05 * 5 * 2 * BRIGHTNESS * 0.8)
    assert moved.count_nonzero() == 1


def test_lightening_follows_the_mean_brightness(editor):
    stroke = Stroke("light", *CENTRE, size=REGION, sign=-1, steps=2)
    moved = brush.move(editor, torch.zeros(1, SIDE**2), stroke)
    assert moved[0, 5].item() == pytest.approx(-2 * 0.1 * 5 * BRIGHTNESS)


def test_photos_of_a_batch_are_painted_each_by_itself(editor):
    stroke = Stroke("paint", *CENTRE, size=REGION, colour=(0.9, 0.9, 0.9), steps=3)
    latents = torch.randn(3, SIDE**2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(brush.move(editor, latents, stroke)[1:2], brush.move(editor, latents[1:2], stroke))


def test_enough_steps_reach_the_colour(editor):
    stroke = Stroke("paint", *CENTRE, size=REGION, colour=(0.5, 0.5, 0.5), steps=300)
    painted = brush.paint(editor, photo(), [stroke], "decode")
    assert painted.y[0, :, 6, 6].tolist() == pytest.approx([0.5] * 3, abs=0.01)


def distance(picture: torch.Tensor, colour: float) -> float:
    """Mean squared distance of region (1, 1) to a grey."""
    return float((picture[0, :, 4:8, 4:8] - colour).square().mean())


def test_paint_goes_on_until_its_share_of_the_way_is_gone_and_then_stops(editor):
    stroke = Stroke("reach", *CENTRE, size=REGION, colour=(0.8, 0.8, 0.8), reach=0.75)
    edited = brush.paint(editor, photo(), [stroke], "decode").edited
    # each step takes a twentieth of the gap, as its square then falls by a tenth to first order
    assert 0.25 * 0.95**2 < distance(edited, 0.8) / 0.8**2 <= 0.25
    assert distance(edited, 0.8) / 0.8**2 == pytest.approx(0.95**28)


def test_paint_that_should_show_is_the_same_on_a_decoder_of_another_scale(editor):
    class Louder(LinearSystem):
        def encode(self, x):
            return super().encode(x) / 3

        def decode(self, latent):
            return super().decode(3 * latent)

    louder = Editor(Louder(), planted(), device=CPU)
    reach = Stroke("reach", *CENTRE, size=REGION, colour=(0.8, 0.8, 0.8), reach=0.5)
    steps = Stroke("paint", *CENTRE, size=REGION, colour=(0.8, 0.8, 0.8), steps=2)
    same = [brush.paint(one, photo(), [reach], "decode").edited for one in (editor, louder)]
    torch.testing.assert_close(*same)
    plain = [distance(brush.paint(one, photo(), [steps], "decode").edited, 0.8) for one in (editor, louder)]
    assert plain[1] < 0.5 * plain[0]


@pytest.mark.parametrize(("hold", "outside"), [(0.0, (0.2, 0.5)), (20.0, (0.0, 0.1))])
def test_hold_leaves_the_rest_of_the_picture_alone(hold, outside):
    class Lamp(LinearSystem):
        """The first number lights all of the picture, the sixth its own region."""

        def decode(self, latent):
            own = latent * torch.eye(SIDE**2)[5]
            return super().decode(own) + BRIGHTNESS * latent[:, 0].view(-1, 1, 1, 1)

    editor = Editor(Lamp(), planted(), device=CPU)
    stroke = Stroke("reach", *CENTRE, size=REGION, colour=(0.8, 0.8, 0.8), reach=0.75, hold=hold)
    picture = editor.decode(brush.move(editor, torch.zeros(1, SIDE**2), stroke))
    assert distance(picture, 0.8) <= 0.25 * 0.8**2
    assert outside[0] < picture[0, 0, 12, 12].item() < outside[1]


def test_what_varies_more_among_faces_moves_more_by_the_square():
    class Twins(LinearSystem):
        """The sixth and the seventh number light the same region."""

        def decode(self, latent):
            both = (latent[:, 5:6] + latent[:, 6:7]) * torch.eye(SIDE**2)[5]
            return super().decode(both)

    wide = (1.5,) * 5 + (1.5, 0.5) + (1.5,) * 9
    editor = Editor(Twins(), planted(latent_low=tuple(-edge for edge in wide), latent_high=wide), device=CPU)
    stroke = Stroke("reach", *CENTRE, size=REGION, colour=(0.8, 0.8, 0.8), reach=0.5)
    moved = brush.move(editor, torch.zeros(1, SIDE**2), stroke)
    assert moved[0, 5].item() == pytest.approx(9 * moved[0, 6].item())
    assert moved[0, 6] > 0


def test_a_photo_that_shows_its_paint_waits_for_no_other(editor):
    stroke = Stroke("reach", *CENTRE, size=REGION, colour=(0.9, 0.9, 0.9), reach=0.6, hold=5.0)
    latents = 3 * torch.randn(4, SIDE**2, generator=torch.Generator().manual_seed(1))
    latents[2, 5] = 3.0  # is the colour already
    together = brush.move(editor, latents, stroke)
    assert torch.equal(together[2], latents[2])
    for i in range(4):
        torch.testing.assert_close(together[i : i + 1], brush.move(editor, latents[i : i + 1], stroke))


def test_paint_that_cannot_take_moves_the_latent_no_further_than_its_steps_may(editor):
    stroke = Stroke("reach", *CENTRE, size=REGION, colour=(1, 1, 1), reach=1.0)
    moved = brush.move(editor, torch.zeros(1, SIDE**2), stroke)
    assert moved.isfinite().all()
    assert moved.norm() <= brush.MOST_STEPS * brush.LONGEST * SIDE * editor.spread.max()


def test_the_photo_stays_bit_for_bit_where_the_mask_is_nothing(editor):
    x = photo() + 0.1 * torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    stroke = Stroke("paint", *CENTRE, size=REGION, colour=(1, 1, 1), steps=50)
    painted = brush.paint(editor, x, [stroke], "ian")
    outside = (painted.mask == 0).expand_as(x)
    assert outside.any()
    assert torch.equal(painted.y[outside], x[outside])
    assert not torch.equal(painted.y, x)


def test_a_latent_stroke_sets_its_entries(editor):
    moved = brush.move(editor, torch.zeros(2, SIDE**2), Stroke("latent", entries=((3, 1.5), (7, -0.5))))
    assert moved[:, 3].tolist() == [1.5, 1.5]
    assert moved[:, 7].tolist() == [-0.5, -0.5]
    assert moved.count_nonzero() == 4


def test_a_stack_goes_on_from_the_edited_photo(editor):
    stroke = Stroke("light", *CENTRE, size=REGION, sign=1, steps=3)
    once = brush.paint(editor, photo(), [stroke], "add")
    by_hand = brush.paint(editor, once.y, [stroke], "add")
    stacked = brush.paint(editor, photo(), [stroke, Stroke("stack"), stroke], "add")
    torch.testing.assert_close(stacked.y, by_hand.y, rtol=0, atol=0)


def test_no_stroke_that_moves_anything_gives_back_the_photo(editor):
    x = photo(0.123)
    assert torch.equal(brush.paint(editor, x, [Stroke("stack")], "ian").y, x)


@pytest.mark.parametrize(
    ("x", "size", "wanted"), [(0.0, 0.25, (0, 2)), (1.0, 0.25, (14, 16)), (0.5, 0.0, (8, 9)), (0.5, 1.0, (0, 16))]
)
def test_the_brush_stays_within_the_picture(x, size, wanted):
    _, columns = brush.patch(Stroke("paint", x, 0.5, size), 16)
    assert (columns.start, columns.stop) == wanted


PAINT = {"x": 0.5, "y": 0.5, "size": 0.2, "colour": "#ff8000", "steps": 3}
REACH = {"x": 0.5, "y": 0.5, "size": 0.2, "colour": "#ff8000", "reach": 0.75, "hold": 20}


def test_a_file_of_strokes_is_read(tmp_path):
    path = tmp_path / "strokes.json"
    path.write_text(
        json.dumps(
            [
                PAINT,
                {"latent": {"2": -1}},
                {"stack": True},
                {"x": 0, "y": 1, "size": 0.1, "lighten": -1, "steps": 2},
                REACH,
            ]
        )
    )
    paint, latent, stack, light, reach = brush.read(path, 16)
    assert paint.colour == pytest.approx((1, 1 / 255, -1), abs=1e-6)
    assert (paint.kind, paint.steps) == ("paint", 3)
    assert latent.entries == ((2, -1.0),)
    assert stack.kind == "stack"
    assert (light.kind, light.sign) == ("light", -1)
    assert (reach.kind, reach.colour, reach.reach, reach.hold) == ("reach", paint.colour, 0.75, 20)


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ("nonsense", "cannot be read as JSON"),
        ([], "holds no list of strokes"),
        ({"x": 1}, "holds no list of strokes"),
        ([3], "stroke 1 has no keys"),
        ([PAINT, PAINT | {"colour": "red"}], "stroke 2: colour is 'red'"),
        ([PAINT | {"x": 1.5}], "x is 1.5; expected a number from 0 to 1"),
        ([PAINT | {"x": True}], "x is True"),
        ([PAINT | {"steps": 0}], "steps is 0; expected 1 to 1000"),
        ([REACH | {"reach": 1.5}], "reach is 1.5; expected a number from 0 to 1"),
        ([REACH | {"hold": -1}], "hold is -1; expected a number from 0"),
        ([REACH | {"steps": 3}], "has colour, hold, reach, size, steps, x, y; expected exactly"),
        ([PAINT | {"extra": 1}], "expected exactly colour, size, steps, x, y; or"),
        ([{"latent": {"16": 1}}], "stroke 1, place in the latent: 16; expected 0 to 15"),
        ([{"latent": {}}], "latent is {}"),
        ([{"x": 0.5, "y": 0.5, "size": 0.1, "lighten": 2, "steps": 1}], "lighten is 2"),
    ],
)
def test_a_wrong_stroke_is_a_clear_error_that_names_it(tmp_path, strokes, message):
    path = tmp_path / "strokes.json"
    path.write_text(strokes if isinstance(strokes, str) else json.dumps(strokes))
    with pytest.raises(InputError, match=message):
        brush.read(path, 16)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A clone with the linear system trained, and a photo."""
    monkeypatch.setattr("facet.systems.load", lambda folder, device: LinearSystem())
    (tmp_path / "data" / "models" / "linear").mkdir(parents=True)
    table.write(tmp_path / "data" / "attributes" / "linear.parquet", planted())
    (tmp_path / "params.yaml").write_text("systems:\n  linear: {model: data/models/linear}\n")
    Image.new("RGB", (178, 218), (120, 90, 70)).save(tmp_path / "a.png")
    (tmp_path / "strokes.json").write_text(json.dumps([PAINT, PAINT | {"x": 0.2}]))
    return tmp_path


def brushed(project, *words):
    return main(
        ["brush", str(project / "a.png"), "--strokes", str(project / "strokes.json"), "--root", str(project), *words]
    )


def test_facet_brush_writes_the_painted_crop_and_a_sheet(project):
    out, sheet = project / "out.png", project / "sheet.png"
    assert brushed(project, "--system", "linear", "--out", str(out), "--sheet", str(sheet)) == 0
    with Image.open(out) as picture, Image.open(sheet) as whole:
        assert picture.size == (SIZE, SIZE)
        assert np.asarray(picture).std() > 0
        assert whole.size[0] > 6 * 3 * SIZE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--system", "dcgan"], "choose one of linear"),
        (["--system", "linear", "--mode", "magic"], "mode 'magic' is unknown"),
    ],
)
def test_facet_brush_says_what_does_not_fit(project, capsys, words, message):
    assert brushed(project, *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.png"], "a.png would replace the photo; choose another --out"),
        (["--out", "strokes.json"], "strokes.json would replace the strokes; choose another --out"),
        (["--sheet", "strokes.json"], "strokes.json would replace the strokes; choose another --sheet"),
        (["--out", "new.png", "--sheet", "new.png"], "new.png would replace the result; choose another --sheet"),
    ],
)
def test_facet_brush_replaces_nothing_that_it_needs(project, capsys, words, message):
    before = {path: path.read_bytes() for path in project.iterdir() if path.is_file()}
    placed = [word if word.startswith("--") else str(project / word) for word in words]
    assert brushed(project, "--system", "linear", *placed) == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in project.iterdir() if path.is_file()} == before


def test_a_photo_that_is_framed_otherwise_is_a_clear_error(project):
    Image.new("RGB", (400, 100)).save(project / "a.png")
    with pytest.raises(InputError, match=r"a\.png cannot be used \(aspect"):
        brush_photo(
            project / "a.png", project / "strokes.json", model=project / "data/models/linear",
            attributes=project / "data/attributes/linear.parquet", mode="ian", out=project / "out.png", sheet=None,
        )  # fmt: skip


def test_the_code_s_mask_is_the_paper_s_in_another_order():
    from facet.editing.compositing import Gates, composite

    x = photo() + 0.1
    reconstruction, edited = photo(), photo()
    edited[:, :, 4:9, 4:9] = 0.4
    paper, *_ = composite(x, reconstruction, edited, "ian", Gates())
    code, *_ = composite(x, reconstruction, edited, "ian_code", Gates())
    torch.testing.assert_close(code, paper, rtol=0, atol=2 / 255)
    assert images.to_pixels(code).dtype == np.uint8
