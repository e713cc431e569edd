"""The thread for what may wait."""

from __future__ import annotations

import threading

import pytest

from codecarbon.handlers.offset.worker import THREAD_NAME, Worker
from tests.support.fresh_python import run_python

LONG_S = 20.0


def test_jobs_run_in_order_on_one_daemon_thread_that_ends():
    worker, seen = Worker(), []
    for number in range(5):
        assert worker.put(
            "job", lambda number=number: seen.append((number, threading.current_thread())), is_urgent=True
        )
    assert worker.wait("job", LONG_S)
    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]
    thread = seen[0][1]
    assert (thread.name, thread.daemon) == (THREAD_NAME, True)
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert worker.put("job", seen.clear)
    assert worker.wait("job", LONG_S)
    assert seen == []


def test_one_of_a_kind_waits_beside_one_that_runs():
    worker, gate, begun, seen = Worker(), threading.Event(), threading.Event(), []

    def job():
        begun.set()
        seen.append(gate.wait(LONG_S))

    worker.put("buy", job)
    assert begun.wait(LONG_S)
    for _ in range(3):
        worker.put("buy", job)
    worker.put("by hand", job, is_urgent=True)
    worker.put("by hand", job, is_urgent=True)
    assert worker.has("buy")
    assert worker.has("by hand")
    assert not worker.has("settle")
    assert not worker.wait("buy", 0.01)
    gate.set()
    assert worker.wait("by hand", LONG_S)
    assert seen == [True] * 4


def test_waiting_for_nothing_takes_no_time():
    assert Worker().wait("buy", 0.0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_raises_takes_only_its_thread_along():
    worker, seen, threads = Worker(), [], []

    def fail():
        threads.append(threading.current_thread())
        raise RuntimeError("bad job")

    worker.put("bad", fail)
    assert worker.wait("bad", LONG_S)
    threads[0].join(LONG_S)
    worker.put("good", lambda: seen.append(1))
    assert worker.wait("good", LONG_S)
    assert seen == [1]


def test_where_no_thread_can_be_made_nothing_is_promised():
    # The interpreter refuses new threads at its end, and a process may run out of them at any time.
    script = """
import resource, threading
from codecarbon.handlers.offset.worker import Worker
worker, seen = Worker(), []
threading.stack_size(1 << 26)
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
held = []
def hold():
    threading.Event().wait()
try:
    for _ in range(64):
        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        held.append(thread)
except RuntimeError:
    pass
assert worker.put("job", lambda: seen.append(1)) is False
assert not worker.has("job")
assert worker.wait("job", 0.0)
print(seen)
"""
    assert run_python(script) == "[]"


def test_a_forked_child_has_none_of_the_jobs():
    script = """
import os, threading
from codecarbon.handlers.offset.worker import Worker
worker, gate, begun = Worker(), threading.Event(), threading.Event()
worker.put("buy", lambda: (begun.set(), gate.wait()))
begun.wait()
worker.put("buy", lambda: None)
with worker._changed:
    pid = os.fork()
if pid == 0:
    seen = []
    is_free = not worker.has("buy")
    worker.put("buy", lambda: seen.append(1))
    os._exit(0 if is_free and worker.wait("buy", 10) and seen == [1] else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
gate.set()
"""
    assert run_python(script) == "0"
