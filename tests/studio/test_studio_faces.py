"""A photo of two people in the studio: every face is found, one is chosen, and the command gives the same bytes."""

import numpy as np
import pytest
from PIL import Image

from facet.photos import scenes
from facet.photos.folder.job import Job
from facet.photos.folder.run import edit_folder
from facet.photos.options import Options
from tests.support import photo_jobs, photographs, studio

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data():
    people = [scenes.compose(5, index, (500, 500), (250, 300)).pixels for index in (0, 1)]
    return photographs.encoded(Image.fromarray(np.hstack(people)), "JPEG", quality=92)


def command(data, folder, spec, landmarks=None, **options):
    """The bytes that `facet edit` writes."""
    (folder / "photos").mkdir()
    (folder / "photos" / "two.jpg").write_bytes(data)
    given = None
    if landmarks is not None:
        given = folder / "landmarks.csv"
        given.write_text(landmarks)
    fixed = {"model": photo_jobs.Path("m"), "attributes": None, "judges": None, "workers": 1}
    job = Job(
        photos=folder / "photos", out=folder / "out", options=Options(spec=spec, **options), landmarks=given, **fixed
    )
    edit_folder(job, sheet=0)
    return (folder / "out" / "two.jpg").read_bytes()


@pytest.fixture
def two(data):
    page = studio.client()
    return page, studio.uploaded(page, data, "two.jpg")["id"]


SPEC = {"spec": "Smiling=+2", "aligned": False, "mode": "decode"}


def test_both_faces_are_shown_and_the_spec_edits_those_that_are_chosen(two):
    page, photo = two
    for faces, chosen in (("largest", [True, False]), ("all", [True, True]), (1, [False, True])):
        shown = studio.shown(page, photo, SPEC | {"faces": faces, "face": 1})
        assert [face["chosen"] for face in shown["faces"]] == chosen
        assert shown["looked"]["moved"] == chosen[1]


@pytest.mark.parametrize("faces", ["largest", "all"])
def test_the_command_gives_the_same_bytes(faces, two, data, tmp_path):
    page, photo = two
    saved, outcome = studio.saved(page, photo, SPEC | {"faces": faces})
    assert outcome["status"] == "edited"
    assert saved == command(data, tmp_path, "Smiling=+2", mode="decode", faces=faces)


def test_a_chosen_face_is_given_to_the_command_by_its_landmarks(two, data, tmp_path):
    page, photo = two
    state = SPEC | {"faces": 1, "face": 1}
    taken = studio.asked(page, photo, "taken", state).json()
    assert taken["command"].endswith("--mode decode --landmarks landmarks.csv")
    saved, outcome = studio.saved(page, photo, state)
    assert outcome["status"] == "edited"
    assert saved == command(data, tmp_path, "Smiling=+2", taken["landmarks"], mode="decode")


def test_strokes_stay_on_their_face(two, data):
    page, photo = two
    shown = studio.shown(page, photo, {"aligned": False})
    middle = shown["faces"][1]["box"][0] > 500
    saved, _ = studio.saved(
        page, photo, {"aligned": False, "mode": "decode", "strokes": {"1": [{"latent": {"5": 1.4}}]}}
    )
    changed = np.abs(_pixels(saved).astype(int) - _pixels(data)).max(2) > 30
    left, right = changed[:, :500].sum(), changed[:, 500:].sum()
    assert (right > 1000 and left == 0) if middle else (left > 1000 and right == 0)


def test_a_face_that_is_not_there_is_told(two):
    page, photo = two
    for verb in ("save", "taken"):
        answer = studio.asked(page, photo, verb, SPEC | {"faces": 7})
        assert (answer.status_code, "shows 2" in answer.json()["error"]) == (400, True)


def _pixels(data: bytes) -> np.ndarray:
    import io

    return np.asarray(Image.open(io.BytesIO(data)))
