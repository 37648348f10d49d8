"""The judges' card."""

import json
from pathlib import Path

import numpy as np

from facet.judges.card import digits_card

LEFT_AND_RIGHT = tuple(f"{place}_{digit}" for place in ("Left", "Right") for digit in range(10))


def test_the_card_tells_how_often_each_judge_names_the_digit_of_each_place():
    truth = np.full((10, 20), -1)
    truth[np.arange(10), np.arange(10)] = truth[np.arange(10), 10 + np.arange(10)] = 1
    blind = truth.astype(float)
    blind[:5, 10:] = np.eye(10)[9]  # takes the first five digits on the right for nines
    card = digits_card({"a": blind, "b": truth.astype(float)}, truth, LEFT_AND_RIGHT)["digits"]
    assert {(place, which): card[place][which]["value"] for place in card for which in ("a", "b")} == {
        ("Left", "a"): 1, ("Left", "b"): 1, ("Right", "a"): 0.5, ("Right", "b"): 1
    }  # fmt: skip
    assert card["Left"]["b"]["low"] < 1


def test_the_card_of_faces_or_of_nine_digits_has_no_line_of_digits(trained: Path):
    assert "digits" not in json.loads((trained / "judges.json").read_text())
    assert digits_card({}, np.zeros((1, 9)), LEFT_AND_RIGHT[:9]) == {}
