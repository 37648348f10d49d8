"""Flows: Prefect over dvc's own graph, and the commands of a project."""

import os

# Prefect and dvc read these when they are imported, so they are set before either. No telemetry; and a small machine
# needs 20 to 30 s to start Prefect's temporary server, for which Prefect waits 20 by default.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

# Proxies are for servers elsewhere: a request to this machine's own Prefect server would never come back from one.
_LOCAL = ("localhost", "127.0.0.1", "::1")
for _name in ("no_proxy", "NO_PROXY"):
    _hosts = [host for host in os.environ.get(_name, "").split(",") if host]
    if "*" not in _hosts:
        os.environ[_name] = ",".join([*_hosts, *(host for host in _LOCAL if host not in _hosts)])
