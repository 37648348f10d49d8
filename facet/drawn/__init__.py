"""Procedural portraits whose attributes are true by construction: `draw(sample(seed, index))` is a picture like those
of CelebA. With `sample_graded` some attributes are real numbers.

`person.py` samples a person and a moment; `portrait.py` paints them with the layers of `head.py`, `hair.py` and
`worn.py` on the canvas of `scene.py`; `shapes.py` holds the anti-aliased primitives."""

from facet.drawn.person import ATTRIBUTES, GRADES, Moment, Person, Traits, identity_of, sample, sample_graded
from facet.drawn.portrait import draw

__all__ = ["ATTRIBUTES", "GRADES", "Moment", "Person", "Traits", "draw", "identity_of", "sample", "sample_graded"]
