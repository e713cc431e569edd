"""Fixtures of the Carbon Aware tests: two data files, a location file, a clock, and a provider that does as it is told.

J: observed values of two places in November 2021, eight hours each.
F: a forecast of `westus` for the first twenty minutes of 2022, four points of five minutes, made at their begin.
L: the 55 regions of Azure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import Context, build_context
from codecarbon.carbon_aware.locations import builtin_regions
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.results import Moment
from codecarbon.errors import CapabilityError, IntensityError, NoIntensityData
from codecarbon.model import IntensityPoint, IntensitySeries, Location, TimeSpan
from codecarbon.units import US_PER_MIN, iso_from_us, us_from_iso

DAY = "2021-11-17T00:00:00Z"
NEW_YEAR = "2022-01-01T00:00:00Z"
PROFILES = ("documented", "strict")
NEW_YEAR_US = us_from_iso(NEW_YEAR)
ROWS_J = (
    ("westus", "2021-11-17T00:00:00Z", 10),
    ("westus", "2021-11-17T08:00:00Z", 20),
    ("westus", "2021-11-17T16:00:00Z", 30),
    ("westus", "2021-11-19T00:00:00Z", 40),
    ("eastus", "2021-11-18T00:00:00Z", 60),
)
VALUES_F = (10, 20, 30, 40)


class Clock:
    """Seconds since 1970, set by hand."""

    def __init__(self, text: str = NEW_YEAR) -> None:
        self.set(text)

    def set(self, text: str) -> None:
        """Set it to an ISO 8601 time."""
        self.now_us = us_from_iso(text)

    def advance(self, seconds: float) -> None:
        """Let some time pass."""
        self.now_us += round(seconds * 1e6)

    def __call__(self) -> float:
        return self.now_us / 1e6


def moment(text: str, offset_min: int = 0) -> Moment:
    """Return an instant."""
    return Moment(us_from_iso(text), offset_min)


def minute(number: float) -> Moment:
    """Return the instant of a minute after the begin of 2022, as the cases on F count."""
    return Moment(NEW_YEAR_US + round(number * US_PER_MIN))


def document_j(*more: tuple[str, str, float]) -> dict[str, Any]:
    """Return J as the JSON source reads it, with further rows of eight hours behind it."""
    rows = [*ROWS_J, *more]
    return {"Emissions": [{"Location": p, "Time": t, "Rating": g, "Duration": "08:00:00"} for p, t, g in rows]}


def document_f(
    values: Sequence[float] = VALUES_F,
    *,
    location: str = "westus",
    start: str = NEW_YEAR,
    generated: str = NEW_YEAR,
    step_min: int = 5,
) -> dict[str, Any]:
    """Return F, or a forecast like it, as the JSON source reads it."""
    points = [
        {
            "Time": iso_from_us(us_from_iso(start) + at * step_min * US_PER_MIN),
            "Rating": value,
            "Duration": f"00:{step_min:02}:00",
        }
        for at, value in enumerate(values)
    ]
    return {"Forecasts": [{"Location": location, "GeneratedAt": generated, "Points": points}]}


def document_l() -> dict[str, Any]:
    """Return L as a location file; `eastus` has the coordinates that clients know."""
    rows = {}
    for where in builtin_regions().values():
        if where.cloud_provider == "azure":
            at = (str(where.latitude_deg or 0.0), str(where.longitude_deg or 0.0))
            rows[where.cloud_region] = {"Latitude": at[0], "Longitude": at[1], "Name": where.cloud_region}
    rows["eastus"] = {"Latitude": "37.3719", "Longitude": "-79.8164", "Name": "eastus"}
    return rows


def write_json(path: Path, document: object) -> Path:
    """Write a JSON file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def settings(
    folder: Path,
    *,
    profile: str = "documented",
    data: Mapping[str, Any] | None = None,
    forecast: Mapping[str, Any] | None = None,
    locations: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write data and location files into a folder, and return the settings that name them.

    Args:
        folder: Where to write.
        profile: The profile.
        data: What the source of observed values reads; None for no such source.
        forecast: What the source of forecasts reads, likewise.
        locations: A location file; None for L.
        more: Further settings.
    """
    entries: dict[str, Any] = {}
    sources: dict[str, Any] = {"Configurations": entries}
    for role, name, document in (
        ("EmissionsDataSource", "Observed", data),
        ("ForecastDataSource", "Forecasts", forecast),
    ):
        if document is not None:
            path = write_json(folder / "data-sources" / "json" / f"{name}.json", document)
            entries[name] = {"Type": "JSON", "DataFileLocation": path.name}
            sources[role] = name
    write_json(folder / "location-sources" / "json" / "places.json", document_l() if locations is None else locations)
    return {"CarbonAwareVars": {"Profile": profile}, "DataSources": sources, **(more or {})}


def make_operations(folder: Path, clock: Clock, **given: Any) -> Operations:
    """Return operations on files in a folder; arguments as of `settings`."""
    options = load_options((), {}, settings(folder, **given), folder=folder)
    assert not [problem for problem in options.problems if not problem.is_warning], options.problems
    return Operations(build_context(options, clock=clock))


def series(values: Sequence[float], start: str = NEW_YEAR, *, step_min: float = 5, **facts: Any) -> IntensitySeries:
    """Return a series of touching points."""
    start_us, step_us = us_from_iso(start), round(step_min * US_PER_MIN)
    points = tuple(IntensityPoint(start_us + at * step_us, step_us, float(value)) for at, value in enumerate(values))
    return IntensitySeries(points, **{"zone": "ZONE", "source": "watttime", "signal": "marginal", **facts})


class FakeProvider:
    """A source of carbon intensity that says what it was given, and notes what it was asked.

    Args:
        observed: What it has observed; several places share it.
        forecasts: What it forecast, oldest first; their `generated_us` is set.
        name: Its name in the registry.
        error: What it raises instead of answering.
        outside: Keys of places outside its area.
    """

    signal = "marginal"

    def __init__(
        self,
        observed: IntensitySeries | None = None,
        forecasts: Sequence[IntensitySeries] = (),
        *,
        name: str = "watttime",
        error: IntensityError | None = None,
        outside: Sequence[str] = (),
        capabilities: frozenset[str] | None = None,
    ) -> None:
        self.name = name
        self.capabilities: Any = capabilities or frozenset({"observed", "forecast", "historical_forecast"})
        self.asked: list[tuple[Any, ...]] = []
        self._observed = observed
        self._forecasts = forecasts
        self._error = error
        self._outside = outside

    def zone_of(self, where: Location) -> str:
        if where.key in self._outside:
            raise NoIntensityData(f"{where.key} is outside the area", self.name, where.key)
        return "ZONE"

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        self._note("observed", where, span)
        assert self._observed is not None
        kept = tuple(point for point in self._observed.points if span.overlaps(point.start_us, point.end_us))
        return replace(self._observed, points=kept)

    def forecast(self, where: Location) -> IntensitySeries:
        self._note("forecast", where)
        if not self._forecasts:
            raise CapabilityError("no forecasts", self.name, where.key, "forecast")
        return self._forecasts[-1]

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        self._note("forecast_at", where, requested_us, look_back_us)
        slot_us = requested_us - requested_us % (5 * US_PER_MIN)
        first_us = requested_us - look_back_us if look_back_us else slot_us
        found = [one for one in self._forecasts if first_us <= (one.generated_us or 0) <= requested_us]
        if not found:
            raise NoIntensityData("none was made", self.name, where.key)
        return found[-1]

    def _note(self, question: str, where: Location, *arguments: Any) -> None:
        self.asked.append((question, where.key, *arguments))
        if where.key in self._outside:
            raise NoIntensityData(f"{where.key} is outside the area", self.name, where.key)
        if self._error is not None:
            raise self._error


def fake_operations(
    provider: FakeProvider | None, *, clock: Clock | None = None, forecast: FakeProvider | None = None, **values: Any
) -> Operations:
    """Return operations on a fake provider, with the built-in places; `values` are settings of `CarbonAwareVars`."""
    options = load_options((), {}, {"CarbonAwareVars": values})
    base = build_context(options)
    context = Context(options, base.locations, provider, forecast or provider, clock or Clock())
    return Operations(context)
