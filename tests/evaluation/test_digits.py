"""The papers' experiments on digits, with a decoder and a judge whose every answer is known."""

import types

import numpy as np
import pytest
import torch

from facet.evaluation import digits
from facet.metrics.intervals import share

NAMES = tuple(f"{place}_{digit}" for place in ("Left", "Right") for digit in range(10))
SIZE = 20


def drawn(left: int, right: int) -> torch.Tensor:
    """A canvas (1, 20, 20): in either half a bright dot in the row of its digit."""
    x = torch.full((1, SIZE, SIZE), -1.0)
    x[0, left, 5] = 1
    x[0, 10 + right if right < 10 else 10, 15] = 1
    return x


class Writer:
    """Decodes a description to the canvas it describes; `stubborn` leaves the left digit of faces numbered so."""

    z_dim, y_dim, attributes, channels = 1, 20, NAMES, 1

    def __init__(self, stubborn=()):
        self.stubborn = set(stubborn)

    def decode(self, latent):
        pictures = []
        for row in latent:
            left, right = int(row[1:11].argmax()), int(row[11:].argmax())
            if int(row[0]) in self.stubborn:
                left = int(row[0]) % 10
            pictures.append(drawn(left, right))
        return torch.stack(pictures)


class Reader:
    attributes = NAMES

    def logits(self, x):
        left, right = x[:, 0, :10, 5], x[:, 0, 10:, 15]
        return torch.cat([10 * left, 10 * right], 1)


def exam(count=40, stubborn=()):
    rng = np.random.default_rng(0)
    shown = np.stack([np.arange(count) % 10, rng.integers(10, size=count)], 1)
    labels = np.full((count, 20), -1, np.int8)
    labels[np.arange(count), shown[:, 0]] = 1
    labels[np.arange(count), 10 + shown[:, 1]] = 1
    writer, reader = Writer(stubborn), Reader()
    latents = torch.cat([torch.arange(count)[:, None].float(), torch.from_numpy(labels).float()], 1)
    x = Writer().decode(latents)

    def batches(faces):
        for start in range(0, len(faces), 16):
            part = slice(start, min(start + 16, len(faces)))
            yield part, x[faces[part]], latents[faces[part]]

    return types.SimpleNamespace(
        editor=types.SimpleNamespace(system=writer, decode=writer.decode), judge=reader, rows=np.arange(count),
        labels=labels, logits=reader.logits(x).numpy(), column=NAMES.index, batches=batches,
        share=lambda faces, flags: share(flags, faces),
    )  # fmt: skip


def test_a_perfect_writer_changes_its_digit_and_leaves_the_other():
    rows = digits.digit_rows(exam())
    whole = {row["place"]: row for row in rows if row["source"] == "all"}
    assert set(whole) == {"Left", "Right"}
    for row in whole.values():
        for name in ("clearly", "correct", "other_kept", "judge_on_photo"):
            assert row[name]["value"] == 1, name
        assert row["correct"]["n"] == 40


def test_a_place_is_kept_where_the_light_stays_near():
    """The writer's dot goes one row down for the next digit, and from nine to nought nine rows up."""
    rows = digits.digit_rows(exam())
    for place in ("Left", "Right"):
        by_source = {row["source"]: row for row in rows if row["place"] == place}
        for name in ("place_kept", "changed_place_kept"):
            assert [by_source[source][name]["value"] for source in ("8", "9")] == [1, 0]
        assert by_source["9"]["other_place_kept"]["value"] == 1
    assert next(row["place_kept"]["value"] for row in rows) == 0.9


def test_a_digit_that_takes_the_other_along_is_seen_in_the_other_half():
    class Dragging(Writer):
        def decode(self, latent):
            pictures = super().decode(latent)
            for row, picture in zip(latent, pictures, strict=True):
                if int(row[1:11].argmax()) == 5:  # its edits begin at four
                    picture[..., 10:] = picture[..., 10:].roll(5, dims=1)
            return pictures

    one = exam()
    one.editor.decode = Dragging().decode
    row = next(row for row in digits.digit_rows(one) if (row["place"], row["source"]) == ("Left", "4"))
    kept = [row[name]["value"] for name in ("changed_place_kept", "other_place_kept", "place_kept")]
    assert kept == [1, 0, 0]


def test_a_digit_that_stays_is_counted_under_the_digit_that_was_shown():
    rows = digits.digit_rows(exam(stubborn=(3, 13)))  # two of the four threes
    by_source = {row["source"]: row["correct"]["value"] for row in rows if row["place"] == "Left"}
    assert by_source["3"] == 0.5
    assert by_source["4"] == 1
    assert by_source["all"] == pytest.approx(38 / 40)


def test_faces_have_no_digits():
    one = exam()
    one.judge = types.SimpleNamespace(attributes=("Smiling",))
    assert digits.digit_rows(one) == []
    assert digits.digit_sheets(one) == {}


def test_the_centre_of_mass_moves_as_the_light_does():
    before, after = torch.full((1, 1, 8, 8), -1.0), torch.full((1, 1, 8, 8), -1.0)
    before[0, 0, 2, 2] = after[0, 0, 5, 6] = 1.0
    assert digits.centre_shift(before, after).tolist() == pytest.approx([5.0])
    assert digits.centre_shift(before, before).tolist() == [0.0]


def test_sheets_show_the_next_digit_and_every_digit():
    assert set(digits.digit_sheets(exam())) == {
        "add_one_left", "add_one_right", "every_digit_left", "every_digit_right"
    }  # fmt: skip
