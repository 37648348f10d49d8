"""Landmarks of the user: a CSV."""

import pytest

from facet.base.errors import InputError
from facet.photos.faces.landmarks import read_landmarks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has columns a, b; expected file, left_eye_x"),
        ("", "has columns none"),
        ("file\n", "columns none"),
    ],
)
def test_landmarks_that_are_none_are_a_clear_error(tmp_path, text, message):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_landmarks(tmp_path / "l.csv")
