"""The one place of the facade that catches everything: a measurement must never end a training job.

A fault is logged once with its traceback, and once more in one line each time it comes back at debug level; the run
is marked degraded, so that nobody takes its figures for complete.
"""

from __future__ import annotations

import functools
import logging
import traceback
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("codecarbon")

P = ParamSpec("P")
R = TypeVar("R")


class Degradable(Protocol):
    """What a guarded object has: a flag, and the faults that were logged already."""

    is_degraded: bool
    noted_faults: set[str]


G = TypeVar("G", bound=Degradable)


def note_fault(owner: Degradable, action: str, error: BaseException) -> None:
    """Log a fault and mark its owner degraded.

    Args:
        owner: The object whose figures are no longer complete.
        action: What could not be done.
        error: Why.
    """
    owner.is_degraded = True
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{last[0].filename}:{last[0].lineno}" if last else ""
    cause = f"{action} {type(error).__name__} {place}"
    if cause in owner.noted_faults:
        logger.debug("%s failed again: %s", action, error)
        return
    owner.noted_faults.add(cause)
    logger.error(
        "%s failed, so this run is incomplete; the program goes on. %s: %s",
        action,
        type(error).__name__,
        error,
        exc_info=error,
    )


def guarded(method: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R | None]:
    """Wrap a method so that it logs instead of raising, and returns None then."""

    @functools.wraps(method)
    def call(self: G, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 (this is what this module is for)
            note_fault(self, method.__name__, error)
            return None

    return call


class Shield:
    """A callable that logs a function's failures once per cause instead of raising.

    Args:
        function: What to call.
        name: How to call it in the log.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.is_degraded = False
        self.noted_faults: set[str] = set()
        self._function = function
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Call the function."""
        try:
            self._function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (this is what this module is for)
            note_fault(self, self._name, error)


def attempt(owner: Degradable, action: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R | None:
    """Call a function as one step of several: a failure is noted, and the next step still runs.

    Args:
        owner: The object that is degraded by a failure.
        action: What is attempted, for the log.
        function: What to call.
        args: Its arguments.
        kwargs: Its keywords.

    Returns:
        The function's result, or None when it failed.
    """
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 (this is what this module is for)
        note_fault(owner, action, error)
        return None
