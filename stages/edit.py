"""Stage `edit`: edit specs and faces of the test split -> edited pixels, a manifest and contact sheets."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from torch import Tensor

from facet.base import compute, images
from facet.base.compatibility import check_images
from facet.base.errors import InputError
from facet.base.files import replacing_folder
from facet.base.limits import Count, Natural
from facet.base.params import Device, Precision, run_stage
from facet.base.progress import progress
from facet.base.tables import read_faces, write_table
from facet.editing import modes
from facet.editing.directions import choose_rows
from facet.editing.editor import Editor, EditResult
from facet.editing.spec import Change, Spec
from facet.pictures import sheets

log = logging.getLogger(__name__)

SCALES = (0.5, 1.0, 1.5, 2.0)  # of the whole edit, side by side on the sheets
ZOOM = 2  # of the pictures on the sheets
SPLIT = "test"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Edit faces of the test split with one system."""

    prepared: Path  # folder written by `prepare`
    model: Path  # model folder
    attributes: Path  # table written by `attributes`
    edits: Path  # out: one spec-XX.npy (count, S, S, C) uint8 per spec, manifest.parquet
    sheets: Path  # out: PNG, one sheet per spec and an overview
    specs: tuple[str, ...]  # edit specs, such as "Smiling=on, Blond_Hair=+1"
    mode: str  # compositing: ian, add, replace or decode
    clip: bool  # keep edited latents within the usual range of training latents
    count: Count  # faces of the test split, chosen by seed
    sheet_faces: Count  # rows of a contact sheet, of these faces
    seed: Natural
    batch_size: Count
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    modes.check_mode(params.mode)
    if params.sheet_faces > params.count:
        raise InputError(f"sheet_faces {params.sheet_faces}: expected at most count, {params.count}")
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    editor = Editor.load(params.model, params.attributes, device, precision=params.precision, clip=params.clip)
    check_images(editor.system, params.model, faces.meta, params.prepared)
    specs = [editor.parse(text) for text in params.specs]
    if params.mode != editor.table.meta.mode:
        log.warning("strengths were calibrated for mode %s, not %s", editor.table.meta.mode, params.mode)
    rows = faces.rows(SPLIT)
    if not len(rows):
        raise InputError(f"{params.prepared} has no face in the {SPLIT} split; change the split of stage `prepare`")
    rows = rows[choose_rows(params.count, len(rows), params.seed)]
    ids = faces.ok["image_id"].to_numpy()[rows].tolist()

    with replacing_folder(params.edits) as folder:
        outputs = [_output(folder / _file(i), len(rows), pixels.shape[1:]) for i in range(len(specs))]
        manifest: list[list[pa.Table]] = [[] for _ in specs]
        batches = [slice(start, start + params.batch_size) for start in range(0, len(rows), params.batch_size)]
        for at in progress(batches, len(rows), "faces", size=lambda at: len(rows[at])):
            photos = pixels[rows[at]]
            x = images.to_tensor(photos).to(device)
            latent = editor.encode(x)
            reconstruction = editor.decode(latent)
            for i, spec in enumerate(specs):
                result = editor.apply_to(x, latent, reconstruction, spec, params.mode)
                y = images.to_pixels(result.y)
                outputs[i][at] = y
                manifest[i].append(_rows(i, spec, params.mode, ids[at], at.start, photos, y, result))
        for output in outputs:
            output.flush()
        write_table(folder / "manifest.parquet", pa.concat_tables([part for parts in manifest for part in parts]))
    with replacing_folder(params.sheets) as folder:
        shown = rows[choose_rows(params.sheet_faces, len(rows), params.seed + 1)]
        x = images.gather(pixels, shown).to(device)
        for i, spec in enumerate(specs):
            sheets.write_png(folder / f"{_file(i)[:-4]}.png", spec_sheet(editor, x, spec, params.mode))
        sheets.write_png(folder / "overview.png", overview(editor, x, params.mode))
    log.info("%s: %d edits of %d faces", editor.system.name, len(specs), len(rows))


def _file(spec: int) -> str:
    return f"spec-{spec:02d}.npy"


def _output(path: Path, count: int, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, *shape))


MANIFEST = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("spec", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("index", pa.int32(), nullable=False),  # row of the file
        # one entry per attribute that moves: those of the spec, and those it turns off (`exclusive`)
        pa.field("attributes", pa.list_(pa.string()), nullable=False),
        pa.field("requested", pa.list_(pa.string()), nullable=False),
        pa.field("applied", pa.list_(pa.float32()), nullable=False),  # signed multiples of the direction
        pa.field("state_before", pa.list_(pa.float32()), nullable=False),  # probability, read from the latent
        pa.field("mask_mean", pa.float32(), nullable=False),  # share of the change that reached the photo, 0..1
        pa.field("mask_max", pa.float32(), nullable=False),
        pa.field("outside_change", pa.int16(), nullable=False),  # largest change in levels (0..255) where the mask is 0
        pa.field("mean_change", pa.float32(), nullable=False),  # levels, over all pixels
    ]
)


def _rows(
    number: int,
    spec: Spec,
    mode: str,
    ids: list[str],
    first: int,
    photos: np.ndarray,
    edited: np.ndarray,
    result: EditResult,
) -> pa.Table:
    change = np.abs(edited.astype(np.int16) - photos.astype(np.int16))  # (n, S, S, C)
    mask = result.mask.cpu().numpy()[:, 0]  # (n, S, S)
    n, applied = len(ids), result.applied
    columns = {
        "image_id": ids,
        "spec": [str(spec)] * n,
        "mode": [mode] * n,
        "file": [_file(number)] * n,
        "index": list(range(first, first + n)),
        "attributes": [list(applied.attributes)] * n,
        "requested": [list(applied.requested)] * n,
        "applied": applied.strengths.cpu().numpy().tolist(),
        "state_before": applied.states.cpu().numpy().tolist(),
        "mask_mean": mask.mean((1, 2)),
        "mask_max": mask.max((1, 2)),
        "outside_change": np.where(mask[..., None] == 0, change, 0).max((1, 2, 3)).astype(np.int16),
        "mean_change": change.mean((1, 2, 3)).astype(np.float32),
    }
    return pa.Table.from_pydict(columns, schema=MANIFEST)


def spec_sheet(editor: Editor, x: Tensor, spec: Spec, mode: str) -> Image.Image:
    """Faces (N, C, S, S) in rows: photo, reconstruction, the edit at several strengths as decoded, the composite, its
    mask, and four times the difference to the photo."""
    result = editor.apply(x, spec, mode)
    shift = result.applied.shift
    columns: list[tuple[str, Tensor]] = [("photo", x), ("reconstruction", result.reconstruction)]
    columns += [(f"x {scale:g}", editor.decode(editor.move(result.latent, scale * shift))) for scale in SCALES]
    columns += [
        (f"composite {mode}", result.y),
        ("mask", 2 * result.mask - 1),
        ("|difference| x 4", 4 * (result.y - x).abs() - 1),
    ]
    return _sheet(columns, str(spec) or "no edit")


def overview(editor: Editor, x: Tensor, mode: str) -> Image.Image:
    """Faces in rows: photo, reconstruction, then each attribute turned on (by itself)."""
    latent = editor.encode(x)
    reconstruction = editor.decode(latent)
    columns: list[tuple[str, Tensor]] = [("photo", x), ("reconstruction", reconstruction)]
    for name in editor.table.attributes:
        result = editor.apply_to(x, latent, reconstruction, Spec((Change(name, on=True),)), mode)
        columns.append((name, result.y))
    return _sheet(columns, f"{editor.system.name}: each attribute turned on")


def _sheet(columns: list[tuple[str, Tensor]], title: str) -> Image.Image:
    pixels = [images.to_pixels(column) for _, column in columns]
    pictures = [[column[i] for column in pixels] for i in range(len(pixels[0]))]
    return sheets.sheet(pictures, [name for name, _ in columns], title=title, scale=ZOOM)


if __name__ == "__main__":
    run_stage(Params, run)
