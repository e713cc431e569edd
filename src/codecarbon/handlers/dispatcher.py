"""Hands results to output handlers, so that a bad one harms neither the run nor its neighbours."""

from __future__ import annotations

import copy
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codecarbon.errors import HandlerError
from codecarbon.handlers.base import BaseOutput
from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codecarbon.handlers.base import RunView
    from codecarbon.model import EmissionsData, TaskEmissionsData

logger = logging.getLogger(__name__)

MAX_PENDING = 8
WAIT_S = 10.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HandlerFault(FrozenRecord):
    """What went wrong with one handler.

    Attributes:
        handler: Name of its class.
        message: The first failure.
        count: How many calls failed.
    """

    handler: str
    message: str
    count: int


class Dispatcher:
    """Calls output handlers in order.

    ``run_begins``, ``out``, ``task_out`` and ``exit`` run on the caller's thread. ``live_out`` only queues: each
    handler that overrides it works on a thread of its own, so that a slow one delays nobody. A full queue loses
    nothing, its last two reports become one. Before a handler gets its ``out``, it has had its queued live reports.

    A failing handler costs one log message; it is called again the next time.

    Args:
        handlers: The handlers; the list itself is not kept.
        max_pending: Live reports that may wait for one handler.
        wait_s: How long a call waits for a handler's live reports before that handler is left out.
    """

    def __init__(self, handlers: Iterable[Any], *, max_pending: int = MAX_PENDING, wait_s: float = WAIT_S) -> None:
        self._lanes = [_Lane(handler, max_pending, wait_s) for handler in handlers]

    @property
    def handlers(self) -> tuple[Any, ...]:
        """The handlers in the order in which they are called."""
        return tuple(lane.handler for lane in self._lanes)

    @property
    def is_degraded(self) -> bool:
        """Whether a handler has failed."""
        return any(lane.failures for lane in self._lanes)

    @property
    def faults(self) -> tuple[HandlerFault, ...]:
        """The handlers that failed."""
        return tuple(HandlerFault(lane.name, lane.first_fault, lane.failures) for lane in self._lanes if lane.failures)

    def run_begins(self, run: RunView) -> None:
        """Tell every handler that a stretch of a run begins."""
        for lane in self._lanes:
            lane.call("run_begins", run)

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Queue a live report for every handler that wants them; returns at once."""
        for lane in self._lanes:
            lane.put(total, delta)

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Give every handler a result."""
        for lane in self._lanes:
            lane.call("out", copy.copy(total), copy.copy(delta))

    def task_out(self, tasks: Iterable[TaskEmissionsData], experiment_name: str) -> None:
        """Give every handler the finished tasks."""
        finished = tuple(tasks)
        for lane in self._lanes:
            lane.call("task_out", [copy.copy(task) for task in finished], experiment_name)

    def exit(self) -> None:
        """Tell every handler that the run is over, and end the threads; live reports start them again."""
        for lane in self._lanes:
            lane.call("exit")
            lane.end()


class _Lane:
    """One handler, its queue and its thread."""

    def __init__(self, handler: Any, max_pending: int, wait_s: float) -> None:
        self.handler = handler
        self.name = type(handler).__name__
        self.failures = 0
        self.first_fault = ""
        self._max_pending = max_pending
        self._wait_s = wait_s
        live_out = getattr(handler, "live_out", None)
        self._wants_live = callable(live_out) and getattr(live_out, "__func__", None) is not BaseOutput.live_out
        self._pending: list[tuple[EmissionsData, EmissionsData]] = []
        self._changed = threading.Condition()
        self._busy_thread = 0  # whose call the handler is in; 0 for nobody's
        self._is_stuck = False
        self._thread: threading.Thread | None = None

    def put(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Queue a live report."""
        if not self._wants_live:
            return
        with self._changed:
            report = (copy.copy(total), copy.copy(delta))
            if len(self._pending) >= self._max_pending:
                report = _merge(self._pending.pop(), report)
            self._pending.append(report)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=f"codecarbon-{self.name}", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no thread can be made any more: the next call on this thread delivers
                    self._thread = None
            self._changed.notify_all()

    def call(self, method: str, *arguments: object) -> None:
        """Call a method of the handler on this thread, after the live reports that wait for it."""
        function = getattr(self.handler, method, None)
        if function is None:
            return
        if self._busy_thread == threading.get_ident():
            self._run(function, *arguments)  # the handler itself asked for a flush
            return
        with self._changed:
            if not self._wait_until_idle():
                self._fail(HandlerError(f"still busy with a live report: {method} is left out", self.name))
                return
            missed, self._pending = self._pending, []
            self._busy_thread = threading.get_ident()
        try:
            for report in missed:
                self._run(self.handler.live_out, *report)
            self._run(function, *arguments)
        finally:
            with self._changed:
                self._busy_thread = 0
                self._changed.notify_all()

    def end(self) -> None:
        """Let the thread end; it does so by itself when nothing waits and this was called."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def _wait_until_idle(self) -> bool:
        """Wait until the thread has delivered everything; once it hung, it is not waited for again until it moves."""
        has_thread = self._thread is not None and self._thread.is_alive()
        deadline_s = time.monotonic() + (0 if self._is_stuck else self._wait_s)
        while self._busy_thread or (self._pending and has_thread):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                self._is_stuck = True
                return False
            self._changed.wait(left_s)
        self._is_stuck = False
        return True

    def _work(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                while self._busy_thread or not self._pending:
                    if self._thread is not me:
                        return
                    self._changed.wait()
                report = self._pending.pop(0)
                self._busy_thread = threading.get_ident()
            try:
                self._run(self.handler.live_out, *report)
            finally:
                with self._changed:
                    self._busy_thread = 0
                    self._changed.notify_all()

    def _run(self, function: Any, *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 (whatever a handler does, the run and its neighbours go on)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failures += 1
        if self.failures > 1:
            logger.debug("Output handler %s failed again", self.name, exc_info=error)
            return
        self.first_fault = str(error) or type(error).__name__
        if isinstance(error, HandlerError):
            logger.warning("Output handler %s: %s", self.name, self.first_fault)
        else:
            logger.error("Output handler %s failed; the run goes on without it", self.name, exc_info=error)


def _merge(
    older: tuple[EmissionsData, EmissionsData], newer: tuple[EmissionsData, EmissionsData]
) -> tuple[EmissionsData, EmissionsData]:
    """Make one report of two that follow each other: the newer total, and what both added."""
    before = copy.copy(older[0])
    before.compute_delta_emission(older[1])
    delta = copy.copy(newer[0])
    delta.compute_delta_emission(before)
    return newer[0], delta
