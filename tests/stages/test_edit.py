"""Stage `edit` on a system whose every answer is known (linear_system.py)."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from facet import systems
from facet.base import images
from facet.base.errors import InputError
from facet.editing import table
from facet.pictures import sheets
from stages import edit
from tests.support.linear_system import ATTRIBUTES, LinearSystem, faces, planted


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.setattr(systems, "load", lambda folder, device: LinearSystem())
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
        ({"sheet_faces": 11}, "sheet_faces 11: expected at most count, 10"),
    ],
)
def test_flags_that_cannot_work_are_refused_before_anything_is_written(params, change, message):
    with pytest.raises(InputError, match=message):
        edit.run(dataclasses.replace(params, **change))
    assert not params.edits.exists()
