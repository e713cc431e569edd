"""A fake of Denmark's Energi Data Service: Danish time unless told otherwise, newest first, one call a minute."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.support.fakes.base import FakeServer, Reply, Request
from tests.support.fakes.values import DAY_S, HOUR_S, floor_s, g_per_kwh, iso

STEP_S = 300
AREAS = ("DK1", "DK2")
FORM = "%Y-%m-%dT%H:%M:%S"
RELATIVE = re.compile(r"now(?:([+-])P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?)?")


def danish_offset_s(unix_s: float) -> int:
    """How far Danish time is ahead of UTC; summer is between the last Sundays of March and October, 01:00 UTC."""
    year = datetime.fromtimestamp(unix_s, timezone.utc).year
    first_s, last_s = (_last_sunday_s(year, month) + HOUR_S for month in (3, 10))
    return 2 * HOUR_S if first_s <= unix_s < last_s else HOUR_S


def _last_sunday_s(year: int, month: int) -> float:
    last = datetime(year, month, 31, tzinfo=timezone.utc)
    return (last - timedelta(days=(last.weekday() + 1) % 7)).timestamp()


class FakeEnergiDataService(FakeServer):
    """The service.

    Attributes:
        null_s: Beginnings of five minutes whose value is null.
        missing_s: Beginnings of five minutes that are left out.
        lag_s: How long after they begin five minutes are published.
        calls_per_min: Its limit for one dataset.
        forecast_until_s: How far forecasts reach, from midnight UTC.
    """

    name = "energi_data_service"

    def __init__(self, *, clock: Callable[[], float] = time.time, port: int = 0) -> None:
        super().__init__(clock=clock, port=port)
        self.null_s: set[int] = set()
        self.missing_s: set[int] = set()
        self.lag_s = 0
        self.calls_per_min = 1
        self.forecast_until_s = 2 * DAY_S
        self._calls_s: dict[str, list[float]] = {}

    def sample_command(self) -> str:
        return f"curl -s '{self.url}/dataset/CO2Emis?start=now-PT1H&timezone=UTC'"

    def value(self, area: str, start_s: int, dataset: str = "CO2Emis") -> float:
        """What it says, g/kWh."""
        return g_per_kwh(f"{dataset}/{area}", start_s)

    def answer(self, request: Request) -> Reply:
        dataset = request.path.removeprefix("/dataset/")
        if dataset not in {"CO2Emis", "CO2EmisProg"}:
            return Reply({"statusCode": 404, "message": "Resource not found"}, 404)
        wait_s = self._wait_s(dataset)
        if wait_s:
            return Reply(
                {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {wait_s} seconds."},
                429,
                {"Retry-After": str(wait_s)},
            )
        try:
            records = self._records(dataset, request)
        except ValueError as error:
            return Reply({"statusCode": 400, "message": str(error)}, 400)
        limit = int(request.get("limit", "0" if request.get("start") else "100"))
        offset = int(request.get("offset", "0"))
        shown = records[offset : offset + limit] if limit else records[offset:]
        return Reply({"total": len(records), "limit": limit, "dataset": dataset, "records": shown})

    def _wait_s(self, dataset: str) -> int:
        calls_s = [call_s for call_s in self._calls_s.get(dataset, []) if call_s > self.now_s - 60]
        self._calls_s[dataset] = calls_s
        if len(calls_s) >= self.calls_per_min:
            return int(calls_s[0] + 60 - self.now_s) + 1
        calls_s.append(self.now_s)
        return 0

    def _records(self, dataset: str, request: Request) -> list[dict[str, Any]]:
        is_utc = request.get("timezone").upper() == "UTC"
        first_s = self._time_s(request.get("start"), is_utc=is_utc, default_s=self.now_s - DAY_S)
        end_s = self._time_s(request.get("end"), is_utc=is_utc, default_s=self.now_s + 10 * DAY_S)
        wanted = json.loads(request.get("filter") or "{}").get("PriceArea", AREAS)
        newest_s = self.now_s - self.lag_s
        if dataset == "CO2EmisProg":
            newest_s = floor_s(self.now_s, DAY_S) + self.forecast_until_s - 1
        starts = range(floor_s(first_s + STEP_S - 1, STEP_S), int(min(end_s, newest_s + 1)), STEP_S)
        records = [
            self._record(dataset, area, start_s)
            for start_s in starts
            for area in AREAS
            if area in wanted and start_s not in self.missing_s
        ]
        if not request.get("sort") or request.get("sort").endswith(" desc"):
            records.reverse()
        columns = request.get("columns")
        return [{name: row[name] for name in columns.split(",")} for row in records] if columns else records

    def _record(self, dataset: str, area: str, start_s: int) -> dict[str, Any]:
        return {
            "Minutes5UTC": iso(start_s, FORM),
            "Minutes5DK": iso(start_s + danish_offset_s(start_s), FORM),
            "PriceArea": area,
            "CO2Emission": None if start_s in self.null_s else self.value(area, start_s, dataset),
        }

    def _time_s(self, text: str, *, is_utc: bool, default_s: float) -> float:
        if not text:
            return default_s
        relative = RELATIVE.fullmatch(text)
        if relative is not None:
            sign, days, hours, minutes = relative.groups()
            distance_s = int(days or 0) * DAY_S + int(hours or 0) * HOUR_S + int(minutes or 0) * 60
            return self.now_s + (-distance_s if sign == "-" else distance_s)
        wall_s = datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()
        return wall_s if is_utc else wall_s - danish_offset_s(wall_s - HOUR_S)
