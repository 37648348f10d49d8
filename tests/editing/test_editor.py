"""Edits of latents and photos by a system whose every answer is known (linear_system.py)."""

import pytest
import torch

from facet import systems
from facet.base.errors import InputError
from facet.editing import table
from facet.editing.editor import Editor
from facet.editing.modes import MODES
from tests.support.linear_system import ATTRIBUTES, DIMS, LinearSystem, planted

CPU = torch.device("cpu")


@pytest.fixture
def editor(monkeypatch):
    monkeypatch.setattr(systems, "load", lambda folder, device: LinearSystem())
    return Editor(LinearSystem(), planted(), device=CPU)


def face(**states) -> torch.Tensor:
    """A latent (1, d) at +1 for the attributes that are present, -1 for the others."""
    z = torch.zeros(1, DIMS)
    for k, name in enumerate(ATTRIBUTES):
        z[0, k] = states.get(name, -1.0)
    return z


def test_a_number_adds_that_many_calibrated_strengths(editor):
    moved = editor.edit(face(), editor.parse("Smiling=+1.5")) - face()
    assert moved[0, 0].item() == pytest.approx(1.5 * 0.6 * 2)
    assert moved[0, 1:].abs().max() == 0
    back = editor.edit(face(Smiling=1), editor.parse("Smiling=-1")) - face(Smiling=1)
    assert back[0, 0].item() == pytest.approx(-0.6 * 2)


def test_on_and_off_take_a_face_across_whatever_it_was(editor):
    on, off = editor.parse("Smiling=on"), editor.parse("Smiling=off")
    assert editor.edit(face(), on)[0, 0] == pytest.approx(-1 + 0.8 * 2)
    assert editor.edit(face(Smiling=1), off)[0, 0] == pytest.approx(1 - 0.8 * 2)


def test_a_face_that_is_there_already_does_not_move(editor):
    assert torch.equal(editor.edit(face(Smiling=1), editor.parse("Smiling=on")), face(Smiling=1))
    assert torch.equal(editor.edit(face(), editor.parse("Smiling=off")), face())


def test_a_face_half_way_moves_half_as_far(editor):
    z = face(Smiling=0.5)  # read-out 2 of 4
    assert (editor.edit(z, editor.parse("Smiling=on")) - z)[0, 0] == pytest.approx(0.5 * 0.8 * 2)


@pytest.mark.parametrize("text", ["Blond_Hair=on", "Blond_Hair=+1"])
def test_a_new_hair_colour_takes_the_old_one_away(editor, text):
    unit = 0.8 if text.endswith("on") else 0.6
    moved = editor.edit(face(Black_Hair=1), editor.parse(text)) - face(Black_Hair=1)
    assert moved[0, 3] == pytest.approx(unit * 2)
    assert moved[0, 2] == pytest.approx(-unit * 2)
    fair = editor.edit(face(), editor.parse(text)) - face()
    assert fair[0, 2] == 0


def test_taking_a_hair_colour_away_brings_no_other(editor):
    moved = editor.edit(face(Black_Hair=1), editor.parse("Black_Hair=off")) - face(Black_Hair=1)
    assert moved[0, 3] == 0


def test_a_rival_that_the_spec_names_is_not_moved_twice(editor):
    moved = editor.edit(face(Black_Hair=1), editor.parse("Blond_Hair=on, Black_Hair=off")) - face(Black_Hair=1)
    assert moved[0, 2] == pytest.approx(-0.8 * 2)


def test_several_attributes_move_together(editor):
    moved = editor.edit(face(), editor.parse("Smiling=on, Eyeglasses=+1")) - face()
    assert moved[0, :2].tolist() == pytest.approx([0.8 * 2, 0.6 * 2])


def test_norm_control_keeps_an_edit_in_the_usual_range_but_never_moves_what_was_outside(editor):
    clipped = Editor(LinearSystem(), planted(), device=CPU, clip=True)
    spec = clipped.parse("Smiling=+9")
    assert clipped.edit(face(), spec)[0, 0] == 1.5
    outside = face()
    outside[0, 7] = 2.5
    assert clipped.edit(outside, spec)[0, 7] == 2.5
    assert editor.edit(face(), spec)[0, 0] > 1.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["", "Smiling=0", "Smiling=+0, Blond_Hair=0"])
def test_strength_zero_gives_back_the_photo_bit_for_bit_or_its_reconstruction(editor, mode, text):
    x = torch.rand((3, 3, 16, 16), generator=torch.Generator().manual_seed(0)) * 2 - 1
    result = editor.apply(x, editor.parse(text), mode)
    assert torch.equal(result.y, result.reconstruction if mode == "decode" else x)
    assert torch.equal(result.edited_latent, result.latent)


def test_an_edit_changes_the_pixels_of_its_attribute_and_no_others(editor):
    x = LinearSystem().decode(face())
    result = editor.apply(x, editor.parse("Smiling=on"), "add")
    changed = (result.y != x)[0, 0]
    assert changed[:4, :4].all()
    assert not changed[8:].any()
    assert (result.mask[0, 0] > 0).logical_or(~changed).all()


def test_the_table_must_belong_to_the_model(editor, tmp_path):
    table.write(tmp_path / "other.parquet", planted(crop="dcgan108"))
    with pytest.raises(InputError, match=r"crop dcgan108.* was not made for"):
        Editor.load(tmp_path, tmp_path / "other.parquet", CPU)
    table.write(tmp_path / "other.parquet", planted(system="ian"))
    with pytest.raises(InputError, match=r"other\.parquet \(ian, .* was not made for .* \(linear, "):
        Editor.load(tmp_path, tmp_path / "other.parquet", CPU)


@pytest.mark.parametrize(("folder", "stage"), [("models/ian", "train_gan@ian"), ("encoders/fc", "train_encoder@fc")])
def test_a_model_that_is_missing_names_the_stage_that_trains_it(tmp_path, folder, stage):
    with pytest.raises(InputError, match=f"stage `{stage}` writes it"):
        Editor.load(tmp_path / folder, tmp_path / "table.parquet", CPU)
