"""The dispatcher: order, isolation, live reports on threads of their own."""

from __future__ import annotations

import logging
import threading

import pytest

from codecarbon.errors import HandlerError
from codecarbon.handlers import BaseOutput, Dispatcher, FileOutput
from tests.support.records import emissions_data, task_data

LONG_S = 10.0  # no test waits that long unless it fails


class Recorder(BaseOutput):
    def __init__(self, name="r", log=None):
        self.name = name
        self.calls = [] if log is None else log

    def out(self, total, delta):
        self.calls.append((self.name, "out", total.emissions))

    def task_out(self, data, experiment_name):
        self.calls.append((self.name, "task_out", [task.task_name for task in data], experiment_name))

    def exit(self):
        self.calls.append((self.name, "exit"))


class Live(Recorder):
    def live_out(self, total, delta):
        self.calls.append((self.name, "live", total.emissions))


class Slow(Live):
    """Takes a live report only when it is let."""

    def __init__(self, name="slow", log=None):
        super().__init__(name, log)
        self.entered = threading.Event()
        self.may_go_on = threading.Event()
        self.deltas = []

    def live_out(self, total, delta):
        self.entered.set()
        assert self.may_go_on.wait(LONG_S)
        self.deltas.append(delta)
        super().live_out(total, delta)


class Bad(BaseOutput):
    def __init__(self, error=None):
        self.error = error or ZeroDivisionError("oops")

    def out(self, total, delta):
        raise self.error

    live_out = out

    def task_out(self, data, experiment_name):
        raise self.error

    def exit(self):
        raise self.error


def report(emissions, delta=1.0):
    total = emissions_data(emissions=float(emissions), duration=float(emissions))
    return total, emissions_data(emissions=float(delta), duration=float(delta))


def lane_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("codecarbon-")]


def join_lanes():
    for thread in lane_threads():
        thread.join(LONG_S)
    assert lane_threads() == []


def test_handlers_are_called_in_order():
    log = []
    dispatcher = Dispatcher([Recorder("a", log), Recorder("b", log)])
    dispatcher.out(*report(5))
    dispatcher.task_out([task_data("t")], "base")
    dispatcher.exit()
    assert log == [
        *(("a", "out", 5.0), ("b", "out", 5.0)),
        *(("a", "task_out", ["t"], "base"), ("b", "task_out", ["t"], "base")),
        *(("a", "exit"), ("b", "exit")),
    ]
    assert not dispatcher.is_degraded
    assert dispatcher.faults == ()


def test_d28_a_bad_handler_stops_neither_the_others_nor_the_caller(messages):
    good = Recorder()
    dispatcher = Dispatcher([Bad(), good])
    dispatcher.out(*report(5))
    dispatcher.task_out([], "base")
    dispatcher.exit()
    assert [call[1] for call in good.calls] == ["out", "task_out", "exit"]
    assert dispatcher.is_degraded
    (fault,) = dispatcher.faults
    assert (fault.handler, fault.message, fault.count) == ("Bad", "oops", 3)


def test_d27_a_bad_handler_costs_one_message_with_a_traceback_at_error_level(messages):
    dispatcher = Dispatcher([Bad(), Bad()])
    for _ in range(3):
        dispatcher.out(*report(5))
    first, second = messages()
    assert first.levelno == logging.ERROR
    assert "Bad failed" in first.getMessage()
    assert first.exc_info[0] is ZeroDivisionError
    assert second.exc_info[0] is ZeroDivisionError


def test_an_expected_failure_costs_one_warning_without_a_traceback(messages):
    dispatcher = Dispatcher([Bad(HandlerError("no room", "csv"))])
    for _ in range(3):
        dispatcher.out(*report(5))
    (warning,) = messages()
    assert (warning.levelno, warning.getMessage(), warning.exc_info) == (
        logging.WARNING,
        "Output handler Bad: no room",
        None,
    )


def test_an_unwritable_folder_costs_one_warning(messages):
    dispatcher = Dispatcher([FileOutput("emissions.csv", "/proc/none")])
    for _ in range(2):
        dispatcher.out(*report(5))
    (warning,) = messages()
    assert "/proc/none/emissions.csv cannot be written" in warning.getMessage()
    assert dispatcher.faults[0].count == 2


def test_a_handler_that_recovers_is_used_again(messages):
    handler = Recorder()
    dispatcher = Dispatcher([handler])
    handler.calls = None
    dispatcher.out(*report(1))
    handler.calls = []
    dispatcher.out(*report(2))
    assert handler.calls == [("r", "out", 2.0)]


def test_d39_the_callers_list_is_left_alone():
    mine = [Recorder()]
    dispatcher = Dispatcher(mine)
    mine.append(Bad())
    dispatcher.out(*report(5))
    assert dispatcher.handlers == (mine[0],)


def test_handlers_get_copies_of_their_own():
    class Vandal(BaseOutput):
        def out(self, total, delta):
            total.emissions = delta.emissions = -1.0

        def task_out(self, data, experiment_name):
            data[0].task_name = "spoilt"
            data.clear()

    good = Recorder()
    dispatcher = Dispatcher([Vandal(), good])
    total, delta = report(5)
    task = task_data("t")
    dispatcher.out(total, delta)
    dispatcher.task_out([task], "base")
    assert good.calls == [("r", "out", 5.0), ("r", "task_out", ["t"], "base")]
    assert (total.emissions, delta.emissions, task.task_name) == (5.0, 1.0, "t")


def test_a_handler_needs_none_of_the_methods():
    class Bare:
        pass

    dispatcher = Dispatcher([Bare()])
    dispatcher.live_out(*report(1))
    dispatcher.out(*report(1))
    dispatcher.task_out([], "base")
    dispatcher.exit()
    assert not dispatcher.is_degraded


def test_no_thread_for_handlers_without_live_reports(tmp_path):
    dispatcher = Dispatcher([Recorder(), FileOutput("emissions.csv", str(tmp_path))])
    dispatcher.live_out(*report(1))
    assert lane_threads() == []


def test_a_method_put_on_the_object_takes_live_reports():
    seen = []
    handler = BaseOutput()
    handler.live_out = lambda total, delta: seen.append(total.emissions)
    dispatcher = Dispatcher([handler])
    dispatcher.live_out(*report(3))
    dispatcher.exit()
    assert seen == [3.0]
    join_lanes()


def test_live_reports_come_in_order_and_before_out():
    handler = Live()
    dispatcher = Dispatcher([handler])
    for emissions in (1, 2, 3):
        dispatcher.live_out(*report(emissions))
    dispatcher.out(*report(4))
    assert handler.calls == [("r", "live", 1.0), ("r", "live", 2.0), ("r", "live", 3.0), ("r", "out", 4.0)]
    dispatcher.exit()
    join_lanes()


def test_d50_a_slow_handler_delays_neither_the_caller_nor_its_neighbours():
    slow, neighbour = Slow(), Live("n")
    delivered = threading.Event()
    neighbour.live_out = lambda total, delta: delivered.set()
    dispatcher = Dispatcher([slow, neighbour])
    dispatcher.live_out(*report(1))
    assert slow.entered.wait(LONG_S)
    assert delivered.wait(LONG_S)
    assert slow.calls == []
    slow.may_go_on.set()
    dispatcher.exit()
    assert slow.calls == [("slow", "live", 1.0), ("slow", "exit")]
    join_lanes()


def test_a_full_queue_merges_reports_and_loses_nothing():
    slow = Slow()
    dispatcher = Dispatcher([slow], max_pending=3)
    dispatcher.live_out(*report(1))
    assert slow.entered.wait(LONG_S)
    for emissions in range(2, 21):
        dispatcher.live_out(*report(emissions))
    slow.may_go_on.set()
    dispatcher.exit()
    assert [call[2] for call in slow.calls[:-1]] == [1.0, 2.0, 3.0, 20.0]
    assert [delta.emissions for delta in slow.deltas] == [1.0, 1.0, 1.0, 17.0]
    assert slow.deltas[-1].duration == 17.0
    assert slow.deltas[-1].emissions_rate == 1.0
    join_lanes()


def test_a_handler_that_hangs_is_left_out_with_one_warning_and_used_again_later(messages):
    slow, neighbour = Slow(), Recorder()
    dispatcher = Dispatcher([slow, neighbour], wait_s=0.01)
    dispatcher.live_out(*report(1))
    assert slow.entered.wait(LONG_S)
    dispatcher.out(*report(2))
    dispatcher.task_out([], "base")
    assert [call[1] for call in neighbour.calls] == ["out", "task_out"]
    (warning,) = messages()
    assert "still busy with a live report: out is left out" in warning.getMessage()
    assert dispatcher.faults[0].count == 2
    slow.may_go_on.set()
    dispatcher.exit()
    join_lanes()
    dispatcher.out(*report(3))
    assert slow.calls[-1] == ("slow", "out", 3.0)


def test_a_bad_live_report_does_not_end_the_thread(messages):
    class Fussy(Live):
        def live_out(self, total, delta):
            if total.emissions == 1.0:
                raise ValueError("not one")
            super().live_out(total, delta)

    handler = Fussy()
    dispatcher = Dispatcher([handler])
    for emissions in (1, 2):
        dispatcher.live_out(*report(emissions))
    dispatcher.exit()
    assert handler.calls == [("r", "live", 2.0), ("r", "exit")]
    assert len(messages()) == 1
    join_lanes()


@pytest.mark.parametrize("method", ["live_out", "out"])
def test_a_handler_may_ask_for_a_flush(method):
    handler = Live()
    dispatcher = Dispatcher([handler], wait_s=LONG_S)

    def flush_once(total, delta):
        handler.calls.append(("outer",))
        setattr(handler, method, lambda *_: handler.calls.append(("inner",)))
        dispatcher.out(*report(7))

    setattr(handler, method, flush_once)
    dispatcher = Dispatcher([handler], wait_s=LONG_S)
    getattr(dispatcher, method)(*report(1))
    dispatcher.exit()
    inner = ("inner",) if method == "out" else ("r", "out", 7.0)
    assert handler.calls == [("outer",), inner, ("r", "exit")]
    join_lanes()


def test_an_interrupt_reaches_the_user_and_the_dispatcher_goes_on():
    handler = Bad(KeyboardInterrupt())
    good = Recorder()
    dispatcher = Dispatcher([handler, good])
    with pytest.raises(KeyboardInterrupt):
        dispatcher.out(*report(1))
    handler.error = ValueError("now an ordinary one")
    dispatcher.out(*report(2))
    assert good.calls == [("r", "out", 2.0)]


def test_threads_end_with_the_run_and_start_again_with_the_next():
    handler = Live()
    dispatcher = Dispatcher([handler])
    for emissions in (1, 2):
        dispatcher.live_out(*report(emissions))
        assert len(lane_threads()) == 1
        dispatcher.exit()
        join_lanes()
    assert [call[1] for call in handler.calls] == ["live", "exit", "live", "exit"]


def test_without_threads_live_reports_wait_for_the_next_call(monkeypatch):
    def cannot_start(thread):
        raise RuntimeError("can't start new thread")

    handler = Live()
    dispatcher = Dispatcher([handler])
    monkeypatch.setattr(threading.Thread, "start", cannot_start)
    dispatcher.live_out(*report(1))
    assert handler.calls == []
    dispatcher.out(*report(2))
    assert handler.calls == [("r", "live", 1.0), ("r", "out", 2.0)]


def test_calls_from_several_threads_do_not_meet_in_a_handler():
    inside = []
    overlaps = []

    class Counting(BaseOutput):
        def out(self, total, delta):
            inside.append(1)
            overlaps.append(len(inside) > 1)
            inside.pop()

        live_out = out

    dispatcher = Dispatcher([Counting()])

    def work():
        for emissions in range(50):
            dispatcher.live_out(*report(emissions))
            dispatcher.out(*report(emissions))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    dispatcher.exit()
    assert len(overlaps) > 200
    assert not any(overlaps)
    join_lanes()
