"""Procedural portraits with attributes true by construction: `draw(sample(seed, index))` is a CelebA-like picture.

`person.py` chooses who is in a picture and how, `portrait.py` paints it, `shapes.py` holds the anti-aliased primitives."""

from stages.drawn.portrait import draw
from stages.drawn.person import ATTRIBUTES, Moment, Person, Traits, identity_of, sample

__all__ = ["ATTRIBUTES", "Moment", "Person", "Traits", "draw", "identity_of", "sample"]
