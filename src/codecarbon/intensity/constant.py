"""One value for all places and times, for trying things out and for contracts with a known supply."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from codecarbon.errors import ConfigError
from codecarbon.model import IntensityPoint, IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_MIN, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal

STEP_US = 5 * US_PER_MIN


class Constant:
    """A provider that always says the same.

    Args:
        intensity_g_per_kwh: What it says; 0 is a value.
        signal: What the value means.
        clock: Seconds since 1970; when forecasts begin.

    Raises:
        ConfigError: The value is negative or no number.
    """

    name = "constant"
    capabilities: frozenset[Capability] = frozenset({"observed", "forecast", "historical_forecast"})

    def __init__(
        self, intensity_g_per_kwh: float, *, signal: Signal = "average", clock: Callable[[], float] = time.time
    ) -> None:
        if not math.isfinite(intensity_g_per_kwh) or intensity_g_per_kwh < 0:
            raise ConfigError("intensity_g_per_kwh", intensity_g_per_kwh, "constructor", "a number of at least 0")
        self.signal: Signal = signal
        self._intensity_g_per_kwh = float(intensity_g_per_kwh)
        self._clock = clock

    def zone_of(self, where: Location) -> str:
        """Name the place as it was asked for, since all are alike."""
        return where.key or where.zone or where.label

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the value in five-minute points."""
        return self._series(where, span)

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the value for the next day."""
        return self.forecast_at(where, us_from_s(self._clock()))

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get the value for a day from a moment on."""
        del look_back_us  # every moment has one
        start_us = requested_us - requested_us % STEP_US
        return self._series(where, TimeSpan(start_us, start_us + US_PER_DAY), generated_us=start_us)

    def _series(self, where: Location, span: TimeSpan, *, generated_us: int | None = None) -> IntensitySeries:
        value = self._intensity_g_per_kwh
        first_us = span.start_us - span.start_us % STEP_US
        end_us = max(span.end_us, span.start_us + 1)
        points = tuple(
            IntensityPoint(start_us, STEP_US, value, is_estimated=generated_us is not None)
            for start_us in range(first_us, end_us, STEP_US)
        )
        return IntensitySeries(
            points,
            self.zone_of(where),
            self.name,
            signal=self.signal,
            generated_us=generated_us,
            note="set by the user",
        )
