"""The trackers, their tasks and their decorators."""

from codecarbon.tracker.facade import BaseEmissionsTracker, EmissionsTracker, OfflineEmissionsTracker
from codecarbon.tracker.tasks import Task, TaskTotals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.tracker.decorators import TaskEmissionsTracker, track_emissions, track_task_emissions

__all__ = [
    "BaseEmissionsTracker",
    "EmissionsTracker",
    "OfflineEmissionsTracker",
    "Task",
    "TaskEmissionsTracker",
    "TaskTotals",
    "track_emissions",
    "track_task_emissions",
]


def __getattr__(name: str) -> object:
    # A decorator's signature is made with it, which programs that only use a tracker need not wait for.
    if name in {"TaskEmissionsTracker", "track_emissions", "track_task_emissions"}:
        from codecarbon.tracker import decorators

        return getattr(decorators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
