"""The only Python thread of a tracker: it wakes up every few seconds to settle, price and hand out live figures.

Sensors are not its business: the native sampler reads them, so a late report changes no number.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

JOIN_S = 2.0
THREAD_NAME = "codecarbon-reporter"


class Reporter:
    """Calls a function at a fixed rate on one daemon thread; late calls are left out, never caught up.

    Args:
        period_s: Seconds between two calls.
        tick: The function; what it raises ends the thread, so the caller shields it.
        on_wake: What to do when ``wake`` is called between two ticks.
    """

    def __init__(
        self, period_s: float, tick: Callable[[], object], on_wake: Callable[[], object] | None = None
    ) -> None:
        self._period_s = period_s
        self._tick = tick
        self._on_wake = on_wake
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive; False in a forked child."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; does nothing while it runs."""
        if self.is_running:
            return
        self._is_stopping = False
        self._wake.clear()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Ask for a call of ``on_wake`` now."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread and wait for it, unless it is the caller; does nothing when it does not run."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._is_stopping = True
        self._wake.set()
        if thread is not threading.current_thread():
            thread.join(JOIN_S)

    def _run(self) -> None:
        due_s = time.monotonic() + self._period_s
        while True:
            self._wake.wait(max(0.0, min(due_s - time.monotonic(), threading.TIMEOUT_MAX)))
            self._wake.clear()
            if self._is_stopping:
                return
            if time.monotonic() < due_s:
                if self._on_wake is not None:
                    self._on_wake()
                continue
            self._tick()
            # The grid stays where it was; calls that came too late are left out.
            due_s += self._period_s * (1 + max(0.0, time.monotonic() - due_s) // self._period_s)
