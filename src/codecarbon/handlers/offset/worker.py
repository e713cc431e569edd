"""A thread for what may wait for a network: it lives while there is something to do, and holds up no exit."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.forks import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

THREAD_NAME = "codecarbon-offset"


class _Job(NamedTuple):
    kind: str
    run: Callable[[], object]


class Worker:
    """Runs jobs one after the other on a plain daemon thread; a forked child begins with none of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[_Job] = []
        self._running = ""
        self._thread: threading.Thread | None = None
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget the parent's jobs: they are done there."""
        self._changed = threading.Condition()
        self._waiting = []
        self._running = ""
        self._thread = None

    def put(self, kind: str, run: Callable[[], object], *, is_urgent: bool = False) -> bool:
        """Have something done.

        Args:
            kind: What it is; unless it is urgent, it is left out while one of its kind waits.
            run: What to do. It must not raise.
            is_urgent: Whether to do it in any case.

        Returns:
            Whether it will be done. A process that is ending can make no thread.
        """
        with self._changed:
            if is_urgent or all(job.kind != kind for job in self._waiting):
                self._waiting.append(_Job(kind, run))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=THREAD_NAME, daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None
                    self._waiting.clear()
                    return False
            return True

    def has(self, kind: str) -> bool:
        """Whether a job of a kind waits or runs."""
        with self._changed:
            return self._has(kind)

    def wait(self, kind: str, timeout_s: float) -> bool:
        """Wait until no job of a kind waits or runs; False when that takes too long."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while self._has(kind):
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
        return True

    def _has(self, kind: str) -> bool:
        return kind == self._running or any(job.kind == kind for job in self._waiting)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.pop(0)
                self._running = job.kind
            try:
                job.run()
            except BaseException:
                with self._changed:
                    self._thread = None  # the next job gets another thread
                raise
            finally:
                with self._changed:
                    self._running = ""
                    self._changed.notify_all()
