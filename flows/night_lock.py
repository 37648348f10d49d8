"""One night at a time in a clone: the lock, and what becomes of the run of a night that was killed."""

import contextlib
import datetime
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Crashed

from facet.base import locks
from facet.base.errors import InputError
from facet.base.files import lives
from flows.reproduce import GRACE

LOCK = ".nightly.lock"  # in the project's root; holds the flow run and the process of the last night


class Lock(NamedTuple):
    """A lock that this night holds."""

    previous_run: str  # id of the flow run that held it last, "" for none
    file: int  # descriptor; commands inherit it, so the lock is held until the last of them has ended


class Holder(NamedTuple):
    """Who holds the lock, or held it last."""

    run: str  # id of the flow run, "" for none
    process: int  # 0 for none
    since: str  # UTC, ISO 8601; "" for none

    def __str__(self) -> str:
        return f"since {self.since or 'an unknown time'} (process {self.process or 'unknown'})"


@contextlib.contextmanager
def only_night(root: Path) -> Iterator[Lock | Holder]:
    """Hold the lock of the project at `root`; or who holds it, if another night is running.

    If a night was killed, its commands still hold the lock while they write their checkpoints; they are waited for."""
    path = root / LOCK
    try:
        file = path.open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); no night can run here") from None
    with file:
        deadline = time.monotonic() + 2 * GRACE
        while not locks.take(file.fileno(), path):
            holder = _last_holder(file)
            if (holder.process and lives(holder.process)) or time.monotonic() > deadline:
                yield holder
                return
            time.sleep(0.5)
        previous_run = _last_holder(file).run
        file.truncate(0)
        file.write(f"{flow_run.id} {os.getpid()} {datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')}")
        file.flush()
        yield Lock(previous_run, file.fileno())


def _last_holder(file: TextIO) -> Holder:
    """Who holds the lock or held it last."""
    file.seek(0)
    run, process, since, *_ = [*file.read().split(), "", "", ""]
    return Holder(run, int(process) if process.isdecimal() else 0, since)


def mark_crashed(run: str) -> None:
    """Mark the flow run of a killed night as crashed if the server still shows it as running."""
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:  # another server may not know it
        state = client.read_flow_run(uuid.UUID(run)).state
        if state is not None and not state.is_final():
            client.set_flow_run_state(uuid.UUID(run), Crashed(message="its process was killed"), force=True)
