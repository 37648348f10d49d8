"""How to edit photos: the options, and the ways of bringing an edit back."""

import dataclasses
from typing import Literal

from facet.base.errors import InputError
from facet.editing import modes
from facet.photos.faces import align

FaceChoice = Literal["largest", "all"]
LEAST = 48  # pixels of the photo along one side of a crop; smaller faces are skipped
SURE = 0.97  # probability by judge A from which on an attribute counts as reached
MOVE, AUTO = "move", "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How to edit photos. The bytes of a result depend on every option.

    spec            the edit, for example "Smiling=on, Blond_Hair=+1.5"
    mode            how the change comes back: move (move the photo's own pixels, recolour them, redraw only what is
                    new), or a compositing of the published systems: ian, ian_code, add, replace, decode; auto: move
    faces           edit the "largest" face of a photo, or "all"
    aligned         photos are framed like CelebA's aligned pictures; skip face detection
    sure            probability by judge A from which on an attribute set `on` or `off` counts as reached; mode move
    clip            keep edited latents within the usual range of training latents
    refine          optimisation steps that bring a face's latent closer to the photo before the edit
    unless_already  leave faces alone that already show every attribute asked for
    least           smallest face to edit: pixels of the photo along one side of its crop
    away            farthest head turn to edit: distance of the nose from the face's midline, in distances between
                    the eyes; 0 edits every face
    unlike          edit faces that are unlike those of training, too: covered, pixelated, blurred
    """

    spec: str
    mode: str = AUTO
    faces: FaceChoice = "largest"
    aligned: bool = False
    sure: float = SURE
    clip: bool = False
    refine: int = 0
    unless_already: bool = False
    least: int = LEAST
    away: float = align.TURNED_AWAY
    unlike: bool = False


def check_mode(mode: str) -> None:
    """InputError if there is no such compositing mode."""
    modes.check_mode(mode, (AUTO, MOVE, *modes.MODES))


def compositing_mode(mode: str) -> str:
    """The way of bringing back an edit that a mode stands for."""
    check_mode(mode)
    return MOVE if mode == AUTO else mode


def check_sure(sure: float) -> None:
    """InputError unless `sure` is a probability that says yes."""
    if not 0.5 <= sure < 1:
        raise InputError(f"sure {sure:g}: expected a probability from 0.5 to below 1")
