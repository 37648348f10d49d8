"""The studio's worker: what is overtaken is dropped, tabs take turns, and errors reach who asked."""

import threading

import pytest

from facet.studio.worker import Overtaken, Worker


@pytest.fixture
def held():
    """A worker that is busy until the event is set."""
    worker, begun, go = Worker("test"), threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        go.wait(10)

    worker.submit(busy)
    begun.wait(10)
    return worker, go


def test_only_the_newest_of_what_waits_under_a_key_is_done(held):
    worker, go = held
    done = []
    futures = [worker.submit(lambda n=n: done.append(n), "tab") for n in range(5)]
    go.set()
    futures[-1].result(10)
    assert done == [4]
    for overtaken in futures[:-1]:
        with pytest.raises(Overtaken):
            overtaken.result(10)


def test_a_busy_tab_keeps_its_turn_and_takes_no_other_s(held):
    worker, go = held
    done = []
    worker.submit(lambda: done.append("a, old"), "a")
    worker.submit(lambda: done.append("b"), "b")
    last = worker.submit(lambda: done.append("c"))
    worker.submit(lambda: done.append("a"), "a")
    go.set()
    last.result(10)
    assert done == ["a", "b", "c"]


def test_an_error_reaches_who_asked_and_the_worker_goes_on():
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 // 0).result(10)
    assert worker.submit(lambda: 7).result(10) == 7


def test_a_worker_that_is_closed_finishes_what_it_does_and_drops_what_waits(held):
    worker, go = held
    waiting = worker.submit(lambda: 7)
    threading.Timer(0.1, go.set).start()
    worker.close()
    assert not worker._thread.is_alive()
    assert not waiting.done()
