"""A fake of Great Britain's Carbon Intensity API: national and regional, its three shapes, its boundary quirk."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from tests.support.fakes.base import FakeServer, Reply, Request
from tests.support.fakes.values import DAY_S, floor_s, g_per_kwh, iso, unix_s

STEP_S = 1800
LONGEST_S = 14 * DAY_S
REGIONS = 17
NAMES = {1: "North Scotland", 7: "South Wales", 13: "London", 15: "England", 16: "Scotland", 17: "Wales"}
AHEAD_S = {"fw24h": DAY_S, "fw48h": 2 * DAY_S, "pt24h": -DAY_S}
FORM = "%Y-%m-%dT%H:%MZ"


class FakeUkCarbonIntensity(FakeServer):
    """The service.

    Attributes:
        null_s: Beginnings of half hours without a forecast and a measurement.
        missing_s: Beginnings of half hours that are left out.
        measured_after_s: How long after a half hour its measurement comes.
        wrong_region: Answer for this region whatever was asked, if set.
    """

    name = "uk_carbon_intensity"

    def __init__(self, *, clock: Callable[[], float] = time.time, port: int = 0) -> None:
        super().__init__(clock=clock, port=port)
        self.null_s: set[int] = set()
        self.missing_s: set[int] = set()
        self.measured_after_s = 0
        self.wrong_region: int | None = None

    def sample_command(self) -> str:
        return f"curl -s {self.url}/intensity"

    def answer(self, request: Request) -> Reply:
        parts = request.path.strip("/").split("/")
        try:
            if parts[0] == "intensity":
                return self._national(parts[1:])
            if parts[0] == "regional":
                return self._regional(parts[1:])
        except ValueError as error:
            return _error("400 Bad Request", str(error))
        return _error("404 Not Found", "There is no such resource.")

    def actual(self, start_s: int) -> int:
        """The measured value of Great Britain, g/kWh."""
        return round(g_per_kwh("GB", start_s))

    def forecast(self, start_s: int, region: int = 0) -> int:
        """The value that is forecast, g/kWh."""
        return round(g_per_kwh(f"GB-{region}", start_s)) if region else self.actual(start_s) + 5

    def _national(self, parts: list[str]) -> Reply:
        first_s, end_s = self._window(parts)
        return Reply({"data": [self._period(start_s) for start_s in self._starts(first_s, end_s)]})

    def _regional(self, parts: list[str]) -> Reply:
        match = re.fullmatch(r"(?:intensity/(.+?)/?)?(?:regionid/(\d+))?", "/".join(parts))
        if match is None:
            return _error("404 Not Found", "There is no such resource.")
        window, number = match.groups()
        region = int(number) if number else 0
        if region > REGIONS or (number and not region):
            return _error("400 Bad Request", "Please enter a valid region ID i.e. 1-17")
        starts = self._starts(*self._window(window.split("/") if window else []))
        if not region:
            return Reply({"data": [self._all_regions(start_s) for start_s in starts]})
        content = {
            **self._names(self.wrong_region or region),
            "data": [self._of(start_s, region) for start_s in starts],
        }
        # A window is an object; what holds at present is a list of one.
        return Reply({"data": content if window else [content]})

    def _window(self, parts: list[str]) -> tuple[float, float]:
        if not parts:
            now_s = floor_s(self.now_s, STEP_S)
            return now_s + 60, now_s + 60
        first_s = unix_s(parts[0])
        if len(parts) == 1:
            return first_s, first_s
        end_s = first_s + AHEAD_S[parts[1]] if parts[1] in AHEAD_S else unix_s(parts[1])
        if end_s - first_s > LONGEST_S:
            raise ValueError("The range must not be longer than 14 days.")
        return min(first_s, end_s), max(first_s, end_s)

    def _starts(self, first_s: float, end_s: float) -> list[int]:
        # The half hour that ends exactly at the asked begin comes too.
        begin_s = floor_s(first_s - 1, STEP_S)
        starts = range(begin_s, int(end_s) + 1, STEP_S)
        newest_s = self.now_s + 2 * DAY_S
        return [start_s for start_s in starts if start_s not in self.missing_s and start_s <= newest_s]

    def _times(self, start_s: int) -> dict[str, str]:
        return {"from": iso(start_s, FORM), "to": iso(start_s + STEP_S, FORM)}

    def _period(self, start_s: int) -> dict[str, Any]:
        is_over = start_s + STEP_S + self.measured_after_s <= self.now_s
        is_hole = start_s in self.null_s
        intensity = {
            "forecast": None if is_hole else self.forecast(start_s),
            "actual": self.actual(start_s) if is_over and not is_hole else None,
            "index": "moderate",
        }
        return {**self._times(start_s), "intensity": intensity}

    def _of(self, start_s: int, region: int) -> dict[str, Any]:
        value = None if start_s in self.null_s else self.forecast(start_s, region)
        mix = [{"fuel": "gas", "perc": 41.2}, {"fuel": "wind", "perc": 58.8}]
        return {
            **self._times(start_s),
            "intensity": {"forecast": value, "index": "moderate"},
            "generationmix": mix,
        }

    def _all_regions(self, start_s: int) -> dict[str, Any]:
        regions = [
            {**self._names(region), "intensity": self._of(start_s, region)["intensity"]}
            for region in range(1, REGIONS + 1)
        ]
        return {**self._times(start_s), "regions": regions}

    def _names(self, region: int) -> dict[str, Any]:
        name = NAMES.get(region, f"Region {region}")
        return {"regionid": region, "dnoregion": name, "shortname": name}


def _error(code: str, message: str) -> Reply:
    return Reply({"error": {"code": code, "message": message}}, int(code[:3]))
