"""The `facet` commands that work on a clone, one module each; facet.cli adds them. Prefect and dvc are imported only
when a command runs."""
