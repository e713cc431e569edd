"""Everything a tracker tells others while it runs and when it ends: live reports, rows, task files, missing parts."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from codecarbon.handlers import Dispatcher, RunView
from codecarbon.tracker.guard import attempt, guarded
from codecarbon.tracker.outlet import Outlet
from codecarbon.tracker.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from codecarbon.config import Settings
    from codecarbon.model import EmissionsData, EmissionsRecord
    from codecarbon.tracker.run import Run

logger = logging.getLogger("codecarbon")
LONG_GAP_PERIODS = 3


class Reports:
    """The reports of one tracker.

    Args:
        settings: How often, and how the task file is called.
        handlers: Who gets them.
        lock: The tracker's lock; taken after this object's own, never before.
        on_tick: Called after each periodic report.

    Attributes:
        is_degraded: Whether a report failed or a handler did.
    """

    def __init__(
        self, settings: Settings, handlers: Sequence[Any], lock: threading.RLock, on_tick: Callable[[], object]
    ) -> None:
        self.noted_faults: set[str] = set()
        self.outlet = Outlet(Dispatcher(handlers), settings.api_call_interval, settings.experiment_name)
        self._period_s = settings.measure_power_secs
        self._tracking_mode = settings.tracking_mode
        self._final_kg = 0.0
        self._unannounced: Run | None = None
        self._on_tick = on_tick
        self._has_fault = False
        self._lock = lock
        self._report_lock = threading.RLock()
        self._told_missing: set[str] = set()
        self._last_tick_s = 0.0
        self._run: Run | None = None
        self._reporter = Reporter(settings.measure_power_secs, self.tick, self.fold)

    @property
    def is_degraded(self) -> bool:
        """Whether a report failed, or a handler did."""
        return self._has_fault or self.outlet.is_degraded

    @is_degraded.setter
    def is_degraded(self, value: bool) -> None:
        self._has_fault = value

    def begin(self, run: Run) -> None:
        """Report on a run from now on."""
        self._run = self._unannounced = run
        self._last_tick_s = time.monotonic()
        self._reporter.start()

    def announce(self) -> None:
        """Tell the handlers of a run that has begun, before its first report; does nothing when they know.

        Not part of ``begin``, whose caller holds the tracker's lock: a handler may take its time.
        """
        if self._unannounced is not None:
            with self._report_lock:
                run, self._unannounced = self._unannounced, None
                if run is not None:
                    view = RunView(str(run.base["run_id"]), self._tracking_mode, lambda: self._final_kg)
                    attempt(self, "telling that the run begins", self.outlet.begins, view)

    def end(self) -> None:
        """Stop the periodic reports and wait for the one that is under way."""
        self._run = None
        self._reporter.stop()

    def wake(self) -> None:
        """Have the reporter fold old stretches soon."""
        self._reporter.wake()

    def totals(self, run: Run) -> tuple[EmissionsData, EmissionsRecord]:
        """The run so far."""
        with self._report_lock:
            return run.totals()

    def first(self, run: Run) -> None:
        """Count the measurement at the start, which is a live report of its own when every one is."""
        self.announce()
        if self.outlet.count():
            with self._report_lock:
                self.outlet.live(self._totals(run)[0])

    def publish(self, run: Run) -> tuple[EmissionsData, EmissionsRecord]:
        """Hand out the totals and the finished tasks, as a flush and a stop do.

        A handler's failure is its own; a failure in between leaves out that part and nothing else.
        """
        self.announce()
        with self._report_lock:
            data, record = self._totals(run)
            self._tell_missing(record)
            if self.outlet.count():
                attempt(self, "the live report", self.outlet.live, data)
            attempt(self, "writing the run", self.outlet.out, data)
            attempt(self, "writing the tasks", self._publish_tasks, run)
            return data, record

    def close(self) -> None:
        """Tell the handlers that the run is over."""
        attempt(self, "closing the outputs", self.outlet.exit)

    @guarded
    def tick(self) -> None:
        """What the reporter does every ``measure_power_secs``."""
        run = self._run
        if run is None:
            return
        now_s = time.monotonic()
        gap_s, self._last_tick_s = now_s - self._last_tick_s, now_s
        if gap_s > LONG_GAP_PERIODS * self._period_s:
            logger.warning(
                "Background scheduler didn't run for a long period (%.0f s): live reports were late; energy is "
                "sampled elsewhere and is not affected",
                gap_s,
            )
        run.session.tick()
        self.announce()
        with self._report_lock:
            if not run.ledger.is_empty:
                data, record = self._totals(run)
                self._tell_missing(record)
                if self.outlet.count():
                    self.outlet.live(data)
        self.fold()
        self._on_tick()

    @guarded
    def fold(self) -> None:
        """Pin finished tasks and sum up old stretches; the reporter is woken for it when there are very many."""
        run = self._run
        if run is not None:
            with self._report_lock:
                run.settle_tasks()
                run.ledger.fold()

    def _totals(self, run: Run) -> tuple[EmissionsData, EmissionsRecord]:
        """The run so far, for a report. Handlers look up the final part of it from threads that may take no lock."""
        data, record = run.totals()
        self._final_kg = run.pricer.final_kg(record)
        return data, record

    def _publish_tasks(self, run: Run) -> None:
        if not self.outlet.has_handlers:
            return
        with self._lock:
            finished = run.tasks.finished
        self.outlet.tasks([row for task in finished if (row := task.out()) is not None])

    def _tell_missing(self, record: EmissionsRecord) -> None:
        news = [reason for reason in record.window.missing if reason not in self._told_missing]
        if news:
            self._told_missing.update(news)
            logger.warning("Not in the figures: %s", "; ".join(news))
