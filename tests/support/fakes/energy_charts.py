"""A fake of Energy-Charts: parallel lists with nulls in either, a burst of calls, and a flag for its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.fakes.base import FakeServer, Reply, Request
from tests.support.fakes.values import DAY_S, floor_s, g_per_kwh, unix_s

COUNTRIES = {"at", "be", "de", "dk", "es", "eu", "fr", "it", "nl", "pl", "uk"}


class FakeEnergyCharts(FakeServer):
    """The service.

    Attributes:
        step_s: Length of a step.
        null_s: Beginnings of steps without a measurement and a forecast.
        missing_s: Beginnings of steps that are left out.
        lag_s: How long after they end steps are measured.
        is_deprecated: What the flag says.
        burst: Calls that it allows at once.
        calls_per_min: Calls that it allows in the long run.
    """

    name = "energy_charts"

    def __init__(self, *, clock: Callable[[], float] = time.time, port: int = 0) -> None:
        super().__init__(clock=clock, port=port)
        self.step_s = 900
        self.null_s: set[int] = set()
        self.missing_s: set[int] = set()
        self.lag_s = 1800
        self.is_deprecated = False
        self.burst = 4
        self.calls_per_min = 2
        self._tokens = float(self.burst)
        self._filled_s: float | None = None

    def sample_command(self) -> str:
        return f"curl -s '{self.url}/co2eq?country=de'"

    def value(self, country: str, start_s: int) -> float:
        """What it measured, g/kWh."""
        return g_per_kwh(country, start_s)

    def forecast(self, country: str, start_s: int) -> float:
        """What it forecast, g/kWh."""
        return round(self.value(country, start_s) + 7.5, 1)

    def answer(self, request: Request) -> Reply:
        if request.path != "/co2eq":
            return Reply({"detail": "Not Found"}, 404)
        if not self._takes_a_call():
            return Reply({"detail": "Rate limit exceeded"}, 429)
        country = request.get("country", "de")
        if country not in COUNTRIES:
            return Reply({"detail": f"No data for country {country}"}, 404)
        today_s = floor_s(self.now_s, DAY_S)
        try:
            first_s = unix_s(request.get("start")) if request.get("start") else today_s
            end_s = unix_s(request.get("end")) if request.get("end") else today_s + DAY_S
        except ValueError:
            fault = {"loc": ["query", "start"], "msg": "invalid datetime format", "type": "value_error"}
            return Reply({"detail": [fault]}, 422)
        last_s = today_s + 2 * DAY_S - 1  # forecasts reach to the end of tomorrow
        starts = range(floor_s(first_s, self.step_s), int(min(end_s, last_s)) + 1, self.step_s)
        kept = [start_s for start_s in starts if start_s not in self.missing_s]
        measured_s = self.now_s - self.lag_s - self.step_s
        return Reply(
            {
                "unix_seconds": kept,
                "co2eq": [
                    self.value(country, start_s) if start_s <= measured_s and start_s not in self.null_s else None
                    for start_s in kept
                ],
                "co2eq_forecast": [
                    None if start_s in self.null_s else self.forecast(country, start_s) for start_s in kept
                ],
                "deprecated": self.is_deprecated,
            }
        )

    def _takes_a_call(self) -> bool:
        if self._filled_s is not None:
            flown_in = (self.now_s - self._filled_s) * self.calls_per_min / 60
            self._tokens = min(self._tokens + flown_in, float(self.burst))
        self._filled_s = self.now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
