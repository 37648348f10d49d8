"""Stage `report`: everything the other stages wrote about themselves, on one self-contained page."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stages.files import replacing
from stages.params import InputError, run_stage
from stages.reporting import inputs, sections
from stages.reporting.inputs import Inputs, Json, SystemInputs

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "reporting"
MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Write the page."""

    reports: Path  # folder of metrics/, attributes/, train/, judges.json and data_card.json
    data: Path  # folder of samples/, sheets/, exhibits/, edits/ and prepared/, for the pictures
    params_file: Path  # params.yaml, shown as it is
    out: Path  # out: HTML
    success_goal: float  # share of edits that succeed, for the colours
    flips_goal: float  # share of other attributes changed
    megabytes: float  # most that the pictures may take


def run(params: Params) -> None:
    if not params.megabytes > 0:
        raise InputError(f"megabytes {params.megabytes}: expected a positive number")
    found = inputs.read(params.reports, params.data, params.params_file, budget=round(params.megabytes * MEGABYTE))
    page = render(found, success_goal=params.success_goal, flips_goal=params.flips_goal)
    with replacing(params.out) as aside:
        aside.write_text(page, encoding="utf-8")
    log.info("wrote %s (%.1f MB)", params.out, len(page.encode()) / MEGABYTE)


def render(found: Inputs, *, success_goal: float, flips_goal: float) -> str:
    """The page as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    systems = [system(one, found.judges, success_goal, flips_goal) for one in found.systems]
    training = sections.training_charts(found.histories)
    latents = {row["attribute"]: row["auroc"] for row in sections.rows(found.systems[0].metrics, "latents")}
    judge_rows = sections.judge_table(found.judges, found.systems)
    toc = [
        ("edits", "Edits"),
        ("curves", "Strength"),
        ("entanglement", "What else moves"),
        ("reconstruction", "Reconstruction"),
        ("samples", "Samples"),
        *([("brush", "Brush")] if any(one["strokes"] for one in systems) else []),
        *([("digits", "Digits")] if any(one["digits"] for one in systems) else []),
        *([("graded", "Graded attributes")] if any(one["graded"] for one in systems) else []),
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
    return environment.get_template("page.html").render(
        css=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        toc=toc,
        source=found.data_card["source"],
        card=found.data_card,
        systems=systems,
        side_by_side=sections.side_by_side(found.systems),
        judge_rows=[row | {"latent": latents.get(row["attribute"])} for row in judge_rows],
        missing=sections.not_judged(found),
        balance=sections.balance(found.data_card),
        training=training,
        pictures=found.samples,
        left_out=found.left_out,
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


def system(one: SystemInputs, judges: Json, success_goal: float, flips_goal: float) -> dict[str, Any]:
    """All that the template shows of one system."""
    metrics = one.metrics
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
        "psnr": (sections.one(metrics, "reconstruction", note="in use") or {}).get("psnr"),
        "kid": (sections.one(metrics, "samples", name="prior") or {}).get("judge_kid"),
        "estimators": sections.estimator_table(one),
        "costs": sections.one(metrics, "costs"),
        "strokes": sections.rows(metrics, "strokes"),
        "digits": [dict.fromkeys(("other_kept", "place_kept")) | row for row in sections.rows(metrics, "digits")],
        "graded": sections.graded(one, judges),
    }


def _complete(row: Json) -> Json:
    """A row of the reconstruction table; the paper gives three of its numbers."""
    return dict.fromkeys(("l2", "l1", "ssim_loss", "ssim_loss_luma", "psnr", "mse")) | row


if __name__ == "__main__":
    run_stage(Params, run)
