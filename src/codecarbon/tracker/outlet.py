"""What a tracker hands to its output handlers, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.model import EmissionsData

if TYPE_CHECKING:
    from codecarbon.handlers import Dispatcher, HandlerFault, RunView
    from codecarbon.model import TaskEmissionsData

NEVER_LIVE = -1


class Outlet:
    """Counts measurements, works out differences, and calls the dispatcher.

    Args:
        dispatcher: Calls the handlers; one that fails does not stop the others.
        live_interval: Call ``live_out`` after this many measurements, -1 for never.
        experiment_name: Part of the task file's name.
    """

    def __init__(self, dispatcher: Dispatcher, live_interval: int, experiment_name: str) -> None:
        self._dispatcher = dispatcher
        self._live_interval = live_interval
        self._experiment_name = experiment_name
        self._measurements = 0
        self._previous: EmissionsData | None = None

    @property
    def faults(self) -> tuple[HandlerFault, ...]:
        """The handlers that failed, each with its first failure."""
        return self._dispatcher.faults

    @property
    def has_handlers(self) -> bool:
        """Whether anybody wants results."""
        return bool(self._dispatcher.handlers)

    def count(self) -> bool:
        """Count a measurement; True when a live report is due."""
        if self._live_interval == NEVER_LIVE:
            return False
        self._measurements += 1
        if self._measurements < self._live_interval:
            return False
        self._measurements = 0
        return True

    def begins(self, run: RunView) -> None:
        """Tell the handlers that a stretch of a run begins."""
        self._dispatcher.run_begins(run)

    def live(self, total: EmissionsData) -> None:
        """Hand out a live report."""
        self._dispatcher.live_out(total, self._delta(total))

    def out(self, total: EmissionsData) -> None:
        """Hand out the totals of a flush or a stop."""
        self._dispatcher.out(total, self._delta(total))

    def tasks(self, rows: list[TaskEmissionsData]) -> None:
        """Hand out the finished tasks, if there are any."""
        if rows:
            self._dispatcher.task_out(rows, self._experiment_name)

    @property
    def is_degraded(self) -> bool:
        """Whether a handler has failed."""
        return self._dispatcher.is_degraded

    def exit(self) -> None:
        """Tell the handlers that the run is over."""
        self._dispatcher.exit()

    def _delta(self, total: EmissionsData) -> EmissionsData:
        delta = copy_row(total)
        if self._previous is not None:
            delta.compute_delta_emission(self._previous)
        self._previous = copy_row(total)
        return delta


def copy_row(row: EmissionsData) -> EmissionsData:
    """A record of its own with the same values."""
    twin = EmissionsData.__new__(EmissionsData)
    twin.__dict__.update(row.__dict__)
    return twin
