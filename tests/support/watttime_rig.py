"""WattTime, a fake of it and a clock, put together for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codecarbon.intensity.watttime import WattTime
from codecarbon.model import IntensitySeries, Location, TimeSpan
from codecarbon.units import us_from_s
from tests.support.fakes.clock import FakeTime
from tests.support.fakes.watttime import (
    LB_PER_MWH_TO_G_PER_KWH,
    PASSWORD,
    STEP_S,
    USER,
    FakeWattTime,
    unix_s,
    value_lb_per_mwh,
)

if TYPE_CHECKING:
    from typing_extensions import Self

SAN_FRANCISCO = Location(key="sf", latitude_deg=37.7749, longitude_deg=-122.4194)
NAMED = Location(key="named", zones=(("watttime", "CAISO_NORTH"),))


def us(text: str) -> int:
    """UTC microseconds of a time in ISO 8601."""
    return us_from_s(unix_s(text))


def span(start: str, end: str) -> TimeSpan:
    """A span between two times in ISO 8601, UTC."""
    return TimeSpan(us(f"{start}+00:00"), us(f"{end}+00:00"))


class Rig:
    """Providers against one fake; closed together."""

    def __init__(self, now: str = "2026-11-20T12:00:00") -> None:
        self.time = FakeTime(unix_s(f"{now}+00:00"))
        self.fake = FakeWattTime(clock=self.time.clock)
        self._providers: list[WattTime] = []

    def __enter__(self) -> Self:
        self.fake.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for provider in self._providers:
            provider.close()
        self.fake.stop()

    def provider(self, **options: Any) -> WattTime:
        """A provider with the right password and the fake's clock."""
        settings = {"username": USER, "password": PASSWORD, "base_url": self.fake.base_url, **self.time.arguments}
        provider = WattTime(**{**settings, **options})
        self._providers.append(provider)
        return provider


def expected(series: IntensitySeries, signal_type: str = "co2_moer") -> dict[int, float]:
    """What the values of a series must be by the fake's own formula, g/kWh by time."""
    return {
        point.start_us: value_lb_per_mwh(series.zone, signal_type, point.start_us / 1e6) * LB_PER_MWH_TO_G_PER_KWH
        for point in series.points
    }


def found(series: IntensitySeries) -> dict[int, float]:
    """The values of a series, g/kWh by time; all its points must be as long as the fake's."""
    assert {point.duration_us for point in series.points} <= {STEP_S * 1_000_000}
    return {point.start_us: point.intensity_g_per_kwh for point in series.points}
