"""Procedural portraits with attributes true by construction: `draw(sample(seed, index))` is a CelebA-like picture, and
so is that of `sample_graded`, in which some attributes are real numbers.

`person.py` chooses who is in a picture and how; `portrait.py` paints it with the layers of `head.py`, `hair.py` and
`worn.py` on the canvas of `scene.py`; `shapes.py` holds the anti-aliased primitives."""

from facet.drawn.person import ATTRIBUTES, GRADES, Moment, Person, Traits, identity_of, sample, sample_graded
from facet.drawn.portrait import draw

__all__ = ["ATTRIBUTES", "GRADES", "Moment", "Person", "Traits", "draw", "identity_of", "sample", "sample_graded"]
