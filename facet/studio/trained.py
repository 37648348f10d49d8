"""The trained systems that the studio can switch between. Each is loaded when it is first asked for."""

import dataclasses
import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facet import systems
from facet.base import checkpoints, project
from facet.base.errors import FacetError, InputError
from facet.editing.spec import exclusive_with
from facet.editing.table import STRENGTH_LEVEL, Direction
from facet.nights.champions import STORE, live_paths
from facet.photos.crop_editor import CropEditor
from facet.photos.editor import PhotoEditor, table_of
from facet.systems import Prior

_LOADING = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Trained:
    """One trained system: where it lies, and its editors."""

    name: str
    model: Path
    attributes: Path
    judges: Path | None
    gan: Path  # folder of the GAN whose prior is drawn from, if that is not in the model folder
    named: tuple[str, ...]  # the flags by which commands are told of it

    @functools.cached_property
    def editor(self) -> PhotoEditor:
        """The editor that results are made with, on one thread as in a job: more would change their last bits."""
        with _LOADING:
            if "editor" not in self.__dict__:  # by another thread, meanwhile
                self.__dict__["editor"] = PhotoEditor.load(self.model, self.attributes, judges=self.judges, threads=1)
            loaded: PhotoEditor = self.__dict__["editor"]
        return loaded

    @functools.cached_property
    def quick(self) -> CropEditor:
        """The editor of single faces for the screen."""
        own = self.editor.crop_editor
        return CropEditor(own.editor, own.judge, own.refiner, batch=1)

    @functools.cached_property
    def prior(self) -> Prior:
        """What samples are drawn from; InputError if the system has none."""
        try:
            module = systems.module(self.editor.system.name)
            folder = self.model if hasattr(module, "load") else self.gan
            prior: Prior = module.prior(folder, self.editor.editor.device)
        except (FacetError, OSError, KeyError, TypeError) as error:
            raise InputError(f"{self.name} has no prior to draw a face from here ({error}); open a photo") from None
        return prior

    def described(self) -> dict[str, Any]:
        """What the page needs to show of the system."""
        table, judge = self.editor.editor.table, self.editor.crop_editor.judge
        return {
            "name": self.name,
            "size": self.editor.system.size,
            "dims": self.editor.system.z_dim + self.editor.system.y_dim,
            "spread": self.editor.editor.spread.cpu().tolist(),
            "judge": "judge A" if judge is not None else "the read-out of the latent",
            "attributes": [_described(table.chosen(name), table.attributes) for name in table.attributes],
            "refused": table.meta.refused,
        }


def _described(direction: Direction, attributes: Sequence[str]) -> dict[str, Any]:
    return {
        "name": direction.attribute,
        "judged": direction.judged,
        # at strength 1 an edit succeeds on STRENGTH_LEVEL per cent of faces, unless no strength within reach does
        "reached": {
            "add": direction.judged and direction.add[STRENGTH_LEVEL] is not None,
            "remove": direction.judged and direction.remove[STRENGTH_LEVEL] is not None,
        },
        "excludes": [other for other in exclusive_with(direction.attribute) if other in attributes],
    }


def of_project(root: Path, first: str) -> dict[str, Trained]:
    """The systems of a project that are trained, `first` before the others; InputError if that one is not."""
    if not (root / "params.yaml").exists() and not (root / STORE).exists():
        raise InputError(
            f"{root.resolve()} has no params.yaml; run this in a clone of Facet, name one with --root, or name a model "
            "folder with --model"
        )
    judges = root / "data" / "judges"
    elsewhere = () if root.resolve() == project.find_root(None).resolve() else ("--root", str(root))
    found = {}
    names = project.params(root).get("systems", {}) if (root / "params.yaml").exists() else {}
    for name in dict.fromkeys((first, *names, *systems.SYSTEMS)):
        try:
            model, table = live_paths(root, name)
        except FacetError:
            if name == first:
                raise
            continue
        if name == first or (model.exists() and table.exists()):
            named = ("--system", name, *elsewhere)
            found[name] = Trained(
                name, model, table, judges if judges.exists() else None, root / "data" / "models" / name, named
            )
    return found


def of_folder(model: Path, attributes: Path | None, judges: Path | None) -> dict[str, Trained]:
    """The system in one model folder."""
    name, table = model.resolve().name, attributes or table_of(model)
    named = ("--model", str(model), *(() if attributes is None else ("--attributes", str(attributes))))
    gan = model.parent.parent / "models" / str(checkpoints.read_card(model)["system"])
    return {name: Trained(name, model, table, judges, gan, named)}
