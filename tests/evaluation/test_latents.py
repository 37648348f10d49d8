"""Interpolations, exchanged descriptions and what encoders read, on systems whose every answer is known: the first
regions of a linear system's pictures (linear_system.py) become its description, the others its z."""

import types

import numpy as np
import pytest
import torch

from facet.base import images
from facet.base.tables import read_faces
from facet.evaluation import descriptions, interpolations, swaps
from facet.evaluation.exam import Exam
from facet.metrics.intervals import Estimate, bootstrap_mean, share
from tests.support import evaluated
from tests.support.linear_system import ATTRIBUTES, DIMS, SIZE, LinearSystem, faces

K = len(ATTRIBUTES)


class Described(LinearSystem):
    """A latent is z, then y; `deaf` decodes what it encoded whatever y says."""

    z_dim, y_dim = DIMS, K

    def __init__(self, deaf=False):
        self.deaf = deaf

    def encode(self, x):
        z = super().encode(x)
        return torch.cat([z, z[:, :K].clamp(-1, 1)], dim=1)

    def decode(self, latent):
        z, y = latent.split([DIMS, K], dim=1)
        return super().decode(z if self.deaf else torch.cat([y, z[:, K:]], dim=1))


def exam_of(folder, system):
    """The linear system's test faces, judged by a judge that sees the regions of the attributes."""
    if not folder.exists():
        faces(folder, count=800)
    table, pixels, judge = read_faces(folder), images.open_images(folder), evaluated.FullJudge()
    rows = table.rows("test")
    x = images.gather(pixels, rows)
    editor = types.SimpleNamespace(
        system=system, encode=system.encode, decode=system.decode, device=torch.device("cpu"), precision="fp32"
    )
    return Exam(
        editor=editor, judge=judge, other=judge, pixels=pixels, rows=rows, labels=table.labels()[rows],
        values=table.descriptions()[rows], ranges={}, people=rows,
        latents=system.encode(x), logits=judge.logits(x).numpy(), reasons=dict.fromkeys(ATTRIBUTES, ""), shuffled={},
        mode="decode", batch_size=64, seed=0, resamples=50,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("latents") / "prepared"


def test_pairs_are_faces_that_occur_once(folder):
    exam = exam_of(folder, LinearSystem())
    first, second = exam.pairs(30)
    assert len(first) == len(second) == 30
    assert len({*first.tolist(), *second.tolist()}) == 60
    everyone = exam.pairs(10_000)
    assert len(everyone[0]) == len(exam.rows) // 2


def test_who_gets_another_s_description_looks_as_described_and_keeps_what_both_have(folder):
    rows = {row["attribute"]: row for row in swaps.swap_rows(exam_of(folder, Described()), 100)}
    assert set(rows) == {"all", *ATTRIBUTES}
    for row in rows.values():
        assert row["swapped"]["value"] > 0.95
        assert row["swapped_reconstruction"]["value"] < 0.05
        assert row["kept"]["value"] > 0.95
        assert row["swapped"]["low"] < row["swapped"]["high"]  # even where all agree
    assert rows["all"]["swapped"]["n"] > 150


def test_a_system_that_does_not_listen_gives_its_reconstruction(folder):
    row = swaps.swap_rows(exam_of(folder, Described(deaf=True)), 100)[0]
    assert row["swapped"] == row["swapped_reconstruction"]
    assert row["swapped"]["value"] < 0.05
    assert row["kept"] == row["kept_reconstruction"]


def test_only_attributes_that_the_judge_read_right_on_both_photos_count(folder):
    exam = exam_of(folder, Described())
    whole = swaps.swap_rows(exam, 100)[1]
    exam.logits[:, 0] *= -1  # wrong about nearly everybody
    assert swaps.swap_rows(exam, 100)[1]["swapped"]["n"] < 0.1 * whole["swapped"]["n"]


def test_a_share_that_no_resample_can_vary_still_leaves_doubt(folder):
    found = swaps._with_width(Estimate(0.0, 0.0, 0.0, 40), people=20)
    assert (found.value, found.low, found.n) == (0.0, 0.0, 40)
    assert found.high == pytest.approx(1.96**2 / (20 + 1.96**2), abs=1e-4)


def test_systems_without_a_description_have_none_of_this(folder):
    exam = exam_of(folder, LinearSystem())
    assert swaps.swap_rows(exam, 10) == descriptions.description_rows(exam) == []
    assert swaps.swap_sheets(exam) == descriptions.description_sheets(exam, np.zeros((3, 0))) == {}


def reading(entries, labels):
    """An exam of one attribute with these entries and labels."""
    system = types.SimpleNamespace(z_dim=1, y_dim=1, attributes=("A",))
    return types.SimpleNamespace(
        editor=types.SimpleNamespace(system=system),
        judge=types.SimpleNamespace(attributes=("B", "A")),
        column=("B", "A").index,
        labels=np.stack([np.ones(len(labels), np.int8), np.array(labels, np.int8)], 1),
        latents=torch.stack([torch.full((len(entries),), 9.0), torch.tensor(entries)], 1),
        means=lambda faces, columns: {name: bootstrap_mean(values, seed=1) for name, values in columns.items()},
        share=lambda faces, flags: share(flags, faces),
        people=np.arange(len(labels)),
    )


def test_what_the_encoder_reads_is_right_where_the_sign_is_the_label_s():
    exam = reading([0.5, -0.2, 0.9, -1.0, 1.0], [1, 1, 1, -1, 0])
    (row,) = descriptions.description_rows(exam)
    assert row["attribute"] == "A"
    assert (row["accuracy"]["value"], row["accuracy"]["n"]) == (0.75, 4)
    assert row["majority"]["value"] == 0.75  # `present`, of the four that are known
    assert row["above"]["value"] == 0
    assert row["balanced_accuracy"]["value"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-5)


def test_the_floor_is_the_commoner_label_whichever_that_is():
    (row,) = descriptions.description_rows(reading([0.5, -0.2, -0.9, -1.0, -1.0], [1, -1, -1, -1, -1]))
    assert row["accuracy"]["value"] == 1
    assert row["majority"]["value"] == 0.8
    assert row["above"]["value"] == pytest.approx(0.2)


def test_turning_an_attribute_on_turns_its_rivals_off_and_male_to_the_other_state():
    system = types.SimpleNamespace(z_dim=1, attributes=("Black_Hair", "Blond_Hair", "Smiling", "Male"))
    exam = types.SimpleNamespace(editor=types.SimpleNamespace(system=system))
    latent = torch.tensor([[7.0, 0.8, -0.6, 0.3, 0.4], [7.0, -1.0, 1.0, -1.0, -0.2]])
    blond = descriptions.switched(exam, latent, "Blond_Hair")
    expected = torch.tensor([[7.0, -1.0, 1.0, 0.3, 0.4], [7.0, -1.0, 1.0, -1.0, -0.2]])
    torch.testing.assert_close(blond, expected, rtol=0, atol=0)
    assert descriptions.switched(exam, latent, "Male")[:, 4].tolist() == [-1.0, 1.0]
    assert latent[0, 1] == pytest.approx(0.8)  # the latents given stay


def test_the_paper_s_attributes_come_first_and_eighteen_have_a_column():
    many = (*(f"Other_{i}" for i in range(20)), "Smiling", "Bangs")
    assert descriptions.columns_of(many)[:3] == ["Bangs", "Smiling", "Other_0"]
    assert len(descriptions.columns_of(many)) == 18


def test_generated_faces_have_one_z_a_row_and_a_training_description(folder):
    exam = exam_of(folder, Described())
    known = np.array([[1, -1, 1, -1], [-1, 1, -1, 1]], np.int8)
    drawn = descriptions.drawn_latents(exam, known)
    assert {tuple(row) for row in drawn[:, DIMS:].tolist()} == {tuple(row) for row in known.tolist()}
    assert drawn[:, :DIMS].std() == pytest.approx(1, abs=0.3)
    assert torch.equal(descriptions.drawn_latents(exam, known), drawn)


def columns_in(sheet, size):
    """How many pictures lie side by side, from a sheet's width (16 pixels of margin, 4 between pictures)."""
    return (sheet.width - 2 * 16 + 4) / (size + 4)


def test_sheets_have_a_column_for_the_photo_the_reconstruction_and_every_attribute(folder):
    exam = exam_of(folder, Described())
    found = descriptions.description_sheets(exam, np.ones((3, K), np.int8)) | swaps.swap_sheets(exam)
    assert set(found) == {"variations", "generated", "swap"}
    assert columns_in(found["variations"], 64) == 2 + K
    assert columns_in(found["swap"], 128) == 6


def test_digits_have_sheets_of_their_own(folder, monkeypatch):
    monkeypatch.setattr(descriptions, "groups", lambda exam: ["Digit"])
    assert descriptions.description_sheets(exam_of(folder, Described()), np.ones((3, K), np.int8)) == {}


def test_interpolations_are_straight_in_z_and_y_and_end_at_the_reconstructions(folder):
    exam = exam_of(folder, Described())
    x = images.gather(exam.pixels, exam.rows[:4])
    a, b = x[:2], x[2:]
    between = interpolations.latents_between(exam, a, b)
    assert len(between) == 7
    start, end = exam.editor.encode(a), exam.editor.encode(b)
    torch.testing.assert_close(between[0], start)
    torch.testing.assert_close(between[3], (start + end) / 2)
    torch.testing.assert_close(between[6], end)


def test_a_system_s_own_way_to_interpolate_comes_first(folder):
    class Curved(LinearSystem):
        def interpolate(self, start, end, share):
            return torch.full((len(start), DIMS), share)

    exam = exam_of(folder, Curved())
    x = images.gather(exam.pixels, exam.rows[:2])
    assert [float(z[0, 0]) for z in interpolations.latents_between(exam, x, x)] == pytest.approx(
        [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1]
    )


def test_the_figure_of_ian_s_code_has_samples_above_interpolations(folder):
    class Named(LinearSystem):
        name = "ian"

    def prior(first, count):
        return torch.ones(count, 3, SIZE, SIZE)  # white

    exam = exam_of(folder, LinearSystem())
    assert set(interpolations.interpolation_sheets(exam, prior)) == {"interpolation"}
    exam = exam_of(folder, Named())
    assert set(interpolations.interpolation_sheets(exam, None)) == {"interpolation"}
    sheets = interpolations.interpolation_sheets(exam, prior)
    pixels = np.asarray(sheets["ian_figure"])
    bottom, right, step = pixels.shape[0] - 16, pixels.shape[1] - 16, 132
    centres = [[pixels[bottom - 64 - i * step, right - 64 - j * step].min() for j in range(9)] for i in range(6)]
    assert np.all(np.array(centres[3:]) == 255)  # the upper three rows, seen from below
    assert np.all(np.array(centres[:3]) < 255)
    assert columns_in(sheets["interpolation"], 128) == 9
