"""Flows: Prefect over dvc's own graph, and the `facet` command."""
