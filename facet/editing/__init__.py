"""Editing by directions in latent space: the text form of an edit (`spec`), the direction of each attribute
(`directions`) and its calibrated strengths (`table`), the way a change comes back into the photo (`compositing`), and
the editor of one trained system (`editor`); the brush (`brush`) and refined latents (`refine`)."""
