"""What a source said, kept in memory by zone and five-minute slot, so that equal questions are asked once.

Observations are kept slot by slot with everything that overlaps the slot, so that a narrower question is answered from
what is there, a wider one asks for the missing slots only, and a point that began earlier is never lost. Answers on
disk, which several processes share, are the business of the sources themselves.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import IntensityError, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.forks import renew_after_fork
from codecarbon.intensity.flights import Flights
from codecarbon.model import IntensitySeries, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from codecarbon.intensity.flights import Flight
    from codecarbon.intensity.provider import Capability, IntensityProvider
    from codecarbon.model import IntensityPoint, Location

SLOT_US = 5 * US_PER_MIN
# How long an answer counts as new when the source does not say.
RECENT_US = 5 * US_PER_MIN
# What lies further back no longer changes.
SETTLED_US = 2 * US_PER_DAY
# How long an answer that has run out may stand in for a source that fails.
STALE_US = 2 * US_PER_HOUR
_number = attrgetter("number")
_TOO_MANY, _SERVER_ERRORS = 429, 500


class _Slot(NamedTuple):
    """What is known about five minutes of a zone, from the answer of that number."""

    points: tuple[IntensityPoint, ...]
    head: IntensitySeries
    number: int
    fetched_us: int
    expires_us: int | None


class _Kept(NamedTuple):
    """A forecast."""

    series: IntensitySeries
    expires_us: int | None


class Cached:
    """A source whose answers are kept.

    Args:
        provider: The source.
        clock: Seconds since 1970.
        max_slots: How many slots of five minutes to keep, over all zones; the longest unused go first.
        max_forecasts: How many forecasts to keep, likewise.

    Attributes:
        calls: How many questions went on to the source, answered or not.
    """

    def __init__(
        self,
        provider: IntensityProvider,
        *,
        clock: Callable[[], float] = time.time,
        max_slots: int = 50_000,
        max_forecasts: int = 256,
    ) -> None:
        self.provider = provider
        self.name = provider.name
        self.signal = provider.signal
        self.calls = 0
        self._clock = clock
        self._max_slots = max_slots
        self._max_forecasts = max_forecasts
        self._numbers = itertools.count()
        self._slots: OrderedDict[tuple[str, int], _Slot] = OrderedDict()
        self._forecasts: OrderedDict[Hashable, _Kept] = OrderedDict()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Let go of a lock and of questions that only threads of the parent would end."""
        self._lock = threading.Lock()
        self._zone_flights: Flights[str] = Flights()
        self._slot_flights: Flights[dict[int, _Slot]] = Flights()
        self._span_flights: Flights[IntensitySeries] = Flights()
        self._forecast_flights: Flights[IntensitySeries] = Flights()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the source offers."""
        return self.provider.capabilities

    def zone_of(self, where: Location) -> str:
        """Find the source's zone of a place; the source itself remembers it."""
        with self._lock:
            flight, is_first = self._zone_flights.find(where)
        if not is_first:
            return flight.wait()
        try:
            return flight.fly(lambda: self.provider.zone_of(where))
        finally:
            with self._lock:
                self._zone_flights.land(where)

    # --- observations ----------------------------------------------------------------------------------------------

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get every point that overlaps a span, uncut, in order of time; see the protocol."""
        zone = self.zone_of(where)
        starts_us = range(span.start_us - span.start_us % SLOT_US, max(span.end_us, span.start_us + 1), SLOT_US)
        if len(starts_us) > self._max_slots:
            return self._unkept(where, zone, span)
        series = _assembled(self._slots_of(where, zone, starts_us), span)
        if series is None:
            # The source divides its time differently now: what was held and what is new overlap.
            series = _assembled(self._slots_of(where, zone, starts_us, anew=True), span)
        if series is None:
            raise ProviderDataError(f"the answers of {self.name} for {zone} overlap", self.name, where.label)
        return series

    def _unkept(self, where: Location, zone: str, span: TimeSpan) -> IntensitySeries:
        """Ask for more than is ever kept."""
        key = (zone, span)
        with self._lock:
            flight, is_first = self._span_flights.find(key)
        if not is_first:
            return flight.wait()
        try:
            return flight.fly(lambda: self.provider.observed(where, span))
        finally:
            with self._lock:
                self.calls += 1
                self._span_flights.land(key)

    def _slots_of(self, where: Location, zone: str, starts_us: range, *, anew: bool = False) -> Mapping[int, _Slot]:
        """Get slots; those that are not held are asked for as one stretch."""
        now_us = us_from_s(self._clock())
        with self._lock:
            held = {} if anew else self._held(zone, starts_us, now_us)
            missing = [start_us for start_us in starts_us if start_us not in held]
            if not missing:
                return held
            span = TimeSpan(missing[0], missing[-1] + SLOT_US)
            flight, is_first = self._slot_flights.find((zone, span))
        try:
            if not is_first:
                return {**held, **flight.wait()}
            return {**held, **self._fly(flight, where, zone, span, now_us)}
        except IntensityError as error:
            stale = self._stale(zone, missing, now_us) if _may_pass(error) else None
            if stale is None:
                raise
            return {**held, **stale}

    def _fly(
        self, flight: Flight[dict[int, _Slot]], where: Location, zone: str, span: TimeSpan, now_us: int
    ) -> dict[int, _Slot]:
        slots: dict[int, _Slot] = {}
        try:
            slots = flight.fly(lambda: self._split(self.provider.observed(where, span), span, now_us))
        finally:
            # In one step, so that nobody finds neither the question under way nor its answer.
            with self._lock:
                self.calls += 1
                self._slot_flights.land((zone, span))
                for start_us, slot in slots.items():
                    self._slots[zone, start_us] = slot
                    self._slots.move_to_end((zone, start_us))
                while len(self._slots) > self._max_slots:
                    self._slots.popitem(last=False)
        return slots

    def _split(self, series: IntensitySeries, span: TimeSpan, now_us: int) -> dict[int, _Slot]:
        """Cut an answer into the slots of a span; a point stands, uncut, in each slot that it overlaps."""
        head, number = replace(series, points=()), next(self._numbers)
        points: dict[int, list[IntensityPoint]] = {
            start_us: [] for start_us in range(span.start_us, span.end_us, SLOT_US)
        }
        for point in series.points:
            first_us = max(point.start_us - point.start_us % SLOT_US, span.start_us)
            end_us = min(max(point.end_us, point.start_us + 1), span.end_us)
            for start_us in range(first_us, end_us, SLOT_US):
                points[start_us].append(point)
        slots = {}
        for start_us, found in points.items():
            expires_us = _expires_us(series, now_us, is_settled=start_us + SLOT_US <= now_us - SETTLED_US)
            if not found and expires_us is not None:
                # Values come late: the source may have one soon, whatever it says of those that it has.
                expires_us = min(expires_us, now_us + RECENT_US)
            slots[start_us] = _Slot(tuple(found), head, number, now_us, expires_us)
        return slots

    def _held(self, zone: str, starts_us: Iterable[int], now_us: int) -> dict[int, _Slot]:
        found = {}
        for start_us in starts_us:
            slot = self._slots.get((zone, start_us))
            # One that seems to come from the future tells that the clock was put back.
            if slot is None or slot.fetched_us > now_us or (slot.expires_us is not None and now_us >= slot.expires_us):
                continue
            self._slots.move_to_end((zone, start_us))
            found[start_us] = slot
        return found

    def _stale(self, zone: str, starts_us: Iterable[int], now_us: int) -> dict[int, _Slot] | None:
        """Slots that have run out, in place of an answer; None unless all are there and none is too old."""
        found = {}
        with self._lock:
            for start_us in starts_us:
                slot = self._slots.get((zone, start_us))
                if slot is None or (slot.expires_us is not None and now_us >= slot.expires_us + STALE_US):
                    return None
                found[start_us] = slot._replace(head=replace(slot.head, is_stale=True))
        return found

    # --- forecasts -------------------------------------------------------------------------------------------------

    def forecast(self, where: Location) -> IntensitySeries:
        """Get the newest forecast, asked for anew when the source may have made another one."""
        return self._forecast((self.zone_of(where),), lambda: self.provider.forecast(where))

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Get the forecast that was the newest at a moment; see the protocol."""
        return self._forecast(
            (self.zone_of(where), requested_us, look_back_us),
            lambda: self.provider.forecast_at(where, requested_us, look_back_us=look_back_us),
            settled_us=requested_us + SETTLED_US,
        )

    def _forecast(
        self, key: Hashable, ask: Callable[[], IntensitySeries], *, settled_us: int | None = None
    ) -> IntensitySeries:
        now_us = us_from_s(self._clock())
        with self._lock:
            kept = self._forecasts.get(key)
            if kept is not None and (kept.expires_us is None or now_us < kept.expires_us):
                self._forecasts.move_to_end(key)
                return kept.series
            flight, is_first = self._forecast_flights.find(key)
        try:
            return self._fly_forecast(flight, key, ask, settled_us) if is_first else flight.wait()
        except IntensityError as error:
            if kept is None or kept.expires_us is None or now_us >= kept.expires_us + STALE_US or not _may_pass(error):
                raise
            return replace(kept.series, is_stale=True)

    def _fly_forecast(
        self,
        flight: Flight[IntensitySeries],
        key: Hashable,
        ask: Callable[[], IntensitySeries],
        settled_us: int | None,
    ) -> IntensitySeries:
        now_us = us_from_s(self._clock())
        series: IntensitySeries | None = None
        try:
            series = flight.fly(ask)
        finally:
            with self._lock:
                self.calls += 1
                self._forecast_flights.land(key)
                if series is not None:
                    is_settled = settled_us is not None and now_us >= settled_us
                    self._forecasts[key] = _Kept(series, _expires_us(series, now_us, is_settled=is_settled))
                    self._forecasts.move_to_end(key)
                    while len(self._forecasts) > self._max_forecasts:
                        self._forecasts.popitem(last=False)
        return series


def _expires_us(series: IntensitySeries, now_us: int, *, is_settled: bool) -> int | None:
    until_us = series.valid_until_us
    if is_settled and (until_us is None or until_us > now_us):
        return None
    return now_us + RECENT_US if until_us is None else until_us


def _assembled(slots: Mapping[int, _Slot], span: TimeSpan) -> IntensitySeries | None:
    """Put the points of slots together; None when points of different answers overlap.

    Where two answers have the same stretch of time, the newer one counts.
    """
    newest = sorted(slots.values(), key=_number)
    found: dict[tuple[int, int], tuple[IntensityPoint, int]] = {}
    for slot in newest:
        for point in slot.points:
            found[point[:2]] = (point, slot.number)  # by begin and length
    points: list[IntensityPoint] = []
    before_end_us, before = 0, 0
    for (start_us, duration_us), (point, number) in sorted(found.items()):
        if not span.overlaps(start_us, start_us + duration_us):
            continue
        if points and start_us < before_end_us and number != before:
            return None
        before_end_us, before = start_us + duration_us, number
        points.append(point)
    # By identity: slots of one answer share its head, and comparing hundreds of records takes long.
    heads = list({id(slot.head): slot.head for slot in newest}.values())
    until_us = [slot.expires_us for slot in newest if slot.expires_us is not None]
    return replace(
        heads[-1],
        points=tuple(points),
        basis=heads[-1].basis if len({head.basis for head in heads}) == 1 else "",
        valid_until_us=min(until_us, default=None),
        is_stale=any(head.is_stale for head in heads),
        is_synthetic=any(head.is_synthetic for head in heads),
        note="; ".join(dict.fromkeys(head.note for head in heads if head.note)),
    )


def _may_pass(error: IntensityError) -> bool:
    """Whether an answer that has run out may stand in: not when the source refuses, or never has it."""
    if isinstance(error, ProviderRejected):
        return error.status == _TOO_MANY or error.status >= _SERVER_ERRORS
    return isinstance(error, (ProviderUnavailable, ProviderDataError))
