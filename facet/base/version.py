"""The version of Facet: pyproject.toml takes it from here, so a tree that is not installed knows it too."""

VERSION = "0.2.0.dev0"
