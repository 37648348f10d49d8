"""Edits at equal success: what never gets there is counted, not dropped."""

import types

import numpy as np
import pytest

from facet.evaluation import matched
from facet.metrics.success import Case, Outcome

STRENGTHS = (1.0, 2.0)
CURVES = {  # attribute -> success and side effects at strengths 1 and 2
    "Easy": ((1.0, 1.0), (0.1, 0.3)),  # 80 % at a strength of .8
    "Hard": ((0.2, 0.5), (0.2, 0.6)),
}
FACES, EACH = 100, 4  # faces of a case, and photos of a person


@pytest.fixture
def exam():
    """At each strength CURVES' share of the faces succeeds, whatever the logits."""
    order = np.random.default_rng(0).permutation(FACES)

    def outcome(case, _):
        shares = [(0.0, 0.0), *zip(*CURVES[case.attribute], strict=True)]
        return Outcome(
            np.stack([order < success * FACES for success, _ in shares]),
            np.stack([np.full(FACES, flips) for _, flips in shares]),
        )

    return types.SimpleNamespace(
        logits=np.zeros((FACES, 1)), people=np.arange(FACES) // EACH, seed=1, resamples=200, outcome=outcome
    )


@pytest.fixture
def cases():
    return [
        types.SimpleNamespace(
            case=Case(name, True, np.arange(FACES)),
            trials={f"x{strength:g}": types.SimpleNamespace(y=np.zeros((FACES, 1))) for strength in STRENGTHS},
            factors={f"x{strength:g}": strength for strength in STRENGTHS},
        )
        for name in CURVES
    ]


def test_a_case_that_never_reaches_80_percent_counts_at_its_strongest_edit(exam, cases):
    numbers = matched.means(exam, cases)
    easy, hard = 0.1 * 0.8, 0.6
    assert numbers["flips_matched"].value == pytest.approx((easy + hard) / 2)
    assert numbers["unmatched"].value == 0.5
    assert numbers["unmatched"].n == 2 * FACES
    alone = matched.means(exam, cases[:1])
    assert alone["flips_matched"].value == pytest.approx(easy)
    assert alone["unmatched"].value == 0


def test_rows_say_which_case_never_gets_there_and_how_far_it_got(exam, cases):
    easy, hard = matched.matched_rows(exam, cases)
    assert (easy["reaches"], hard["reaches"]) == (True, False)
    assert easy["preservation"]["value"] == pytest.approx(0.92)
    assert hard["preservation"]["value"] is None
    assert hard["success_strongest"]["value"] == 0.5
    assert hard["preservation_strongest"]["value"] == pytest.approx(0.4)


def test_a_curve_near_80_percent_is_in_doubt_by_people(exam, cases, monkeypatch):
    monkeypatch.setitem(CURVES, "Easy", ((0.7, 0.8), (0.1, 0.3)))
    numbers = matched.means(exam, cases[:1])
    assert (numbers["unmatched"].value, numbers["unmatched"].low, numbers["unmatched"].high) == (0, 0, 1)
    assert numbers["flips_matched"].low < 0.3 == pytest.approx(numbers["flips_matched"].high)


def test_without_cases_nothing_is_defined(exam):
    assert matched.means(exam, [])["flips_matched"].to_json()["value"] is None


@pytest.mark.parametrize(
    ("success", "expected"), [((0.0, 0.4, 1.0), (0.5 / 3, True)), ((0.0, 0.4, 0.7), (0.25, False))]
)
def test_side_effects_are_read_at_equal_success_or_at_the_end(success, expected):
    strengths, flips = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 0.25])
    assert matched.at_equal_success(strengths, np.array(success), flips) == pytest.approx(expected)
