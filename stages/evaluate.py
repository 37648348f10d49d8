"""Stage `evaluate`: how well one trained system reconstructs, edits and samples, by judges it never met, on test faces.

The report is a flat set of headline numbers, then lists of rows, one list a section (see facet/evaluation). Headline
numbers are those of judge B; judge A, which calibrated the strengths, stands beside it."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images, check_latents
from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_csv, write_json
from facet.base.limits import Count, Natural, Positive
from facet.base.params import Device, Precision, run_stage
from facet.base.progress import progress
from facet.base.tables import Faces, latents_meta, read_faces
from facet.editing.compositing import check_mode
from facet.editing.editor import Editor
from facet.evaluation import (
    costs,
    descriptions,
    digits,
    edits,
    exhibits,
    graded,
    interpolations,
    latents,
    reconstructions,
    samples,
    semi_supervised,
    strokes,
    subgroups,
    swaps,
)
from facet.evaluation.edits import TARGET
from facet.evaluation.exam import Exam, Row, flat, short
from facet.judges.judge import Judge
from facet.pictures import sheets

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Evaluate one trained system on the test split."""

    system: str
    prepared: Path  # folder written by `prepare`
    model: Path  # model folder in use: encoder and decoder
    gan: Path  # model folder written by `train_gan`, whose prior is sampled
    encoders: Path  # folder of all encoders; every one of this system gets a row of the reconstruction table
    latents: Path  # folder written by `encode`
    attributes: Path  # table written by `attributes`
    judges: Path  # folder written by `train_judge`
    metrics: Path  # out: JSON
    plots: Path  # out: folder of CSV tables
    exhibits: Path  # out: folder of contact sheets
    faces: Count  # most test faces per attribute and direction
    reconstructions: Count  # most test faces in the reconstruction table, and in pairs that exchange descriptions
    samples: Count  # most pictures in each set of the sample distances
    strokes: Count  # most test faces for each stroke of the brush
    semi_supervised: Natural  # labelled sets of the semi-supervised protocol on digits; 0 leaves it out
    graded: Count  # most test faces on which each real-valued attribute is moved
    strengths: tuple[Positive, ...]  # of the curves, in multiples of the strength that flips 80 % on validation
    mode: str  # the compositing that users get
    bootstrap: Count  # resamples behind each interval
    batch_size: Count
    seed: Natural
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    check(params)
    exam, population, prepared = prepare(params)
    log.info("%s: %d test faces, %d attributes judged", params.system, len(exam.rows), len(exam.judged))
    cases = [exam.case(name, on, params.faces) for name in exam.judged for on in (True, False)]
    cases = [case for case in cases if len(case.faces)]
    tried = [edits.try_case(exam, case, params.strengths) for case in progress(cases, len(cases), "edits")]

    faces = reconstructions.places(exam, params.reconstructions)
    prior = samples.prior_of(params.system, params.gan, exam.editor.device, params.precision, params.seed)
    train, valid = prepared.rows("train"), prepared.rows("valid")
    own, table = reconstruction_table(params, exam, faces, train, prior)
    assert own.logits is not None
    edited = [one.outcomes[edits.MAIN].again for one in tried]
    sets, memorised, pairs = samples.sample_rows(
        exam,
        population,
        prior,
        [found.features for found in edited if found is not None],
        valid,
        train,
        count=params.samples,
    )
    matched = edits.matched_rows(exam, tried)
    walked = graded.walks(exam, params.graded)
    sections: dict[str, list[Row]] = {
        "summary": edits.summary_rows(exam, tried, matched),
        "edits": edits.edit_rows(exam, tried),
        "curves": edits.curve_rows(exam, tried),
        "matched": matched,
        "entanglement": edits.entanglement_rows(exam, tried),
        "flipped": edits.flip_rows(exam, tried, TARGET),
        "controls": edits.control_rows(exam, tried),
        "reconstruction": table,
        "judge_card": reconstructions.card_rows(exam, faces, own.logits),
        "samples": sets,
        "memorisation": memorised,
        "latents": latents.latent_rows(exam),
        "subgroups": subgroups.subgroup_rows(exam, tried, faces, own.columns["psnr"]),
        "strokes": strokes.stroke_rows(exam, params.strokes),
        "digits": digits.digit_rows(exam),
        "swaps": swaps.swap_rows(exam, params.reconstructions // 2),
        "descriptions": descriptions.description_rows(exam),
        "semi_supervised": semi_supervised.semi_supervised_rows(
            exam, prepared, systems.module(params.system), params.model, params.semi_supervised
        ),
        "graded": graded.graded_rows(exam, walked),
        "graded_summary": graded.summary_rows(exam, walked),
        "costs": costs.cost_rows(exam, params.model, params.gan),
        "setting": [setting(params, exam, faces)],
    }
    headlines = headline(params, sections)
    with replacing_folder(params.plots) as folder:
        for name, rows in plots(sections).items():
            write_csv(folder / f"{name}.csv", pd.DataFrame(rows))
    with replacing_folder(params.exhibits) as folder:
        if tried:
            sheets.write_png(folder / "least_convincing.png", exhibits.least_convincing(exam, tried))
        sheets.write_png(folder / "closest.png", exhibits.closest(pairs))
        if sections["strokes"]:
            sheets.write_png(folder / "brush.png", strokes.stroke_sheet(exam))
        known = prepared.descriptions(exam.editor.system.attributes)[train]
        found = digits.digit_sheets(exam) | interpolations.interpolation_sheets(exam, prior)
        found |= swaps.swap_sheets(exam) | descriptions.description_sheets(exam, known)
        found |= graded.graded_sheets(exam, walked)
        for name, sheet in found.items():
            sheets.write_png(folder / f"{name}.png", sheet)
    write_json(params.metrics, headlines | sections)
    log.info(
        "%s: %s",
        params.system,
        ", ".join(f"{name} {value:.4g}" for name, value in headlines.items() if value is not None),
    )


def check(params: Params) -> None:
    """InputError where the numbers cannot work."""
    check_mode(params.mode)
    if any(strength <= 0 for strength in params.strengths):
        raise InputError(f"strengths {params.strengths}: each must be above 0; 0 is the photo itself")
    for name in ("faces", "reconstructions", "samples", "strokes", "graded", "bootstrap", "batch_size"):
        if getattr(params, name) < 2:
            raise InputError(f"{name} {getattr(params, name)}: at least 2 are needed")
    if params.semi_supervised < 0 or params.semi_supervised == 1:
        raise InputError(f"semi_supervised {params.semi_supervised}: 0 leaves it out, otherwise at least 2 are needed")


def prepare(params: Params) -> tuple[Exam, latents.Population, Faces]:
    """Everything that is read: the exam, the training latents, and the table of all faces."""
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    if len(faces.rows("test")) < 2:
        raise InputError(f"{params.prepared} has no test faces; change the split of stage `prepare`")
    editor = Editor.load(params.model, params.attributes, device, precision=params.precision)
    check_images(editor.system, params.model, faces.meta, params.prepared)
    check_latents(latents_meta(params.latents), params.latents, faces.meta, params.prepared)
    judge, other = (
        Judge.load(params.judges, which, device, crop=faces.meta.crop, size=faces.meta.size) for which in ("b", "a")
    )
    population = latents.population(params.latents, faces, editor, seed=params.seed)
    exam = Exam.open(
        editor,
        judge,
        other,
        faces,
        pixels,
        shuffled=population.shuffled,
        mode=params.mode,
        batch_size=params.batch_size,
        seed=params.seed,
        resamples=params.bootstrap,
    )
    return exam, population, faces


def reconstruction_table(
    params: Params, exam: Exam, faces: np.ndarray, train: np.ndarray, prior: samples.Pictures | None
) -> tuple[reconstructions.Measured, list[Row]]:
    """The rows of figure 9: every encoder of this system, the floors, the paper; and the encoder in use by itself."""
    device = exam.editor.device
    own = reconstructions.measure(
        exam, faces, reconstructions.coder(exam.editor.system, device, params.precision), judge=True
    )
    rows = []
    in_use = params.model.resolve()
    found = dict(reconstructions.variants(params.encoders, params.system))
    if in_use not in {path.resolve() for path in found.values()}:
        found[params.model.name] = params.model
    for name, path in found.items():
        mine = path.resolve() == in_use
        measured = own
        if not mine:
            coder = reconstructions.coder(reconstructions.load(path, exam), device, params.precision)
            measured = reconstructions.measure(exam, faces, coder, judge=False)
        rows.append(reconstructions.row(exam, faces, measured, name, "encoder", "in use" if mine else ""))
    rows += reconstructions.floor_rows(exam, faces, train, prior)
    return own, rows + reconstructions.paper_rows()


def setting(params: Params, exam: Exam, faces: np.ndarray) -> Row:
    """What was judged, with what."""
    meta = exam.editor.table.meta
    return {
        "system": params.system,
        "encoder": params.model.name,
        "crop": meta.crop,
        "size": exam.editor.system.size,
        "z_dim": meta.z_dim,
        "mode": params.mode,
        "calibrated_mode": meta.mode,
        "split": "test",
        "split_hash": meta.split_hash,
        "test_faces": len(exam.rows),
        "test_people": len(np.unique(exam.people)),
        "reconstructions": len(faces),
        "faces_per_case": params.faces,
        "resamples": params.bootstrap,
        "level": 0.95,
        "seed": params.seed,
        "judge": "b",
    }


def headline(params: Params, sections: Mapping[str, Sequence[Row]]) -> dict[str, float | None]:
    """The few numbers that `dvc metrics` shows (it passes over lists): means over attributes and directions."""
    target = [row for row in sections["edits"] if row["setting"] == TARGET]
    means = {row["name"]: row["value"]["value"] for row in sections["summary"]}
    in_use = next(row for row in sections["reconstruction"] if row.get("note") == "in use")
    sets = {row["name"]: row for row in sections["samples"]}
    numbers = {
        "success_mean": means["success"],
        "success_add": means["success_add"],
        "success_remove": means["success_remove"],
        "success_worst": min((row["success"]["value"] for row in target), default=None),
        "flips_mean": means["flips"],
        "success_s80": means["success_s80"],
        "flips_s80": means["flips_s80"],
        "flips_matched": means.get("flips_matched"),
        "control_random": means["random"],
        "psnr": in_use["psnr"]["value"],
        "ssim_loss": in_use["ssim_loss"]["value"],
        "l2": in_use["l2"]["value"],
        "l1": in_use["l1"]["value"],
        "kid_samples": sets["prior"]["judge_kid"]["value"] if "prior" in sets else None,
        "kid_reconstructions": sets["reconstructions"]["judge_kid"]["value"],
        "kid_floor": sets["real photos"]["judge_kid"]["value"],
        "latents_auroc": _mean(sections["latents"], "auroc"),
    }
    return {name: short(value) for name, value in numbers.items()}


def _mean(rows: Sequence[Row], name: str) -> float | None:
    """The mean of one number over rows, where it is defined."""
    values = [row[name]["value"] for row in rows if name in row and row[name]["value"] is not None]
    return float(np.mean(values)) if values else None


def plots(sections: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    """The sections that `dvc plots` draws, as flat tables."""
    names = ("edits", "curves", "entanglement", "controls", "reconstruction", "samples", "graded")
    return {name: [flat(row) for row in sections[name]] for name in names if sections[name]}


if __name__ == "__main__":
    run_stage(Params, run)
