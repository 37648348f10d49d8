"""The sources of faces: one module per kind, each of which lists its files as a `labels.Listing`."""
