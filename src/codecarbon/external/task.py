"""Old path of tasks."""

from codecarbon.tracker import Task

__all__ = ["Task"]
