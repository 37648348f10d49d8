"""The refiner: a small network that draws what an edit put into a photo as sharply as the photo around it.

A system decodes at S pixels, 64 by default. What an edit moves or recolours can be taken from the photo's own pixels,
but what is new (teeth, glasses, a fringe) comes from the decoder and is blurred. The refiner has learned, without
labels, to restore photos of L pixels, usually 2 S, in which a masked part was replaced by the system's own
reconstruction; at use the masked part is the decoded edit."""
