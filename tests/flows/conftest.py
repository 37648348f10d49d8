"""What several tests of the flows share: a Prefect server."""

from collections.abc import Iterator

import pytest

from tests.support.servers import prefect_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server with a database of its own, which starts once for all tests of a process."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url
