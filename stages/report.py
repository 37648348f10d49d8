"""Stage `report`: the results of all other stages on one self-contained page, and a page per paper, which also shows
the runs that `facet record` kept in docs/records."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.errors import InputError
from facet.base.files import replacing, replacing_folder
from facet.base.limits import Positive, Share
from facet.base.params import run_stage
from facet.reporting import inputs, papers, records, sections, values
from facet.reporting.inputs import Inputs, Json, SystemInputs, first_row, means, rows
from facet.reporting.pages import template
from facet.reporting.runs import Run, measured_runs, speed_of

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000
NIGHTS = "nights.html"  # the page of nightly runs beside the report, if there are any (facet/nights/page.py)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Write the report page and one page per paper."""

    reports: Path  # folder of metrics/, attributes/, train/, judges.json and data_card.json
    data: Path  # folder of samples/, sheets/, exhibits/, edits/ and prepared/, for the pictures
    docs: Path  # folder of records/ (by `facet record`) and papers/ (drawn by benchmarks/), both optional
    params_file: Path  # params.yaml, shown as it is
    out: Path  # out: HTML
    papers: Path  # out: folder of one HTML page per paper, beside `out`
    success_goal: Share  # least share of edits that should succeed, for the colours
    side_effects_goal: Share  # largest share of other attributes that edits should change, for the colours
    megabytes: Positive  # largest size of the pictures on a page


def run(params: Params) -> None:
    budget = round(params.megabytes * MEGABYTE)
    results = inputs.read(params.reports, params.data, params.params_file, budget=budget)
    kept = records.read(params.docs / "records")
    for name, record in kept.items():
        if damage := papers.damage(record):
            raise InputError(
                f"{params.docs / 'records' / name}.json is damaged ({damage}); restore it (git checkout), or write it "
                f"again with `facet record {name}`"
            )
    runs = measured_runs(results, kept)
    nights = NIGHTS if (params.out.parent / NIGHTS).exists() else None
    page = render(
        results, kept, runs, success_goal=params.success_goal, side_effects_goal=params.side_effects_goal, nights=nights
    )
    with replacing(params.out) as aside:
        aside.write_text(page, encoding="utf-8")
    with replacing_folder(params.papers) as folder:
        for text in papers.texts():
            here = any(system.name == text["system"] for system in results.systems)
            sheets = papers.Sheets(text["system"], params.data, params.docs, here=here, budget=budget)
            written = render_paper(text, results, runs, sheets, index=params.out.name)
            (folder / f"{text['system']}.html").write_text(written, encoding="utf-8")
    log.info("wrote %s (%.1f MB) and %s", params.out, len(page.encode()) / MEGABYTE, params.papers)


def render_paper(text: Json, results: Inputs, runs: list[Run], sheets: papers.Sheets, *, index: str) -> str:
    """One paper's page as HTML text."""
    paper_page = template("paper.html", source=results.data_card["source"], notice=sheets.here)
    published = results.systems[0].metrics  # every system's reconstruction table has the published rows
    others = [other for other in papers.texts() if other["system"] != text["system"]]
    return paper_page.render(paper=papers.page(text, runs, published, sheets), others=others, index=index)


def render(
    results: Inputs,
    kept: Mapping[str, Json],
    runs: list[Run],
    *,
    success_goal: float,
    side_effects_goal: float,
    nights: str | None = None,
) -> str:
    """The page as HTML text."""
    systems = [system(one, results.judges, kept, success_goal, side_effects_goal) for one in results.systems]
    training = sections.training_charts(results.histories)
    latents = {row["attribute"]: row["auroc"] for row in rows(results.systems[0].metrics, "latents")}
    judge_rows = sections.judge_table(results.judges, results.systems)
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
    page = template("page.html", source=results.data_card["source"], notice=True)
    return page.render(
        toc=toc,
        nights=nights,
        card=results.data_card,
        systems=systems,
        side_by_side=sections.side_by_side(results.systems),
        papers=[papers.headline(text, runs) for text in papers.texts()],
        judged_digits=results.judges.get("digits", {}),
        judge_rows=[row | {"latent": latents.get(row["attribute"])} for row in judge_rows],
        missing=sections.not_judged(results),
        balance=sections.balance(results.data_card),
        training=training,
        pictures=results.samples,
        latent_sheets=sections.LATENT_SHEETS,
        left_out=results.left_out,
        of_other_data=results.of_other_data,
        params=results.params,
        success_goal=success_goal,
        side_effects_goal=side_effects_goal,
        formatted=values.formatted,
        plain=values.plain,
        grouped=values.grouped,
        millions=values.millions,
        readable=values.readable,
        spec=values.spec,
        complement=values.complement,
        signed=values.signed,
        picture_title=lambda name: sections.picture_title(name, results.systems),
    )


def system(
    one: SystemInputs, judges: Json, kept: Mapping[str, Json], success_goal: float, side_effects_goal: float
) -> dict[str, Any]:
    """The values that the template shows of one system."""
    metrics = one.metrics
    in_use = first_row(metrics, "reconstruction", note="in use") or {}
    of_latents = {name: rows(metrics, name) for name in ("swaps", "descriptions", "semi_supervised")}
    sheets = any(name in one.exhibits for name, _ in sections.LATENT_SHEETS)
    return {
        "name": one.name,
        "setting": first_row(metrics, "setting") or {"encoder": "", "mode": ""},
        "hero": one.hero,
        "sheets": one.sheets,
        "exhibits": one.exhibits,
        "tiles": sections.tiles(one, success_goal, side_effects_goal),
        "edits": sections.edit_table(one, success_goal, side_effects_goal),
        "strengths": sections.strength_rows(one),
        "curves": sections.curve_charts(one),
        "heat": sections.heat(one),
        "side_effects": sections.largest_side_effects(one),
        "reconstruction": [_complete(row) for row in rows(metrics, "reconstruction")],
        "subgroups": sections.subgroup_table(one),
        "samples": rows(metrics, "samples"),
        "memorisation": rows(metrics, "memorisation"),
        "controls": sections.control_table(one),
        "control_means": dict.fromkeys(("success", "side_effects", "side_effects_matched")) | means(one),
        "psnr": in_use.get("psnr"),
        "l2": in_use.get("l2"),
        "kid": dict.fromkeys(("prior", "reconstructions", "edits", "real photos"))
        | {row["name"]: row["judge_kid"] for row in rows(metrics, "samples")},
        "drawn": next((row.get("note") for row in rows(metrics, "samples") if row["name"] == "prior"), None),
        "speed": next(iter(speed_of(one.name, metrics, kept)), None),
        "estimators": sections.estimator_table(one),
        "costs": first_row(metrics, "costs"),
        "strokes": rows(metrics, "strokes"),
        "latents": sheets or any(of_latents.values()),
        **of_latents,
        "digits": [dict.fromkeys(("other_kept", "place_kept")) | row for row in rows(metrics, "digits")],
        "graded": sections.graded(one, judges),
    }


def _complete(row: Json) -> Json:
    """A row of the reconstruction table with all its columns; the paper gives only three."""
    return dict.fromkeys(("l2", "l1", "ssim_loss", "ssim_loss_luma", "psnr", "mse")) | row


if __name__ == "__main__":
    run_stage(Params, run)
