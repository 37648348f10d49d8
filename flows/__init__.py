"""Flows: Prefect over dvc's own graph, and the commands of a project."""

import os

# Prefect and dvc read these when they are imported, so they are set before either. No telemetry; and a small machine
# needs 20 to 30 s to start Prefect's temporary server, for which Prefect waits 20 by default.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
