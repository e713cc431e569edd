"""What every output handler has: a few methods, each of which may do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.model import EmissionsData, TaskEmissionsData


class RunView(NamedTuple):
    """What a handler may know of the run whose results it gets.

    Attributes:
        run_id: Identity of the run; the same for all its stretches.
        tracking_mode: ``machine`` or ``process``: whose energy it measures.
        final_kg: Gives the emissions of the run, kg, whose price can no longer change, as of the latest report. With
            yearly averages that is all of them.
    """

    run_id: str
    tracking_mode: str
    final_kg: Callable[[], float]


class BaseOutput:
    """Receives results. Override what you need; arguments are copies that a handler may keep or change."""

    def run_begins(self, run: RunView) -> None:
        """Learn of a stretch of a run before its first report: at each start, also after a stop."""

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Take the result at a flush and at the end of a run, on the thread that asked for it.

        Args:
            total: Everything since the run began.
            delta: What was added since the last report of any kind.
        """

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Take a report while the run goes on, on a thread of this handler's own."""

    def task_out(self, data: list[TaskEmissionsData], experiment_name: str) -> None:
        """Take the finished tasks of the run, after each ``out`` of a run that has some."""

    def exit(self) -> None:
        """Let go of what the handler holds; a run that starts again calls the others again."""
