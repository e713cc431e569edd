"""The states of a tracker, and what happens to running ones at exit and in a forked child."""

from __future__ import annotations

import atexit
import os
import weakref
from enum import Enum
from typing import Protocol


class State(Enum):
    """Where a tracker stands."""

    NEW = "new"
    RUNNING = "running"
    STOPPED = "stopped"


class Trackable(Protocol):
    """What the registry needs of a tracker."""

    def stop(self) -> float | None:
        """Finish the run and write its row."""

    def become_inert(self) -> None:
        """Do nothing from now on: this process only inherited the tracker."""


class Registry:
    """The trackers of this process that were started."""

    def __init__(self) -> None:
        self._running: dict[int, Trackable] = {}
        self._started: weakref.WeakSet[Trackable] = weakref.WeakSet()
        self._has_hooks = False

    def add(self, tracker: Trackable) -> None:
        """A tracker has begun to run; it is kept alive until it stops, so that its row gets written."""
        if not self._has_hooks:
            self._has_hooks = True
            # Registered at the first start, hence after the sampler's own hook and, since hooks run last in first
            # out, called before it: the last readings are still there.
            atexit.register(self.stop_all)
            os.register_at_fork(after_in_child=self.forget_parent)
        self._running[id(tracker)] = tracker
        self._started.add(tracker)

    def remove(self, tracker: Trackable) -> None:
        """A tracker has stopped."""
        self._running.pop(id(tracker), None)

    def stop_all(self) -> None:
        """Stop whatever still runs; called when the interpreter exits."""
        for tracker in list(self._running.values()):
            tracker.stop()

    def forget_parent(self) -> None:
        """Make every tracker inert that the parent process had started; called in a forked child."""
        self._running.clear()
        for tracker in list(self._started):
            tracker.become_inert()
        self._started = weakref.WeakSet()


REGISTRY = Registry()
