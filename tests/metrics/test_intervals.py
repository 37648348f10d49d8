"""Intervals, by hand where a hand can."""

import json
import math

import numpy as np
import pytest

from facet.metrics import intervals
from facet.metrics.intervals import Estimate


def test_wilson_of_8_in_10_is_the_textbook_interval():
    estimate = intervals.wilson(8, 10)
    assert estimate.value == 0.8
    # z = 1.96: centre (0.8 + 0.192) / 1.384 = 0.7167, half 0.2266
    assert (estimate.low, estimate.high) == pytest.approx((0.4901, 0.9433), abs=1e-4)


def test_wilson_of_all_successes_still_leaves_doubt():
    estimate = intervals.wilson(20, 20)
    assert estimate.high == 1
    assert estimate.low == pytest.approx(20 / (20 + 1.96**2), abs=1e-4)


def test_a_share_of_one_photo_a_person_is_wilson_s():
    flags = np.arange(10) < 8
    assert intervals.share(flags) == intervals.wilson(8, 10)
    alone = intervals.share(flags, np.arange(10))
    assert (alone.low, alone.high, alone.n) == pytest.approx((0.4901, 0.9433, 10), abs=1e-4)


def test_ten_like_photos_of_each_person_make_a_share_no_surer():
    once = intervals.share(np.arange(10) < 8)
    copied = intervals.share(np.repeat(np.arange(10) < 8, 10), np.repeat(np.arange(10), 10))
    # the variance over people has 9 degrees of freedom, that of photos 99
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert copied.n == 100
    unlike = intervals.share(np.tile([True, True, True, False], 25), np.repeat(np.arange(25), 4))
    photos = intervals.wilson(75, 100)  # every person has the same share: people vary less than chance, never counted
    assert (unlike.low, unlike.high) == pytest.approx((photos.low, photos.high))


def test_a_share_of_one_still_leaves_doubt_by_people():
    assert intervals.share(np.ones(100, bool), np.arange(100) % 20) == Estimate(1, intervals.wilson(20, 20).low, 1, 100)


def test_nothing_observed_becomes_null_in_json():
    assert json.loads(json.dumps(intervals.wilson(0, 0).to_json(), allow_nan=False)) == {
        "value": None, "low": None, "high": None, "n": 0,
    }  # fmt: skip


def test_bootstrap_of_a_constant_has_no_width():
    assert intervals.bootstrap_mean(np.full(7, 2.5), seed=1) == Estimate(2.5, 2.5, 2.5, 7)


def test_bootstrap_interval_is_close_to_the_normal_one():
    values = np.random.default_rng(0).normal(3, 2, 400)
    estimate = intervals.bootstrap_mean(values, seed=1)
    half = 1.96 * values.std(ddof=1) / 20
    assert (estimate.low, estimate.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_copies_of_one_person_count_once_when_clusters_say_so():
    values = np.random.default_rng(0).normal(size=40)
    once = intervals.bootstrap_mean(values, seed=1)
    copied = np.repeat(values, 10)
    blind = intervals.bootstrap_mean(copied, seed=1)
    aware = intervals.bootstrap_mean(copied, seed=1, clusters=np.repeat(np.arange(40), 10))
    assert aware.high - aware.low == pytest.approx(once.high - once.low, rel=0.05)
    assert blind.high - blind.low < 0.5 * (once.high - once.low)


def test_equal_seeds_give_equal_intervals_and_other_seeds_do_not():
    values = np.random.default_rng(0).normal(size=50)
    assert intervals.bootstrap_mean(values, seed=1) == intervals.bootstrap_mean(values, seed=1)
    assert intervals.bootstrap_mean(values, seed=1) != intervals.bootstrap_mean(values, seed=2)


def test_pairing_removes_what_both_methods_share():
    shared = np.random.default_rng(0).normal(0, 10, 100)
    estimate = intervals.paired_difference(shared + 1, shared, seed=1)
    assert estimate.value == pytest.approx(1)
    assert estimate.low == pytest.approx(1)


def test_resampled_clusters_come_whole():
    clusters = np.array([5, 9, 5, 9, 9])
    for indices in intervals.resampled(5, seed=1, clusters=clusters, count=20):
        assert len(indices) in (4, 5, 6)
        drawn = clusters[indices]
        assert (drawn == 5).sum() % 2 == 0
        assert (drawn == 9).sum() % 3 == 0


def test_mean_of_independent_estimates_has_a_smaller_interval():
    joined = intervals.mean_of_independent([Estimate(0.8, 0.7, 0.9, 10), Estimate(0.6, 0.4, 0.7, 20)])
    assert joined.value == pytest.approx(0.7)
    assert joined.low == pytest.approx(0.7 - math.hypot(0.1, 0.2) / 2)
    assert joined.high == pytest.approx(0.7 + math.hypot(0.1, 0.1) / 2)
    assert joined.n == 30


def test_holm_stops_at_the_first_p_value_it_cannot_reject():
    # sorted .01 .04 .03 .005 against .05/4 .05/3 .05/2 .05: .005 and .01 pass, .03 > .025 stops
    assert intervals.holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == [True, False, False, True]


def test_holm_does_not_count_cells_that_were_not_tested():
    assert intervals.holm(np.array([[math.nan, 0.04], [math.nan, math.nan]])).tolist() == [
        [False, True],
        [False, False],
    ]


def test_a_table_s_interval_knows_of_the_spread_of_its_rows_and_of_its_columns():
    rng = np.random.default_rng(0)
    columns, rows = rng.normal(0, 1, 400), rng.normal(0, 1, 40)
    both = intervals.crossed_mean(rows[:, None] + columns[None], seed=1, count=600)
    by_column = intervals.crossed_mean(np.tile(columns, (40, 1)), seed=1, count=600)
    by_row = intervals.crossed_mean(np.tile(rows[:, None], (1, 400)), seed=1, count=600)
    width = {name: e.high - e.low for name, e in (("both", both), ("column", by_column), ("row", by_row))}
    assert width["column"] == pytest.approx(2 * 1.96 * columns.std() / 20, rel=0.1)
    assert width["row"] == pytest.approx(2 * 1.96 * rows.std() / 40**0.5, rel=0.1)
    assert width["both"] == pytest.approx(math.hypot(width["column"], width["row"]), rel=0.1)
    assert both.value == pytest.approx(rows.mean() + columns.mean())
    assert both.n == 400
