"""Crops of faces, spoiled: covered, with a bar across the eyes, pixelated, blurred; and harmless variants of crops."""

from collections.abc import Callable

import cv2
import numpy as np

COVER = (0.3, 0.55)  # sides of the crop: least and most size of what covers a face
PLACES = (0.32, 0.72)  # shares of the crop: where its middle may lie
BAR = (0.12, 0.2)  # height of a bar across the eyes, at EYES from the top
EYES = (0.36, 0.48)
BLOCKS = (5, 11)  # along one side of a pixelated crop
BLUR = (0.035, 0.09)  # sigma, in sides of the crop
SMALL = (0.55, 0.9)  # of its size: a crop of a small face
TURN, SHIFT, ZOOM = 12.0, 0.05, (0.92, 1.08)  # a crop that is a little off: degrees, sides of the crop, factor
LIGHT = (0.7, 1.25)

Spoil = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def covered(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Something of one colour, or with a texture, in front of a part of the face."""
    size, colours = len(crop), crop.shape[2]
    middle = rng.uniform(*PLACES, 2) * size
    half = rng.uniform(*COVER, 2) * size / 2
    corners = int(rng.integers(4, 9))
    angles = 2 * np.pi / corners * (np.arange(corners) + rng.uniform(0, 0.7, corners))
    outline = middle + half * 1.2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    if rng.random() < 0.3:  # a rectangle
        outline = middle + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
    colour = rng.uniform(10, 245, colours)
    if rng.random() < 0.4:  # of the colour of the face, such as a hand
        colour = crop[size // 3 : 2 * size // 3, size // 3 : 2 * size // 3].reshape(-1, colours).mean(0)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), rng.uniform(0.5, 4)) * rng.uniform(0, 60)
    return _levels(np.where(mask[:, :, None] > 0, colour + texture[:, :, None], crop))


def barred(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A bar across the eyes, or what lets a tenth of the light through."""
    size = len(crop)
    top, left = rng.uniform(*EYES) * size, rng.uniform(0.05, 0.25) * size
    rows = slice(round(top - rng.uniform(*BAR) * size / 2), round(top + rng.uniform(*BAR) * size / 2))
    light = np.ones(crop.shape, np.float32)
    light[rows, round(left) : size - round(left)] = rng.choice([0.0, 0.1])
    return _levels(crop * light)


def pixelated(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Large pixels."""
    size, blocks = len(crop), int(rng.integers(*BLOCKS))
    small = cv2.resize(crop, (blocks, blocks), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_NEAREST).reshape(crop.shape)


def blurred(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Far out of focus."""
    return cv2.GaussianBlur(crop, (0, 0), rng.uniform(*BLUR) * len(crop)).reshape(crop.shape)


SPOILS: tuple[Spoil, ...] = (covered, covered, covered, barred, pixelated, blurred)


def spoiled(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop (S, S, C) uint8 spoiled in one of the ways."""
    return SPOILS[int(rng.integers(len(SPOILS)))](crop, rng)


def harmless(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop (S, S, C) uint8 in another light, a little off, of a smaller face, or grey."""
    size = len(crop)
    turn = np.asarray(cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-TURN, TURN), rng.uniform(*ZOOM)))
    matrix = turn + np.array([[0, 0, 1]]) * rng.uniform(-SHIFT, SHIFT, (2, 1)) * size
    moved = cv2.warpAffine(crop, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    result: np.ndarray = moved.reshape(crop.shape)
    if rng.random() < 0.5:
        little = round(rng.uniform(*SMALL) * size)
        small = cv2.resize(result, (little, little), interpolation=cv2.INTER_AREA)
        result = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR).reshape(crop.shape)
    if rng.random() < 0.3:
        result = np.repeat(result.mean(2, keepdims=True), crop.shape[2], 2)
    return _levels(rng.uniform(*LIGHT) * result)


def _levels(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
