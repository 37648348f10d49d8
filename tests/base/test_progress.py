import io

from facet.base import progress
from facet.base.threads import in_order


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_lines_with_rate_and_time_left_and_short_work_none(monkeypatch, capsys):
    clock = iter([0.0, *(float(5 * second) for second in range(1, 100))])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.progress([[0] * 50] * 4, 200, "images", size=len)) == [[0] * 50] * 4
    assert capsys.readouterr().err.splitlines() == [
        "100/200 images, 10 images/s, 10 s left",
        "200/200 images, 10 images/s, 0 s left",
    ]
    clock = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.progress([1, 2], 2, "images")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_ends_full(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress.sys, "stderr", terminal := Terminal())
    list(progress.progress("abc", 3, "faces"))
    assert terminal.getvalue().count("\r") == 4
    assert f"[{'#' * progress.BAR_WIDTH}] 3/3 faces" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_durations_are_words():
    assert [progress.duration(s) for s in (0.4, 59, 200, 7500)] == ["0 s", "59 s", "3 min 20 s", "2 h 5 min"]


def test_results_come_in_order_and_few_items_are_taken_ahead():
    taken = []

    def items():
        for item in range(50):
            taken.append(item)
            yield item

    ahead = [len(taken) - result // 2 for result in in_order(lambda item: item * 2, items(), workers=3)]
    assert taken == list(range(50))
    assert max(ahead) <= 2 * 3 + 1


def test_an_exception_of_the_work_rises_at_its_item():
    results = in_order(lambda item: 1 // (3 - item), range(10), workers=2)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    try:
        next(results)
    except ZeroDivisionError:
        return
    raise AssertionError("the division by zero is lost")
