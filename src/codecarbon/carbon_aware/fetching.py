"""Questions to the providers: places resolved, several at the same time with a cap, errors in the caller's terms."""

from __future__ import annotations

import hashlib
import threading
from array import array
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

from codecarbon.carbon_aware.locations import with_country_of_zone, with_nearest_country
from codecarbon.carbon_aware.names import FORECAST_DETAIL
from codecarbon.carbon_aware.results import EmissionsRow, Meta
from codecarbon.carbon_aware.sources import LOCAL
from codecarbon.errors import (
    CapabilityError,
    InvalidParameters,
    NoIntensityData,
    NotConfigured,
    NotCovered,
    UnknownLocation,
)
from codecarbon.forks import renew_after_fork
from codecarbon.model import IntensitySeries, Location, TimeSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from codecarbon.carbon_aware.context import Context
    from codecarbon.intensity.json_file import FilePoint
    from codecarbon.intensity.provider import Capability, IntensityProvider

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Sources whose rows carry the zone instead of the requested key, as their documentation promises.
_ROWS_BY_ZONE = frozenset({"watttime", "json_file"})

# Sources that know countries, not coordinates, and say in a note whose country they took.
_BY_COUNTRY = frozenset({"sample", "static"})


def _with_country(where: Location, source_name: str, text: str) -> Location:
    """Give a place a country, for sources that know nothing else.

    Raises:
        UnknownLocation: It is another source's zone, and nobody can tell where that lies.
    """
    if not where.zone or where.origin != "request":
        return with_nearest_country(where)
    found = with_country_of_zone(where)
    if found is None:
        raise UnknownLocation(text, f"{source_name} has no zones, and the name does not begin with a country's code")
    return found


class Series(NamedTuple):
    """What a provider said about a place.

    Attributes:
        location: The place as it was asked for.
        series: Its points.
    """

    location: str
    series: IntensitySeries

    @property
    def row_name(self) -> str:
        """What rows call the place."""
        return self.series.zone if self.series.source in _ROWS_BY_ZONE else self.location

    @property
    def rows(self) -> list[EmissionsRow]:
        """Its points as rows."""
        name = self.row_name
        return [EmissionsRow(name, start_us, value, length_us) for start_us, length_us, value, _ in self.series.points]


@runtime_checkable
class _File(Protocol):
    """A source that only knows the names in a file of the user's."""

    def knows(self, where: Location) -> bool: ...

    def observed_in_file_order(self, places: Sequence[Location], span: TimeSpan) -> Sequence[FilePoint]: ...

    def next_start_us(self, places: Sequence[Location], moment_us: int) -> int | None: ...

    def next_end_us(self, places: Sequence[Location], moment_us: int) -> int | None: ...


@cache
def _is_file(source_type: type) -> bool:
    """Whether a class is such a source; kept, since looking for the methods takes as long as reading the points."""
    return issubclass(source_type, _File)


def _file_of(source: IntensityProvider) -> _File | None:
    return cast("_File", source) if _is_file(type(source)) else None


class Fetcher:
    """Asks the providers of a context.

    Args:
        context: Its sources, places and settings.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget the threads, which only the parent has."""
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def emissions_source(self) -> IntensityProvider:
        """Return the source of observed values.

        Raises:
            NotConfigured: There is none.
        """
        if self._context.emissions is None:
            raise NotConfigured("EmissionsDataSource")
        return self._context.emissions

    def forecast_source(self, capability: Capability = "forecast") -> IntensityProvider:
        """Return the source of forecasts.

        Raises:
            NotConfigured: There is none.
            CapabilityError: It has none of this kind.
        """
        source = self._context.forecast
        if source is None:
            raise NotConfigured("ForecastDataSource")
        if capability not in source.capabilities:
            raise CapabilityError("The method or operation is not implemented.", source.name, "", capability)
        return source

    def resolve(self, source: IntensityProvider, text: str) -> Location:
        """Find the place that somebody means, in the terms of a source.

        Raises:
            UnknownLocation: Nobody knows it.
        """
        if (file := _file_of(source)) is not None:
            return self._resolve_in_file(file, text)
        where = self._context.locations.find(text)
        if where is None:
            raise UnknownLocation(text)
        return _with_country(where, source.name, text) if source.name in _BY_COUNTRY else where

    def _resolve_in_file(self, source: _File, text: str) -> Location:
        asked = Location(key=text)
        if self._context.options.profile == "strict" or source.knows(asked):
            return asked
        where = self._context.locations.find(text)
        if where is None:
            raise UnknownLocation(text)
        for name in (where.key, where.name, where.cloud_region):
            if name and source.knows(Location(key=name)):
                return Location(key=name)
        return Location(key=where.key)

    def observed(self, source: IntensityProvider, text: str, span: TimeSpan) -> Series:
        """Get the observed values of a place.

        Raises:
            UnknownLocation: Nobody knows it, or it lies outside the source's area.
            NotCovered: It lies inside, and the source has nothing for that time.
        """
        where = self.resolve(source, text)
        try:
            return Series(text, source.observed(where, span))
        except NoIntensityData as error:
            self._check_area(source, where, text)
            raise NotCovered(f"There are no values for '{text}' at that time: {error}") from error

    def rows_of_file(
        self, source: IntensityProvider, names: Sequence[str], span: TimeSpan
    ) -> list[EmissionsRow] | None:
        """Get the rows of several places as they are mixed in a file; None when the source is no file."""
        file = _file_of(source)
        if len(names) < 2 or file is None:  # noqa: PLR2004 (one is not mixed)
            return None
        places = [self.resolve(source, name) for name in names]
        return [
            EmissionsRow(name, start_us, value, length_us)
            for name, (start_us, length_us, value, _) in file.observed_in_file_order(places, span)
        ]

    def next_change_us(
        self, source: IntensityProvider, names: Sequence[str], moment_us: int, *, counts_ends: bool
    ) -> int | None:
        """Tell until when a question about a moment selects the same points, UTC microseconds since 1970.

        Args:
            source: Whose points.
            names: The places.
            moment_us: The moment.
            counts_ends: Whether points that end are no longer selected.

        Returns:
            None for always; the moment itself when a source that is no file cannot tell.
        """
        file = _file_of(source)
        if file is None:
            return moment_us
        places = [self.resolve(source, name) for name in names]
        found = [file.next_start_us(places, moment_us)]
        if counts_ends:
            found.append(file.next_end_us(places, moment_us))
        return min((change_us for change_us in found if change_us is not None), default=None)

    def forecast(self, source: IntensityProvider, text: str) -> Series:
        """Get the newest forecast of a place.

        Raises:
            UnknownLocation: Nobody knows it, or it lies outside the source's area.
            InvalidParameters: It lies inside, and the source has no forecast for it at the moment.
        """
        where = self.resolve(source, text)
        try:
            return Series(text, source.forecast(where))
        except NoIntensityData as error:
            self._check_area(source, where, text)
            problem = (("location", f"there is no forecast for {{location}}: {error}"),)
            raise InvalidParameters(problem, FORECAST_DETAIL) from error

    def forecast_at(self, source: IntensityProvider, text: str, requested_us: int, look_back_us: int) -> Series | None:
        """Get the forecast in force at a moment of the past; None when there was none.

        Raises:
            UnknownLocation: Nobody knows the place, or it lies outside the source's area.
        """
        where = self.resolve(source, text)
        self._check_area(source, where, text)
        try:
            return Series(text, source.forecast_at(where, requested_us, look_back_us=look_back_us))
        except NoIntensityData:
            return None

    def _check_area(self, source: IntensityProvider, where: Location, text: str) -> None:
        """Check that a place lies within a source's area."""
        try:
            source.zone_of(where)
        except NoIntensityData as error:
            raise UnknownLocation(text, str(error)) from error

    def map(self, source: IntensityProvider, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Do some work for each item, at the same time where the source waits for a network; results keep the order.

        The first item's error is raised, in the order of the items.
        """
        if len(items) < 2 or source.name in LOCAL:  # noqa: PLR2004 (one item needs no company)
            return [work(item) for item in items]
        futures = [self._get_pool().submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def _get_pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if self._pool is None:
                workers = self._context.options.limits.max_concurrent_fetches
                self._pool = ThreadPoolExecutor(workers, thread_name_prefix="carbon-aware")
            return self._pool

    def close(self) -> None:
        """End the threads; a later question starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def make_meta(rows: Iterable[EmissionsRow], series: Sequence[IntensitySeries], valid_until_us: int | None) -> Meta:
    """Describe what lies behind some rows.

    Args:
        rows: What is answered.
        series: What it comes from.
        valid_until_us: An end of validity besides those of the series, or None.
    """
    ends = [one.valid_until_us for one in series if one.valid_until_us is not None]
    ends += [] if valid_until_us is None else [valid_until_us]
    facts = [(one.source, one.zone, one.generated_us, one.is_stale, one.is_synthetic) for one in series]
    rows = tuple(rows)
    # All numbers fit a double: times in microseconds stay below 2**53.
    numbers = array("d", [number for row in rows for number in row[1:]])
    digest = hashlib.blake2b(numbers.tobytes(), digest_size=8)
    digest.update(repr(([row.location for row in rows], facts)).encode())
    return Meta(
        version=digest.hexdigest(),
        valid_until_us=min(ends) if ends else None,
        sources=tuple(dict.fromkeys(one.source for one in series)),
        signal=series[0].signal if series else "",
        is_synthetic=any(one.is_synthetic for one in series),
        is_stale=any(one.is_stale for one in series),
        notices=tuple(dict.fromkeys(one.note for one in series if one.note)),
    )
