"""Matting of hair: how much of each pixel is hair, from the colours of hair and of what is around it.

A pixel I at the edge of the hair mixes the colours of both sides, I = alpha F + (1 - alpha) B. F and B are smooth where
alpha is not, so they are found in a small square and enlarged, and alpha is told at each pixel of the photo, single
strands included (the local colour model of Levin et al. 2008, doi:10.1109/TPAMI.2007.1177)."""

import dataclasses

import cv2
import numpy as np

from facet.photos.faces.continuation import continued
from facet.photos.faces.ramps import smoothstep

SURE, NONE = 0.6, 0.3  # rough weights above and below which a pixel is hair and is not
INSIDE, BAND = 2 / 128, 5 / 128  # sides of a crop: how far the edge may lie inside and outside what the rough mask says
NEAR = (30 / 128, 10 / 128, 4 / 128)  # sigmas within which colours are taken, in sides of a crop
ENOUGH = 0.05  # share of a neighbourhood from which on its colours count in full
APART = (20.0, 45.0)  # distance of F from B in levels: too little to tell alpha, enough


@dataclasses.dataclass(frozen=True)
class Matte:
    """Maps (S, S) float32 of a square of a photo, smooth enough to be enlarged to any size."""

    own: np.ndarray  # (S, S, 3) levels, F
    other: np.ndarray  # (S, S, 3) levels, B
    inside: np.ndarray  # 1 where a pixel is hair for certain
    told: np.ndarray  # weight of the alpha that colours tell
    rough: np.ndarray  # alpha where they do not tell, with the rest of the weight

    @classmethod
    def of(cls, pixels: np.ndarray, rough: np.ndarray, limit: np.ndarray, crop: float) -> "Matte":
        """The matte of hair in a square (S, S, 3) uint8 sRGB, from rough weights (S, S) in [0, 1].

        There is no hair where `limit` (S, S) in [0, 1] is 0; `crop` is the side of a crop in pixels of the square."""
        photo = pixels.astype(np.float32)
        core = _moved_edge(rough > SURE, -INSIDE * crop)
        around = 1 - _moved_edge(rough > NONE, BAND * crop)
        own, other = (_continued(photo, part, crop) for part in (core, around))
        near = limit * smoothstep(2 * cv2.GaussianBlur(1 - around, (0, 0), BAND * crop / 4) - 0.5)
        trust = smoothstep((np.linalg.norm(own - other, axis=2) - APART[0]) / (APART[1] - APART[0]))
        inside = cv2.GaussianBlur(core, (0, 0), INSIDE * crop / 2)
        return cls(own, other, limit * inside, near * trust, near * (1 - trust) * rough)

    @property
    def maps(self) -> np.ndarray:
        """All maps as one (S, S, 9)."""
        return np.dstack([self.own, self.other, self.inside, self.told, self.rough])

    def inner(self, pad: int) -> "Matte":
        """The matte of the square without `pad` pixels on each side."""
        return Matte.from_maps(self.maps[pad:-pad, pad:-pad]) if pad else self

    @property
    def most(self) -> np.ndarray:
        """The largest share of hair that any colour can have, (S, S)."""
        return np.maximum(self.inside, self.told + self.rough)

    @classmethod
    def from_maps(cls, maps: np.ndarray) -> "Matte":
        """The matte whose `maps` these are."""
        return cls(maps[:, :, :3], maps[:, :, 3:6], maps[:, :, 6], maps[:, :, 7], maps[:, :, 8])

    def alpha(self, pixels: np.ndarray) -> np.ndarray:
        """How much of each pixel (S, S, 3) is hair, (S, S) float32 in [0, 1]."""
        apart = self.own - self.other
        along = np.einsum("ijk,ijk->ij", pixels - self.other, apart)
        seen = np.clip(along / np.maximum(np.einsum("ijk,ijk->ij", apart, apart), 1), 0, 1)
        return np.clip(np.maximum(self.inside, self.told * seen + self.rough), 0, 1)

    def colour(self, pixels: np.ndarray) -> np.ndarray:
        """The hair's share of the colour of each pixel (S, S, 3): the pixel itself inside, F at the edge."""
        inside = np.clip(self.inside, 0, 1)[:, :, None]
        return np.asarray(inside * pixels + (1 - inside) * self.own)


def _continued(photo: np.ndarray, part: np.ndarray, crop: float) -> np.ndarray:
    """The colours (S, S, 3) of a part (S, S) of a photo, continued to all of it at half the size: they are smooth."""
    height, width = photo.shape[:2]
    half = (-(-width // 2), -(-height // 2))
    known = cv2.resize(part, half, interpolation=cv2.INTER_AREA)
    values = cv2.resize(photo * part[:, :, None], half, interpolation=cv2.INTER_AREA)
    values /= np.maximum(known, 1e-6)[:, :, None]
    start = photo[part > 0].mean(0) if part.any() else np.zeros(3)
    result = continued(values, known, [share * crop / 2 for share in NEAR], start, ENOUGH)
    return np.asarray(cv2.resize(result, (width, height), interpolation=cv2.INTER_LINEAR))


def _moved_edge(where: np.ndarray, reach: float) -> np.ndarray:
    """A mask (S, S) bool grown by `reach` pixels, or shrunk if it is negative, as float32."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(round(abs(reach)), 1) + 1,) * 2)
    morph = cv2.dilate if reach > 0 else cv2.erode
    return np.asarray(morph(where.astype(np.uint8), disc), np.float32)
