"""The Carbon Aware questions as a Python library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import Context, build_context
from codecarbon.carbon_aware.moments import datetime_of, moment_of
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.results import AverageRequest, ForecastRequest, Moment, ScheduleAnswer, ScheduleRequest
from codecarbon.errors import InvalidParameters, UnknownLocation
from codecarbon.units import US_PER_S

if TYPE_CHECKING:
    import os

    import requests
    from typing_extensions import Self

    from codecarbon.carbon_aware.options import ConfigProblem
    from codecarbon.carbon_aware.results import EmissionsRow, ForecastAnswer
    from codecarbon.model import Location


class EmissionsPoint(NamedTuple):
    """Carbon intensity of a place over a while.

    Attributes:
        location: The requested key, or the zone where the source reports by zone.
        time: Its begin, UTC.
        rating_g_per_kwh: Grams of CO2 equivalent per kilowatt hour.
        duration: How long it holds.
    """

    location: str
    time: datetime
    rating_g_per_kwh: float
    duration: timedelta


class Forecast(NamedTuple):
    """A forecast, scoped and averaged over windows.

    Attributes:
        location: The place as it was asked for.
        requested_at: The moment that it was asked for, UTC; the present for the newest one.
        generated_at: When the provider made it, UTC.
        emissions_data_points: All windows, or points, in time order.
        optimal_data_points: Those with the lowest value, the earliest first.
    """

    location: str
    requested_at: datetime
    generated_at: datetime
    emissions_data_points: tuple[EmissionsPoint, ...]
    optimal_data_points: tuple[EmissionsPoint, ...]


class CarbonAware:
    """Carbon intensity as it is, was and will be, and the best time and place to use electricity.

    Without any configuration the built-in sample answers, whose values are made up:

    >>> from codecarbon import CarbonAware
    >>> with CarbonAware.from_config({}) as carbon_aware:
    ...     forecast = carbon_aware.forecast.current("eastus", window=60)[0]
    >>> len(forecast.emissions_data_points), forecast.optimal_data_points[0].duration
    (277, datetime.timedelta(seconds=3600))

    Args:
        context: Settings, places and sources; :meth:`from_config` makes one.
        naive_is_utc: Whether a datetime without time zone means UTC; otherwise it is refused.
    """

    def __init__(self, context: Context, *, naive_is_utc: bool = False) -> None:
        self.operations = Operations(context)
        times = _Times(naive_is_utc=naive_is_utc)
        self.emissions = Emissions(self.operations, times)
        self.forecast = Forecasts(self.operations, times)
        self.locations = Locations(self.operations)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        naive_is_utc: bool = False,
        clock: Callable[[], float] = time.time,
        adapter: requests.adapters.BaseAdapter | None = None,
    ) -> CarbonAware:
        """Make one from settings.

        Args:
            config: A mapping, which then is all there is; a file, to which the environment adds; None for the usual
                files of the working folder and the environment.
            environ: The environment; None for that of the process, or, with a mapping, for an empty one.
            naive_is_utc: Whether a datetime without time zone means UTC; otherwise it is refused.
            clock: Seconds since 1970.
            adapter: Stands in for the network, in tests.

        Raises:
            ConfigError: The route prefix does not begin with a slash. Everything else that is wrong is in ``problems``.
        """
        if config is None:
            options = load_options(None, environ)
        elif isinstance(config, Mapping):
            options = load_options((), environ or {}, config)
        else:
            options = load_options([config], environ)
        return cls(build_context(options, clock=clock, adapter=adapter), naive_is_utc=naive_is_utc)

    @property
    def problems(self) -> tuple[ConfigProblem, ...]:
        """What of the settings cannot be used."""
        return self.operations.context.problems

    def schedule(self, request: ScheduleRequest) -> ScheduleAnswer:
        """Find when and where a job is best run; see ``Operations.schedule``."""
        return self.operations.schedule(request)

    def close(self) -> None:
        """End the threads that fetch."""
        self.operations.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Emissions:
    """Observed values."""

    def __init__(self, operations: Operations, times: _Times) -> None:
        self._operations = operations
        self._times = times

    def get(
        self, locations: str | Iterable[str], start: datetime | None = None, end: datetime | None = None
    ) -> list[EmissionsPoint]:
        """Get the points of one or several places.

        Args:
            locations: A key, or several.
            start: Begin of the period; None for everything up to now.
            end: Its end; None for the instant of the begin.

        Raises:
            CarbonAwareError: The question cannot be answered.
            IntensityError: The source has no usable answer.
        """
        period = (self._times.moment("start", start), self._times.moment("end", end))
        return _points(self._operations.emissions(_names(locations), *period).rows)

    def best(
        self, locations: str | Iterable[str], start: datetime | None = None, end: datetime | None = None
    ) -> list[EmissionsPoint]:
        """Get the points that share the lowest value; see :meth:`get`."""
        period = (self._times.moment("start", start), self._times.moment("end", end))
        return _points(self._operations.best(_names(locations), *period).rows)

    def average(self, location: str, start: datetime, end: datetime) -> float:
        """Get the time-weighted mean over a period, grams per kWh.

        Raises:
            CarbonAwareError: The question cannot be answered, for example since the values leave a gap.
            IntensityError: The source has no usable answer.
        """
        period = (self._times.moment("start", start), self._times.moment("end", end))
        return self._operations.average(location, *period).intensity_g_per_kwh

    def average_many(self, items: Iterable[tuple[str, datetime, datetime]]) -> list[float]:
        """Get the means of several periods, in the order of the items; see :meth:`average`."""
        requests = [
            AverageRequest(location, self._times.moment("start", start), self._times.moment("end", end))
            for location, start, end in items
        ]
        return [answer.intensity_g_per_kwh for answer in self._operations.average_batch(requests)]


class Forecasts:
    """Forecasts."""

    def __init__(self, operations: Operations, times: _Times) -> None:
        self._operations = operations
        self._times = times

    def current(
        self,
        locations: str | Iterable[str],
        start: datetime | None = None,
        end: datetime | None = None,
        window: timedelta | int | None = None,
    ) -> list[Forecast]:
        """Get the newest forecast of each place.

        Args:
            locations: A key, or several.
            start: Where to begin; None for the first point.
            end: Where to end; None for the end of the last point.
            window: Length of the windows to average over, as a timedelta of whole minutes or in minutes; None for
                the points as they are.

        Raises:
            CarbonAwareError: The question cannot be answered.
            IntensityError: The source has no usable answer.
        """
        bounds = (self._times.moment("start", start), self._times.moment("end", end))
        answers = self._operations.forecasts(_names(locations), *bounds, _minutes(window))
        now = datetime.fromtimestamp(self._operations.context.clock(), tz=timezone.utc)
        return [_forecast(answer, now) for answer in answers]

    def at(
        self,
        location: str,
        requested_at: datetime,
        start: datetime | None = None,
        end: datetime | None = None,
        window: timedelta | int | None = None,
    ) -> Forecast:
        """Get the forecast that was the newest at a moment of the past; see :meth:`current`."""
        requested = self._times.moment("requested_at", requested_at)
        bounds = (self._times.moment("start", start), self._times.moment("end", end))
        request = ForecastRequest(location, requested, *bounds, _minutes(window))
        answer = self._operations.forecast_batch([request])[0]
        return _forecast(answer, datetime_of(requested.unix_us if requested else 0))


class Locations:
    """The places that can be asked about."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def all(self) -> dict[str, Location]:
        """Return all places by key."""
        return dict(self._operations.locations())

    def resolve(self, key: str) -> Location:
        """Find a place by its key in either case, ``latitude,longitude``, ``zone:DE`` or ``aws:us-east-1``.

        Raises:
            UnknownLocation: Nobody knows it.
        """
        where = self._operations.context.locations.find(key)
        if where is None:
            raise UnknownLocation(key)
        return where


class _Times:
    def __init__(self, *, naive_is_utc: bool) -> None:
        self._naive_is_utc = naive_is_utc

    def moment(self, field: str, when: datetime | None) -> Moment | None:
        if when is None:
            return None
        if when.tzinfo is None and self._naive_is_utc:
            when = when.replace(tzinfo=timezone.utc)
        try:
            return moment_of(when)
        except ValueError as error:
            raise InvalidParameters(((field, str(error)),)) from error


def _names(locations: str | Iterable[str]) -> tuple[str, ...]:
    return (locations,) if isinstance(locations, str) else tuple(locations)


def _minutes(window: timedelta | int | None) -> int | None:
    if not isinstance(window, timedelta):
        return window
    minutes, rest = divmod(window, timedelta(minutes=1))
    if rest:
        raise InvalidParameters((("window_size", f"{{window_size}} must be whole minutes, not {window}"),))
    return minutes


def _points(rows: Sequence[EmissionsRow]) -> list[EmissionsPoint]:
    return [
        EmissionsPoint(
            row.location,
            datetime_of(row.time_us),
            row.rating_g_per_kwh,
            timedelta(seconds=row.duration_us // US_PER_S, microseconds=row.duration_us % US_PER_S),
        )
        for row in rows
    ]


def _forecast(answer: ForecastAnswer, requested_at: datetime) -> Forecast:
    return Forecast(
        answer.location,
        requested_at,
        datetime_of(answer.generated_us),
        tuple(_points(answer.points)),
        tuple(_points(answer.optimal)),
    )
