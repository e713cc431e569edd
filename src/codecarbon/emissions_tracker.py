"""Old import path of the trackers; everything lives in ``codecarbon.tracker`` and ``codecarbon.model``."""

from codecarbon.model import EmissionsData, TaskEmissionsData
from codecarbon.tracker import (
    BaseEmissionsTracker,
    EmissionsTracker,
    OfflineEmissionsTracker,
    TaskEmissionsTracker,
    track_emissions,
    track_task_emissions,
)

__all__ = [
    "BaseEmissionsTracker",
    "EmissionsData",
    "EmissionsTracker",
    "OfflineEmissionsTracker",
    "TaskEmissionsData",
    "TaskEmissionsTracker",
    "track_emissions",
    "track_task_emissions",
]
