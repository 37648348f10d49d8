"""Headline numbers from the sections of a report."""

from facet.evaluation.headlines import headlines


def estimate(value):
    return {"value": value, "low": value, "high": value, "n": 9}


def sections(samples):
    names = (
        "success", "success_add", "success_remove", "flips", "success_s80", "flips_s80", "random", "flips_matched",
        "unmatched",
    )  # fmt: skip
    own = {name: estimate(1.0) for name in ("psnr", "ssim_loss", "l2", "l1")} | {"note": "in use"}
    return {
        "edits": [], "summary": [{"name": name, "value": estimate(0.5)} for name in names], "reconstruction": [own],
        "latents": [], "samples": [{"name": name, "judge_kid": estimate(value)} for name, value in samples.items()],
    }  # fmt: skip


def test_every_distance_has_its_headline_and_so_has_the_floor():
    numbers = headlines(sections({"prior": 0.3, "real photos": 0.0, "reconstructions": 0.1, "edits": 0.2}))
    found = [numbers[f"kid_{name}"] for name in ("samples", "floor", "reconstructions", "edits")]
    assert found == [0.3, 0.0, 0.1, 0.2]
    assert numbers["unmatched"] == 0.5


def test_sets_of_too_few_people_have_no_distance():
    numbers = headlines(sections({}))
    assert all(numbers[f"kid_{name}"] is None for name in ("samples", "floor", "reconstructions", "edits"))
