"""Great Britain's Carbon Intensity API, of the National Energy System Operator; no key, CC BY 4.0.

Half-hourly values for the whole of Great Britain, measured afterwards, and for its regions, as forecast; direct
emissions with those of imports. https://carbon-intensity.github.io/api-definitions/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.errors import NoIntensityData, ProviderRejected
from codecarbon.intensity.answers import AnswerReader, Row, begun, ceil_us, floor_us, overlapping, still_to_come
from codecarbon.intensity.feed import UNKNOWN_ISSUE_NOTE, Feed, earliest_us, in_s
from codecarbon.intensity.provider import refuse_old_forecasts
from codecarbon.intensity.zones import coordinates_deg, country_code, named_zone, outside
from codecarbon.model import IntensityPoint, IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_MIN, iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Unpack

    from codecarbon.intensity.feed import Fetched, TransportOptions
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal
    from codecarbon.transport import DiskCache

BASE_URL = "https://api.carbonintensity.org.uk/"
STEP_US = 30 * US_PER_MIN
LONGEST_US = 14 * US_PER_DAY
NATIONAL = "GB"
# https://carbon-intensity.github.io/api-definitions/#region-list
REGIONS = (
    "North Scotland",
    "South Scotland",
    "North West England",
    "North East England",
    "Yorkshire",
    "North Wales",
    "South Wales",
    "West Midlands",
    "East Midlands",
    "East England",
    "South West England",
    "South England",
    "London",
    "South East England",
    "England",
    "Scotland",
    "Wales",
)
_REGION_IDS = {name.casefold(): number for number, name in enumerate(REGIONS, 1)}
# Northern Ireland belongs to the grid of the island of Ireland. Its box, degrees: north of, south of, west of.
_NORTHERN_IRELAND = {"northern ireland", "ni", "nir", "gb-nir"}
_NI_LATITUDES_DEG, _NI_EAST_DEG = (53.9, 55.35), -5.4
_LIVE_S = 1800.0
# What is older than that is settled.
_SETTLED_US, _SETTLED_S = 2 * US_PER_DAY, 30 * 86_400.0


class _Area(NamedTuple):
    """Great Britain, whose number is 0, or one of its regions."""

    number: int

    @property
    def zone(self) -> str:
        return f"{NATIONAL}-{self.number}" if self.number else NATIONAL


class UkCarbonIntensity:
    """A provider for Great Britain and its 17 regions.

    A place is a region when its zone or its region names one: by number (``13`` or ``GB-13``) or by name
    (``London``). Every other place in Great Britain gets the national values. Northern Ireland is not part of it.

    Args:
        base_url: Address of the service.
        cache: Where answers are kept; None asks each time.
        clock: Seconds since 1970.
        options: For the transport.
    """

    name = "uk_carbon_intensity"
    signal: Signal = "average"
    capabilities: frozenset[Capability] = frozenset({"observed", "forecast"})

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        cache: DiskCache | None = None,
        clock: Callable[[], float] = time.time,
        **options: Unpack[TransportOptions],
    ) -> None:
        from codecarbon.transport import Transport

        self._clock = clock
        self._feed = Feed(self.name, Transport(self.name, base_url, clock=clock, **options), cache, owner=base_url)

    def zone_of(self, where: Location) -> str:
        """Find the zone: ``GB``, or for example ``GB-13`` for region 13.

        Raises:
            NoIntensityData: The place is outside Great Britain, or nothing says that it is inside.
        """
        return self._area(where).zone

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the half hours that overlap a span and have begun; those not measured yet, and regions, are estimates."""
        area = self._area(where)
        now_us = us_from_s(self._clock())
        end_us = min(max(span.end_us, span.start_us + 1), now_us + 1)
        points: list[IntensityPoint] = []
        parts = [self._period(area, part, where) for part in _parts(TimeSpan(span.start_us, end_us))]
        for part in parts:
            points += [point for point in part.content if not points or point.start_us >= points[-1].end_us]
        return IntensitySeries(
            overlapping(begun(points, now_us), span),
            area.zone,
            self.name,
            basis="direct",
            valid_until_us=earliest_us(parts),
            is_stale=any(part.is_stale for part in parts),
        )

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the present half hour and the 48 hours after it.

        Raises:
            NoIntensityData: The service has none at the moment.
        """
        area = self._area(where)
        now_us = us_from_s(self._clock())
        window = f"{_minute(floor_us(now_us, STEP_US) + US_PER_MIN)}/fw48h"
        reader = _Reader(self.name, where.label, area.number)
        found = self._feed.get(
            _path(area, window),
            read=lambda payload: reader.half_hours(payload, use_actual=False),
            valid_until_us=lambda _, fetched_us: in_s(fetched_us, _LIVE_S),
            location=where.label,
        )
        points = still_to_come(found.content, now_us)
        if not points:
            raise NoIntensityData(f"{self.name} has no forecast for {area.zone}", self.name, where.label)
        return IntensitySeries(
            points,
            area.zone,
            self.name,
            basis="direct",
            generated_us=found.fetched_us,
            valid_until_us=found.valid_until_us,
            is_stale=found.is_stale,
            note=UNKNOWN_ISSUE_NOTE,
        )

    forecast_at = refuse_old_forecasts

    def close(self) -> None:
        """Close the connections."""
        self._feed.close()

    def _period(self, area: _Area, part: TimeSpan, where: Location) -> Fetched[tuple[IntensityPoint, ...]]:
        # A period that ends exactly at the asked begin comes too, so the begin is asked a minute late.
        window = f"{_minute(part.start_us + US_PER_MIN)}/{_minute(part.end_us)}"
        reader = _Reader(self.name, where.label, area.number)

        def valid_until_us(_: object, fetched_us: int) -> int:
            if part.end_us < fetched_us - _SETTLED_US:
                return in_s(fetched_us, _SETTLED_S)
            return floor_us(fetched_us, STEP_US) + STEP_US

        return self._feed.get(
            _path(area, window),
            read=lambda payload: reader.half_hours(payload, use_actual=True),
            valid_until_us=valid_until_us,
            location=where.label,
        )

    def _area(self, where: Location) -> _Area:
        named = named_zone(where, self.name)
        if named:
            area = _named_area(named)
            if area is None:
                why = f"{named!r} is none of its zones (GB, GB-1 to GB-17, or a region's name)"
                raise outside(self.name, where, why)
            return area
        if country_code(where) != NATIONAL:
            raise outside(self.name, where, "nothing says that the place is in Great Britain")
        if (where.region or "").casefold() in _NORTHERN_IRELAND or _is_in_northern_ireland(where):
            raise outside(self.name, where, "Northern Ireland is on another grid")
        return _named_area(where.region or NATIONAL) or _Area(0)


class _Reader(AnswerReader):
    """Reads the half hours of one area, in whichever of its shapes the service answers."""

    def __init__(self, provider: str, location: str, number: int) -> None:
        super().__init__(provider, location)
        self._number = number

    def half_hours(self, payload: object, *, use_actual: bool) -> tuple[IntensityPoint, ...]:
        """Make points: what was measured, else what was forecast."""
        answer = self.an_object(payload)
        if "error" in answer:
            self._raise_error(answer["error"])
        rows = [self._row(*found, use_actual=use_actual) for found in self._periods(answer)]
        return self.points(rows, step_us=STEP_US, usual_step_us=STEP_US)

    def _periods(self, answer: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Periods, and where their intensity stands."""
        data = answer.get("data")
        if not self._number:
            for period in self.objects(answer, "data"):
                yield period, period
        elif isinstance(data, dict):  # a window of one region
            yield from self._of_region(data)
        else:
            for entry in self.objects(answer, "data"):
                if "regions" in entry:  # a window of all regions
                    regions = self.objects(entry, "regions")
                    yield from ((entry, region) for region in regions if region.get("regionid") == self._number)
                else:  # one region at present
                    yield from self._of_region(entry)

    def _of_region(self, region: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        if region.get("regionid") != self._number:
            self.refuse(f"asked for region {self._number}, got {region.get('regionid')!r}")
        for period in self.objects(region, "data"):
            yield period, period

    def _row(self, period: dict[str, Any], holder: dict[str, Any], *, use_actual: bool) -> Row:
        start_us = self.time_us(period.get("from"), "from")
        if self.time_us(period.get("to"), "to") - start_us != STEP_US:
            self.refuse(f"the period from {period['from']} is not half an hour long")
        intensity = self.an_object(holder.get("intensity"), "intensity")
        forecast = self.intensity(self.member(intensity, "forecast"), "forecast")
        actual = self.intensity(intensity.get("actual"), "actual") if use_actual else None
        return Row(start_us, forecast if actual is None else actual, actual is None)

    def _raise_error(self, error: object) -> None:
        told = self.an_object(error, "error")
        code, message = self.text(told, "code"), self.text(told, "message")
        status = int(code[:3]) if code[:3].isdecimal() else 500
        raise ProviderRejected(f"{self.provider}: {code}", self.provider, self.location, status, message)


def _named_area(name: str) -> _Area | None:
    text = name.strip().casefold()
    text = text.removeprefix("gb-")
    if text in {"gb", "gbr", "great britain"}:
        return _Area(0)
    if text.isdecimal() and text.isascii() and 1 <= int(text) <= len(REGIONS):
        return _Area(int(text))
    number = _REGION_IDS.get(text)
    return _Area(number) if number else None


def _is_in_northern_ireland(where: Location) -> bool:
    at = coordinates_deg(where)
    south, north = _NI_LATITUDES_DEG
    return at is not None and south < at[0] < north and at[1] < _NI_EAST_DEG


def _path(area: _Area, window: str) -> str:
    return f"regional/intensity/{window}/regionid/{area.number}" if area.number else f"intensity/{window}"


def _parts(span: TimeSpan) -> Iterator[TimeSpan]:
    """Whole half hours, in parts that the service answers at once."""
    start_us, end_us = floor_us(span.start_us, STEP_US), ceil_us(span.end_us, STEP_US)
    for part_us in range(start_us, end_us, LONGEST_US):
        yield TimeSpan(part_us, min(part_us + LONGEST_US, end_us))


def _minute(unix_us: int) -> str:
    return iso_from_us(unix_us)[:16] + "Z"
