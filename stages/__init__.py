"""The stages of dvc.yaml, one module each, run as `python -m stages.<stage>`; they import neither prefect nor dvc."""
