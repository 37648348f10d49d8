import math

import pytest

from facet.base.errors import InputError
from facet.editing.spec import Change, Spec, exclusive_with, parse

NAMES = ("Smiling", "Eyeglasses", "Blond_Hair", "Black_Hair", "Male")


def test_a_spec_survives_being_written_and_read_again():
    spec = Spec(
        (Change("Smiling", add=1.5), Change("Male", add=-0.1), Change("Eyeglasses", on=False), Change("Blond_Hair"))
    )
    assert str(spec) == "Smiling=+1.5, Male=-0.1, Eyeglasses=off, Blond_Hair=on"
    assert parse(str(spec), NAMES) == spec


@pytest.mark.parametrize("number", [1 / 3, 1e-7, 12345.678, -2.0, math.pi])
def test_a_strength_keeps_every_digit(number):
    spec = Spec((Change("Smiling", add=number),))
    assert parse(str(spec), NAMES) == spec


def test_spaces_case_of_on_and_a_missing_sign_do_not_matter():
    assert str(parse(" Smiling = ON ,Male=2,", NAMES)) == "Smiling=on, Male=+2"


def test_an_empty_text_asks_for_nothing():
    assert parse("", NAMES) == Spec()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Smilling=on", "did you mean 'Smiling'"),
        ("blond hair=on", "did you mean 'Blond_Hair'"),
        ("Qqqq=on", "choose among Smiling, Eyeglasses"),
        ("Smiling", "not of the form Attribute=value"),
        ("Smiling=maybe", "'maybe' is neither on, off nor a number"),
        ("Smiling=nan", "neither on, off nor a number"),
        ("Smiling=1e999", "neither on, off nor a number"),
        ("Smiling=on, Smiling=off", "names Smiling twice"),
        ("Blond_Hair=on, Black_Hair=+1", "exclude each other"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_with_advice(text, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        parse(text, NAMES)


def test_one_hair_colour_may_come_while_another_goes():
    assert len(parse("Blond_Hair=on, Black_Hair=off", NAMES).changes) == 2


def test_groups_exclude_each_other_both_ways():
    assert exclusive_with("Blond_Hair") == ("Black_Hair", "Brown_Hair", "Gray_Hair")
    assert "Bald" in exclusive_with("Bangs")
    assert "Bangs" in exclusive_with("Bald")
    assert exclusive_with("No_Beard") == ()
