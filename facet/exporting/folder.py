"""One folder with all that an edit of aligned faces needs: encode.onnx, edit.onnx and decode.onnx with a dynamic batch,
and export.json, which says what goes in, what comes out and which attributes there are (docs/export.md)."""

import dataclasses
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facet.base.errors import FacetError, InputError
from facet.base.files import replacing_folder, write_json
from facet.base.version import VERSION
from facet.editing.editor import Editor
from facet.editing.spec import exclusive_with
from facet.exporting import graphs
from facet.pictures.crops import FRAME, crop

log = logging.getLogger(__name__)

CARD = "export.json"
TOLERANCE = 1e-4  # largest difference from torch, of images in [-1, 1] and of latents
CHECKED = 100  # faces on which every graph is compared
OPSET = 20
MISSING = "exporting needs its extra; run `pip install -e '.[onnx]'` in the clone"


class ExportFailed(FacetError):
    """A graph does not compute what torch computes."""

    exit_code = 1


def export(editor: Editor, out: Path) -> dict[str, float]:
    """Write the folder `out`; return the largest difference of each graph from torch on CHECKED faces.

    InputError if `out` holds anything but an earlier export, if the extra is missing or no attribute can be edited;
    ExportFailed, with `out` as it was, if a graph differs by more than TOLERANCE."""
    if out.exists() and not (out / CARD).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds something else than an export; name a new folder")
    if not editor.table.attributes:
        raise InputError("no attribute of this system can be edited; run stage `attributes` on more faces")
    try:
        import onnxruntime  # noqa: F401  # what the check needs is missing now, not after the work
        import onnxscript  # noqa: F401
    except ImportError:
        raise InputError(MISSING) from None
    system, (latent, faces) = editor.system, _examples(editor)
    add, target = _requests(len(faces), len(editor.table.attributes))
    with replacing_folder(out) as folder:
        write_graph(folder / "encode.onnx", graphs.encode(system), {"images": faces}, "latents")
        write_graph(folder / "decode.onnx", graphs.decode(system), {"latents": latent}, "images")
        requests = {"latents": latent, "add": add, "target": target}
        write_graph(folder / "edit.onnx", graphs.Edit(editor), requests, "edited_latents")
        write_json(folder / CARD, card(editor))
        differences = compare(folder, editor, faces)
        wrong = {name: value for name, value in differences.items() if not value <= TOLERANCE}
        if wrong:
            raise ExportFailed(f"{out} was not written: {wrong} differ from torch by more than {TOLERANCE}")
    return differences


def write_graph(path: Path, network: nn.Module, inputs: dict[str, Tensor], output: str) -> None:
    """Trace a network whose inputs and output have the faces as their first dimension."""
    faces = torch.export.Dim("faces")
    with _quiet():
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple({0: faces} for _ in inputs),
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter says about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, logger = logging.getLogger("torch.onnx").level, logging.getLogger("torch.onnx")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)


def _examples(editor: Editor) -> tuple[Tensor, Tensor]:
    """Latents (CHECKED, d) spread as those of training faces, and their images."""
    draw = torch.Generator().manual_seed(0)
    low, high = (torch.tensor(ends) for ends in (editor.table.meta.latent_low, editor.table.meta.latent_high))
    latent = low + (high - low) * torch.rand(CHECKED, len(low), generator=draw)
    return latent, editor.decode(latent).cpu()


def _requests(faces: int, attributes: int) -> tuple[Tensor, Tensor]:
    """Numbers to add and targets (faces, attributes) of every kind, in turn: face k changes attribute k, modulo."""
    add, target = torch.zeros(2, faces, attributes)
    kinds = ((add, 1.5), (target, 1.0), (add, -0.5), (target, -1.0))
    for face in range(faces):
        kind, value = kinds[(face // attributes) % len(kinds)]
        kind[face, face % attributes] = value
    return add, target


def compare(folder: Path, editor: Editor, faces: Tensor) -> dict[str, float]:
    """The largest difference of each graph of an export from the editor, on images (N, C, S, S)."""
    import onnxruntime

    names = editor.table.attributes
    add, target = _requests(len(faces), len(names))
    latent = editor.encode(faces)
    edited = torch.cat([
        editor.edit(row, editor.parse(_spec(names, numbers, targets)))
        for row, numbers, targets in zip(latent.split(1), add, target, strict=True)
    ])  # fmt: skip
    expected = {
        "encode": ([faces], latent),
        "edit": ([latent, add, target], edited),
        "decode": ([edited], editor.decode(edited)),
    }
    differences = {}
    for name, (inputs, wanted) in expected.items():
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])
        fed = {node.name: value.cpu().numpy() for node, value in zip(session.get_inputs(), inputs, strict=True)}
        found = session.run(None, fed)[0]
        differences[name] = float(np.abs(found - wanted.cpu().numpy()).max())
    return differences


def _spec(names: tuple[str, ...], add: Tensor, target: Tensor) -> str:
    """The edit spec of a row of requests."""
    numbers = [f"{name}={value:+g}" for name, value in zip(names, add.tolist(), strict=True) if value]
    words = {1.0: "on", -1.0: "off"}
    return ", ".join(
        numbers + [f"{name}={words[value]}" for name, value in zip(names, target.tolist(), strict=True) if value]
    )


def card(editor: Editor) -> dict[str, Any]:
    """The contents of export.json."""
    system, meta = editor.system, editor.table.meta
    return {
        "facet": VERSION,
        "system": system.name,
        "opset": OPSET,
        "z_dim": system.z_dim,
        "y_dim": system.y_dim,
        "images": {
            "size": system.size,
            "channels": system.channels,
            "order": "RGB" if system.channels == 3 else "L",
            "layout": "NCHW",
            "type": "float32",
            "from_pixels": "pixels / 127.5 - 1",
            "to_pixels": "round((images + 1) * 127.5)",
        },
        "crop": dataclasses.asdict(crop(system.crop)) | {"frame": FRAME},
        "landmarks": meta.landmarks and np.reshape(meta.landmarks, (-1, 2)).tolist(),
        "attributes": [_attribute(editor, name) for name in editor.table.attributes],
        "refused": meta.refused,
        "latent_low": meta.latent_low,
        "latent_high": meta.latent_high,
    }


def _attribute(editor: Editor, name: str) -> dict[str, Any]:
    chosen, names = editor.table.chosen(name), editor.table.attributes
    return {
        "name": name,
        "estimator": chosen.estimator,
        "judged": chosen.judged,
        "excludes": [other for other in exclusive_with(name) if other in names],
        "success_80": {"add": chosen.add[80], "remove": chosen.remove[80]},
        "success_95": {"add": chosen.add[95], "remove": chosen.remove[95]},
    }
