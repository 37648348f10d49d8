"""Stage `evaluate`: measure how well one trained system reconstructs, edits and samples, on test faces and by judges
that had no part in its training.

The report is a flat set of headline numbers, then lists of rows, one list per section (see facet/evaluation). Headline
numbers are those of judge B; judge A, which calibrated the strengths, is reported beside it."""

import dataclasses
import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images, check_latents
from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_csv, write_json
from facet.base.limits import Count, Limit, Natural, Positive
from facet.base.params import Device, Precision, run_stage
from facet.base.progress import progress
from facet.base.tables import Faces, latents_meta, read_faces
from facet.editing.editor import Editor
from facet.editing.modes import check_mode
from facet.evaluation import (
    costs,
    descriptions,
    digits,
    edits,
    exhibits,
    graded,
    headlines,
    interpolations,
    latents,
    matched,
    reconstructions,
    samples,
    semi_supervised,
    strokes,
    subgroups,
    swaps,
    trials,
)
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row
from facet.judges.judge import Judge
from facet.pictures import sheets

log = logging.getLogger(__name__)

Several = Annotated[int, Limit(2)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Evaluate one trained system on the test split."""

    system: str
    prepared: Path  # folder written by `prepare`
    model: Path  # model folder in use: encoder and decoder
    gan: Path  # model folder written by `train_gan`, whose prior is drawn from
    encoders: Path  # folder of all encoders; every one of this system gets a row of the reconstruction table
    latents: Path  # folder written by `encode`
    attributes: Path  # table written by `attributes`
    judges: Path  # folder written by `train_judge`
    metrics: Path  # out: JSON
    plots: Path  # out: folder of CSV tables
    exhibits: Path  # out: folder of contact sheets
    faces: Several  # most test faces per attribute and direction
    reconstructions: Several  # most test faces in the reconstruction table, and in pairs that exchange descriptions
    samples: Several  # most pictures in each set of the sample distances
    strokes: Several  # most test faces for each stroke of the brush
    semi_supervised: Natural  # labelled sets of the semi-supervised protocol on digits; 0 skips it
    graded: Several  # most test faces on which each real-valued attribute is varied
    strengths: tuple[Positive, ...]  # of the curves, in multiples of the strength of 80 % success on validation
    mode: str  # the compositing that users get
    bootstrap: Several  # resamples behind each interval
    batch_size: Several
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
    tried = [trials.try_case(exam, case, params.strengths) for case in progress(cases, len(cases), "edits")]

    faces = reconstructions.places(exam, params.reconstructions)
    prior = samples.prior_of(exam, params.gan)
    train, pictures_of_prior = prepared.rows("train"), prior.pictures if prior else None
    own, table = reconstructions.table_rows(
        exam, faces, train, pictures_of_prior, model=params.model, encoders=params.encoders, precision=params.precision
    )
    assert own.logits is not None
    sets, memorised, pairs = samples.sample_rows(
        exam, population, prior, trials.edited_pictures(exam, tried), prepared, count=params.samples
    )
    swept = graded.sweeps(exam, params.graded)
    sections: dict[str, list[Row]] = {
        "summary": edits.summary_rows(exam, tried),
        "edits": edits.edit_rows(exam, tried),
        "curves": edits.curve_rows(exam, tried),
        "matched": matched.matched_rows(exam, tried),
        "entanglement": edits.entanglement_rows(exam, tried),
        "flipped": edits.side_effect_rows(exam, tried, trials.TARGET),
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
        "graded": graded.graded_rows(exam, swept),
        "graded_summary": graded.summary_rows(exam, swept),
        "costs": costs.cost_rows(exam, params.model, params.gan),
        "setting": [setting(params, exam, faces)],
    }
    numbers = headlines.headlines(sections)
    with replacing_folder(params.plots) as folder:
        for name, rows in headlines.plots(sections).items():
            write_csv(folder / f"{name}.csv", pd.DataFrame(rows))
    known = prepared.descriptions(exam.editor.system.attributes)[train]
    pictures = {"closest": exhibits.closest(pairs)}
    if tried:
        pictures["least_convincing"] = exhibits.least_convincing(exam, tried)
    if sections["strokes"]:
        pictures["brush"] = strokes.stroke_sheet(exam)
    pictures |= digits.digit_sheets(exam) | interpolations.interpolation_sheets(exam, pictures_of_prior)
    pictures |= swaps.swap_sheets(exam) | descriptions.description_sheets(exam, known)
    pictures |= graded.graded_sheets(exam, swept)
    with replacing_folder(params.exhibits) as folder:
        for name, picture in pictures.items():
            sheets.write_png(folder / f"{name}.png", picture)
    write_json(params.metrics, numbers | sections)
    log.info(
        "%s: %s",
        params.system,
        ", ".join(f"{name} {value:.4g}" for name, value in numbers.items() if value is not None),
    )


def check(params: Params) -> None:
    """InputError for an unknown mode, or one labelled set, which has no deviation."""
    check_mode(params.mode)
    if params.semi_supervised == 1:
        raise InputError("semi_supervised 1: expected 0, which skips the protocol, or at least 2 labelled sets")


def prepare(params: Params) -> tuple[Exam, latents.Population, Faces]:
    """Read all inputs: the exam, the training latents, and the table of all faces."""
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


def setting(params: Params, exam: Exam, faces: np.ndarray) -> Row:
    """The faces and settings of this evaluation."""
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


if __name__ == "__main__":
    run_stage(Params, run)
