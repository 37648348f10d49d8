"""Rows of the report: estimates as JSON and as columns of a table."""

from facet.evaluation.rows import estimate_json, exact_estimate, flat_row, six_digits
from facet.metrics.intervals import UNDEFINED, Estimate


def test_numbers_have_six_significant_digits_and_undefined_ones_are_null():
    assert estimate_json(Estimate(1 / 3, 0.1234567, 1234567.8, 7)) == {
        "value": 0.333333, "low": 0.123457, "high": 1234570.0, "n": 7
    }  # fmt: skip
    assert estimate_json(UNDEFINED) == {"value": None, "low": None, "high": None, "n": 0}
    assert six_digits(12345678) == 12345678  # a count stays exact


def test_an_estimate_becomes_four_columns_of_a_table():
    row = {"attribute": "Smiling", "success": estimate_json(exact_estimate(0.5, 20))}
    assert flat_row(row) == {
        "attribute": "Smiling", "success": 0.5, "success_low": 0.5, "success_high": 0.5, "success_n": 20
    }  # fmt: skip
