"""What the providers that talk to Electricity Maps share: its answers, and the guards around them; version 3.

The service answers for the zone of the *caller's own address*, with status 200, when it does not understand where the
question is about. So every question switches that off, under both names that the switch has had, and no answer is
believed before its zone is found to be the one that was meant; see
``_Reader._checked_zone`` and ``Wire._check_caller``. https://portal.electricitymaps.com/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.errors import IntensityError, ProviderRejected
from codecarbon.intensity.answers import AnswerReader, Row, floor_us
from codecarbon.intensity.feed import Feed, in_s
from codecarbon.units import SECONDS_PER_HOUR, US_PER_HOUR, US_PER_MIN, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codecarbon.intensity.electricity_maps_place import Place
    from codecarbon.intensity.feed import Fetched
    from codecarbon.model import IntensityPoint
    from codecarbon.transport import DiskCache, Transport

# The calls of a key; the service's help pages speak of 150 a minute.
CALLS, CALLS_WINDOW_S = 100, 60.0

_NO_CALLER = (("disableCallerLookup", "true"), ("shouldUseFallbackCallerLookup", "false"))
# In the middle of the Atlantic: no zone, so an answer to it is the caller's.
_NOWHERE = (("lat", "30"), ("lon", "-45"))
LATEST = "carbon-intensity/latest"
_STEPS_US = {"5_minutes": 5 * US_PER_MIN, "15_minutes": 15 * US_PER_MIN, "hourly": US_PER_HOUR}
_BASES = {"", "lifecycle", "direct"}
_DAY_S = 24 * SECONDS_PER_HOUR
_BAD_KEY_S = 900.0
_MOST_ZONES = 4096
_LIVE_S, _RECHECK_S, _LATE_S = 300.0, 900.0, 300.0
_UNAUTHORIZED, _TOO_MANY, _SERVER_ERRORS = 401, 429, 500
_NO_SUCH_PLACE = {400, 404}


class Content(NamedTuple):
    """An answer with intensities.

    Attributes:
        zone: The zone it is for.
        points: Its points, in order, without nulls.
        basis: ``lifecycle`` or ``direct``.
        updated_us: When the service made it, if it says so.
    """

    zone: str
    points: tuple[IntensityPoint, ...]
    basis: str
    updated_us: int | None


class Wire:
    """Questions to the service with one key.

    Args:
        provider: Name of the provider that asks.
        transport: The way to the service.
        credential: The header with the token.
        owner: Fingerprint of the two.
        cache: Where answers are kept, or None.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        provider: str,
        transport: Transport,
        credential: tuple[str, str],
        *,
        owner: str,
        cache: DiskCache | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider = provider
        self._headers = dict([credential])
        self._feed = Feed("electricity_maps", transport, cache, owner=owner)
        self._clock = clock
        # What was learnt about the key and the caller, and until when it holds, seconds since 1970.
        self._plan: tuple[float, dict[str, tuple[str, ...]] | None] | None = None
        self._caller: tuple[float, str] | None = None
        # Cloud regions that the service did not know, in places with coordinates.
        self._not_known: set[tuple[tuple[str, str], ...]] = set()
        self._zones: dict[tuple[tuple[str, str], ...], tuple[float, str]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._feed.close()

    def zone_of(self, place: Place) -> str:
        """Find the zone of a place: the named one, else the service's, asked for once a day."""
        place = self._as_known(place)
        return place.zone or self._known_zone(place) or self.ask(LATEST, place, ()).content.zone

    def ask(
        self, path: str, place: Place, params: Sequence[tuple[str, str]], *, member: str = "", settled: bool = False
    ) -> Fetched[Content]:
        """Ask for the intensities of a place.

        Args:
            path: What to ask for.
            place: Where.
            params: The rest of the query.
            member: The member that holds the rows; empty when the answer is one row.
            settled: Whether the answer will not change any more.

        Raises:
            ProviderRejected: With status 401, says whether the key or the plan is the reason.
            ProviderDataError: The answer is for another zone, or cannot be used otherwise.
        """
        place = self._as_known(place)
        reader = _Reader(self._provider, place.label)

        def read(payload: object) -> Content:
            return reader.content(payload, place, member)

        def until(content: Content, fetched_us: int) -> int:
            if settled:
                return in_s(fetched_us, 30 * _DAY_S)
            if path.endswith("/forecast"):
                return in_s(fetched_us, SECONDS_PER_HOUR)
            return _next_us(content, fetched_us)

        query = (*place.params, *params, *_NO_CALLER)
        try:
            found = self._feed.get(
                path, query, read=read, valid_until_us=until, headers=self._headers, location=place.label
            )
        except ProviderRejected as error:
            if place.otherwise and error.status in _NO_SUCH_PLACE:
                self._not_known.add(place.params)
                return self.ask(path, _by_coordinates(place), params, member=member, settled=settled)
            if error.status != _UNAUTHORIZED:
                raise
            raise self._explained(error, path, place) from error
        self._check_caller(found.content.zone, place, reader)
        if len(self._zones) >= _MOST_ZONES:
            self._zones.clear()
        self._zones[place.params] = (self._clock() + _DAY_S, found.content.zone)
        return found

    # --- whose zone it is ------------------------------------------------------------------------------------------

    def _check_caller(self, zone: str, place: Place, reader: AnswerReader) -> None:
        """Where neither a zone nor a country could be compared, refuse the zone that the service gives to anybody."""
        if place.zone or place.country or self._known_zone(place) == zone:
            return
        if zone == self._callers_zone():
            reader.refuse(
                f"asked for {place.label}, got {zone}, which is also what it answers about the open sea: it takes the "
                "caller's own address when it does not know a place; name the zone or the country"
            )

    def _as_known(self, place: Place) -> Place:
        return _by_coordinates(place) if place.params in self._not_known else place

    def _known_zone(self, place: Place) -> str:
        until_s, zone = self._zones.get(place.params, (0.0, ""))
        return zone if until_s > self._clock() else ""

    def _callers_zone(self) -> str:
        """The zone that the service answers for a place without one; empty when it rightly refuses."""
        if self._caller is not None and self._caller[0] > self._clock():
            return self._caller[1]
        reader = AnswerReader(self._provider)

        def read(payload: object) -> str:
            return reader.text(reader.an_object(payload), "zone")

        query = (*_NOWHERE, *_NO_CALLER)
        try:
            zone = self._feed.get(
                LATEST, query, read=read, valid_until_us=lambda _, at_us: in_s(at_us, _DAY_S), headers=self._headers
            ).content
        except ProviderRejected as error:
            if error.status == _TOO_MANY or error.status >= _SERVER_ERRORS:
                raise
            zone = ""
        self._caller = (self._clock() + _DAY_S, zone)
        return zone

    # --- what the key may do ---------------------------------------------------------------------------------------

    def _explained(self, error: ProviderRejected, path: str, place: Place) -> ProviderRejected:
        """Say whether the key is wrong or the plan too small, which share a status."""
        why = self._reason(path, place)
        return ProviderRejected(
            f"{self._provider}: {why}", self._provider, place.label, error.status, f"{why}. {error.detail}"
        )

    def _reason(self, path: str, place: Place) -> str:
        try:
            plan = self._allowed()
        except IntensityError as error:
            return (
                f"the key is not accepted for this; whether it is wrong or its plan too small cannot be told ({error})"
            )
        if plan is None:
            return "the key is not accepted at all"
        if not place.zone:
            return f"the key is good, but its plan does not have {path} for this place (it has {len(plan)} zones)"
        access = plan.get(place.zone)
        if access is None:
            return f"the key is good, but its plan does not have the zone {place.zone} (it has {len(plan)})"
        if "*" in access or any(entry.strip("/").endswith(path) for entry in access):
            return f"the key is good and its plan has {path} for {place.zone}, and yet it was refused"
        return f"the key is good, but its plan does not have {path} for {place.zone}"

    def _allowed(self) -> dict[str, tuple[str, ...]] | None:
        """Zones of the key and their paths, asked for once a day; None when the key is refused there too.

        Raises:
            IntensityError: It cannot be told now; the next time it is asked again.
        """
        if self._plan is not None and self._plan[0] > self._clock():
            return self._plan[1]
        reader = _Reader(self._provider, "")
        try:
            plan = self._feed.get(
                "zones",
                read=reader.plan,
                valid_until_us=lambda _, at_us: in_s(at_us, _DAY_S),
                headers=self._headers,
            ).content
        except ProviderRejected as error:
            if error.status not in {_UNAUTHORIZED, 403}:
                raise
            self._plan = (self._clock() + _BAD_KEY_S, None)
            return None
        self._plan = (self._clock() + _DAY_S, plan)
        return plan


class _Reader(AnswerReader):
    """Reads the service's answers."""

    def content(self, payload: object, place: Place, member: str) -> Content:
        """Read intensities, and check that they are those of the place."""
        answer = self.an_object(payload)
        # Where `history` was, newer answers have `data`.
        name = member if member in answer or "data" not in answer else "data"
        entries = self.objects(answer, name) if member else [answer]
        zones = {self.text(entry, "zone") for entry in (answer, *entries)} - {""}
        zone = self._checked_zone(zones, place)
        bases = {self.text(entry, "emissionFactorType") for entry in (answer, *entries)} - {""}
        if len(bases) > 1 or not bases <= _BASES:
            self.refuse(f"emissionFactorType: {' and '.join(sorted(bases))}")
        points = self.points(
            [self._row(entry) for entry in entries],
            step_us=self._step_us(answer, entries),
            usual_step_us=US_PER_HOUR,
        )
        updated = answer.get("updatedAt")
        updated_us = None if updated is None else self.time_us(updated, "updatedAt")
        return Content(zone, points, next(iter(bases), ""), updated_us)

    def _checked_zone(self, zones: set[str], place: Place) -> str:
        if not zones:
            self.refuse(f"asked for {place.label}, and the answer does not say which zone it is for")
        zone = min(zones)
        if len(zones) > 1:
            self.refuse(f"asked for {place.label}, got several zones: {', '.join(sorted(zones))}")
        if place.zone and zone.casefold() != place.zone.casefold():
            self.refuse(f"asked for {place.zone}, got {zone}")
        if not place.zone and place.country and zone.partition("-")[0].upper() != place.country:
            self.refuse(f"asked for {place.label}, which is in {place.country}, got {zone}")
        return zone

    def _row(self, entry: dict[str, Any]) -> Row:
        return Row(
            self.time_us(self.member(entry, "datetime"), "datetime"),
            self.intensity(self.member(entry, "carbonIntensity"), "carbonIntensity"),
            self.is_true(entry, "isEstimated"),
        )

    def _step_us(self, answer: dict[str, Any], entries: list[dict[str, Any]]) -> int | None:
        told = {self.text(entry, "temporalGranularity") for entry in (answer, *entries)} - {""}
        if not told:
            return None
        if len(told) > 1 or not told <= _STEPS_US.keys():
            self.refuse(f"temporalGranularity: {' and '.join(sorted(told))}")
        return _STEPS_US[told.pop()]

    def plan(self, payload: object) -> dict[str, tuple[str, ...]]:
        """Read the zones that a key may ask for; without a list of paths, all of them are meant."""
        zones = self.an_object(payload)
        plan = {}
        for zone, entry in zones.items():
            access = self.an_object(entry, zone).get("access", ["*"])
            if not isinstance(access, list) or not all(isinstance(path, str) for path in access):
                self.refuse(f"{zone}: access: expected a list of paths")
            plan[zone] = tuple(access)
        return plan


def _by_coordinates(place: Place) -> Place:
    return place._replace(params=place.otherwise, otherwise=())


def _next_us(content: Content, fetched_us: int) -> int:
    """When recent values may change: with the next point, and while the newest is an estimate every quarter hour."""
    newest = content.points[-1] if content.points else None
    if newest is not None and newest.duration_us < US_PER_HOUR:
        return in_s(fetched_us, _LIVE_S)
    full_hour_us = floor_us(fetched_us, US_PER_HOUR) + US_PER_HOUR + us_from_s(_LATE_S)
    if newest is None or newest.is_estimated:
        return min(full_hour_us, in_s(fetched_us, _RECHECK_S))
    return full_hour_us
