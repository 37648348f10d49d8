"""What the page asks for: a state of the edit of one photo, as JSON. The page's history is a list of them."""

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from facet.base.errors import InputError
from facet.editing import brush
from facet.editing.brush import Stroke
from facet.editing.editor import Editor
from facet.photos.faces.align import TURNED_AWAY
from facet.photos.options import AUTO, SURE, Options, check_mode, check_sure

MOST_STROKES = 20_000  # of one face
MOST_REFINE = 200  # steps towards the photo
FLAGS = ("clip", "unless_already", "off_frontal", "unlike_training", "aligned")
KEYS = {"spec", "mode", "faces", "face", "sure", "refine", "strokes", *FLAGS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class State:
    """An edit of one photo: what `facet edit` takes, and strokes for single faces."""

    spec: str = ""
    mode: str = AUTO
    faces: str | int = "largest"  # that the spec edits: "largest", "all", or the number of one
    face: int = 0  # that is looked at: its latent, its panels, its attributes
    sure: float = SURE
    refine: int = 0
    clip: bool = False
    unless_already: bool = False
    off_frontal: bool = False
    unlike_training: bool = False
    aligned: bool = False
    strokes: Mapping[int, tuple[dict[str, Any], ...]] = dataclasses.field(default_factory=dict)  # by face

    @property
    def options(self) -> Options:
        """The options of `facet edit`; a face that was chosen by its number is given by its landmarks."""
        return Options(
            spec=self.spec,
            mode=self.mode,
            faces="all" if self.faces == "all" else "largest",
            aligned=self.aligned,
            sure=self.sure,
            clip=self.clip,
            refine=self.refine,
            unless_already=self.unless_already,
            away=0.0 if self.off_frontal else TURNED_AWAY,
            unlike=self.unlike_training,
        )

    @property
    def painted(self) -> bool:
        """True if there are strokes, which `facet edit` cannot make."""
        return any(self.strokes.values())

    def edits(self, face: int) -> bool:
        """True if the spec edits this face."""
        return self.faces == "all" or face == (0 if self.faces == "largest" else self.faces)

    def strokes_on(self, face: int, editor: Editor) -> tuple[Stroke, ...]:
        """The strokes on a face; InputError if one is none of this system's."""
        return brush.parse(self.strokes.get(face, ()), f"face {face + 1}", editor.system.z_dim + editor.system.y_dim)


def parse(value: Any) -> State:
    """The state that the page sent; InputError names the entry that is wrong."""
    if not isinstance(value, dict):
        raise InputError(f"the state is {_shown(value)}; expected an object")
    unknown = sorted(set(map(str, value)) - KEYS)
    if unknown:
        raise InputError(f"the state has {_shown(unknown[0])}; expected only {', '.join(sorted(KEYS))}")
    fields = dict(value)
    for name in ("spec", "mode"):
        if name in fields and (not isinstance(fields[name], str) or len(fields[name]) > 10_000):
            raise InputError(f"{name} is {_shown(fields[name])}; expected text")
    for name in FLAGS:
        if not isinstance(fields.get(name, False), bool):
            raise InputError(f"{name} is {_shown(fields[name])}; expected true or false")
    _check_whole("face", fields.get("face", 0), 0, 999)
    _check_whole("refine", fields.get("refine", 0), 0, MOST_REFINE)
    if fields.get("faces", "largest") not in ("largest", "all"):
        _check_whole("faces", fields["faces"], 0, 999, 'one face, "largest" or "all"')
    if isinstance(fields.get("sure", SURE), bool) or not isinstance(fields.get("sure", SURE), int | float):
        raise InputError(f"sure is {_shown(fields['sure'])}; expected a probability")
    fields["strokes"] = _strokes(fields.get("strokes", {}))
    state = State(**fields)
    check_mode(state.mode)
    check_sure(state.sure)
    return state


def _strokes(value: Any) -> dict[int, tuple[dict[str, Any], ...]]:
    """Strokes by face. Each is looked at when it is made: only a system knows its latent."""
    if not isinstance(value, dict):
        raise InputError(f"strokes are {_shown(value)}; expected lists by the number of a face")
    strokes = {}
    for key, entries in value.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 3) or not isinstance(entries, list):
            raise InputError(f"strokes of {_shown(key)} are {_shown(entries)}; expected a list by number of a face")
        if len(entries) > MOST_STROKES:
            raise InputError(f"face {int(key) + 1} has {len(entries):,} strokes; {MOST_STROKES:,} at most")
        strokes[int(key)] = tuple(entries)
    return strokes


def _check_whole(name: str, value: Any, low: int, high: int, expected: str = "a whole number") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} is {_shown(value)}; expected {expected} from {low} to {high}")


def _shown(value: Any) -> str:
    """A value in a message: short, and on one line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def command(state: State, name: str, named: Sequence[str], *, landmarks: bool) -> str:
    """The command line that does the same to a photo of this name, or to a folder in its place, with the system that is
    `named` by these flags."""
    words = ["facet", "edit", _path(name), "edited", "--set", state.spec, *named]
    if state.mode != AUTO:
        words += ["--mode", state.mode]
    if state.faces == "all":
        words += ["--faces", "all"]
    if state.sure != SURE:
        words += ["--sure", f"{state.sure:g}"]
    if state.refine:
        words += ["--refine", str(state.refine)]
    words += [f"--{flag.replace('_', '-')}" for flag in FLAGS if getattr(state, flag)]
    if landmarks:
        words += ["--landmarks", "landmarks.csv"]
    return shlex.join(words)


def brush_command(name: str, named: Sequence[str], mask: str) -> str:
    """The command line that paints the strokes of a face on its crop, if the photo is framed as for training."""
    return shlex.join(["facet", "brush", _path(name), "--strokes", "strokes.json", *named, "--mode", mask])


def _path(name: str) -> str:
    """The name as an argument that is no flag."""
    return f"./{name}" if name.startswith("-") else name
