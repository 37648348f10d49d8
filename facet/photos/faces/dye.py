"""Dye: another colour of hair, as one change of the hair's mean colour that leaves every strand where it is.

Hair takes the colour that hair with the attribute has in the light of the photo, which shows on the skin. The contrast
of its strands goes with the brightness, their own colours give way to the new one, and at its edge each pixel changes
by the share of it that is hair (facet/photos/faces/matting.py)."""

import dataclasses

import cv2
import numpy as np

from facet.editing.table import Colours
from facet.photos.faces.matting import Matte

COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")  # attributes that dye hair
COVERING = ("Bald", "Wearing_Hat")  # leave none to dye
LEAST = 0.004  # share of a crop; less hair has no colour to speak of
GAIN = (0.6, 1.7)  # least and most change of contrast
FLARE = 24.0  # levels added to both brightnesses whose ratio scales contrast: dark hair has noise rather than contrast
OWN = 0.4  # share of each strand's own colour, beside the new one, that stays
RANGE = (12.0, 235.0)  # levels of the dyed hair's mean colour
# Hair against light: with skin that is brighter by some per cent, hair of one kind is brighter by LIGHT of them. Blond
# hair has .66 to .96, grey hair .02 to .41 (120 and 92 photos of LFW): skin differs by more than its light.
LIGHT, LIGHTS = 0.6, (0.7, 1.4)
LUMA = np.array([0.299, 0.587, 0.114])


@dataclasses.dataclass(frozen=True)
class Hair:
    """The hair in the widened square of a crop, where it can be dyed."""

    matte: Matte
    colours: Colours
    pad: int  # pixels by which the square reaches beyond the crop


@dataclasses.dataclass(frozen=True)
class Dye:
    """A dye of some hair: new = keep F + slope luma(F) + offset, F the hair's colour in levels."""

    hair: Hair
    keep: float
    slope: float
    offset: np.ndarray  # (3,)

    def added(self, pixels: np.ndarray, matte: Matte) -> np.ndarray:
        """What the dye adds to pixels (H, W, 3) in levels, given the matte of their hair at their size."""
        colour = np.asarray(matte.colour(pixels), np.float32)
        grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)[:, :, None]
        return np.asarray(
            matte.alpha(pixels)[:, :, None] * ((self.keep - 1) * colour + self.slope * grey + self.offset)
        )

    def on_crop(self, pixels: np.ndarray) -> np.ndarray:
        """What it adds to the crop, (F, F, 3) in levels."""
        return self.added(pixels, self.hair.matte.inner(self.hair.pad))


def dye(hair: Hair, wanted: Colours, amount: float = 1.0) -> Dye:
    """The dye that gives hair the wanted colour, `amount` of the way: 0 none, 1 all of it."""
    old = hair.colours.hair
    new = np.clip(old + amount * (in_light(wanted, hair.colours.skin) - old), *RANGE)
    light, bright = (float(colour @ LUMA) for colour in (old, new))
    changed = min(float(np.abs(new - old).max()) / FLARE, 1.0)
    gain = np.clip((bright + FLARE) / (light + FLARE), *GAIN)
    keep = 1 - changed * (1 - OWN)
    slope = float(gain) - keep
    return Dye(hair, keep, slope, (new - keep * old - slope * light).astype(np.float32))


def in_light(wanted: Colours, skin: np.ndarray) -> np.ndarray:
    """The colour (3,) that hair has where skin has the colour `skin`, if it has that of `wanted` beside skin of
    `wanted`."""
    ratio = np.clip((skin + FLARE) / (wanted.skin + FLARE), *LIGHTS) ** LIGHT
    return np.asarray((wanted.hair + FLARE) * ratio - FLARE)


def mean_colours(pixels: np.ndarray, hair: np.ndarray, skin: np.ndarray) -> Colours:
    """The mean colours of hair and skin in pixels (S, S, 3), by their weights (S, S)."""
    parts = [(pixels * part[:, :, None]).sum((0, 1)) / max(float(part.sum()), 1e-6) for part in (hair, skin)]
    return Colours(*parts)
