"""A source of carbon intensity that says what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from codecarbon.errors import IntensityError
from codecarbon.model import IntensityPoint, IntensitySeries, Location, Signal, TimeSpan
from codecarbon.units import US_PER_MIN

STEP_US = 5 * US_PER_MIN


class FakeProvider:
    """Points of equal length, from a function of their begin.

    Attributes:
        calls: The questions that arrived: what was asked for, and on which thread.
        value_of: Intensity of the point that begins at a time, or None where there is none.
        error: Raised in place of an answer while it is not None.
        gate: Answers wait for it.
        changes: Fields of the series to replace, for example ``valid_until_us``.
    """

    def __init__(
        self,
        value_of: Callable[[int], float | None] = lambda _start_us: 100.0,
        *,
        name: str = "fake",
        signal: Signal = "average",
        step_us: int = STEP_US,
    ) -> None:
        self.name = name
        self.signal: Signal = signal
        self.capabilities: Any = frozenset({"observed", "forecast", "historical_forecast"})
        self.value_of = value_of
        self.step_us = step_us
        self.calls: list[tuple[str, Any, str]] = []
        self.error: IntensityError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()
        self.changes: dict[str, Any] = {}

    @property
    def spans(self) -> list[TimeSpan]:
        """The spans for which observations were asked."""
        return [what for kind, what, _ in self.calls if kind == "observed"]

    @property
    def threads(self) -> set[str]:
        """Names of the threads that asked."""
        return {thread for _, _, thread in self.calls}

    def _answer(self, kind: str, what: Any) -> None:
        self.calls.append((kind, what, threading.current_thread().name))
        self.arrived.set()
        assert self.gate.wait(20.0), "nobody opened the gate"
        if self.error is not None:
            raise self.error

    def zone_of(self, where: Location) -> str:
        return f"zone of {where.key or where.label}"

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        self._answer("observed", span)
        first_us = span.start_us - span.start_us % self.step_us
        return self._series(where, range(first_us, max(span.end_us, span.start_us + 1), self.step_us))

    def forecast(self, where: Location) -> IntensitySeries:
        self._answer("forecast", None)
        return self._series(where, range(0, 288 * self.step_us, self.step_us), generated_us=0)

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        self._answer("forecast_at", requested_us)
        first_us = requested_us - requested_us % self.step_us
        starts_us = range(first_us, first_us + 12 * self.step_us, self.step_us)
        return self._series(where, starts_us, generated_us=first_us)

    def _series(self, where: Location, starts_us: range, *, generated_us: int | None = None) -> IntensitySeries:
        points = tuple(
            IntensityPoint(start_us, self.step_us, value)
            for start_us in starts_us
            if (value := self.value_of(start_us)) is not None
        )
        fields = {"signal": self.signal, "generated_us": generated_us, **self.changes}
        return IntensitySeries(points, self.zone_of(where), self.name, **fields)
