"""The trackers, their tasks and their decorators."""

from codecarbon.tracker.decorators import TaskEmissionsTracker, track_emissions, track_task_emissions
from codecarbon.tracker.facade import BaseEmissionsTracker, EmissionsTracker, OfflineEmissionsTracker
from codecarbon.tracker.tasks import Task

__all__ = [
    "BaseEmissionsTracker",
    "EmissionsTracker",
    "OfflineEmissionsTracker",
    "Task",
    "TaskEmissionsTracker",
    "track_emissions",
    "track_task_emissions",
]
