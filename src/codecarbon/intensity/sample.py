"""Made-up intensities that need no key and no network, so that the service answers before anything is configured.

A value is the place's yearly mean, from the shipped tables, times the shape of a day. Everybody can work it out again:
docs/method/intensity.md has the formula. It is labelled synthetic everywhere and never prices a run.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from codecarbon.errors import NoIntensityData
from codecarbon.intensity.static import get_intensity
from codecarbon.model import IntensityPoint, IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Intensity, Location, Signal

STEP_US = 5 * US_PER_MIN
LOOK_BACK_US = 2 * US_PER_DAY
FORECAST_POINTS = 288
PEAK_H = 19.5
DAY_AMPLITUDE = 0.12
HALF_DAY_AMPLITUDE = 0.12
_DEG_PER_HOUR = 15.0  # the sun's way in an hour


def day_shape(solar_hour: float) -> float:
    """Return the factor of an hour of the day; its mean over a day is exactly one.

    Args:
        solar_hour: Hours since midnight by the sun, any real number.
    """
    angle = 2.0 * math.pi * (solar_hour - PEAK_H) / 24.0
    return 1.0 + DAY_AMPLITUDE * math.cos(angle) + HALF_DAY_AMPLITUDE * math.cos(2.0 * angle)


class Sample:
    """A provider of made-up values: the last 48 hours, and a forecast for the next 24.

    Args:
        clock: Seconds since 1970; what counts as now.
    """

    name = "sample"
    signal: Signal = "average"
    capabilities: frozenset[Capability] = frozenset({"observed", "forecast", "historical_forecast"})

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def zone_of(self, where: Location) -> str:
        """Name the table's row and the sun's hour, on which the values depend, for example ``DEU UTC+1``."""
        return _zone(get_intensity(where), _solar_offset_h(where))

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the points between 48 hours ago and now; nothing outside of that."""
        now_us = us_from_s(self._clock())
        first_us = max(_slot(span.start_us), _slot(now_us - LOOK_BACK_US))
        end_us = min(max(span.end_us, span.start_us + 1), now_us + 1)
        return self._series(where, range(first_us, end_us, STEP_US), valid_until_us=_slot(now_us) + STEP_US)

    def forecast(self, where: Location) -> IntensitySeries:
        """Get 288 points from the present one on."""
        start_us = _slot(us_from_s(self._clock()))
        return self._issue(where, start_us, valid_until_us=start_us + STEP_US)

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get the 288 points from the slot of a moment of the last 48 hours.

        Raises:
            NoIntensityData: The moment is earlier than that, or has not come yet.
        """
        del look_back_us  # every slot has one
        now_us = us_from_s(self._clock())
        if not _slot(now_us - LOOK_BACK_US) <= requested_us <= now_us:
            raise NoIntensityData(
                f"no sample forecast for {iso_from_us(requested_us)}: there are some for the last 48 hours only",
                self.name,
                where.label,
            )
        return self._issue(where, _slot(requested_us), valid_until_us=None)

    def _issue(self, where: Location, start_us: int, *, valid_until_us: int | None) -> IntensitySeries:
        starts = range(start_us, start_us + FORECAST_POINTS * STEP_US, STEP_US)
        return self._series(where, starts, valid_until_us=valid_until_us, generated_us=start_us)

    def _series(
        self, where: Location, starts_us: range, *, valid_until_us: int | None, generated_us: int | None = None
    ) -> IntensitySeries:
        mean = get_intensity(where)
        offset_h = _solar_offset_h(where)
        points = tuple(
            IntensityPoint(start_us, STEP_US, _value(mean, offset_h, start_us), is_estimated=True)
            for start_us in starts_us
        )
        year = f" ({mean.year})" if mean.year else ""
        why = "; ".join(filter(None, (mean.note, where.origin if where.is_guess else "")))
        return IntensitySeries(
            points,
            _zone(mean, offset_h),
            self.name,
            generated_us=generated_us,
            valid_until_us=valid_until_us,
            is_synthetic=True,
            note=f"made up: yearly mean of {mean.zone}{f' ({why})' if why else ''}, {mean.source}{year}, "
            "times a shape of the day",
        )


def _slot(unix_us: int) -> int:
    return unix_us - unix_us % STEP_US


def _solar_offset_h(where: Location) -> int:
    """Whole hours that the sun is ahead of UTC; 0 where the longitude is not known."""
    return 0 if where.longitude_deg is None else round(where.longitude_deg / _DEG_PER_HOUR)


def _zone(mean: Intensity, offset_h: int) -> str:
    return f"{mean.zone} UTC{offset_h:+d}"


def _value(mean: Intensity, offset_h: int, start_us: int) -> float:
    middle_us = (start_us + STEP_US // 2) % US_PER_DAY
    return mean.intensity_g_per_kwh * day_shape(middle_us / US_PER_HOUR + offset_h)
