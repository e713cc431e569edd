"""A circuit breaker: a service that fails is left alone for a while, and longer each time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.forks import renew_after_fork
from codecarbon.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_S = 30.0
LONGEST_S = SECONDS_PER_HOUR
# How long others wait while one caller finds out whether the service is back.
TRIAL_S = 1.0


class Refusal(NamedTuple):
    """What a service said when it answered with an error.

    Attributes:
        status: The HTTP status.
        detail: Its words, without secrets.
    """

    status: int
    detail: str


class Permit(NamedTuple):
    """The answer to whether a service may be asked.

    Attributes:
        wait_s: 0 when it may; else in how many seconds it may.
        era: Number of times the breaker had opened before; given back with the outcome.
        refusal: What opened the breaker; None when that was no answer at all, or when it is closed.
    """

    wait_s: float
    era: int
    refusal: Refusal | None = None


class CircuitBreaker:
    """Closed at first; opens after a failed round, then lets one caller try again; thread-safe.

    Args:
        first_s: Pause after the first failure, seconds; it doubles with every further one.
        longest_s: Longest pause, seconds.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._monotonic = monotonic
        self._failures = 0
        self._era = 0
        self._until_s = 0.0
        self._is_trying = False
        self._refusal: Refusal | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Let go of a lock and a trial that belong to threads of the parent."""
        self._lock = threading.Lock()
        self._is_trying = False

    def ask(self) -> Permit:
        """Ask whether the service may be called; whoever may must report ``passed``, ``failed`` or ``gave_up``."""
        with self._lock:
            if not self._failures:
                return Permit(0.0, self._era)
            wait_s = self._until_s - self._monotonic()
            if wait_s > 0:
                return Permit(wait_s, self._era, self._refusal)
            if self._is_trying:
                return Permit(TRIAL_S, self._era, self._refusal)
            self._is_trying = True
            return Permit(0.0, self._era)

    def passed(self) -> None:
        """Report that the service answered: the breaker closes."""
        with self._lock:
            self._failures = 0
            self._is_trying = False
            self._refusal = None

    def failed(self, era: int, at_least_s: float = 0.0, *, refusal: Refusal | None = None) -> float:
        """Report that the service failed: the breaker opens.

        Args:
            era: From the permit; of several calls under way together only the first one to fail opens it.
            at_least_s: How long the service asked to be left alone, seconds.
            refusal: What it said; None when it gave no answer.

        Returns:
            The pause that is left, seconds.
        """
        with self._lock:
            if era == self._era:
                self._is_trying = False
                pause_s = min(self._first_s * 2.0 ** min(self._failures, 32), self._longest_s)
                self._failures += 1
                self._era += 1
                self._refusal = refusal
                self._until_s = self._monotonic() + min(max(pause_s, at_least_s), self._longest_s)
            return max(self._until_s - self._monotonic(), 0.0)

    def gave_up(self, era: int) -> None:
        """Report that a call ended without telling anything about the service, for example interrupted."""
        with self._lock:
            if era == self._era:
                self._is_trying = False
