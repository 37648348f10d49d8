"""Editing by directions in latent space: what an edit asks for (`spec`), what each attribute does to a latent
(`directions`), how strong one unit is (`calibration`), how a change comes back into the photo (`compositing`), and the
object that does it all for one trained system (`editor`)."""
