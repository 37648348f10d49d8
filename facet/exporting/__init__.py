"""Trained systems as files that other programs run without torch and without Facet."""
