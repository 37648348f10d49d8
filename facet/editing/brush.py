"""The contextual brush of the Neural Photo Editor (Brock et al. 2017, arXiv:1609.07093, section 2): a stroke is some
gradient steps on the latent that bring the decoder's picture under the brush closer to a colour, so that paint on a
forehead becomes hair. Strokes are JSON: a list of objects, each one of

{"x": 0.5, "y": 0.2, "size": 0.15, "colour": "#1c140f", "steps": 8}   paint (x, y: centre, size: side, in crops)
{"x": 0.5, "y": 0.2, "size": 0.15, "colour": "#1c140f", "reach": 0.75, "hold": 20}   paint until it shows
{"x": 0.5, "y": 0.7, "size": 0.2, "lighten": 1, "steps": 8}           lighten (1) or darken (-1)
{"latent": {"3": 1.5, "7": -0.5}}                                     set entries of the latent
{"stack": true}                                                       continue from the edited picture as the photo

`steps` are those of the public code: a fixed rate, whatever its effect. It suits the decoder it was made for; with
others the same steps paint twice as much or half, and if a lighter face explains white paint as well as teeth do, the
whole face becomes lighter. `reach` (ours) does what a person at the editor does: it continues until this share of the
squared distance to the colour is gone, and keeps the rest: `hold` weighs the mean squared change outside the brush
against the distance under it (0: ignore it). Its gradient is taken in units of each latent number's spread in training:
numbers that hardly vary among faces hardly move, so that paint becomes a feature of the face instead of a spot."""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facet.base.errors import InputError
from facet.editing import compositing
from facet.editing.editor import Editor

PAINT_RATE = 0.05  # of a gradient step, times 1 + width in pixels: NPE.py of the public code
LIGHT_RATE = 0.1
CLOSED = 0.1  # share of the remaining loss that one step towards `reach` removes, to first order, on any decoder
LONGEST = (
    0.1  # cap on such a step in spreads, root mean square over the latent: gradients vanish if paint has no effect
)
MOST_STEPS = 40
KEYS = {
    "paint": {"x", "y", "size", "colour", "steps"},
    "reach": {"x", "y", "size", "colour", "reach", "hold"},
    "light": {"x", "y", "size", "lighten", "steps"},
    "latent": {"latent"},
    "stack": {"stack"},
}


@dataclasses.dataclass(frozen=True)
class Stroke:
    """One entry of a strokes file; fields that its kind does not use keep their defaults."""

    kind: str  # paint | reach | light | latent | stack
    x: float = 0.5  # centre, as a share of the crop's width
    y: float = 0.5
    size: float = 0.1  # side of the square brush, as a share of the crop's width
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)  # in [-1, 1]
    sign: int = 1  # +1 lightens, -1 darkens
    steps: int = 8
    reach: float = 0.0  # share of the squared distance to the colour to remove
    hold: float = 0.0  # weight of changes outside the brush
    entries: tuple[tuple[int, float], ...] = ()  # of the latent


def read(path: Path, dims: int) -> tuple[Stroke, ...]:
    """Read a strokes file for latents of `dims` numbers; InputError names the wrong entry and the reason."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}); expected a list of strokes") from None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path} holds no list of strokes; expected for example {__doc__.splitlines()[4]}")
    return parse(entries, str(path), dims)


def parse(entries: Sequence[Any], where: str, dims: int) -> tuple[Stroke, ...]:
    """The strokes of a list of JSON objects for latents of `dims` numbers; InputError names `where`, the wrong entry
    and the reason."""
    return tuple(_stroke(entry, f"{where}, stroke {number}", dims) for number, entry in enumerate(entries, 1))


def _stroke(entry: Any, where: str, dims: int) -> Stroke:
    keys = set(entry) if isinstance(entry, dict) else set()
    kind = next((kind for kind, wanted in KEYS.items() if keys == wanted), None)
    if kind is None:
        wanted = "; or ".join(", ".join(sorted(names)) for names in KEYS.values())
        raise InputError(f"{where} has {', '.join(sorted(map(str, keys))) or 'no keys'}; expected exactly {wanted}")
    if kind == "stack":
        return Stroke(kind)
    if kind == "latent":
        values = entry["latent"] if isinstance(entry["latent"], dict) else {}
        entries = tuple(
            (_whole(f"{where}, place in the latent", key, 0, dims - 1), _number(where, key, value))
            for key, value in values.items()
        )
        if not entries:
            raise InputError(f'{where}: latent is {entry["latent"]!r}; expected numbers by place, {{"3": 1.5}}')
        return Stroke(kind, entries=entries)
    x, y, size = (_number(where, name, entry[name], 0, 1) for name in ("x", "y", "size"))
    if kind == "reach":
        reach, hold = _number(where, "reach", entry["reach"], 0, 1), _number(where, "hold", entry["hold"], 0)
        return Stroke(kind, x, y, size, colour=_colour(where, entry["colour"]), reach=reach, hold=hold)
    steps = _whole(where, "steps", 1, 1000, entry["steps"])
    if kind == "paint":
        return Stroke(kind, x, y, size, colour=_colour(where, entry["colour"]), steps=steps)
    if entry["lighten"] not in (1, -1):
        raise InputError(f"{where}: lighten is {entry['lighten']!r}; expected 1, or -1 to darken")
    return Stroke(kind, x, y, size, sign=entry["lighten"], steps=steps)


def _number(where: str, name: str, value: Any, low: float = -1e6, high: float = 1e6) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or math.isnan(value):
        raise InputError(f"{where}: {name} is {value!r}; expected a number from {low:g} to {high:g}")
    return float(value)


def _whole(where: str, name: str, low: int, high: int, value: Any = None) -> int:
    text = str(name if value is None else value)
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise InputError(f"{where}: {name if value is None else f'{name} is {value!r}'}; expected {low} to {high}")
    return int(text)


def _colour(where: str, value: Any) -> tuple[float, float, float]:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise InputError(f'{where}: colour is {value!r}; expected six hexadecimal digits, "#1c140f"')
    red, green, blue = (2 * int(value[i : i + 2], 16) / 255 - 1 for i in (1, 3, 5))
    return red, green, blue


@dataclasses.dataclass(frozen=True)
class Painted:
    """Images (N, C, S, S) in [-1, 1], mask (N, 1, S, S), latents (N, d)."""

    y: Tensor  # the photo with the change composited into it
    mask: Tensor  # of the last stack; 0 where y is the photo bit for bit
    edited: Tensor  # the decoded edited latent
    latent: Tensor
    edited_latent: Tensor


def paint(editor: Editor, x: Tensor, strokes: Sequence[Stroke], mode: str) -> Painted:
    """Images (N, C, S, S) in [-1, 1] after all strokes, each image by itself; `mode` as in compositing."""
    *_, last = follow(editor, x, strokes, mode)
    return last


def follow(editor: Editor, x: Tensor, strokes: Iterable[Stroke], mode: str) -> Iterator[Painted]:
    """Yield the images before any stroke, then after each."""
    canvas = start(editor, x)
    yield canvas.painted
    for stroke in strokes:
        canvas = stroked(editor, canvas, stroke, mode)
        yield canvas.painted


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Where the next stroke begins: the images that changes come into, their reconstructions, and what was painted."""

    photo: Tensor  # (N, C, S, S) in [-1, 1]; the last stack replaces it
    reconstruction: Tensor
    painted: Painted


def start(editor: Editor, x: Tensor, latent: Tensor | None = None) -> Canvas:
    """Images (N, C, S, S) in [-1, 1] before any stroke; `latent` (N, d) if it is known, as that of a sample."""
    x = x.to(editor.device)
    latent = editor.encode(x) if latent is None else latent
    reconstruction = editor.decode(latent)
    return Canvas(x, reconstruction, Painted(x, torch.zeros_like(x[:, :1]), reconstruction, latent, latent))


def stroked(editor: Editor, canvas: Canvas, stroke: Stroke, mode: str) -> Canvas:
    """The canvas after one more stroke; `mode` as in compositing."""
    painted = canvas.painted
    if stroke.kind == "stack":
        return start(editor, painted.y)
    latent = move(editor, painted.edited_latent, stroke)
    edited = editor.decode(latent)
    y, mask, _ = compositing.composite(canvas.photo, canvas.reconstruction, edited, mode, compositing.Gates())
    return dataclasses.replace(canvas, painted=Painted(y, mask, edited, painted.latent, latent))


def move(editor: Editor, latent: Tensor, stroke: Stroke) -> Tensor:
    """The latents (N, d) after one stroke."""
    if stroke.kind == "latent":
        moved = latent.clone()
        for place, value in stroke.entries:
            moved[:, place] = value
        return moved
    size = editor.system.size
    rows, columns = patch(stroke, size)
    width = rows.stop - rows.start
    colour = torch.tensor(stroke.colour, device=latent.device)
    if editor.system.channels == 1:
        colour = (colour * torch.tensor([0.299, 0.587, 0.114], device=latent.device)).sum()[None]
    if stroke.kind == "reach":
        return _reach(editor, latent, stroke, (rows, columns), colour)
    z = latent.detach().clone()
    for _ in range(stroke.steps):
        z.requires_grad_(True)
        with torch.enable_grad():
            under = editor.system.decode(z).float()[:, :, rows, columns]
            if stroke.kind == "paint":  # the mean of each image; summing them keeps the gradients separate
                loss = _distance(under, colour).sum()
            else:
                loss = -stroke.sign * under.mean((1, 2, 3)).sum()
            (gradient,) = torch.autograd.grad(loss, z)
        rate = PAINT_RATE if stroke.kind == "paint" else LIGHT_RATE
        z = (z - rate * (1 + width) * gradient).detach()
    return z


def _reach(editor: Editor, latent: Tensor, stroke: Stroke, under: tuple[slice, slice], colour: Tensor) -> Tensor:
    """Gradient steps, each of the length that removes CLOSED of the loss to first order, until the paint on every image
    has reached its aim, or MOST_STEPS."""
    before, z, spread = editor.system.decode(latent).float().detach(), latent.detach().clone(), editor.spread
    outside = torch.ones_like(before[:1, :1])
    outside[:, :, *under] = 0
    outside /= outside.sum().clamp(min=1)
    aim = (1 - stroke.reach) * _distance(before[:, :, *under], colour)
    for _ in range(MOST_STEPS):
        z.requires_grad_(True)
        with torch.enable_grad():
            picture = editor.system.decode(z).float()
            left = _distance(picture[:, :, *under], colour)
            loss = left + stroke.hold * (outside * (picture - before).square()).sum((2, 3)).mean(1)
            gradient = spread * torch.autograd.grad(loss.sum(), z)[0]
        going = left.detach() > aim
        if not going.any():
            break
        slope = gradient.norm(dim=1).clamp(min=1e-9)
        length = (CLOSED * loss.detach() / slope).clamp(max=LONGEST * z.shape[1] ** 0.5)
        z = (z - spread * (going * length / slope)[:, None] * gradient).detach()
    return z.detach()


def _distance(pixels: Tensor, colour: Tensor) -> Tensor:
    """Mean squared distance (N,) of pixels (N, C, H, W) to a colour (C,)."""
    return (pixels - colour[:, None, None]).square().mean((1, 2, 3))


def patch(stroke: Stroke, size: int) -> tuple[slice, slice]:
    """Rows and columns under the brush, at least one pixel, within the picture of `size` pixels."""
    half = max(round(stroke.size * size), 1) / 2
    slices = []
    for centre in (stroke.y, stroke.x):
        begin = min(max(round(centre * size - half), 0), size - 1)
        slices.append(slice(begin, min(max(round(centre * size + half), begin + 1), size)))
    return slices[0], slices[1]
