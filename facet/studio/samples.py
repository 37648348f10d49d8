"""Faces to edit without a photo: from the prior of a system, or from the test split of a project."""

from pathlib import Path

import numpy as np

from facet.base import compute, images
from facet.base.errors import FacetError, InputError
from facet.base.tables import read_faces
from facet.studio.documents import Document, sample_of
from facet.studio.trained import Trained


def of_prior(trained: Trained, seed: int) -> Document:
    """The face that a system draws for a seed: G(z), z from its prior."""
    latent = trained.prior.draw(1, compute.generator(seed)).to(trained.editor.editor.device)
    picture = images.to_pixels(trained.editor.editor.decode(latent))[0]
    return sample_of(picture, f"sample-{seed}.png", latent, trained.name)


def of_test(trained: Trained, prepared: Path, seed: int) -> Document:
    """A face of the test split; InputError if there is none of this system's crop and size."""
    system = trained.editor.system
    try:
        faces = read_faces(prepared)
        pictures = images.open_images(prepared)
    except (FacetError, OSError) as error:
        raise InputError(f"there are no test faces here ({error}); draw a sample, or open a photo") from None
    if (faces.meta.crop, faces.meta.size) != (system.crop, system.size):
        raise InputError(
            f"the test faces are {faces.meta.crop} of {faces.meta.size} pixels, {trained.name} takes {system.crop} of "
            f"{system.size}; choose another system"
        )
    rows = faces.rows("test")
    if not len(rows):
        raise InputError(f"{prepared} has no test split; draw a sample, or open a photo")
    row = rows[seed % len(rows)]
    return sample_of(np.asarray(pictures[row]), f"test-{row:06d}.png", None, "")
