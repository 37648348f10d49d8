"""Stages of the pipeline: plain modules that import neither prefect nor dvc, each run as `python -m stages.<stage>`."""
