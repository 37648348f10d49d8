"""The Prefect server of PREFECT_API_URL, asked before a flow starts."""

from facet.base.errors import FacetError


class ServerUnreachable(FacetError):
    """The server of PREFECT_API_URL does not answer."""

    exit_code = 1


def check() -> None:
    """ServerUnreachable if PREFECT_API_URL names a server that does not answer; without one a flow starts its own.

    Prefect itself raises a plain RuntimeError, which only its wording tells from a fault of the flow's own."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        return
    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is not None:
        raise ServerUnreachable(
            f"the Prefect server at {PREFECT_API_URL.value()} does not answer ({type(error).__name__}: {error}); "
            "start it, or unset PREFECT_API_URL"
        )
