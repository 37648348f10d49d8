"""Stage `attributes`: latents and labels -> the direction of each attribute in latent space, and calibrated strengths.

Directions and read-outs come from the labels of the train split. Strengths and the choice among the estimators come
from judge A on the valid split. The test split and judge B are never used."""

import dataclasses
import logging
from pathlib import Path
from typing import Annotated

import numpy as np

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images, check_latents
from facet.base.errors import InputError
from facet.base.files import write_json
from facet.base.limits import Count, Limit, Natural, NonNegative, Positive
from facet.base.params import Device, Precision, run_stage
from facet.base.tables import Faces, latents_meta, read_faces
from facet.calibration import calibrator, unlike
from facet.calibration.bench import Bench
from facet.calibration.calibrator import Calibrator
from facet.calibration.draft import draft_directions
from facet.calibration.hair_colours import with_hair_colours
from facet.calibration.latents import GatheredLatents, gather
from facet.calibration.report import Report
from facet.editing import directions, table
from facet.editing.directions import ESTIMATORS, EstimatorSettings, Sample
from facet.editing.editor import Editor, quantiles
from facet.editing.modes import check_mode
from facet.editing.table import AttributeTable, TableMeta
from facet.judges.judge import Judge
from facet.photos.faces.detect import landmarks_of
from facet.systems import System

log = logging.getLogger(__name__)

SEARCHED_FACES = 100  # training images in which eyes and mouths are searched


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Estimate the direction of each attribute in the latents of one system, and calibrate its strengths."""

    latents: Path  # folder written by `encode`
    prepared: Path  # folder written by `prepare`
    model: Path  # model folder that made the latents
    judges: Path  # folder written by `train_judge`
    attributes: Path  # out: Parquet, one row per attribute and estimator
    report: Path  # out: JSON, the comparison of the estimators and the strength curves
    estimators: tuple[str, ...]  # among mean_difference, least_squares, svm, logistic, projection, conditional
    min_count: Annotated[int, Limit(2)]  # training faces with and without an attribute below which it gets no direction
    ridge: NonNegative  # of least_squares, as a share of the mean diagonal of A'A
    validation_faces: Count  # valid faces that the judge sees, to find those it is certain of
    calibration_faces: Count  # per attribute and direction
    max_strength: Positive  # the strongest edit tried, in class-mean gaps
    strengths: Annotated[int, Limit(2)]  # steps from 0 to max_strength
    margin: Annotated[float, Limit(0, 10, open="low")]  # `on` and `off`, in strengths of 95 % success for judge A
    mode: str  # the compositing that users get
    seed: Natural
    batch_size: Count
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    check(params)
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    check_latents(latents_meta(params.latents), params.latents, faces.meta, params.prepared)
    system = systems.load(params.model, device)
    if "conditional" in params.estimators and not system.y_dim:
        raise InputError(
            f"the latents of {system.name} hold no description, so the estimator `conditional` has nothing to set; "
            f"remove it from systems.{system.name}.attributes.estimators"
        )
    check_images(system, params.model, faces.meta, params.prepared)
    judge = Judge.load(params.judges, "a", device, crop=faces.meta.crop, size=faces.meta.size)
    latents = gather(params.latents, params.prepared, faces, validation_faces=params.validation_faces, seed=params.seed)
    draft = with_hair_colours(
        draft_table(params, system, faces, pixels, latents),
        faces,
        pixels,
        judge,
        seed=params.seed,
        batch_size=params.batch_size,
    )
    calibrated = Calibrator(
        calibrator.Settings(
            calibration_faces=params.calibration_faces,
            max_strength=params.max_strength,
            strengths=params.strengths,
            mode=params.mode,
            seed=params.seed,
            batch_size=params.batch_size,
        ),
        faces,
        pixels,
        latents,
        judge,
        Editor(system, draft, device=device, precision=params.precision),
    ).run()
    editor = Editor(system, calibrated.table, device=device, precision=params.precision)
    finished = calibrated.table
    if finished.meta.landmarks is not None and (score := unlike.fit(editor, judge, faces, pixels, seed=params.seed)):
        finished = dataclasses.replace(finished, meta=dataclasses.replace(finished.meta, unlike=score.numbers))
    bench = Bench(editor, judge, mode=params.mode, batch_size=params.batch_size)
    labels = faces.labels(draft.attributes)[latents.valid_rows]
    report = Report(
        calibrated,
        bench,
        latents.valid,
        labels,
        rows=latents.valid_rows,
        people=faces.people(),
        seed=params.seed,
    )
    table.write(params.attributes, finished)
    write_json(params.report, report.to_json())
    log.info(
        "%s: directions of %d attributes by %d estimators", system.name, len(draft.attributes), len(params.estimators)
    )


def check(params: Params) -> None:
    """InputError for an unknown or repeated estimator or an unknown mode."""
    unknown = [name for name in params.estimators if name not in ESTIMATORS]
    if unknown or len(set(params.estimators)) != len(params.estimators):
        raise InputError(f"estimators {' '.join(params.estimators)}: choose among {', '.join(ESTIMATORS)}, each once")
    check_mode(params.mode)


def draft_table(
    params: Params, system: System, faces: Faces, pixels: np.ndarray, latents: GatheredLatents
) -> AttributeTable:
    """The table before calibration: directions and read-outs of every attribute with enough training faces."""
    names = faces.meta.attributes
    refused = directions.refusals(names, latents.statistics, latents.sample, params.min_count)
    accepted = [k for k, name in enumerate(names) if name not in refused]
    if not accepted:
        raise InputError(
            f"{params.prepared}: no attribute has {params.min_count} training faces on both sides; lower min_count or "
            f"add faces"
        )
    for name, reason in refused.items():
        log.warning("%s gets no direction: %s", name, reason)
    names = tuple(names[k] for k in accepted)
    statistics = latents.statistics.only(np.array(accepted))
    sample = Sample(latents.sample.latents, latents.sample.labels[:, accepted])
    entries = system.z_dim + np.array([system.attributes.index(name) for name in names]) if system.y_dim else None
    settings = EstimatorSettings(params.ridge, entries)
    low, high = quantiles(sample.latents)
    train = faces.rows("train")
    searched = train[directions.choose_rows(SEARCHED_FACES, len(train), params.seed)]
    return AttributeTable(
        draft_directions(names, params.estimators, statistics, sample, settings),
        dict(zip(names, directions.readouts(statistics, sample), strict=True)),
        TableMeta(
            system=system.name,
            crop=system.crop,
            split_hash=system.split_hash,
            z_dim=system.z_dim,
            y_dim=system.y_dim,
            mode=params.mode,
            max_strength=params.max_strength,
            margin=params.margin,
            latent_low=low,
            latent_high=high,
            refused=refused,
            landmarks=landmarks_of(np.asarray(pixels[searched])),  # so that the photo editor cuts faces the same way
        ),
    )


if __name__ == "__main__":
    run_stage(Params, run)
