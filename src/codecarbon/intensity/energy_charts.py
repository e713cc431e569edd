"""Energy-Charts, of Fraunhofer ISE: most countries of Europe every quarter of an hour; no key, CC BY 4.0.

The service publishes it as ``co2eq`` and does not say whether that is direct or over the whole life, so the basis
stays empty. https://api.energy-charts.info/
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.errors import NoIntensityData
from codecarbon.intensity.answers import AnswerReader, Row, begun, overlapping, shown, still_to_come, whole_days
from codecarbon.intensity.feed import UNKNOWN_ISSUE_NOTE, Feed, in_s, with_rate
from codecarbon.intensity.provider import refuse_old_forecasts
from codecarbon.intensity.zones import country_code, named_zone, outside
from codecarbon.model import IntensityPoint, IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_MIN, US_PER_S, iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from codecarbon.intensity.feed import Fetched, TransportOptions
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal
    from codecarbon.transport import DiskCache

BASE_URL = "https://api.energy-charts.info/"
USUAL_STEP_US = 15 * US_PER_MIN
_AHEAD_DAYS = 2
_TTL_S = 900.0
_SETTLED_US, _SETTLED_S = 7 * US_PER_DAY, 30 * 86_400.0
# The service allows two calls a minute and bursts of four; nobody is made to wait that long, not even for a second try.
_CALLS, _WINDOW_S = 4, 60.0
_PATIENCE_S = 5.0
# Countries by their ISO 3166-1 alpha-2 code; one has another name here.
COUNTRIES = frozenset(
    {
        *("AL", "AM", "AT", "AZ", "BA", "BE", "BG", "BY", "CH", "CY", "CZ", "DE", "DK", "EE", "ES"),
        *("FI", "FR", "GB", "GE", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MD", "ME", "MK"),
        *("MT", "NL", "NO", "PL", "PT", "RO", "RS", "RU", "SE", "SI", "SK", "TR", "UA", "XK"),
    }
)
_NAMES = {code: code.lower() for code in [*COUNTRIES, "EU", "UK"]} | {"GB": "uk"}
_BASIS_NOTE = "published as co2eq, direct or lifecycle is not said"
_DEPRECATED = "the service is marked as deprecated by those who run it; it is not asked any more"

logger = logging.getLogger(__name__)


class _Found(NamedTuple):
    """The points of an answer: measured ones, with forecasts where those are missing, and the forecasts alone."""

    observed: tuple[IntensityPoint, ...]
    forecast: tuple[IntensityPoint, ...]


class EnergyCharts:
    """A provider for the countries of Europe, as a whole each.

    Args:
        base_url: Address of the service.
        cache: Where answers are kept; None means the user's cache on disk, which all processes share.
        clock: Seconds since 1970.
        options: For the transport.
    """

    name = "energy_charts"
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
        own = with_rate({"longest_wait_s": _PATIENCE_S, "tries": 1, **options}, _CALLS, _WINDOW_S)
        transport = Transport(self.name, base_url, clock=clock, **own)
        self._feed = Feed(self.name, transport, cache or DiskCache(clock=clock), owner=base_url)
        self._is_deprecated = False

    def zone_of(self, where: Location) -> str:
        """Find the country as the service names it, for example ``de``.

        Raises:
            NoIntensityData: The place is outside Europe, or nothing says in which country it is.
        """
        named = named_zone(where, self.name) or country_code(where)
        zone = _NAMES.get(named.upper())
        if zone is None:
            why = f"{named!r} is no country it covers" if named else "nothing says in which country it is"
            raise outside(self.name, where, why)
        return zone

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the values that overlap a span and have begun; where one is missing its forecast, as an estimate."""
        zone = self.zone_of(where)
        now_us = us_from_s(self._clock())
        window = whole_days(span, now_us, ahead_days=_AHEAD_DAYS)
        if window.start_us >= window.end_us:
            return IntensitySeries((), zone, self.name, note=_BASIS_NOTE)
        found = self._get(zone, window, where)
        return IntensitySeries(
            overlapping(begun(found.content.observed, now_us), span),
            zone,
            self.name,
            valid_until_us=found.valid_until_us,
            is_stale=found.is_stale,
            note=_BASIS_NOTE,
        )

    def forecast(self, where: Location) -> IntensitySeries:
        """Get what is forecast from the present on, as far as the service goes.

        Raises:
            NoIntensityData: The service has none for the country at the moment.
        """
        zone = self.zone_of(where)
        now_us = us_from_s(self._clock())
        found = self._get(zone, whole_days(TimeSpan(now_us, now_us), now_us, ahead_days=_AHEAD_DAYS), where)
        points = still_to_come(found.content.forecast, now_us)
        if not points:
            raise NoIntensityData(f"{self.name} has no forecast for {zone}", self.name, where.label)
        return IntensitySeries(
            points,
            zone,
            self.name,
            generated_us=found.fetched_us,
            valid_until_us=found.valid_until_us,
            is_stale=found.is_stale,
            note=f"{UNKNOWN_ISSUE_NOTE}; {_BASIS_NOTE}",
        )

    forecast_at = refuse_old_forecasts

    def close(self) -> None:
        """Close the connections."""
        self._feed.close()

    def _get(self, zone: str, window: TimeSpan, where: Location) -> Fetched[_Found]:
        reader = AnswerReader(self.name, where.label)
        if self._is_deprecated:
            reader.refuse(_DEPRECATED)

        def read(payload: object) -> _Found:
            answer = reader.an_object(payload)
            if reader.is_true(answer, "deprecated"):
                self._is_deprecated = True
                logger.warning("%s: %s", self.name, _DEPRECATED)
                reader.refuse(_DEPRECATED)
            return _found(reader, answer)

        def valid_until_us(_: object, fetched_us: int) -> int:
            is_settled = window.end_us < fetched_us - _SETTLED_US
            return in_s(fetched_us, _SETTLED_S if is_settled else _TTL_S)

        params = [("country", zone), ("start", _minute(window.start_us)), ("end", _minute(window.end_us))]
        return self._feed.get("co2eq", params, read=read, valid_until_us=valid_until_us, location=where.label)


def _found(reader: AnswerReader, answer: dict[str, Any]) -> _Found:
    """Points of the two lists that run beside the list of times."""
    times, measured, expected = (reader.a_list(answer, name) for name in ("unix_seconds", "co2eq", "co2eq_forecast"))
    if not len(times) == len(measured) == len(expected):
        reader.refuse(f"{len(times)} times, {len(measured)} values and {len(expected)} forecasts do not fit together")
    observed, forecast = [], []
    for second, value, guess in zip(times, measured, expected, strict=True):
        if isinstance(second, bool) or not isinstance(second, int):
            reader.refuse(f"unix_seconds: expected whole seconds, found {shown(second)}")
        start_us = second * US_PER_S
        actual, expected_value = reader.intensity(value, "co2eq"), reader.intensity(guess, "co2eq_forecast")
        observed.append(Row(start_us, expected_value if actual is None else actual, actual is None))
        forecast.append(Row(start_us, expected_value, is_estimated=True))
    return _Found(
        reader.points(observed, usual_step_us=USUAL_STEP_US), reader.points(forecast, usual_step_us=USUAL_STEP_US)
    )


def _minute(unix_us: int) -> str:
    return iso_from_us(unix_us)[:16] + "Z"
