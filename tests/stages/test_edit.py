import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from facet import systems
from facet.base import images
from facet.base.errors import InputError
from facet.editing import table
from facet.editing.compositing import MODES, Gates
from facet.editing.editor import Editor
from facet.editing.spec import rivals
from facet.pictures import sheets
from stages import edit
from tests.support.linear_system import ATTRIBUTES, DIMS, LinearSystem, faces, planted

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


def test_an_edit_leaves_out_what_is_weak_beside_its_strongest_change():
    direction = planted().directions[0]
    strong, unknown = dataclasses.replace(direction, fade=(0.2, 0.8)), dataclasses.replace(direction, fade=None)
    found = table.gates([strong])
    assert found.change == pytest.approx((0.08, 0.24))
    assert found.fade == pytest.approx((0.2, 0.8))
    assert table.gates([unknown]) == Gates()
    assert table.gates([strong, unknown]) == found


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


def test_groups_exclude_each_other_both_ways():
    assert rivals("Blond_Hair") == ("Black_Hair", "Brown_Hair", "Gray_Hair")
    assert "Bald" in rivals("Bangs")
    assert "Bangs" in rivals("Bald")
    assert rivals("No_Beard") == ()


@pytest.fixture
def params(tmp_path, editor):
    faces(tmp_path / "prepared", count=60)
    table.write(tmp_path / "attributes.parquet", planted())
    return edit.Params(
        prepared=tmp_path / "prepared",
        model=tmp_path,
        attributes=tmp_path / "attributes.parquet",
        edits=tmp_path / "edits",
        sheets=tmp_path / "sheets",
        specs=("Smiling=on", "Blond_Hair=+1, Eyeglasses=off"),
        mode="add",
        clip=False,
        count=10,
        sheet_faces=3,
        seed=0,
        batch_size=4,
        threads=1,
        device="cpu",
        precision="fp32",
    )


def test_the_stage_writes_one_array_a_spec_and_a_row_for_every_edit(params):
    edit.run(params)
    assert sorted(path.name for path in params.edits.iterdir()) == ["manifest.parquet", "spec-00.npy", "spec-01.npy"]
    manifest = pq.read_table(params.edits / "manifest.parquet").to_pandas()
    assert len(manifest) == 20
    assert manifest["spec"].unique().tolist() == list(params.specs)
    assert (manifest["outside_change"] == 0).all()
    row = manifest[manifest["spec"] == params.specs[1]].iloc[0]
    assert row["attributes"].tolist() == ["Blond_Hair", "Black_Hair", "Eyeglasses"]
    assert row["requested"].tolist() == ["+1", "exclusive", "off"]
    assert row["applied"][0] == pytest.approx(0.6)
    table_ = pq.read_table(params.prepared / "faces.parquet").to_pandas().set_index("image_id")
    assert set(table_.loc[manifest["image_id"], "split"]) == {"test"}


def test_edited_pixels_show_what_the_manifest_says(params):
    edit.run(params)
    pixels = np.load(params.edits / "spec-00.npy")
    manifest = pq.read_table(params.edits / "manifest.parquet").to_pandas()[:10]
    smiles = LinearSystem().encode(images.to_tensor(pixels))[:, 0]
    assert (smiles > 0).all()
    moved = np.array([abs(row[0]) for row in manifest["applied"]])
    before = np.array([row[0] for row in manifest["state_before"]])
    assert (moved[before < 0.5] > 0.7).all()
    assert (moved[before > 0.99] < 0.1).all()


def test_a_smaller_batch_gives_the_same_bytes(params):
    edit.run(params)
    first = {path: path.read_bytes() for folder in (params.edits, params.sheets) for path in folder.iterdir()}
    edit.run(dataclasses.replace(params, batch_size=10))
    assert {path: path.read_bytes() for path in first} == first


def test_there_is_a_sheet_for_every_spec_and_an_overview(params):
    edit.run(params)
    assert sorted(path.name for path in params.sheets.iterdir()) == ["overview.png", "spec-00.png", "spec-01.png"]
    with Image.open(params.sheets / "overview.png") as overview, Image.open(params.sheets / "spec-00.png") as sheet:
        assert overview.width >= 2 * 16 * (2 + len(ATTRIBUTES))
        assert sheet.width >= 2 * 16 * 9


def test_a_sheet_shows_its_pictures_unchanged():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    grey = np.full((8, 8, 1), 90, np.uint8)
    pixels = np.array(sheets.sheet([[red, grey]], ["photo", "mask"], title="t", scale=2))
    assert (pixels == (200, 0, 0)).all(2).sum() == 16 * 16
    assert (pixels == (90, 90, 90)).all(2).sum() >= 16 * 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specs": ("Smilling=on",)}, "did you mean 'Smiling'"),
        ({"mode": "blend"}, "choose one of ian"),
        ({"sheet_faces": 11}, "1 <= sheet_faces <= count"),
    ],
)
def test_flags_that_cannot_work_are_refused_before_anything_is_written(params, change, message):
    with pytest.raises(InputError, match=message):
        edit.run(dataclasses.replace(params, **change))
    assert not params.edits.exists()


def test_a_unit_is_never_nothing_even_where_the_reconstruction_alone_flips_faces():
    direction = dataclasses.replace(planted().directions[0], add=dict.fromkeys(table.LEVELS, 0.0), best=(0.0, 0.0))
    assert direction.unit(True, 80, 4.0) == table.LEAST
    none = dataclasses.replace(direction, add=dict.fromkeys(table.LEVELS))
    assert none.unit(True, 80, 4.0) == table.LEAST
