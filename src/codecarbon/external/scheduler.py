"""Old path of the periodic scheduler: one thread on a fixed grid instead of a new timer per tick."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from codecarbon.tracker.guard import Shield
from codecarbon.tracker.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PeriodicScheduler"]


class PeriodicScheduler(Reporter):
    """Calls a function every ``interval`` seconds on a daemon thread; a failure is logged and the calls go on.

    Args:
        interval: Seconds between calls.
        function: What to call.
        args: Its arguments.
        kwargs: Its keywords.
    """

    def __init__(self, interval: float, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        name = getattr(function, "__name__", "the scheduled function")
        super().__init__(interval, Shield(functools.partial(function, *args, **kwargs), name))
