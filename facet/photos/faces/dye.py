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
WARM, TINT = 4.0, 5.0  # levels: least of red over blue, and most of green over or under the middle of both
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
    new = natural((old + FLARE) * (end + FLARE) / (start + FLARE) - FLARE, old)
    light, bright = (float(colour @ LUMA) for colour in (old, new))
    amount = min(float(np.abs(new - old).max()) / FLARE, 1.0)
    gain = np.clip((bright + FLARE) / (light + FLARE), *GAIN)
    keep = 1 - amount * (1 - OWN)
    slope = float(gain) - keep
    return Dye(hair, keep, slope, (new - keep * old - slope * light).astype(np.float32))


def natural(colour: np.ndarray, old: np.ndarray) -> np.ndarray:
    """The nearest colour (3,) in levels that hair has: never blue, green or purple beyond what the photo's light made
    of the old colour."""
    red, green, blue = np.clip(colour, *RANGE)
    blue = min(blue, red - min(old[0] - old[2], WARM))
    middle, own = (red + blue) / 2, old[1] - (old[0] + old[2]) / 2
    green = np.clip(green, middle + min(own, -TINT), middle + max(own, TINT))
    return np.asarray(np.clip((red, green, blue), *RANGE))
