"""Numbers and data sets as the pages write them."""

import re

import pytest

from facet.reporting import inputs, values
from facet.reporting.pages import template
from facet.reporting.runs import about
from tests.support.paths import ROOT


def test_thousands_are_written_as_everywhere_else():
    assert values.grouped(1_234_567) == "1,234,567"
    assert values.plain(-12345.6, "sum") == "\u221212,346"
    assert about({"source": "mnist", "size": 28, "images": {"train": 55_000}}) == "55,000 mnist pictures, 28 × 28"
    own = {"source": "shards arrivals/faces", "size": 64, "images": {"train": 1200}}
    assert about(own) == "1,200 pictures of arrivals/faces, 64 × 64"


def test_no_page_and_no_message_groups_digits_by_spaces():
    odd = re.compile(r"\d[\u202f\u2009\u00a0 ]\d{3}\b(?![.:])|\\u202f")
    files = [*(ROOT / "facet").rglob("*.html"), *(ROOT / "facet").rglob("*.py"), *(ROOT / "flows").rglob("*.py")]
    files += [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = {path: path.read_text() for path in files if "drawn" not in path.parts}
    assert [f"{path}: {found[0]}" for path in text if (found := odd.search(text[path]))] == []


@pytest.mark.parametrize(
    ("source", "root", "data_set", "faces"),
    [
        ("celeba", "/data/celeba", "celeba", "celeba faces"),
        ("drawn_graded", "facet/drawn", "drawn_graded", "drawn graded faces"),
        ("shards", "arrivals/faces", "arrivals/faces", "faces of arrivals/faces"),
        ("folder", "/data/our people/", "our people", "faces of our people"),
        ("folder", "../drawn", "drawn", "faces of drawn"),
        ("shards", "", "shards", "shards faces"),
    ],
)
def test_own_pictures_are_named_by_their_place_without_a_path_of_this_machine(source, root, data_set, faces):
    named = inputs.named(source, f"source:\n  kind: {source}\n  root: {root!r}\n")
    assert (values.data_set(named), values.faces_of(named)) == (data_set, faces)
    page = template("frame.html", source=named, notice=True).render()
    assert (f"photographs from the data set “{data_set}”" in page) == (not source.startswith("drawn"))


def test_params_without_a_source_leave_the_word_of_the_data_card():
    assert inputs.named("shards", "") == inputs.named("shards", "prepare: {crop: face120}\n") == "shards"
