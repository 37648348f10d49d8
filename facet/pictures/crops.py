"""Named crops of the aligned 178 x 218 frame of CelebA, as left, top, right, bottom in pixels of that frame.

dcgan108   Radford et al. 2016 as in DCGAN-tensorflow; the Photoshop 2.0 and CS230 IcGAN reports
icgan138   Perarnau et al. 2016, Guim3/IcGAN data preprocessing
larsen148  Larsen et al. 2016, blurred with sigma sqrt(148/64)/2 frame pixels before the resize
ali64      Dumoulin et al. 2017 as stored by Fuel: the full width, rows 7..71 of a resize to 64 x 78
face120    centre 120: forehead to chin with some hair (the drawn faces)
lfw150     the centred 150 of LFW's 250 pixels (anitan0925/vaegan), from a picture of any aspect ratio
whole      the centred square of a picture of any aspect ratio, for faces that are already cropped"""

import dataclasses

from facet.base.errors import InputError

FRAME = (178, 218)  # width, height


@dataclasses.dataclass(frozen=True)
class Crop:
    """A box on the 178 x 218 frame, and the Gaussian blur (sigma in frame pixels) before the resize.

    With `rows` (first, last, of) the picture is resized to `of` rows and `last - first` columns, then cut to these
    rows. With `any_aspect` the box is `share` of the centred square of a picture of any shape."""

    name: str
    box: tuple[float, float, float, float]
    blur: float = 0.0
    rows: tuple[int, int, int] | None = None
    any_aspect: bool = False
    share: float = 1.0

    def on(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The box scaled to a picture of `width` x `height` with the aspect ratio of the frame."""
        x, y = width / FRAME[0], height / FRAME[1]
        left, top, right, bottom = self.box
        return left * x, top * y, right * x, bottom * y


CROPS = {
    crop.name: crop
    for crop in (
        Crop("dcgan108", (35, 55, 143, 163)),
        Crop("icgan138", (30, 40, 168, 178)),
        Crop("larsen148", (15, 40, 163, 188), blur=(148 / 64) ** 0.5 / 2),
        Crop("ali64", (0, 7 * 218 / 78, 178, 71 * 218 / 78), rows=(7, 71, 78)),
        Crop("face120", (29, 49, 149, 169)),
        Crop("lfw150", (35.6, 55.6, 142.4, 162.4), any_aspect=True, share=150 / 250),
        Crop("whole", (0, 20, 178, 198), any_aspect=True),
    )
}


def crop(name: str) -> Crop:
    """The crop named `name`; InputError lists the names."""
    if name not in CROPS:
        raise InputError(f"crop {name!r} is unknown; choose one of {', '.join(CROPS)}")
    return CROPS[name]
