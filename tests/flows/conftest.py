"""What several tests of the flows share: a Prefect server and a webhook."""

from collections.abc import Iterator

import pytest

from tests.support.servers import prefect_server
from tests.support.webhook import webhook


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server with a database of its own, which starts once for all tests of a process."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The messages that a webhook received, whose address is in FACET_WEBHOOK."""
    with webhook() as hook:
        monkeypatch.setenv("FACET_WEBHOOK", hook.url)
        yield hook.received
