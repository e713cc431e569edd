"""WattTime, version 3 of its API: marginal and average intensity by region; needs an account.

https://docs.watttime.org/ - the free plan has data for ``CAISO_NORTH`` only.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from codecarbon.errors import ConfigError, IntensityError, NoIntensityData, ProviderDataError
from codecarbon.intensity.answers import AnswerReader, begun, floor_us, overlapping
from codecarbon.intensity.feed import Feed, earliest_us
from codecarbon.intensity.watttime_wire import (
    SIGNALS,
    Question,
    Reading,
    joined,
    read_forecast,
    read_history,
    read_old_forecasts,
)
from codecarbon.intensity.zones import coordinates_deg, named_zone, outside
from codecarbon.model import IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, US_PER_S, iso_from_us, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Unpack

    from codecarbon.intensity.feed import Fetched, TransportOptions
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import Location, Signal
    from codecarbon.transport import DiskCache

BASE_URL = "https://api.watttime.org/v3/"
SLOT_US = 5 * US_PER_MIN
# Measurements come late, and points are longer than the questions: ask this much wider on either side.
MARGIN_US = 2 * US_PER_HOUR
LONGEST_HISTORY_US = 30 * US_PER_DAY
LONGEST_OLD_FORECASTS_US = US_PER_DAY
REGION_TTL_S = 86_400.0
# A place without coverage is asked about again after this long.
NO_COVERAGE_TTL_S = 86_400.0
# New values appear at every five minutes, and a little later.
NEW_AFTER_US = 30 * US_PER_S
SETTLED_US, SETTLED_TTL_US = US_PER_DAY, 7 * US_PER_DAY
# Digits of a coordinate that tell places apart in the cache of regions: about 11 m.
_DIGITS = 4
_MOST_REGIONS = 10_000
_LOCKS = 16
_NOT_FOUND = 404
_LAST_US = 253_402_300_799 * US_PER_S  # the end of the year 9999


class _Region(NamedTuple):
    """Which region a place lies in; without a name there is none."""

    name: str
    valid_until_us: int


class WattTime:
    """A provider with the marginal intensity of WattTime, or the average one.

    Args:
        username: As registered with the service.
        password: Likewise; shown nowhere.
        base_url: Address of the data.
        login_url: Address that gives tokens; by default the one above the data's.
        signal_type: ``co2_moer``, which is marginal, or ``co2_aoer``, which is average.
        region_ttl_s: How long the region of a place is remembered, seconds; 0 asks each time.
        cache: Where answers are kept besides; None asks each time.
        clock: Seconds since 1970.
        options: For the transport.

    Raises:
        ConfigError: No user name or password, an address of version 2, or an unknown signal.
    """

    name = "watttime"
    capabilities: frozenset[Capability] = frozenset({"observed", "forecast", "historical_forecast"})

    def __init__(
        self,
        username: str,
        password: str,
        *,
        base_url: str = BASE_URL,
        login_url: str | None = None,
        signal_type: str = "co2_moer",
        region_ttl_s: float = REGION_TTL_S,
        cache: DiskCache | None = None,
        clock: Callable[[], float] = time.time,
        **options: Unpack[TransportOptions],
    ) -> None:
        from codecarbon.forks import renew_after_fork
        from codecarbon.intensity.watttime_login import CALLS, PAUSE_S, WINDOW_S, TokenTransport, shared_login
        from codecarbon.transport import TokenBucket, fingerprint

        _check(username, password, signal_type, region_ttl_s)
        for url in (base_url, login_url or ""):
            _refuse_version_2(url)
        self.signal: Signal = SIGNALS[signal_type]
        self._signal_type = signal_type
        self._region_ttl_us = us_from_s(region_ttl_s)
        self._cache = cache
        self._clock = clock
        monotonic = options.get("monotonic", time.monotonic)
        rate = options.get("rate") or TokenBucket(CALLS, WINDOW_S, monotonic=monotonic)
        shared = {"unasked_wait_s": PAUSE_S, **options, "clock": clock, "monotonic": monotonic}
        login = shared_login(login_url or _above(base_url), username, password, **shared)  # type: ignore[arg-type]
        self._transport = TokenTransport(base_url, login, **{**shared, "rate": rate})
        self._feed = Feed(self.name, self._transport, cache, owner=fingerprint(self._transport.base_url, username))
        self._regions: dict[str, _Region] = {}
        self.after_fork()
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"WattTime({self._transport.base_url!r}, signal_type={self._signal_type!r})"

    def after_fork(self) -> None:
        """Let go of locks that threads of the parent may hold."""
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def zone_of(self, where: Location) -> str:
        """Find the region of a place: the one that was named, else that of the coordinates.

        Raises:
            NoIntensityData: The place has neither, or the service does not cover it.
        """
        named = named_zone(where, self.name)
        if named:
            return named
        place = coordinates_deg(where)
        if place is None:
            raise outside(self.name, where, "it needs latitude and longitude, or the name of a region")
        key = "{},{},{},{}".format(*(round(degrees, _DIGITS) for degrees in place), self._signal_type, self._owner)
        with _about(where), self._locks[hash(key) % _LOCKS]:  # equal questions that come together are asked once
            region = self._known(key) or self._ask_region(place, key)
        if not region.name:
            raise outside(self.name, where, f"no coverage for {self._signal_type} at its coordinates")
        return region.name

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the measured points that overlap a span.

        Asked for from two hours before the first five minutes that it touches until two hours after the last, and in
        parts of 30 days.
        """
        with _about(where):
            asked = Question(self.zone_of(where), self._signal_type)
            # By the slots that it touches, so that questions which differ by seconds are one on the wire and on disk.
            last_us = floor_us(max(span.end_us - 1, span.start_us), SLOT_US)
            wanted = TimeSpan(max(floor_us(span.start_us, SLOT_US) - MARGIN_US, 0), min(last_us + MARGIN_US, _LAST_US))
            parts = [self._history(asked, part) for part in self._parts(wanted)]
            longest_us = max((point.duration_us for part in parts for point in part.content.points), default=0)
            if longest_us > MARGIN_US:
                before = TimeSpan(max(span.start_us - longest_us, 0), wanted.start_us)
                parts = [*(self._history(asked, part) for part in self._parts(before)), *parts]
            points = begun(joined((part.content for part in parts), asked.region), us_from_s(self._clock()))
            return IntensitySeries(
                overlapping(points, span),
                asked.region,
                self.name,
                signal=self.signal,
                valid_until_us=earliest_us(parts) if parts else _next_slot_us(us_from_s(self._clock())),
                is_stale=any(part.is_stale for part in parts),
                note=next((part.content.note for part in parts if part.content.note), ""),
            )

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the newest forecast: 24 hours.

        Raises:
            NoIntensityData: It is empty.
        """
        with _about(where):
            asked = Question(self.zone_of(where), self._signal_type)
            fetched = self._feed.get(
                "forecast",
                [("region", asked.region), ("signal_type", asked.signal_type)],
                read=lambda content: read_forecast(content, asked),
                valid_until_us=lambda _, fetched_us: _next_slot_us(fetched_us),
            )
            if not fetched.content.points:
                raise NoIntensityData(f"the forecast of watttime for {asked.region} is empty", self.name, where.label)
            return self._forecast_series(fetched.content, asked, fetched.valid_until_us, is_stale=fetched.is_stale)

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get the forecast that was the newest at a moment: of its five minutes, else the latest one before.

        Raises:
            NoIntensityData: None was made within that time.
        """
        with _about(where):
            asked = Question(self.zone_of(where), self._signal_type)
            slot_us = floor_us(requested_us, SLOT_US)
            end_us, earliest = slot_us, slot_us - max(look_back_us, 0)
            start_us = slot_us
            while end_us >= earliest:
                fetched = self._old_forecasts(asked, TimeSpan(start_us, end_us))
                usable = [
                    reading
                    for reading in fetched.content
                    if reading.points and earliest <= (reading.generated_us or 0) <= requested_us
                ]
                if usable:
                    return self._forecast_series(usable[-1], asked, fetched.valid_until_us, is_stale=fetched.is_stale)
                end_us = start_us - SLOT_US
                start_us = max(end_us - LONGEST_OLD_FORECASTS_US, earliest)
            raise NoIntensityData(
                f"no forecast of watttime for {asked.region} was generated at the requested time "
                f"{iso_from_us(requested_us)}" + (" or shortly before" if look_back_us else ""),
                self.name,
                where.label,
            )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def _owner(self) -> str:
        return self._transport.base_url

    def _forecast_series(
        self, reading: Reading, asked: Question, valid_until_us: int | None, *, is_stale: bool
    ) -> IntensitySeries:
        return IntensitySeries(
            reading.points,
            asked.region,
            self.name,
            signal=self.signal,
            generated_us=reading.generated_us,
            valid_until_us=valid_until_us,
            is_stale=is_stale,
            note=reading.note,
        )

    def _history(self, asked: Question, part: TimeSpan) -> Fetched[Reading]:
        return self._feed.get(
            "historical",
            _params(asked, part),
            read=lambda content: read_history(content, asked),
            valid_until_us=lambda _, fetched_us: _valid_until_us(fetched_us, part.end_us),
        )

    def _old_forecasts(self, asked: Question, part: TimeSpan) -> Fetched[tuple[Reading, ...]]:
        return self._feed.get(
            "forecast/historical",
            _params(asked, part),
            read=lambda content: read_old_forecasts(content, asked),
            valid_until_us=lambda _, fetched_us: _valid_until_us(fetched_us, part.end_us),
        )

    def _parts(self, span: TimeSpan) -> list[TimeSpan]:
        """Cut a span into what the service answers at once, leaving out what has not come yet."""
        parts = []
        start_us = span.start_us
        # A day more than now, since the clocks may differ.
        latest_us = us_from_s(self._clock()) + US_PER_DAY
        while start_us < span.end_us and start_us <= latest_us:
            end_us = min(start_us + LONGEST_HISTORY_US, span.end_us)
            parts.append(TimeSpan(start_us, end_us))
            start_us = end_us
        return parts

    def _known(self, key: str) -> _Region | None:
        """What is remembered about a place, here or on disk."""
        if not self._region_ttl_us:
            return None
        region = self._regions.get(key)
        now_us = us_from_s(self._clock())
        if region is not None and now_us < region.valid_until_us:
            return region
        kept = None if self._cache is None else self._cache.get(self.name, "region-from-loc", key)
        if kept is None or kept.fetched_us + self._region_ttl_us <= now_us:
            return None
        try:
            name = json.loads(kept.body)["region"]
        except (ValueError, KeyError, TypeError):
            return None  # kept by a version that wrote it differently
        return self._remember(key, name, kept.fetched_us) if isinstance(name, str) else None

    def _remember(self, key: str, name: str, fetched_us: int) -> _Region:
        ttl_us = self._region_ttl_us if name else min(self._region_ttl_us, us_from_s(NO_COVERAGE_TTL_S))
        region = _Region(name, fetched_us + ttl_us)
        if ttl_us:
            if len(self._regions) >= _MOST_REGIONS:
                self._regions.clear()
            self._regions[key] = region
        return region

    def _ask_region(self, place: tuple[float, float], key: str) -> _Region:
        params = [("latitude", _degrees(place[0])), ("longitude", _degrees(place[1]))]
        answer = self._transport.get(
            "region-from-loc", [*params, ("signal_type", self._signal_type)], accept_status={_NOT_FOUND}
        )
        reader = AnswerReader(self.name)
        if answer.status == _NOT_FOUND:
            try:
                reader.an_object(answer.json())
            except ProviderDataError:
                # A gateway's 404 tells that the address is wrong, not that the place is.
                raise self._transport.rejection(answer) from None
            name = ""
        else:
            content = reader.an_object(answer.json())
            name = reader.text(content, "region")
            signal_type = reader.text(content, "signal_type")
            if not name:
                reader.refuse("the answer names no region")
            if signal_type and signal_type != self._signal_type:
                reader.refuse(f"asked for the region of {self._signal_type}, and the answer is for {signal_type}")
        region = self._remember(key, name, answer.fetched_us)
        if self._cache is not None and self._region_ttl_us:
            body = json.dumps({"region": name}).encode()
            self._cache.put(
                *(self.name, "region-from-loc", key, body),
                valid_until_us=region.valid_until_us,
                fetched_us=answer.fetched_us,
            )
        return region


def _check(username: str, password: str, signal_type: str, region_ttl_s: float) -> None:
    if not username.strip():
        raise ConfigError("Username", "", "configuration", "a user name: Username is required for WattTime.")
    if not password.strip():
        raise ConfigError("Password", "", "configuration", "a password: Password is required for WattTime.")
    if signal_type not in SIGNALS:
        # health_damage among them: money is no mass of CO2.
        raise ConfigError("SignalType", signal_type, "configuration", " or ".join(SIGNALS))
    if not 0 <= region_ttl_s < US_PER_S * US_PER_S:
        raise ConfigError("RegionCacheTTL", region_ttl_s, "configuration", "seconds, 0 or more")


def _refuse_version_2(base_url: str) -> None:
    from codecarbon.transport import redact

    parts = urlsplit(base_url.strip())
    if (parts.hostname or "").startswith("api2.") or parts.path.strip("/").split("/")[-1] == "v2":
        expected = f"{BASE_URL}: version 2 of the WattTime API was shut down"
        raise ConfigError("BaseUrl", redact(base_url), "configuration", expected)


def _above(base_url: str) -> str:
    """The address above that of the data, where tokens come from."""
    return base_url.strip().rstrip("/").removesuffix("/v3") + "/"


@contextmanager
def _about(where: Location) -> Iterator[None]:
    """Name the place in errors that come from further down."""
    try:
        yield
    except IntensityError as error:
        error.location = where.label
        raise


def _params(asked: Question, span: TimeSpan) -> list[tuple[str, str]]:
    return [
        ("region", asked.region),
        ("start", _moment(span.start_us)),
        ("end", _moment(span.end_us)),
        ("signal_type", asked.signal_type),
    ]


def _moment(unix_us: int) -> str:
    """A time with seven decimals and ``+00:00``, as clients of this service have always sent it."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=unix_us)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}0+00:00"


def _degrees(degrees: float) -> str:
    """All digits that it has, with a point in every locale, and never an exponent."""
    return format(Decimal(repr(float(degrees))), "f").removesuffix(".0")


def _next_slot_us(unix_us: int) -> int:
    return floor_us(unix_us, SLOT_US) + SLOT_US + NEW_AFTER_US


def _valid_until_us(fetched_us: int, end_us: int) -> int:
    """When to ask again: what is older than a day is revised seldom."""
    return fetched_us + SETTLED_TTL_US if end_us < fetched_us - SETTLED_US else _next_slot_us(fetched_us)
