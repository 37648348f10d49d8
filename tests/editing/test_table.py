"""Strengths and compositing thresholds from an attributes table."""

import dataclasses

import pytest

from facet.editing import table
from facet.editing.compositing import Gates
from tests.support.linear_system import planted


def test_an_edit_leaves_out_what_is_weak_beside_its_strongest_change():
    direction = planted().directions[0]
    strong, unknown = dataclasses.replace(direction, fade=(0.2, 0.8)), dataclasses.replace(direction, fade=None)
    strong_gates = table.gates([strong])
    assert strong_gates.change == pytest.approx((0.08, 0.24))
    assert strong_gates.fade == pytest.approx((0.2, 0.8))
    assert table.gates([unknown]) == Gates()
    assert table.gates([strong, unknown]) == strong_gates


def test_a_unit_is_never_nothing_even_if_the_reconstruction_alone_succeeds():
    direction = dataclasses.replace(planted().directions[0], add=dict.fromkeys(table.LEVELS, 0.0), best=(0.0, 0.0))
    assert direction.unit(True, 80, 4.0) == table.LEAST
    none = dataclasses.replace(direction, add=dict.fromkeys(table.LEVELS))
    assert none.unit(True, 80, 4.0) == table.LEAST
