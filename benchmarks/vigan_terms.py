"""The effect of each term of ViGAN's losses (Gorijala and Dukkipati 2017): its figure 5, with the VAE and the GAN alone
by the same trainer with terms switched off, and a sweep of its two lambdas, to which edits are very sensitive by the
paper.

    python benchmarks/vigan_terms.py [--steps 600] [--jobs 1] [--threads 1] [--data data] [--work .cache/vigan_terms]

Needs data/prepared and data/judges (`dvc repro train_judge`) of drawn faces, because other pictures may not be
published. Settings are those of params.yaml with --steps steps and the warm-up in proportion. Finished trainings and
measurements are reused, an interrupted training continues. Writes vigan_terms.csv, vigan_lambdas.png and
vigan_figure5.png.

All numbers are on test faces. In edits the description is the face's labels with one entry set to +1 or -1 (the paper's
way if attributes are known, in which Q's reading of the image plays no part), decoded without compositing and judged by
judge B: `success`, and side effects in the column `flips`, as means over ATTRIBUTES and both directions. psnr and l2
are of reconstructions from the same codes. kid is judge A's kernel distance to test images, of samples from the prior,
of reconstructions, and, in the row `photos`, of images of other people."""

import argparse
import dataclasses
import json
import logging
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from torch import Tensor

from facet import systems
from facet.base import compute, images
from facet.base.files import write_csv, write_json
from facet.base.tables import read_faces
from facet.editing.directions import choose_rows
from facet.editing.editor import Editor
from facet.editing.spec import exclusive_with
from facet.editing.table import AttributeTable, TableMeta
from facet.evaluation import edits, reconstructions, samples
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, estimates_json, flat_row
from facet.evaluation.trials import TARGET, Trial, TriedCase
from facet.judges.judge import Judge
from facet.metrics.intervals import Estimate
from facet.metrics.kid import kid
from facet.metrics.people import People
from facet.pictures import sheets
from facet.systems import vigan
from facet.training.resume import key
from stages import train_gan

ATTRIBUTES = ("Smiling", "Eyeglasses", "Blond_Hair", "Black_Hair", "Male", "No_Beard", "Wearing_Hat", "Bangs")
SHOWN = "Eyeglasses"  # the attribute turned on in the sheet, as in the paper's figure 6
FACES = 50  # most test faces per attribute and direction
SHEET_FACES, FIGURE_FACES = 2, 10
RESAMPLES, BATCH, SEED = 1_000, 128, 1
FULL = "full"
# Settings of a GAN without a warm-up. The full system's rates are for a generator that can draw faces already: with
# them 600 steps end in a single face (KID .995, here .685).
FROM_SCRATCH = {"learning_rate": 0.001, "learning_rate_d": 0.0005, "beta1": 0.5, "r1_gamma": 1.0, "warmup": 0}
SWITCHED_OFF = {  # the baselines in figure 5
    "VAE only": {"adversarial": 0.0, "recognition": 0.0, "feature": 0.0},
    "GAN only": {"pixel": 0.0, "kl": 0.0, "feature": 0.0, "residual": False, "edits": 0.0} | FROM_SCRATCH,
}
TABLE_SETTINGS = (  # settings in the table
    "feature", "recognition", "adversarial", "pixel", "kl", "residual", "edits", "r1_gamma", "learning_rate",
    "learning_rate_d", "beta1", "warmup", "steps",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Run:
    """One short training and the place of its results."""

    name: str
    settings: vigan.GanSettings
    data: Path
    work: Path
    threads: int

    @property
    def model(self) -> Path:
        """The model folder, which differs for other settings, images or code."""
        inputs = (self.data / "prepared" / "faces.parquet", *systems.code_files(vigan.NAME))
        return self.work / self.name.replace(" ", "_") / key(self.settings, *inputs)


Grid = dict[tuple[float, float], Run]  # by lambda 1 and lambda 2


def planned(options: argparse.Namespace, base: dict[str, Any]) -> tuple[list[Run], Grid]:
    """The runs of figure 5 (the baselines, then the full system), and those of the sweep, which includes the full
    system."""

    def run(name: str, **changes: float) -> Run:
        return Run(name, vigan.GanSettings(**(base | changes)), options.data, options.work, options.threads)

    full = run(FULL)
    grid = {
        (one, two): run(f"lambdas {one:g} {two:g}", feature=one, recognition=two)
        for one in options.features
        for two in options.recognitions
    }
    if (base["feature"], base["recognition"]) in grid:
        grid[base["feature"], base["recognition"]] = full
    return [*(run(name, **terms) for name, terms in SWITCHED_OFF.items()), full], grid


def row_of(run: Run) -> Row:
    """The numbers of one run, which is trained and measured unless that was done before."""
    model = run.model
    if not (model / "model.json").exists():
        train_gan.run(
            train_gan.Params(
                system=vigan.NAME, prepared=run.data / "prepared", model=model, resume=model.parent / "resume",
                history=model.with_suffix(".csv"), samples=model.with_suffix(".png"), log_every=50, seed=SEED,
                threads=run.threads, device="auto", precision="auto", settings=run.settings,
            )
        )  # fmt: skip
    judges = sorted((run.data / "judges").iterdir())
    results = model.with_suffix(f".{key(run.settings, *judges, Path(__file__))}.json")
    if not results.exists():
        write_json(results, measure(run))
    settings = {name: getattr(run.settings, name) for name in TABLE_SETTINGS}
    numbers: Row = json.loads(results.read_text(encoding="utf-8"))
    return {"run": run.name} | settings | numbers


def opened(run: Run) -> Exam:
    """The test faces with their latents (mean of E, own labels) and the judges."""
    device = compute.start(device="auto", threads=run.threads)
    faces, pixels = read_faces(run.data / "prepared"), images.open_images(run.data / "prepared")
    system = systems.load(run.model, device)
    meta = TableMeta(
        system=vigan.NAME, crop=system.crop, split_hash=system.split_hash, z_dim=system.z_dim, y_dim=system.y_dim,
        mode="decode", max_strength=1.0, margin=1.0, latent_low=(), latent_high=(), refused={},
    )  # fmt: skip
    b, a = (Judge.load(run.data / "judges", which, device, crop=system.crop) for which in ("b", "a"))
    exam = Exam.open(
        Editor(system, AttributeTable((), {}, meta), device=device, precision="auto"), b, a, faces, pixels,
        shuffled={}, mode="decode", batch_size=BATCH, seed=SEED, resamples=RESAMPLES,
    )  # fmt: skip
    described = torch.from_numpy(faces.descriptions()[exam.rows]).float().to(device)
    return dataclasses.replace(exam, latents=torch.cat([exam.latents[:, : system.z_dim], described], dim=1))


def prior(run: Run, exam: Exam) -> samples.Pictures:
    """Images from the generator's prior, with the same z and descriptions in every run."""
    sampled = samples.prior_of(exam, run.model)
    assert sampled is not None
    return sampled.pictures


def measure(run: Run) -> Row:
    """The numbers of a trained run; only those of its samples if it has no encoder."""
    exam = opened(run)
    everyone = np.arange(len(exam.rows))
    numbers: dict[str, Estimate] = {"kid_samples": distance(exam, prior(run, exam))}
    if run.settings.encodes:
        decoded = samples.decoded(exam, exam.latents)
        kept = reconstructions.measure(exam, everyone, lambda x, start: decoded(start, len(x)), judge=False)
        numbers["kid_reconstructions"] = distance(exam, decoded, people=exam.people)
        numbers |= dict(edited(exam)) | exam.means(everyone, {name: kept.columns[name] for name in ("psnr", "l2")})
    return estimates_json(numbers)


def distance(exam: Exam, pictures: samples.Pictures, count: int | None = None, *, people: People = None) -> Estimate:
    """Kernel distance between test images and `count` pictures of `people`, by default as many as images."""
    photos = len(exam.rows)
    real = samples.features(exam, samples.photos(exam, exam.rows), photos)
    other = samples.features(exam, pictures, count or photos)
    return kid(real, other, people=exam.people, other_people=people)


def edited(exam: Exam) -> Iterator[tuple[str, Estimate]]:
    """Success in both directions and in each, and side effects."""
    tried = []
    for case in (exam.case(name, on, FACES) for name in ATTRIBUTES for on in (True, False)):
        logits = [
            exam.judge.logits(exam.editor.decode(described(exam, latent, case.attribute, case.on))).cpu().numpy()
            for _, _, latent in exam.batches(case.faces)
        ]
        tried.append(TriedCase(case, exam.logits[case.faces], {TARGET: Trial(np.concatenate(logits))}, {}))
    yield "success", edits.over_cases(exam, tried, TARGET, edits.success)
    for word in ("add", "remove"):
        some = [one for one in tried if one.case.word == word]
        yield f"success_{word}", edits.over_cases(exam, some, TARGET, edits.success)
    yield "flips", edits.over_cases(exam, tried, TARGET, edits.side_effects)


def described(exam: Exam, latent: Tensor, attribute: str, on: bool) -> Tensor:
    """Latents (n, d) with a description with the attribute and without its rivals, or without the attribute."""
    system, moved = exam.editor.system, latent.clone()
    changes = {rival: -1.0 for rival in exclusive_with(attribute) if on and rival in system.attributes}
    for name, value in (changes | {attribute: 1.0 if on else -1.0}).items():
        moved[:, system.z_dim + system.attributes.index(name)] = value
    return moved


def photos_row(run: Run) -> Row:
    """The floor of the kernel distance: images of the people in the validation split."""
    exam, faces = opened(run), read_faces(run.data / "prepared")
    valid = faces.rows("valid")
    floor = distance(exam, samples.photos(exam, valid), len(valid), people=faces.people()[valid])
    return {"run": "photos"} | estimates_json({"kid_samples": floor})


def lambdas_sheet(grid: Grid, rows: dict[Run, Row]) -> Image.Image:
    """The same test faces with SHOWN turned on, by lambda 1 (rows) and lambda 2 (columns), with numbers below."""
    ones, twos = ([*dict.fromkeys(pair[side] for pair in grid)] for side in (0, 1))

    def cell(pictures: Tensor) -> np.ndarray:
        return np.concatenate(list(images.to_pixels(pictures)), axis=1)

    def edit(exam: Exam) -> np.ndarray:
        latent = exam.latents[exam.case(SHOWN, True, SHEET_FACES).faces]
        return cell(exam.editor.decode(described(exam, latent, SHOWN, on=True)))

    def note(row: Row) -> str:
        success, side_effects = row["success"]["value"], row["flips"]["value"]
        return f"{success:.0%} success, {side_effects:.0%} side effects, {row['psnr']['value']:.1f} dB"

    first = opened(next(iter(grid.values())))
    _, photos, _ = next(first.batches(first.case(SHOWN, True, SHEET_FACES).faces))
    return sheets.sheet(
        [[cell(photos)], *([edit(opened(grid[one, two])) for two in twos] for one in ones)],
        [f"lambda 2 = {two:g}" for two in twos],
        ["test faces", *(f"lambda 1 = {one:g}" for one in ones)],
        title=f"ViGAN: {SHOWN} on, by the weights of D's features (lambda 1) and of Q (lambda 2)",
        scale=2,
        notes=[[""], *([note(rows[grid[one, two]]) for two in twos] for one in ones)],
    )


def figure5(runs: list[Run], rows: dict[Run, Row]) -> Image.Image:
    """Samples of every run, then test faces and their reconstructions."""
    drawn, kept = {}, {}
    for run in runs:
        exam = opened(run)
        caption = f"{run.name}: samples, KID {rows[run]['kid_samples']['value']:.3f}"
        drawn[caption] = prior(run, exam)(0, FIGURE_FACES)
        if run.settings.encodes:
            faces = choose_rows(FIGURE_FACES, len(exam.rows), SEED)
            _, kept["test faces"], latent = next(exam.batches(faces))
            kept[f"{run.name}: reconstructions, {rows[run]['psnr']['value']:.1f} dB"] = exam.editor.decode(latent)
    pictures = drawn | kept
    return sheets.sheet(
        [list(images.to_pixels(row)) for row in pictures.values()],
        [""] * FIGURE_FACES,
        list(pictures),
        title="ViGAN with terms switched off (the paper's figure 5)",
        scale=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--features", type=float, nargs="+", default=[0.0, 0.05, 0.25], help="lambda 1")
    parser.add_argument("--recognitions", type=float, nargs="+", default=[0.0, 0.05, 0.25], help="lambda 2")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, a process each")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--work", type=Path, default=Path(".cache") / "vigan_terms")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    source = read_faces(options.data / "prepared").meta.source
    if source != "drawn":
        sys.exit(f"{options.data}/prepared holds faces of {source}, which may not be shown; run `facet profile drawn`")
    base = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["train_gan"]["vigan"]
    del base["log_every"]
    base |= {"warmup": round(options.steps * base["warmup"] / base["steps"]), "steps": options.steps}
    figure, grid = planned(options, base)
    runs = list(dict.fromkeys([*figure, *grid.values()]))
    logs = partial(logging.basicConfig, level=logging.INFO, format="%(message)s")
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn"), initializer=logs) as pool:
        rows = dict(zip(runs, pool.map(row_of, runs), strict=True))
    table = pd.DataFrame([flat_row(row) for row in [*rows.values(), photos_row(figure[-1])]])
    write_csv(options.docs / "papers" / "vigan_terms.csv", table)
    sheets.write_png(options.docs / "papers" / "vigan_lambdas.png", lambdas_sheet(grid, rows))
    sheets.write_png(options.docs / "papers" / "vigan_figure5.png", figure5(figure, rows))
    print(table[["run", "success", "flips", "psnr", "kid_samples"]].to_string(index=False))


if __name__ == "__main__":
    main()
