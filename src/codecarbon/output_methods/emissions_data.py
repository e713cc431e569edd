"""Old path of the public records."""

from codecarbon.model import EmissionsData, TaskEmissionsData

__all__ = ["EmissionsData", "TaskEmissionsData"]
