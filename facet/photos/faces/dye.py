"""Dye: another colour of hair, as one change of the hair's mean colour that leaves every strand where it is.

A decoder of 64 pixels paints hair in patches, but the means of what it draws there are steady. A dye scales the hair's
mean colour as they do and the contrast of its strands with the brightness, and takes their own colours towards the new
one. As maps of a change (facet/photos/faces/change.py) it is constant but for the hair's weights."""

import dataclasses

import cv2
import numpy as np

LEAST = 0.004  # share of the crop; less hair has no colour to speak of
GAIN = (0.6, 1.7)  # least and most change of contrast
FLARE = 24.0  # levels added to both brightnesses whose ratio scales contrast: dark hair has noise rather than contrast
OWN = 0.4  # share of each strand's own colour, beside the new one, that stays
RANGE = (12.0, 235.0)  # levels of the dyed hair's mean colour
KEPT = 0.6  # least share of the warmth of what is drawn, red over blue as a share of red
WARM, DEEP = 4.0, 0.45  # least of red over blue in levels, and most as a share of red
TINT = (-5.0, 12.0)  # levels of green over the middle of red and blue: least, most
GOLD = 0.25  # share of red over blue by which the least rises as hair gets bright: light hair is golden, not pink
LUMA = np.array([0.299, 0.587, 0.114])


@dataclasses.dataclass(frozen=True)
class Dye:
    """A dye of some hair: new = keep M + slope luma(M) + offset, M the photo in levels."""

    weight: np.ndarray  # (S, S) of the hair
    keep: float
    slope: float
    offset: np.ndarray  # (3,)

    def applied(self, photo: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The dyed photo where the hair is, `other` elsewhere: (S, S, 3) levels."""
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[:, :, None]
        return other + self.weight[:, :, None] * (self.keep * photo + self.slope * grey + self.offset - other)


def dye(photo: np.ndarray, before: np.ndarray, after: np.ndarray, hair: np.ndarray) -> Dye | None:
    """The dye that a decoded edit calls for, or None if the crop shows too little hair.

    `photo`, reconstruction and edit are (S, S, 3) in levels; `hair` is (S, S) in [0, 1]."""
    total = float(hair.sum())
    if total < LEAST * hair.size:
        return None
    old, start, end = ((picture * hair[:, :, None]).sum((0, 1)) / total for picture in (photo, before, after))
    new = natural((old + FLARE) * (end + FLARE) / (start + FLARE) - FLARE, old, end)
    light, bright = (float(colour @ LUMA) for colour in (old, new))
    amount = min(float(np.abs(new - old).max()) / FLARE, 1.0)
    gain = np.clip((bright + FLARE) / (light + FLARE), *GAIN)
    keep = 1 - amount * (1 - OWN)
    slope = float(gain) - keep
    return Dye(hair, keep, slope, (new - keep * old - slope * light).astype(np.float32))


def natural(colour: np.ndarray, old: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The nearest colour (3,) in levels that hair has: no bluer, greener, more purple or orange than the photo's light
    made of the old colour, and about as warm as what the decoder has `drawn`."""
    red, green, blue = np.clip(colour, *RANGE)
    own, wanted = (float((hair[0] - hair[2]) / max(hair[0], 1.0)) for hair in (old, drawn))  # of red over blue
    least, most = min(own * red, max(WARM, KEPT * wanted * red)), max(DEEP * red, old[0] - old[2])
    blue = red - np.clip(red - blue, least, most)
    middle, tint = (red + blue) / 2, old[1] - (old[0] + old[2]) / 2
    gold = TINT[0] + GOLD * (red - blue) * red / 255
    green = np.clip(green, middle + min(tint, gold), middle + max(tint, TINT[1]))
    return np.asarray(np.clip((red, green, blue), *RANGE))
