"""One thread that works for all tabs, which take turns.

A job that still waits when a newer one of the same key arrives is dropped: nobody would look at its result. A tab has
few keys, so the queue stays short."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

PATIENCE = 30.0  # seconds for what is being done when the studio ends
T = TypeVar("T")


class Overtaken(Exception):
    """A newer job of the same key arrived before this one began."""


class Worker:
    """Runs functions one after the other on a thread of its own."""

    def __init__(self, name: str):
        self._waiting: OrderedDict[Hashable, tuple[Future[Any], Callable[[], Any]]] = OrderedDict()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], T], key: Hashable | None = None) -> T:
        """The result of `work`; Overtaken if a newer one of the same key arrives before it begins."""
        return await asyncio.wrap_future(self.submit(work, key))

    def submit(self, work: Callable[[], T], key: Hashable | None = None) -> "Future[T]":
        """`run` for threads: the result, later."""
        future: Future[T] = Future()
        with self._wake:
            own = object() if key is None else key
            overtaken = self._waiting.get(own)
            self._waiting[own] = (future, work)  # in the place of the one that it overtakes
            self._wake.notify()
        if overtaken is not None and overtaken[0].set_running_or_notify_cancel():
            overtaken[0].set_exception(Overtaken())
        return future

    def close(self) -> None:
        """Drop what waits, and end the thread after what it is doing: a process that ends in the middle of a network
        aborts."""
        with self._wake:
            self._closed = True
            self._waiting.clear()
            self._wake.notify()
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                _, (future, work) = self._waiting.popitem(last=False)
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # whatever it is, who asked is told
                future.set_exception(error)
            del future, work  # an idle worker keeps no photo in memory
