"""Stage `report`: everything the other stages wrote about themselves, on one self-contained page; and one page a paper,
which also shows the runs that `facet record` kept in docs/records."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.errors import InputError
from facet.base.files import replacing, replacing_folder
from facet.base.limits import Positive, Share
from facet.base.params import run_stage
from facet.reporting import inputs, papers, records, sections
from facet.reporting.inputs import Inputs, Json, SystemInputs
from facet.reporting.pages import environment

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000
NIGHTS = "nights.html"  # beside the page where nights have run (facet/nights/page.py)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Write the page, and one for each paper."""

    reports: Path  # folder of metrics/, attributes/, train/, judges.json and data_card.json
    data: Path  # folder of samples/, sheets/, exhibits/, edits/ and prepared/, for the pictures
    docs: Path  # folder of records/ (of `facet record`) and papers/ (drawn by benchmarks/), both optional
    params_file: Path  # params.yaml, shown as it is
    out: Path  # out: HTML
    papers: Path  # out: folder of one HTML a paper, in the folder of `out`
    success_goal: Share  # share of edits that succeed, for the colours
    flips_goal: Share  # share of other attributes changed
    megabytes: Positive  # most that the pictures of a page may take


def run(params: Params) -> None:
    budget = round(params.megabytes * MEGABYTE)
    found = inputs.read(params.reports, params.data, params.params_file, budget=budget)
    kept = records.read(params.docs / "records")
    for name, record in kept.items():
        if damage := papers.damage(record):
            raise InputError(
                f"{params.docs / 'records' / name}.json is damaged ({damage}); restore it (git checkout), or write it "
                f"again with `facet record {name}`"
            )
    runs = papers.runs(found, kept)
    nights = NIGHTS if (params.out.parent / NIGHTS).exists() else None
    page = render(found, kept, runs, success_goal=params.success_goal, flips_goal=params.flips_goal, nights=nights)
    with replacing(params.out) as aside:
        aside.write_text(page, encoding="utf-8")
    with replacing_folder(params.papers) as folder:
        for text in papers.texts():
            here = any(system.name == text["system"] for system in found.systems)
            sheets = papers.Sheets(text["system"], params.data, params.docs, here=here, budget=budget)
            written = render_paper(text, found, runs, sheets, index=params.out.name)
            (folder / f"{text['system']}.html").write_text(written, encoding="utf-8")
    log.info("wrote %s (%.1f MB) and %s", params.out, len(page.encode()) / MEGABYTE, params.papers)


def render_paper(text: Json, found: Inputs, runs: list[papers.Run], sheets: papers.Sheets, *, index: str) -> str:
    """One paper's page as HTML text."""
    template = environment(found.data_card["source"], notice=sheets.here).get_template("paper.html")
    published = found.systems[0].metrics  # every system's reconstruction table has the rows of the report
    others = [other for other in papers.texts() if other["system"] != text["system"]]
    return template.render(paper=papers.page(text, runs, published, sheets), others=others, index=index)


def render(
    found: Inputs,
    kept: Mapping[str, Json],
    runs: list[papers.Run],
    *,
    success_goal: float,
    flips_goal: float,
    nights: str | None = None,
) -> str:
    """The page as HTML text."""
    systems = [system(one, found.judges, kept, success_goal, flips_goal) for one in found.systems]
    training = sections.training_charts(found.histories)
    latents = {row["attribute"]: row["auroc"] for row in sections.rows(found.systems[0].metrics, "latents")}
    judge_rows = sections.judge_table(found.judges, found.systems)
    toc = [
        ("edits", "Edits"),
        ("curves", "Strength"),
        ("entanglement", "What else moves"),
        ("reconstruction", "Reconstruction"),
        ("samples", "Samples"),
        *([("latents", "Latents")] if any(one["latents"] for one in systems) else []),
        *([("brush", "Brush")] if any(one["strokes"] for one in systems) else []),
        *([("digits", "Digits")] if any(one["digits"] for one in systems) else []),
        *([("graded", "Graded attributes")] if any(one["graded"] for one in systems) else []),
        ("papers", "Papers"),
        *([("estimators", "Estimators")] if any(one["estimators"] for one in systems) else []),
        ("controls", "Controls"),
        ("judges", "Judges"),
        ("missing", "Not judged"),
        ("data", "Data"),
        *([("training", "Training")] if training else []),
        ("settings", "Settings"),
        ("glossary", "Glossary"),
        ("limits", "Limits"),
    ]
    template = environment(found.data_card["source"], notice=True).get_template("page.html")
    return template.render(
        toc=toc,
        nights=nights,
        card=found.data_card,
        systems=systems,
        side_by_side=sections.side_by_side(found.systems),
        papers=[papers.headline(text, runs) for text in papers.texts()],
        judged_digits=found.judges.get("digits", {}),
        judge_rows=[row | {"latent": latents.get(row["attribute"])} for row in judge_rows],
        missing=sections.not_judged(found),
        balance=sections.balance(found.data_card),
        training=training,
        pictures=found.samples,
        latent_sheets=sections.LATENT_SHEETS,
        left_out=found.left_out,
        of_other_data=found.of_other_data,
        params=found.params,
        success_goal=success_goal,
        flips_goal=flips_goal,
        told=sections.told,
        plain=sections.plain,
        grouped=sections.grouped,
        millions=sections.millions,
        readable=sections.readable,
        spec=sections.spec,
        flipped=sections.flipped,
        signed=sections.signed,
        picture_title=lambda name: sections.picture_title(name, found.systems),
    )


def system(
    one: SystemInputs, judges: Json, kept: Mapping[str, Json], success_goal: float, flips_goal: float
) -> dict[str, Any]:
    """All that the template shows of one system."""
    metrics = one.metrics
    in_use = sections.one(metrics, "reconstruction", note="in use") or {}
    of_latents = {name: sections.rows(metrics, name) for name in ("swaps", "descriptions", "semi_supervised")}
    sheets = any(name in one.exhibits for name, _ in sections.LATENT_SHEETS)
    return {
        "name": one.name,
        "setting": sections.one(metrics, "setting") or {"encoder": "", "mode": ""},
        "hero": one.hero,
        "sheets": one.sheets,
        "exhibits": one.exhibits,
        "tiles": sections.tiles(one, success_goal, flips_goal),
        "edits": sections.edit_table(one, success_goal, flips_goal),
        "strengths": sections.strength_rows(one),
        "curves": sections.curve_charts(one),
        "heat": sections.heat(one),
        "leaks": sections.entanglement_summary(one),
        "reconstruction": [_complete(row) for row in sections.rows(metrics, "reconstruction")],
        "subgroups": sections.subgroup_table(one),
        "samples": sections.rows(metrics, "samples"),
        "memorisation": sections.rows(metrics, "memorisation"),
        "controls": sections.control_table(one),
        "control_means": dict.fromkeys(("success", "flips", "flips_matched")) | sections.means(one),
        "psnr": in_use.get("psnr"),
        "l2": in_use.get("l2"),
        "kid": dict.fromkeys(("prior", "reconstructions", "edits"))
        | {row["name"]: row["judge_kid"] for row in sections.rows(metrics, "samples")},
        "speed": next(iter(papers.speed_of(one.name, metrics, kept)), None),
        "estimators": sections.estimator_table(one),
        "costs": sections.one(metrics, "costs"),
        "strokes": sections.rows(metrics, "strokes"),
        "latents": sheets or any(of_latents.values()),
        **of_latents,
        "digits": [dict.fromkeys(("other_kept", "place_kept")) | row for row in sections.rows(metrics, "digits")],
        "graded": sections.graded(one, judges),
    }


def _complete(row: Json) -> Json:
    """A row of the reconstruction table; the paper gives three of its numbers."""
    return dict.fromkeys(("l2", "l1", "ssim_loss", "ssim_loss_luma", "psnr", "mse")) | row


if __name__ == "__main__":
    run_stage(Params, run)
