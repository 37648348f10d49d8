"""The manifest says what the judge sees in the finished photo, not in the crop before it was pasted."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from facet.photos.faces.landmarks import COLUMNS
from facet.photos.file.photo import Photo, read
from facet.photos.folder.run import edit_folder
from facet.photos.options import Options
from tests.support import photographs
from tests.support.photo_jobs import SPEC, aligned_job, rows

pytestmark = pytest.mark.usefixtures("linear_editor")

PIXELS = photographs.pixels()
HALF = Image.fromarray(np.repeat(np.arange(178) < 60, 218).reshape(178, 218).T)
GREY = Image.fromarray(PIXELS).convert("L")
INK = Image.merge("CMYK", (*Image.fromarray(255 - PIXELS // 2).split(), Image.new("L", GREY.size, 150)))
CASES = {
    "in colour": (Image.fromarray(PIXELS), "PNG", None),
    "with a mask": (Image.fromarray(PIXELS), "PNG", HALF),
    "grey": (GREY, "PNG", None),
    "grey in RGB": (GREY.convert("RGB"), "TIFF", None),
    "in black ink": (INK, "TIFF", None),
    "of 16 bits": (Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), "PNG", None),
    "bright": (Image.fromarray(np.clip(PIXELS.astype(int) + 40, 0, 255).astype(np.uint8)), "PNG", None),
}


def seen(data: bytes, options: Options, points: np.ndarray | None = None) -> tuple[list[list[float]], list[bool]]:
    """What the editor reads from the faces of a finished file, and whether it is sure."""
    editor, photo = photographs.editor(), read(data)
    face_crops = editor.face_crops(photo, options, points)
    edits = editor.all_edits(face_crops, editor.parse(options.spec), dataclasses.replace(options, mode="add"))
    return [list(edit.before) for edit in edits], [edit.before[0] >= options.sure for edit in edits]


@pytest.mark.parametrize("name", CASES)
def test_the_manifest_says_what_is_seen_in_the_finished_file(tmp_path, name):
    picture, form, mask = CASES[name]
    (tmp_path / "p").mkdir()
    path = tmp_path / f"p/a.{form.lower()}"
    path.write_bytes(photographs.encoded(picture, form))
    if mask is not None:
        mask.save(tmp_path / "mask.png")
    job = aligned_job(tmp_path / "p", tmp_path / "out", masks=tmp_path / "mask.png" if mask is not None else None)
    edit_folder(job)
    row = rows(job.out)[path.name]
    assert row["status"] == "edited"
    after, reached = seen((job.out / row["output"]).read_bytes(), job.options)
    np.testing.assert_array_equal([list(one) for one in row["after"]], np.float32(after))
    assert list(row["reached"]) == reached
    assert row["after"][0][0] > row["before"][0][0]


def test_a_mask_that_allows_nothing_leaves_the_face_as_it_was_seen(tmp_path, photos):
    Image.new("L", (178, 218)).save(tmp_path / "black.png")
    edit_folder(aligned_job(photos, tmp_path / "out", masks=tmp_path / "black.png"))
    for row in rows(tmp_path / "out").values():
        assert (row["status"], row["reason"]) == ("unchanged", "masked")
        assert [list(one) for one in row["after"]] == [list(one) for one in row["before"]]
        assert list(row["reached"]) == [False]


@pytest.mark.slow
def test_a_face_counts_as_it_finally_is_under_the_edit_of_another(tmp_path):
    (tmp_path / "p").mkdir()
    picture = photographs.pixels(500, 600)
    (tmp_path / "p/a.png").write_bytes(photographs.encoded(Image.fromarray(picture), "PNG"))
    square = np.array(photographs.LANDMARKS).reshape(5, 2)
    points = [square * 300 + (100, 100), square * 120 + (135, 95)]
    lines = [f"a.png,{','.join(map(str, one.ravel()))}" for one in points]
    (tmp_path / "l.csv").write_text("\n".join(["file," + ",".join(COLUMNS), *lines]) + "\n")
    options = Options(spec=SPEC, faces="all", away=0.0)
    job = dataclasses.replace(
        aligned_job(tmp_path / "p", tmp_path / "out", landmarks=tmp_path / "l.csv"), options=options
    )
    edit_folder(job)
    row = rows(job.out)["a.png"]
    assert row["faces"] == 2
    found = [one.reshape(5, 2) for one in row["landmarks"]]
    after, _ = seen((job.out / "a.png").read_bytes(), options, found)
    np.testing.assert_array_equal([list(one) for one in row["after"]], np.float32(after))
    alone = photographs.editor()
    crop = alone.face_crops(Photo(picture, "RGB", "PNG"), options, found)[:1]
    assert alone.all_edits(crop, alone.parse(SPEC), options)[0].after[0] != pytest.approx(after[0][0], abs=1e-3)


@pytest.mark.slow
def test_what_is_seen_depends_on_no_other_photo_and_no_number_of_workers(tmp_path):
    (tmp_path / "p").mkdir()
    for seed in range(20):
        data = photographs.encoded(Image.fromarray(photographs.pixels(seed=seed)), "PNG")
        (tmp_path / f"p/{seed}.png").write_bytes(data)
    edit_folder(aligned_job(tmp_path / "p", tmp_path / "one"))
    for seed in range(17):
        (tmp_path / f"p/{seed}.png").unlink()
    edit_folder(dataclasses.replace(aligned_job(tmp_path / "p", tmp_path / "three"), workers=1))
    many, few = rows(tmp_path / "one"), rows(tmp_path / "three")
    assert all(many[name]["after"][0][0] == few[name]["after"][0][0] for name in few)
