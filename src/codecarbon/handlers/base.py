"""What every output handler has: four methods, each of which may do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecarbon.model import EmissionsData, TaskEmissionsData


class BaseOutput:
    """Receives results. Override what you need; arguments are copies that a handler may keep or change."""

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
