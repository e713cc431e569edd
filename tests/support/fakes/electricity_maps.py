"""A fake of Electricity Maps, version 3: plans, its answer for the caller's own zone, holes and estimates."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.fakes.base import FakeServer, Reply, Request
from tests.support.fakes.values import DAY_S, HOUR_S, floor_s, g_per_kwh, iso, unix_s

STEPS_S = {"5_minutes": 300, "15_minutes": 900, "hourly": HOUR_S}
MEASURED_AFTER_S = 2 * HOUR_S
SWITCHES = {"disableCallerLookup": "true", "shouldUseFallbackCallerLookup": "false"}


class Zone(NamedTuple):
    """A zone and the box that stands for its area, degrees."""

    country: str
    south_deg: float
    north_deg: float
    west_deg: float
    east_deg: float

    def holds(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether a place is in it."""
        return self.south_deg <= lat_deg <= self.north_deg and self.west_deg <= lon_deg <= self.east_deg


ZONES = {
    "DE": Zone("Germany", 47.3, 54.8, 6.0, 15.0),
    "FR": Zone("France", 42.3, 51.0, -4.8, 5.9),
    "GB": Zone("Great Britain", 50.0, 58.7, -6.0, 1.7),
    "PT": Zone("Portugal", 37.0, 42.1, -9.5, -6.2),
    "DK-DK1": Zone("Denmark", 54.81, 57.8, 8.0, 10.9),
    "DK-DK2": Zone("Denmark", 54.81, 56.2, 10.95, 12.7),
    "US-MIDA-PJM": Zone("USA", 36.5, 42.0, -88.0, -74.0),
    "US-CAL-CISO": Zone("USA", 32.5, 42.0, -124.4, -114.1),
}
DATA_CENTRES = {
    ("aws", "eu-west-3"): "FR",
    ("aws", "us-east-1"): "US-MIDA-PJM",
    ("azure", "francecentral"): "FR",
    ("azure", "uksouth"): "GB",
}


class FakeElectricityMaps(FakeServer):
    """The service.

    Attributes:
        token: The key it accepts.
        header: The header in which it wants it.
        caller_zone: Where the caller's own address is: the answer to what it does not understand, with status 200.
        switches: Which of the parameters that turn this off it knows.
        plan: Zones of the key, with the paths that it may ask for.
        granularity: How long points are.
        null_s: Beginnings of points whose value is null.
        missing_s: Beginnings of points that are left out.
        without_data: Zones that have none at the moment.
        says_granularity: Whether answers tell how long points are.
        rows_name: The member that holds the rows of ``history``.
        calls_per_min: Its limit.
    """

    name = "electricity_maps"

    def __init__(self, *, clock: Callable[[], float] = time.time, port: int = 0) -> None:
        super().__init__(clock=clock, port=port)
        self.token = "fake-key-for-electricity-maps"
        self.header = "auth-token"
        self.caller_zone = "DE"
        self.switches = set(SWITCHES)
        self.plan: dict[str, list[str]] = {zone: ["*"] for zone in ZONES}
        self.granularity = "hourly"
        self.null_s: set[int] = set()
        self.missing_s: set[int] = set()
        self.without_data: set[str] = set()
        self.says_granularity = True
        self.rows_name = "history"
        self.calls_per_min = 150
        self._calls_s: list[float] = []

    def credentials(self) -> dict[str, str]:
        return {self.header: self.token, "base_url": f"{self.url}/v3/"}

    def sample_command(self) -> str:
        question = f"{self.url}/v3/carbon-intensity/latest?zone=FR&disableCallerLookup=true"
        return f"curl -s -H '{self.header}: {self.token}' '{question}'"

    @property
    def step_s(self) -> int:
        """Length of a point, seconds."""
        return STEPS_S[self.granularity]

    def answer(self, request: Request) -> Reply:
        if not request.path.startswith("/v3/"):
            return Reply({"error": "Not Found"}, 404)
        if self._is_too_often():
            return Reply({"error": "Too many requests"}, 429)
        path = request.path.removeprefix("/v3/")
        key = request.headers.get(self.header)
        if path == "zones":
            return self._zones(key)
        if key != self.token:
            return Reply({"error": "Invalid auth-token", "message": "The token was not recognised."}, 401)
        zone = self._zone(request)
        if isinstance(zone, Reply):
            return zone
        return self._intensity(path, zone, request)

    def _is_too_often(self) -> bool:
        self._calls_s = [call_s for call_s in self._calls_s if call_s > self.clock() - 60]
        if len(self._calls_s) >= self.calls_per_min:
            return True
        self._calls_s.append(self.clock())
        return False

    def _zones(self, key: str | None) -> Reply:
        names = {zone: {"zoneName": zone, "countryName": entry.country} for zone, entry in ZONES.items()}
        if key is None:
            return Reply(names)
        if key != self.token:
            return Reply({"error": "Invalid auth-token", "message": "The token was not recognised."}, 401)
        return Reply({zone: {**names[zone], "access": access} for zone, access in self.plan.items()})

    def _zone(self, request: Request) -> str | Reply:
        """The zone that is meant; of the caller, when nothing that it understands says otherwise."""
        zone = self._named_zone(request)
        if zone:
            return zone
        if any(name in self.switches and request.get(name) == value for name, value in SWITCHES.items()):
            return Reply({"status": "error", "message": "No zone was found for the request."}, 404)
        return self.caller_zone

    def _named_zone(self, request: Request) -> str:
        if request.get("zone"):
            return request.get("zone") if request.get("zone") in ZONES else ""
        centre = request.get("dataCenterProvider"), request.get("dataCenterRegion")
        if any(centre):
            return DATA_CENTRES.get(centre, "")
        try:
            lat_deg, lon_deg = float(request.get("lat")), float(request.get("lon"))
        except ValueError:
            return ""
        return next((zone for zone, entry in ZONES.items() if entry.holds(lat_deg, lon_deg)), "")

    def _intensity(self, path: str, zone: str, request: Request) -> Reply:
        signal, _, kind = path.rpartition("/")
        access = self.plan.get(zone, [])
        if "*" not in access and path not in access:
            told = f"Request unauthorized for zoneKey={zone},requestType={kind},dataType={signal}."
            return Reply({"error": told, "message": "See the documentation for what a plan has."}, 401)
        if zone in self.without_data:
            return Reply({"error": f'No recent data for zone "{zone}"'}, 404)
        if request.get("emissionFactorType", "lifecycle") not in {"lifecycle", "direct"}:
            return Reply({"error": 'Invalid argument: "emissionFactorType"'}, 400)
        answers = {
            "carbon-intensity/latest": self._latest,
            "carbon-intensity/history": self._history,
            "carbon-intensity/past-range": self._past_range,
            "carbon-intensity/forecast": self._forecast,
            "home-assistant": self._home_assistant,
        }
        if path not in answers:
            return Reply({"error": "Not Found"}, 404)
        return answers[path](zone, request)

    @property
    def newest_s(self) -> int:
        """Beginning of the newest point."""
        return floor_s(self.now_s, self.step_s)

    def value(self, zone: str, start_s: int, kind: str = "lifecycle") -> float:
        """What it says for a point, g/kWh."""
        return round(g_per_kwh(zone, start_s) * (0.8 if kind == "direct" else 1.0), 1)

    def _row(self, zone: str, start_s: int, request: Request) -> dict[str, Any]:
        is_estimated = start_s > self.now_s - MEASURED_AFTER_S
        kind = request.get("emissionFactorType", "lifecycle")
        is_hole = start_s in self.null_s or (is_estimated and request.get("disableEstimations") == "true")
        return {
            "zone": zone,
            "carbonIntensity": None if is_hole else self.value(zone, start_s, kind),
            "datetime": iso(start_s),
            "updatedAt": iso(self.now_s),
            "createdAt": iso(start_s - 3 * DAY_S),
            "emissionFactorType": kind,
            "isEstimated": is_estimated,
            "estimationMethod": "TIME_SLICER_AVERAGE" if is_estimated else None,
        }

    def _rows(self, zone: str, first_s: int, end_s: float, request: Request) -> list[dict[str, Any]]:
        starts = range(first_s, int(end_s), self.step_s)
        return [self._row(zone, start_s, request) for start_s in starts if start_s not in self.missing_s]

    def _told(self, content: dict[str, Any]) -> Reply:
        return Reply({**content, "temporalGranularity": self.granularity} if self.says_granularity else content)

    def _latest(self, zone: str, request: Request) -> Reply:
        return self._told(self._row(zone, self.newest_s, request))

    def _history(self, zone: str, request: Request) -> Reply:
        first_s = self.newest_s + self.step_s - DAY_S
        return self._told({"zone": zone, self.rows_name: self._rows(zone, first_s, self.newest_s + 1, request)})

    def _past_range(self, zone: str, request: Request) -> Reply:
        try:
            start_s, end_s = unix_s(request.get("start")), unix_s(request.get("end"))
            first_s = floor_s(start_s + self.step_s - 1, self.step_s)
            iso(first_s - 3 * DAY_S)  # the earliest time of the rows, which must not lie before year 1
        except (ValueError, OverflowError):
            return Reply({"error": 'Missing argument: "start"'}, 400)
        if end_s - start_s > 10 * DAY_S:
            return Reply({"error": "The range must not be longer than 10 days"}, 400)
        rows = self._rows(zone, first_s, min(end_s, self.newest_s + 1), request)
        return self._told({"zone": zone, "data": rows})

    def _forecast(self, zone: str, request: Request) -> Reply:
        hours = int(request.get("horizonHours", "24"))
        starts = range(self.newest_s, self.newest_s + hours * HOUR_S + 1, self.step_s)
        rows = [{"carbonIntensity": self.value(zone, start_s), "datetime": iso(start_s)} for start_s in starts]
        return self._told({"zone": zone, "forecast": rows, "updatedAt": iso(self.newest_s)})

    def _home_assistant(self, zone: str, request: Request) -> Reply:
        row = self._row(zone, self.newest_s, request)
        return Reply(
            {
                "_disclaimer": "Made up.",
                "status": "ok",
                "countryCode": zone,
                "data": {"datetime": row["datetime"], "carbonIntensity": row["carbonIntensity"]},
                "units": {"carbonIntensity": "gCO2eq/kWh"},
            }
        )
