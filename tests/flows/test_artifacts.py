"""What a run shows of its stages on the server's pages."""

import json

import pytest
from PIL import Image

from flows import artifacts

pytestmark = pytest.mark.slow  # the import of Prefect


@pytest.fixture
def made(monkeypatch):
    """What was shown: (kind, key, content)."""
    shown = []
    for kind in ("link", "markdown", "progress", "table"):
        monkeypatch.setattr(
            artifacts, f"create_{kind}_artifact",
            lambda *words, kind=kind, key, description: shown.append((kind, key, words[0], description)),
        )  # fmt: skip
    return shown


def test_pictures_are_shown_small_and_measures_as_a_table(made, tmp_path):
    for path in ("data/samples/in_domain.png", "data/sheets/vigan/overview.png"):
        (tmp_path / path).parent.mkdir(parents=True)
        Image.new("RGB", (3000, 1500), (200, 30, 90)).save(tmp_path / path)
    (tmp_path / "reports/metrics").mkdir(parents=True)
    rows = [
        {"name": "success", "value": {"value": 0.9, "low": 0.8, "high": 1.0, "n": 20}},
        {"name": "l", "value": None},
    ]
    (tmp_path / "reports/metrics/vigan.json").write_text(json.dumps({"summary": rows}))
    for stage in ("train_encoder@in_domain", "edit@vigan", "evaluate@vigan", "prepare"):
        artifacts.results(tmp_path, stage)
    (samples, sheet, table) = made
    assert samples[:2] == ("markdown", "samples-in-domain")
    assert "](data:image/webp;base64," in samples[2]
    assert sheet[:2] == ("markdown", "sheet-vigan")
    assert table[1:3] == ("measures-vigan", [{"measure": "success", "value": 0.9, "low": 0.8, "high": 1.0, "n": 20}])


def test_what_cannot_be_shown_ends_nothing(made, tmp_path, monkeypatch):
    for stage in ("train_gan@gone", "edit@gone", "evaluate@gone"):
        artifacts.results(tmp_path, stage)
    assert made == []

    def broken(*words, **more):
        raise ConnectionError("the server is gone")

    for kind in ("link", "progress", "table"):
        monkeypatch.setattr(artifacts, f"create_{kind}_artifact", broken)
    artifacts.results(tmp_path, "report")
    artifacts.stages([{"stage": "a"}])
    artifacts.Progress("a").set(0.5, "half")


def test_a_link_leads_to_where_reports_are_served_or_to_the_file(tmp_path, monkeypatch):
    assert artifacts.page_url(tmp_path, "index.html") == (tmp_path / "reports/index.html").as_uri()
    monkeypatch.setenv("FACET_REPORTS", "https://facet.example/reports/")
    assert artifacts.page_url(tmp_path, "nights.html") == "https://facet.example/reports/nights.html"


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("step 619/1100, 988 images/s, 16 s left: pixel 0.16", 619 / 1100),
        ("1,200/5,000 images, 90 images/s, 42 s left", 0.24),
        ("wrote data/models/vigan", None),
        ("see https://a/1/2 for 3/0, or 7/5 ", None),
    ],
)
def test_lines_say_how_far_a_stage_is(made, line, share):
    artifacts.Progress("train_gan@vigan").read_line(line)
    assert [(key, value) for _, key, value, _ in made] == (
        [] if share is None else [("progress-train-gan-vigan", pytest.approx(100 * share))]
    )
