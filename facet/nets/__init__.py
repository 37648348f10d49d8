"""Building blocks that the systems share; they import only torch."""
