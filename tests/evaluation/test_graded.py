"""Real-valued entries of a description, with a decoder and a judge whose every answer is known."""

import dataclasses
import json
import types

import numpy as np
import pytest
import torch
from PIL import Image

from facet.evaluation import exam as exams
from facet.evaluation import graded
from facet.metrics.intervals import share
from stages import evaluate
from tests.support import evaluated
from tests.support.linear_system import LinearSystem

NAMES = ("Age", "Male", "Smile")  # Male has two states
SIZE = 6


class Painter:
    """Decodes (a face's number, the description) to a picture whose row k is as bright as entry k says; on faces of an
    odd number Smile shows in Age's row as well; `stubborn` faces show nothing of Smile."""

    z_dim, y_dim, attributes, channels = 1, 3, NAMES, 1

    def __init__(self, *, stubborn=()):
        self.stubborn = torch.tensor([float(face) for face in stubborn])

    def decode(self, latent):
        face, shown = latent[:, 0], latent[:, 1:].clone()
        shown[:, 0] += torch.where(face % 2 == 1, 0.25 * shown[:, 2], 0)
        shown[torch.isin(face, self.stubborn), 2] = 0.0
        return shown[:, None, :, None].expand(-1, 1, -1, SIZE).repeat_interleave(2, 2)


class Reader:
    attributes, judged = NAMES, (True, True, True)

    def logits(self, x):
        return 2 * x[:, 0, ::2, 0].clamp(-0.999, 0.999).atanh()


def an_exam(count=20, *, judged=(True, True, True), y_dim=3, unknown=(), **painter):
    """Faces 0..count - 1 with values spread over [-1, 1], judged exactly."""
    paint, reader = Painter(**painter), Reader()
    reader.judged, paint.y_dim = judged, y_dim
    spread = np.linspace(-0.9, 0.9, count, dtype=np.float32)
    values = np.stack([spread, np.where(np.arange(count) % 3, 1, -1), spread[::-1]], 1).astype(np.float32)
    latents = torch.cat([torch.arange(count)[:, None].float(), torch.from_numpy(values)], 1)
    x = Painter().decode(latents)
    people = np.arange(count)
    known = values.copy()
    known[list(unknown), 2] = 0

    def batches(faces):
        for start in range(0, len(faces), 7):
            part = slice(start, min(start + 7, len(faces)))
            yield part, x[faces[part]], latents[faces[part]]

    return types.SimpleNamespace(
        editor=types.SimpleNamespace(system=paint, decode=paint.decode), judge=reader, rows=np.arange(count),
        values=known, ranges={"Age": (40.0, 80.0), "Smile": (0.0, 1.0)}, logits=reader.logits(x).numpy(),
        people=people, column=NAMES.index, batches=batches, seed=1, resamples=50,
        means=lambda faces, columns: exams.means(columns, people[faces], seed=1, resamples=50),
        share=lambda faces, flags: share(flags, people[faces]),
    )  # fmt: skip


def summary(exam, count=20):
    return {row["attribute"]: row for row in graded.summary_rows(exam, graded.sweeps(exam, count))}


def test_a_perfect_painter_moves_every_value_where_it_is_set():
    exam = an_exam()
    swept = graded.sweeps(exam, 20)
    assert [sweep.attribute for sweep in swept] == ["Age", "Smile"]  # Male is no real number
    smile = swept[1].judged
    np.testing.assert_allclose(smile, np.broadcast_to(graded.VALUES * 0.999, smile.shape), atol=2e-3)
    row = summary(exam)["Smile"]
    for name in ("spearman", "monotone", "rising"):
        assert row[name]["value"] == pytest.approx(1), name
    assert row["range"]["value"] == pytest.approx(2, abs=0.01)
    assert row["mean_monotone"]
    assert row["faces"] == 20


def test_a_face_on_which_nothing_moves_counts_against_rising_and_order_but_never_falls():
    row = summary(an_exam(stubborn=range(5)))["Smile"]
    assert row["spearman"]["value"] == row["rising"]["value"] == pytest.approx(0.75)
    assert row["monotone"]["value"] == 1
    assert row["range"]["value"] == pytest.approx(1.5, abs=0.01)


def test_the_floor_tells_what_other_entries_do_to_the_value():
    """Half the faces show Smile in Age's row; a face's other entry is Smile for about half of them."""
    rows = summary(an_exam(200), 200)
    assert rows["Age"]["floor_spearman"]["value"] == pytest.approx(0.25, abs=0.1)
    assert rows["Age"]["floor_rising"]["value"] == pytest.approx(0.25, abs=0.1)
    assert 0.05 < rows["Age"]["floor_range"]["value"] < 0.3
    assert rows["Smile"]["floor_range"]["value"] == 0  # nothing else shows there


def test_the_range_of_photos_is_that_of_photos_at_the_ends():
    exam = an_exam(40)
    ends = np.abs(exam.values[:, 2]) > 5 / 6
    assert summary(exam)["Smile"]["range_photos"]["value"] == pytest.approx(
        2 * np.abs(exam.values[ends, 2]).mean(), abs=0.01
    )
    exam.values[:, 2] = 0.1  # no photo there
    assert summary(exam)["Smile"]["range_photos"]["value"] is None


def test_rows_follow_the_values_from_end_to_end():
    exam = an_exam()
    rows = [row for row in graded.graded_rows(exam, graded.sweeps(exam, 20)) if row["attribute"] == "Age"]
    assert [row["value"] for row in rows] == pytest.approx(np.linspace(-1, 1, 7), abs=1e-5)
    judged = [row["judged"]["value"] for row in rows]
    assert judged == sorted(judged)
    assert all(row["judged"]["low"] <= row["judged"]["value"] <= row["judged"]["high"] for row in rows)
    assert np.ptp([row["floor"]["value"] for row in rows]) < 0.5 * np.ptp(judged)


def test_faces_whose_value_is_unknown_are_not_moved():
    swept = {sweep.attribute: sweep.faces for sweep in graded.sweeps(an_exam(unknown=range(8)), 20)}
    assert swept["Smile"].tolist() == list(range(8, 20))
    assert len(swept["Age"]) == 20


def test_what_the_judges_cannot_see_and_systems_without_a_description_are_left_out():
    assert [sweep.attribute for sweep in graded.sweeps(an_exam(judged=(False, True, True)), 20)] == ["Smile"]
    assert graded.sweeps(an_exam(y_dim=0), 20) == []
    two_states = an_exam()
    two_states.ranges = {}
    assert graded.sweeps(two_states, 20) == []


def test_an_entry_without_others_has_no_floor():
    exam = an_exam(y_dim=1)
    exam.ranges = {"Age": (40.0, 80.0)}
    assert summary(exam)["Age"]["floor_spearman"]["value"] is None
    assert graded.graded_rows(exam, graded.sweeps(exam, 20))[0]["floor"]["n"] == 0


def test_sheets_show_the_photo_and_every_value():
    exam = an_exam()
    sheets = graded.graded_sheets(exam, graded.sweeps(exam, 20))
    assert set(sheets) == {"graded_age", "graded_smile"}
    pixels = np.asarray(sheets["graded_age"])
    assert pixels.shape[0] > graded.SHOWN * 2 * SIZE
    shades = [shade for shade in np.unique(pixels) if (pixels == shade).sum() > 50]
    assert len(shades) > 4


@pytest.mark.slow
def test_the_stage_reports_real_valued_attributes_of_a_described_system_and_nothing_of_others(tmp_path):
    with evaluated.linear(tmp_path, system=evaluated.DescribedSystem, real="Smiling") as params:
        evaluate.run(dataclasses.replace(params, bootstrap=20))
    report = json.loads(params.metrics.read_text())
    (row,) = report["graded_summary"]
    assert row["attribute"] == "Smiling"
    assert row["faces"] == 20
    assert row["spearman"]["value"] == row["rising"]["value"] == 1
    assert row["range"]["value"] > 10 * abs(row["floor_range"]["value"])
    assert len(report["graded"]) == 7
    assert (params.plots / "graded.csv").exists()
    with Image.open(params.exhibits / "graded_smiling.png") as sheet:
        assert sheet.height > graded.SHOWN * 2 * LinearSystem.size
