"""Waiting for a planned start: against the wall clock, and for newer forecasts that move it."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from codecarbon import units

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.carbon_aware.decision import Decision

SLICE_S = 30.0
"""How long to sleep at most before looking at the clock again: it may have been set, or the machine been asleep."""
REPLAN_S = 300.0
"""How often to ask for a newer forecast."""
SETTLED_S = 60.0
"""Time before the start in which the plan is no longer changed."""
ASKING_SLICE_S = 1.0
"""How long to sleep at most while an answer is under way, which may say that the time has come."""
THREAD_NAME = "codecarbon-replan"


def spawn_daemon(run: Callable[[], None]) -> None:
    """Run a function on a daemon thread, which an exit does not wait for."""
    threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()


class Wait:
    """A wait for the start of a decision.

    The caller sleeps, so that a program, a thread and an event loop can each do it in their own way::

        while (pause_s := wait.next_pause_s()) is not None:
            time.sleep(pause_s)

    Args:
        decision: What was decided.
        replan: Decides again, for the same deadline, given the start so far; it may wait for a service, so it is called
            on a thread of its own, one call at a time.
        clock: Gives the time, seconds since 1970.
        on_change: Called with a decision that takes the place of the one before, on the thread that asks for the pause.
        spawn: Runs a function on a thread of its own.
    """

    def __init__(
        self,
        decision: Decision,
        replan: Callable[[int], Decision] | None = None,
        *,
        clock: Callable[[], float],
        on_change: Callable[[Decision], None] | None = None,
        spawn: Callable[[Callable[[], None]], object] = spawn_daemon,
    ) -> None:
        self.decision = decision
        self._replan = replan
        self._clock = clock
        self._on_change = on_change
        self._spawn = spawn
        self._looked_s = clock()
        self._is_asking = False
        self._answers: queue.SimpleQueue[Decision | None] = queue.SimpleQueue()

    def remaining_s(self) -> float:
        """Return the time until the start, s; 0 when it has come."""
        if self.decision.is_now:
            return 0.0
        return max(0.0, units.s_from_us(self.decision.start_us) - self._clock())

    def next_pause_s(self) -> float | None:
        """Return how long to sleep before asking again, s, or None when it is time to start; never waits itself."""
        if self._is_look_due():
            self._look()
        self._take()
        remaining_s = self.remaining_s()
        return min(remaining_s, ASKING_SLICE_S if self._is_asking else SLICE_S) if remaining_s > 0 else None

    def _is_look_due(self) -> bool:
        since_s = self._clock() - self._looked_s
        # A clock that was set back makes the time since the last look negative.
        is_due = since_s >= REPLAN_S or since_s < 0
        return self._replan is not None and not self._is_asking and is_due and not self._is_settled()

    def _is_settled(self) -> bool:
        return self.remaining_s() <= SETTLED_S

    def _look(self) -> None:
        """Ask for a newer forecast's plan: a service that hangs must not keep the job from its start."""
        assert self._replan is not None
        replan, answers, kept_us = self._replan, self._answers, self.decision.start_us

        def ask() -> None:
            newer = None
            try:
                newer = replan(kept_us)
            finally:
                answers.put(newer)

        self._looked_s = self._clock()
        self._is_asking = True
        try:
            self._spawn(ask)
        except RuntimeError:  # no thread can be made any more: the plan stands, and the question is put again later
            answers.put(None)

    def _take(self) -> None:
        """Take a newer forecast's plan; without a newer one, or without any, the promise that was made is kept."""
        try:
            newer = self._answers.get_nowait()
        except queue.Empty:
            return
        self._is_asking = False
        self._looked_s = self._clock()
        if newer is None or newer.option is None or self._is_settled():
            return
        if (newer.generated_us or 0) <= (self.decision.generated_us or 0):
            return
        has_moved = newer.start_us != self.decision.start_us
        self.decision = newer
        if has_moved and self._on_change is not None:
            self._on_change(newer)
