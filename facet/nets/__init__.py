"""Building blocks shared by the systems; they import nothing but torch."""
