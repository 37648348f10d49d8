"""What a job reads is opened once in a process, and its keys tell results and faces apart."""

from collections import Counter

import pytest
from PIL import Image

from facet.photos.folder import open_job
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.run import edit_folder
from tests.support.photo_jobs import aligned_job

pytestmark = pytest.mark.usefixtures("linear_editor")


def test_a_job_opens_its_listing_manifest_masks_and_landmarks_once(photos, tmp_path, monkeypatch):
    opened = Counter()

    def counting(name, opening):
        def count(*args):
            opened[name] += 1
            return opening(*args)

        return count

    for name in ("listing", "ManifestReader", "Masks", "read_landmarks"):
        monkeypatch.setattr(open_job, name, counting(name, getattr(open_job, name)))
    Image.new("L", (178, 218), 255).save(tmp_path / "white.png")
    names = [
        f"{point}_{axis}" for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
    ]
    (tmp_path / "l.csv").write_text(",".join(["file", *names]) + "\na.jpg" + ",9" * 10)
    edit_folder(aligned_job(photos, tmp_path / "out", masks=tmp_path / "white.png", landmarks=tmp_path / "l.csv"))
    assert opened == {"listing": 1, "ManifestReader": 1, "Masks": 1, "read_landmarks": 1}


def test_another_spec_changes_the_key_of_a_result_and_not_that_of_its_faces(photos, tmp_path):
    smiling, spelled, serious = (
        OpenJob(aligned_job(photos, tmp_path / "out", spec=spec))
        for spec in ("Smiling=on", " Smiling = ON", "Smiling=off")
    )
    assert smiling.result_key("0", b"", b"") == spelled.result_key("0", b"", b"") != serious.result_key("0", b"", b"")
    assert smiling.faces_key("0", b"") == serious.faces_key("0", b"") != serious.faces_key("1", b"")
