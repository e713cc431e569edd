"""WattTime, version 3: log-in, regions, measured values, forecasts and forecasts of the past.

All values are a function of region, signal and time, so that tests can compute what must come out.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tests.support.fakes.base import FakeServer, Reply, Request, html_page

STEP_S = 300
TOKEN_LIVES_S = 1800
USER, PASSWORD = "ada", "l0velace-secret"
LB_PER_MWH_TO_G_PER_KWH = 0.45359237
MOST_HISTORY_S = 32 * 86_400
MOST_OLD_FORECASTS_S = 86_400
UNITS = {"co2_moer": "lbs_co2_per_mwh", "co2_aoer": "lbs_co2_per_mwh", "health_damage": "usd_per_mwh"}


@dataclass(frozen=True)
class Region:
    """A region, as a box of coordinates; its average signal has a name of its own."""

    name: str
    full_name: str
    average_name: str
    south: float
    north: float
    west: float
    east: float
    mean_lb_per_mwh: float


REGIONS = (
    Region("CAISO_NORTH", "California ISO Northern", "CAISO", 36.0, 42.0, -124.5, -119.0, 900.0),
    Region("PJM_DC", "PJM Washington DC", "PJM", 36.5, 40.0, -80.0, -75.0, 1200.0),
    Region("DE", "Germany", "DE", 47.3, 55.1, 5.9, 15.0, 1400.0),
)


def value_lb_per_mwh(region: str, signal_type: str, unix_s: float) -> float:
    """The value of a region at a time: a daily wave around its mean; the average signal is half of the marginal one."""
    means = {region.name: region.mean_lb_per_mwh for region in REGIONS}
    means |= {region.average_name: region.mean_lb_per_mwh / 2 for region in REGIONS if signal_type == "co2_aoer"}
    step = math.floor(unix_s / STEP_S)
    wave = math.sin(2 * math.pi * (step % 288) / 288)
    return round(means.get(region, 1000.0) * (1 + 0.3 * wave), 1)


def iso(unix_s: float) -> str:
    """A time as the service writes it."""
    return datetime.fromtimestamp(unix_s, timezone.utc).isoformat()


def unix_s(text: str) -> float:
    """A time as clients write it; seven decimals are more than Python 3.10 reads."""
    head, dot, rest = text.partition(".")
    if dot:
        digits = rest.split("+")[0].split("Z")[0]
        text = f"{head}.{digits[:6]}{rest[len(digits) :]}"
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()


@dataclass
class Edits:
    """Changes to data, for tests of clients that must stand them.

    Attributes:
        missing: Whether a point is left out, by its time.
        null: Whether its value is null.
        points: A function that gets all points of an answer and returns others.
        meta: Members that replace those of ``meta``; None leaves one out.
        lag_s: How late measured values appear.
    """

    missing: Callable[[float], bool] = lambda _: False
    null: Callable[[float], bool] = lambda _: False
    points: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda points: points
    meta: Mapping[str, Any] = field(default_factory=dict)
    lag_s: float = 600.0


class FakeWattTime(FakeServer):
    """The service with one account.

    Attributes:
        edits: Changes to its data.
        plan: Regions that the account may read; None means all.
        logins: How many logins succeeded.
        empty_slots: Slots, by their time, in which no forecast was made.
    """

    name = "watttime"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.edits = Edits()
        self.plan: set[str] | None = None
        self.logins = 0
        self.empty_slots: Callable[[float], bool] = lambda _: False
        self._tokens: dict[str, float] = {}

    @property
    def base_url(self) -> str:
        """Where clients find the data."""
        return f"{self.url}/v3/"

    def credentials(self) -> dict[str, str]:
        return {"username": USER, "password": PASSWORD, "base_url": self.base_url, "login_url": f"{self.url}/"}

    def sample_command(self) -> str:
        return f"curl -su {USER}:{PASSWORD} {self.url}/login"

    def expire_tokens(self) -> None:
        """Make all tokens that were given out run out now."""
        with self._lock:
            self._tokens.clear()

    def answer(self, request: Request) -> Reply:
        if request.method != "GET":
            return Reply({"error": "Method not allowed"}, 405)
        if request.path == "/login":
            return self._login(request)
        routes = {
            "/v3/region-from-loc": self._region,
            "/v3/historical": self._history,
            "/v3/forecast": self._forecast,
            "/v3/forecast/historical": self._old_forecasts,
        }
        if request.path not in routes:
            return html_page(404, "Not Found")
        return self._faulty(request) or routes[request.path](request)

    def _faulty(self, request: Request) -> Reply | None:
        """What is wrong with a question for data, whichever it is."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self._tokens.get(token, -math.inf) <= self.now_s:
            return html_page(401, "Authorization Required")
        for name in ("signal_type", *(() if request.path == "/v3/region-from-loc" else ("region",))):
            if not request.get(name):
                code = f"MISSING_{name.upper()}"
                return Reply({"error": code, "message": f"{name} is required", "docs": "https://docs"}, 400)
        if request.get("signal_type") not in UNITS:
            return Reply({"error": "INVALID_SIGNAL_TYPE", "message": "unknown signal", "docs": "https://docs"}, 400)
        return None

    def _login(self, request: Request) -> Reply:
        sent = request.headers.get("Authorization", "")
        if sent != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return html_page(403, "Forbidden")
        self.logins += 1
        token = f"fake.jwt.token-number-{self.logins:04d}"
        self._tokens[token] = self.now_s + TOKEN_LIVES_S
        return Reply({"token": token})

    def _region(self, request: Request) -> Reply:
        latitude, longitude = request.get("latitude"), request.get("longitude")
        signal_type = request.get("signal_type")
        try:
            place = float(latitude), float(longitude)
        except ValueError:
            return Reply({"error": "INVALID_LOCATION", "message": "no numbers", "docs": "https://docs"}, 400)
        for region in REGIONS:
            if region.south <= place[0] <= region.north and region.west <= place[1] <= region.east:
                name = region.average_name if signal_type == "co2_aoer" else region.name
                return Reply({"region": name, "region_full_name": region.full_name, "signal_type": signal_type})
        error = f"No coverage available for latitude {latitude} and longitude {longitude}"
        where = {"latitude": latitude, "longitude": longitude, "signal_type": signal_type}
        return Reply({"error": error, **where}, 404)

    def _refused(self, request: Request) -> Reply | None:
        if self.plan is None or request.get("region") in self.plan:
            return None
        said = f"Invalid scope. Your plan does not include {request.get('region')}."
        return Reply({"error": "Invalid query parameters", "message": said}, 403)

    def _bounds(self, request: Request, most_s: float) -> tuple[float, float] | Reply:
        try:
            start_s, end_s = unix_s(request.get("start")), unix_s(request.get("end"))
        except ValueError:
            return Reply(
                {"error": "INVALID_TIME", "message": "start and end are required", "docs": "https://docs"}, 400
            )
        if not 0 <= end_s - start_s <= most_s:
            return Reply({"error": "INVALID_RANGE", "message": f"at most {most_s} s", "docs": "https://docs"}, 400)
        return start_s, end_s

    def _points(self, request: Request, start_s: float, end_s: float) -> list[dict[str, Any]]:
        region, signal_type = request.get("region"), request.get("signal_type")
        first, last = math.ceil(start_s / STEP_S), math.floor(end_s / STEP_S)
        points = []
        for moment in (float(step * STEP_S) for step in range(first, last + 1)):
            if not self.edits.missing(moment):
                value = None if self.edits.null(moment) else value_lb_per_mwh(region, signal_type, moment)
                points.append({"point_time": iso(moment), "value": value})
        return self.edits.points(points)

    def _meta(self, request: Request, **more: Any) -> dict[str, Any]:
        meta = {
            "data_point_period_seconds": STEP_S,
            "region": request.get("region"),
            "signal_type": request.get("signal_type"),
            "units": UNITS[request.get("signal_type")],
            "warnings": [],
            "model": {"date": "2023-03-01", "type": "binned_regression"},
            **more,
            **self.edits.meta,
        }
        return {name: value for name, value in meta.items() if value is not None}

    def _history(self, request: Request) -> Reply:
        bounds = self._bounds(request, MOST_HISTORY_S)
        refused = self._refused(request)
        if isinstance(bounds, Reply) or refused is not None:
            return refused or bounds
        end_s = min(bounds[1], self.now_s - self.edits.lag_s)
        return Reply({"data": self._points(request, bounds[0], end_s), "meta": self._meta(request)})

    def _issue(self, request: Request, issued_s: float) -> list[dict[str, Any]]:
        return self._points(request, issued_s, issued_s + 287 * STEP_S)

    def _forecast(self, request: Request) -> Reply:
        refused = self._refused(request)
        if refused is not None:
            return refused
        issued_s = self.now_s // STEP_S * STEP_S
        meta = self._meta(request, generated_at=iso(issued_s), generated_at_period_seconds=STEP_S)
        return Reply({"data": self._issue(request, issued_s), "meta": meta})

    def _old_forecasts(self, request: Request) -> Reply:
        bounds = self._bounds(request, MOST_OLD_FORECASTS_S)
        refused = self._refused(request)
        if isinstance(bounds, Reply) or refused is not None:
            return refused or bounds
        first, last = math.ceil(bounds[0] / STEP_S), math.floor(min(bounds[1], self.now_s) / STEP_S)
        issues = [float(step * STEP_S) for step in range(first, last + 1)]
        data = [
            {"generated_at": iso(issued_s), "forecast": self._issue(request, issued_s)}
            for issued_s in issues
            if not self.empty_slots(issued_s)
        ]
        return Reply({"data": data, "meta": self._meta(request, generated_at_period_seconds=STEP_S)})
