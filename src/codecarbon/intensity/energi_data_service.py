"""Denmark's Energi Data Service, of the transmission operator Energinet; no key, CC BY 4.0.

Five-minute values of direct emissions, imports included, for the two price areas: DK1 west and DK2 east of the Great
Belt. The service allows one call a minute for a dataset and an address, so a call fetches both areas over whole days,
and its answer is kept on disk for all processes. https://www.energidataservice.dk/tso-electricity/CO2Emis
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from codecarbon.errors import NoIntensityData
from codecarbon.intensity.answers import AnswerReader, Row, begun, floor_us, overlapping, still_to_come, whole_days
from codecarbon.intensity.feed import UNKNOWN_ISSUE_NOTE, Feed, in_s, with_rate
from codecarbon.intensity.provider import refuse_old_forecasts
from codecarbon.intensity.zones import coordinates_deg, country_code, named_zone, outside
from codecarbon.model import IntensityPoint, IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_MIN, iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from codecarbon.intensity.feed import Fetched, TransportOptions
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal
    from codecarbon.transport import DiskCache

BASE_URL = "https://api.energidataservice.dk/dataset/"
OBSERVED, FORECAST = "CO2Emis", "CO2EmisProg"
AREAS = ("DK1", "DK2")
STEP_US = 5 * US_PER_MIN
# One call a minute for a dataset: a bucket that holds one and fills in a minute. Nobody is made to wait.
_CALLS, _WINDOW_S = 2, 60.0
_PATIENCE_S = 5.0
_LIVE_S = 300.0
_SETTLED_US, _SETTLED_S = 2 * US_PER_DAY, 30 * 86_400.0
_FORECAST_DAYS = 3
# Between Funen and Langeland on one side and Zealand and Lolland on the other. North of Zealand the line is of no use:
# Anholt and Laesø lie east of it and belong to the west.
_GREAT_BELT_DEG, _NORTH_OF_ZEALAND_DEG = 10.96, 56.2

_Areas = dict[str, tuple[IntensityPoint, ...]]


class EnergiDataService:
    """A provider for the Danish price areas DK1 and DK2.

    A place is in an area when its zone or its region names one (``DK1``, ``DK-DK1``), or when it is in Denmark and has
    coordinates.

    Args:
        base_url: Address of the service.
        cache: Where answers are kept; None means the user's cache on disk, which all processes share.
        clock: Seconds since 1970.
        options: For the transport.
    """

    name = "energi_data_service"
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
        from codecarbon.transport import DiskCache, Transport

        self._clock = clock
        kept = cache or DiskCache(clock=clock)
        self._feeds = {}
        for dataset in (OBSERVED, FORECAST):  # the limit is counted for each
            own = with_rate({"longest_wait_s": _PATIENCE_S, "tries": 1, **options}, _CALLS, _WINDOW_S)
            transport = Transport(self.name, base_url, clock=clock, **own)
            self._feeds[dataset] = Feed(self.name, transport, kept, owner=base_url)

    def zone_of(self, where: Location) -> str:
        """Find the price area, ``DK1`` or ``DK2``.

        Raises:
            NoIntensityData: The place is outside Denmark, or nothing says in which area it is.
        """
        named = named_zone(where, self.name, "electricity_maps")
        if named:
            area = named.upper().removeprefix("DK-")
            if area not in AREAS:
                raise outside(self.name, where, f"{named!r} is no Danish price area (DK1 or DK2)")
            return area
        if country_code(where) != "DK":
            raise outside(self.name, where, "nothing says that the place is in Denmark")
        if where.region and where.region.upper() in AREAS:
            return where.region.upper()
        at = coordinates_deg(where)
        if at is None:
            raise outside(self.name, where, "name the price area, DK1 or DK2")
        is_west = at[1] < _GREAT_BELT_DEG or at[0] > _NORTH_OF_ZEALAND_DEG
        return AREAS[0] if is_west else AREAS[1]

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the five-minute values that overlap a span; an empty series when there are none."""
        area = self.zone_of(where)
        now_us = us_from_s(self._clock())
        window = whole_days(span, now_us)
        if window.start_us >= window.end_us:
            return IntensitySeries((), area, self.name, basis="direct")

        def valid_until_us(_: object, fetched_us: int) -> int:
            is_settled = window.end_us < fetched_us - _SETTLED_US
            return in_s(fetched_us, _SETTLED_S if is_settled else _LIVE_S)

        found = self._get(OBSERVED, window, where, valid_until_us)
        return IntensitySeries(
            overlapping(begun(found.content[area], now_us), span),
            area,
            self.name,
            basis="direct",
            valid_until_us=found.valid_until_us,
            is_stale=found.is_stale,
        )

    def forecast(self, where: Location) -> IntensitySeries:
        """Get what is forecast from the present five minutes on.

        Raises:
            NoIntensityData: The service has none at the moment.
        """
        area = self.zone_of(where)
        now_us = us_from_s(self._clock())
        today_us = floor_us(now_us, US_PER_DAY)
        window = TimeSpan(today_us, today_us + _FORECAST_DAYS * US_PER_DAY)
        found = self._get(FORECAST, window, where, lambda _, fetched_us: in_s(fetched_us, _LIVE_S))
        points = still_to_come(found.content[area], now_us)
        if not points:
            raise NoIntensityData(f"{self.name} has no forecast for {area}", self.name, where.label)
        return IntensitySeries(
            tuple(point._replace(is_estimated=True) for point in points),
            area,
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
        for feed in self._feeds.values():
            feed.close()

    def _get(
        self, dataset: str, window: TimeSpan, where: Location, valid_until_us: Callable[[_Areas, int], int]
    ) -> Fetched[_Areas]:
        params = [
            ("start", _minute(window.start_us)),
            ("end", _minute(window.end_us)),
            ("timezone", "UTC"),  # or else both are Danish time
            ("columns", "Minutes5UTC,PriceArea,CO2Emission"),
            ("filter", '{"PriceArea":["DK1","DK2"]}'),
            ("sort", "Minutes5UTC"),
            ("limit", "0"),
        ]
        reader = AnswerReader(self.name, where.label)
        return self._feeds[dataset].get(
            dataset,
            params,
            read=lambda payload: _areas(reader, payload),
            valid_until_us=valid_until_us,
            location=where.label,
        )


def _areas(reader: AnswerReader, payload: object) -> _Areas:
    """Points of both areas; the only time that is read is the one in UTC, since the Danish one repeats an hour."""
    rows: dict[str, list[Row]] = {area: [] for area in AREAS}
    for record in reader.objects(reader.an_object(payload), "records"):
        area = reader.text(record, "PriceArea")
        if area not in rows:
            reader.refuse(f"asked for DK1 and DK2, got {area!r}")
        start_us = reader.time_us(record.get("Minutes5UTC"), "Minutes5UTC")
        rows[area].append(Row(start_us, reader.intensity(reader.member(record, "CO2Emission"), "CO2Emission")))
    return {area: reader.points(found, step_us=STEP_US, usual_step_us=STEP_US) for area, found in rows.items()}


def _minute(unix_us: int) -> str:
    return iso_from_us(unix_us)[:16]
