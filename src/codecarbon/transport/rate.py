"""A token bucket: no more calls than a service allows."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from codecarbon.forks import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable


class TokenBucket:
    """Keeps calls within a number per rolling window; thread-safe.

    Half of the allowance may be used at once and the other half flows in evenly over a window, so that no window of
    that length, wherever it begins, sees more than the whole.

    Args:
        calls: Calls that the service allows in a window, at least 2.
        window_s: Length of the window, seconds.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(self, calls: int, window_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        if calls < 2 or window_s <= 0:  # noqa: PLR2004 - two halves
            raise ValueError("a bucket needs at least 2 calls in a window longer than 0 s")
        self._capacity = float(calls // 2)
        self._per_s = (calls - calls // 2) / window_s
        self._monotonic = monotonic
        self._tokens = self._capacity
        self._filled_s = monotonic()
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Let go of a lock that a thread of the parent may hold."""
        self._lock = threading.Lock()

    def take(self, longest_s: float) -> float | None:
        """Take the right to one call.

        Args:
            longest_s: How long the caller would wait, seconds.

        Returns:
            Seconds to wait before the call; None, and nothing taken, when that is longer than ``longest_s``.
        """
        with self._lock:
            now_s = self._monotonic()
            flown_in = max(now_s - self._filled_s, 0.0) * self._per_s
            self._tokens = min(self._tokens + flown_in, self._capacity)
            self._filled_s = now_s
            wait_s = max(1.0 - self._tokens, 0.0) / self._per_s
            if wait_s > longest_s:
                return None
            self._tokens -= 1.0
            return wait_s

    def wait_s(self) -> float:
        """Seconds until the next call is free."""
        with self._lock:
            flown_in = max(self._monotonic() - self._filled_s, 0.0) * self._per_s
            return max(1.0 - self._tokens - flown_in, 0.0) / self._per_s
