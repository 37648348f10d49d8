"""Random masks for training the refiner, of the kinds that edits have: the mouth, the eyes, the hair, half a face; and
any others, so that the network relies on none."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from facet.pictures.crops import Crop

# Where edits act on CelebA's aligned frame: the centre and the radii, in pixels. Places on other crops are approximate.
REGIONS = (
    (69, 111, 15, 11),  # one eye
    (109, 111, 15, 11),  # the other
    (89, 109, 40, 17),  # eyes and brows, glasses
    (89, 152, 26, 16),  # mouth
    (89, 158, 44, 34),  # lower face, beard
    (89, 66, 58, 34),  # hair, fringe, hat
    (89, 118, 48, 62),  # face
    (89, 112, 90, 90),  # everything
)
SHAPES = 3  # most shapes of a mask
SECOND = 0.4  # chance of each shape after the first
FREE, BOX, CLOUD = 0.4, 0.3, 0.15  # chances of a free place, of a box instead of an ellipse, of a cloud instead of all
PLACES = 0.06  # deviation of a region's centre, as a share of the side
SMALLEST, LARGEST = 0.06, 0.4  # radii of free shapes, as a share of the side
SOFTNESS = (0.015, 0.14)  # width of the edge, as a share of the side


def draw(count: int, side: int, crop: Crop, random: torch.Generator) -> Tensor:
    """Masks (count, 1, side, side) in [0, 1] for pictures cut by `crop`: 1 inside, 0 outside, a soft edge between. They
    depend on the generator alone, and none is empty."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((count, *shape), generator=random)

    regions = _on(crop)[torch.randint(len(REGIONS), (count, SHAPES), generator=random)]
    free = uniform(0, 1, SHAPES, 1) < FREE
    centres = torch.where(
        free,
        uniform(0.1, 0.9, SHAPES, 2),
        regions[..., :2] + PLACES * torch.randn((count, SHAPES, 2), generator=random),
    )
    radii = torch.where(
        free,
        SMALLEST * (LARGEST / SMALLEST) ** uniform(0, 1, SHAPES, 2),
        regions[..., 2:] * uniform(-0.35, 0.35, SHAPES, 2).exp(),
    )
    angles = uniform(-0.5, 0.5, SHAPES)
    powers = torch.where(uniform(0, 1, SHAPES) < BOX, 8.0, 2.0)
    present = uniform(0, 1, SHAPES) < SECOND
    present[:, 0] = True

    half = side // 2  # masks are smooth, so half the side is enough
    across = ((torch.arange(half) + 0.5) / half).expand(half, half)
    x = across - centres[..., 0, None, None]  # (count, SHAPES, half, half)
    y = across.T - centres[..., 1, None, None]
    cos, sin = angles.cos()[..., None, None], angles.sin()[..., None, None]
    u = ((cos * x + sin * y) / radii[..., 0, None, None]).abs()
    v = ((cos * y - sin * x) / radii[..., 1, None, None]).abs()
    power = powers[..., None, None]
    inner = radii.amin(-1)[..., None, None]
    depth = (1 - (u**power + v**power) ** (1 / power)) * inner  # about the distance to the edge, in sides
    depth = torch.where(present[..., None, None], depth, -1.0).amax(1, keepdim=True)  # (count, 1, half, half)

    noise = torch.randn((count, 1, 7, 7), generator=random)
    noise = interpolate(noise, size=(half, half), mode="bicubic", align_corners=False)
    waves = noise.clamp(-1, 1) * 0.5 * inner[:, :1] * uniform(0, 1, 1, 1, 1)
    share = uniform(0.1, 0.5, 1)
    level = torch.stack([one.flatten().quantile(1 - float(part)) for one, part in zip(noise, share, strict=True)])
    cloud = (noise - level.view(-1, 1, 1, 1)) * 0.1
    depth = torch.where(uniform(0, 1, 1, 1, 1) < CLOUD, cloud, depth + waves)
    mask = (0.5 + depth / uniform(*SOFTNESS, 1, 1, 1)).clamp(0, 1)
    return interpolate(mask, size=(side, side), mode="bilinear", align_corners=False)


def _on(crop: Crop) -> Tensor:
    """REGIONS (regions, 4) as shares of the side of a crop."""
    left, top, right, bottom = crop.box
    width, height = right - left, bottom - top
    rows = [((x - left) / width, (y - top) / height, across / width, down / height) for x, y, across, down in REGIONS]
    return torch.tensor(rows)
