"""A source of carbon intensity whose values, faults and clock a test decides, and that counts what it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from codecarbon.carbon_aware.context import Context
from codecarbon.carbon_aware.locations import LocationTable
from codecarbon.carbon_aware.options import Options
from codecarbon.errors import CapabilityError
from codecarbon.intensity.provider import IntensityProvider
from codecarbon.model import IntensityPoint, IntensitySeries, Location, Signal, TimeSpan

US_PER_MIN = 60_000_000
NOON_US = 1_641_038_400_000_000  # 2022-01-01T12:00:00Z


def points(*values: float, start_us: int = NOON_US, minutes: int = 5) -> tuple[IntensityPoint, ...]:
    """Neighbouring points of equal length."""
    step_us = minutes * US_PER_MIN
    return tuple(IntensityPoint(start_us + at * step_us, step_us, value) for at, value in enumerate(values))


class FakeSource:
    """A provider.

    Args:
        observed: Points by zone, which is the location's key.
        forecast: Likewise.
        name: Its name.
        valid_until_us: When it may have something newer.
        capabilities: What it can be asked for.
    """

    signal: Signal = "marginal"

    def __init__(
        self,
        observed: Mapping[str, tuple[IntensityPoint, ...]] | None = None,
        forecast: Mapping[str, tuple[IntensityPoint, ...]] | None = None,
        *,
        name: str = "electricity_maps",
        valid_until_us: int | None = None,
        capabilities: Iterable[str] = ("observed", "forecast", "historical_forecast"),
    ) -> None:
        self.name = name
        self.capabilities = frozenset(capabilities)
        self.observed_points = dict(observed or {})
        self.forecast_points = dict(forecast or {})
        self.valid_until_us = valid_until_us
        self.is_synthetic = False
        self.is_stale = False
        self.note = ""
        self.error: Exception | None = None
        self.zone_error: Exception | None = None
        self.gate: threading.Event | None = None
        self.calls = 0
        self._lock = threading.Lock()

    def zone_of(self, where: Location) -> str:
        if self.zone_error is not None:
            raise self.zone_error
        return where.key

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        found = self.observed_points.get(where.key, ())
        return self._answer(where, tuple(p for p in found if p.end_us > span.start_us and p.start_us <= span.end_us))

    def forecast(self, where: Location) -> IntensitySeries:
        if "forecast" not in self.capabilities:
            raise CapabilityError("no forecasts", self.name, where.key, "forecast")
        return self._answer(where, self.forecast_points.get(where.key, ()), NOON_US)

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        return self.forecast(where)

    def _answer(
        self, where: Location, found: tuple[IntensityPoint, ...], generated_us: int | None = None
    ) -> IntensitySeries:
        with self._lock:
            self.calls += 1
        if self.gate is not None:
            assert self.gate.wait(20)
        if self.error is not None:
            raise self.error
        return IntensitySeries(
            found,
            where.key,
            self.name,
            self.signal,
            generated_us=generated_us,
            valid_until_us=self.valid_until_us,
            is_stale=self.is_stale,
            is_synthetic=self.is_synthetic,
            note=self.note,
        )


def places(*keys: str) -> LocationTable:
    """A table of places that differ in their keys only."""
    by_key = {key: Location(key=key, name=key, latitude_deg=37.3719, longitude_deg=-79.8164) for key in keys}
    return LocationTable(by_key, {key.casefold(): key for key in keys})


def context(
    source: IntensityProvider | None,
    options: Options | None = None,
    *,
    clock: Callable[[], float] = lambda: NOON_US / 1e6,
    keys: Iterable[str] = ("eastus", "westus"),
) -> Context:
    """Everything that operations need, around one source."""
    return Context(options or Options(), places(*keys), source, source, clock)
