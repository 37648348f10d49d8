"""An export computes what torch computes, and an edit with it needs neither torch nor Facet."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facet import systems
from facet.base import images
from facet.base.errors import InputError
from facet.cli import main
from facet.editing import table
from facet.editing.directions import Readout
from facet.editing.editor import Editor
from facet.exporting import folder, graphs
from tests.support import small, tiny
from tests.support.linear_system import ATTRIBUTES, LinearSystem, planted
from tests.support.paths import ROOT

CPU = torch.device("cpu")
EXAMPLE = ROOT / "docs/examples/onnx_edit.py"


def linear() -> Editor:
    return Editor(LinearSystem(), planted(), device=CPU)


def editor_of(system: systems.System) -> Editor:
    """An editor with directions and read-outs drawn at random."""
    dims = system.z_dim + system.y_dim
    rng = np.random.default_rng(0)
    known = planted(
        system=system.name, z_dim=system.z_dim, y_dim=system.y_dim, latent_low=(-2.0,) * dims, latent_high=(2.0,) * dims
    )
    vectors = rng.standard_normal((2, len(ATTRIBUTES), dims)).astype(np.float32)
    directions = tuple(
        dataclasses.replace(d, vector=vector, standard_error=0 * vector)
        for d, vector in zip(known.directions, vectors[0], strict=True)
    )
    readouts = {name: Readout(w, 0.1, 2.0, -3.0) for name, w in zip(ATTRIBUTES, vectors[1], strict=True)}
    return Editor(system, table.AttributeTable(directions, readouts, known.meta), device=CPU)


def wake(system: systems.System) -> systems.System:
    """The system with weights at which signals neither fade nor explode: after a few steps, images are all but black,
    and any two graphs would agree."""
    torch.manual_seed(0)
    for part in vars(system).values():
        for weights in part.parameters() if isinstance(part, torch.nn.Module) else ():
            if weights.ndim > 1:
                torch.nn.init.kaiming_normal_(weights, mode="fan_in", nonlinearity="leaky_relu")
    return system


def test_the_edit_of_a_spec_with_several_attributes_is_the_editor_s():
    """Also of one that excludes others, spares those it names, and of a read-out that sees nothing."""
    editor = linear()
    blind = editor.table.readouts | {"Eyeglasses": Readout(np.ones(16, np.float32), 0.0, -0.5, 0.0)}
    editor = Editor(LinearSystem(), dataclasses.replace(editor.table, readouts=blind), device=CPU)
    edit = graphs.Edit(editor)
    latent = torch.randn(100, 16, generator=torch.Generator().manual_seed(0))
    specs = {
        "Black_Hair=on, Smiling=-1.5": ([-1.5, 0, 0, 0], [0, 0, 1, 0]),
        "Black_Hair=on, Blond_Hair=off": ([0, 0, 0, 0], [0, 0, 1, -1]),
        "Blond_Hair=+2, Eyeglasses=on": ([0, 0, 0, 2], [0, 1, 0, 0]),
        "Eyeglasses=off, Smiling=off": ([0, 0, 0, 0], [-1, -1, 0, 0]),
    }
    assert editor.table.attributes == ("Smiling", "Eyeglasses", "Black_Hair", "Blond_Hair")
    for text, (add, target) in specs.items():
        rows = [torch.tensor(values).float().expand(100, 4) for values in (add, target)]
        torch.testing.assert_close(edit(latent, *rows), editor.edit(latent, editor.parse(text)), msg=text)


def test_the_card_says_what_the_graphs_take():
    card = json.loads(json.dumps(folder.card(linear())))
    assert card["crop"]["box"] == [29, 49, 149, 169]
    assert card["crop"]["frame"] == [178, 218]
    assert card["images"]["size"] == 16
    black = card["attributes"][2]
    assert (black["name"], black["excludes"], black["success_80"]) == (
        "Black_Hair",
        ["Blond_Hair"],
        {"add": 0.6, "remove": 0.6},
    )


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="holds something else than an export; name a new folder"):
        folder.export(linear(), tmp_path)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"


def test_a_missing_extra_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"exporting needs its extra; run `pip install -e '\.\[onnx\]'`"):
        folder.export(linear(), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", systems.SYSTEMS)
def test_every_system_computes_the_same_on_100_faces_in_any_batch(name, tmp_path):
    ort = need_onnx()
    editor = editor_of(wake(systems.load(small.train(tmp_path, name), CPU)))
    differences = folder.export(editor, tmp_path / "out")
    assert sorted(differences) == ["decode", "edit", "encode"]
    faces = images.gather(np.load(tiny.prepared(tmp_path / "faces", count=100) / "images.npy"), np.arange(100))
    again = folder.compare(tmp_path / "out", editor, faces)
    assert editor.decode(editor.encode(faces)).std() > 0.1
    assert editor.encode(faces).std(0).mean() > 0.1
    assert max(*differences.values(), *again.values()) < folder.TOLERANCE
    session = ort.InferenceSession(tmp_path / "out/encode.onnx")
    latents = [session.run(None, {"images": faces[:count].numpy()})[0] for count in (1, 7)]
    np.testing.assert_allclose(latents[0], latents[1][:1], atol=1e-5)


@pytest.mark.slow
def test_the_command_exports_what_edits_now(tmp_path, capsys):
    need_onnx()
    model = small.train(tmp_path, "vigan")
    (tmp_path / "params.yaml").write_text("systems:\n  vigan: {model: model}\n")
    (tmp_path / "dvc.yaml").touch()
    editor = editor_of(systems.load(model, CPU))
    meta = dataclasses.replace(editor.table.meta, split_hash=editor.system.split_hash, crop=editor.system.crop)
    table.write(tmp_path / "data/attributes/vigan.parquet", dataclasses.replace(editor.table, meta=meta))
    words = ["export", "vigan", "--onnx", str(tmp_path / "out"), "--root", str(tmp_path)]
    assert main(words) == 0
    assert "largest differences from torch encode " in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "decode.onnx", "edit.onnx", "encode.onnx", "export.json",
    }  # fmt: skip
    assert main([*words, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"decode", "edit", "encode"}


@pytest.mark.slow
def test_a_graph_that_differs_is_not_kept(tmp_path, monkeypatch):
    need_onnx()
    right = graphs.decode
    monkeypatch.setattr(graphs, "decode", lambda system: torch.nn.Sequential(right(system), torch.nn.Softsign()))
    with pytest.raises(folder.ExportFailed, match=r"was not written: \{'decode': .*\} differ from torch by more than"):
        folder.export(linear(), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_example_edits_a_framed_photo_and_a_crop_without_torch_and_facet(tmp_path):
    need_onnx()
    folder.export(linear(), tmp_path / "export")
    folder.export(linear(), tmp_path / "export")  # an earlier export is replaced
    framed = np.random.default_rng(0).integers(60, 120, (218, 178, 3), dtype=np.uint8)
    Image.fromarray(framed).save(tmp_path / "framed.png")
    Image.fromarray(framed[49:169, 29:149]).save(tmp_path / "crop.png")
    code = (
        "import sys, runpy; sys.modules.update(torch=None, facet=None); "
        f"sys.argv[1:] = ['export', 'out', 'Smiling=+2', 'framed.png', 'crop.png']; runpy.run_path({str(EXAMPLE)!r})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env={"PYTHONPATH": packages()})
    edited = np.asarray(Image.open(tmp_path / "out/framed.png")).astype(int)
    change = (edited - framed)[49:169, 29:149]
    assert change[:20, :20].mean() > 60  # the region of Smiling, in strengths of 80 % success: 2 x .6 x .3 x 2 x 127.5
    assert np.abs(change[40:, 40:]).mean() < 2
    assert (np.delete(edited, slice(49, 169), axis=0) == np.delete(framed, slice(49, 169), axis=0)).all()
    assert (np.asarray(Image.open(tmp_path / "out/crop.png")) == edited[49:169, 29:149]).all()


def need_onnx():
    """onnxruntime; the test is skipped without the extra onnx."""
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    return pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


def packages() -> str:
    """The folders of packages of this process, wherever onnxruntime lies."""
    import onnxruntime

    return str(Path(onnxruntime.__file__).parents[1])
