"""The questions that the WebApi, the command lines and the library answer, for both profiles.

All methods block, may be called from any thread, check everything before they fetch anything, and raise errors of
``codecarbon.errors``. Which rule belongs to which profile is told in docs/adr/0009-carbon-aware-profiles.md.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from codecarbon.carbon_aware import checks
from codecarbon.carbon_aware.averages import asked_span, is_covering, mean_over
from codecarbon.carbon_aware.fetching import Fetcher, make_meta
from codecarbon.carbon_aware.results import (
    AverageAnswer,
    AverageRequest,
    EmissionsAnswer,
    EmissionsRow,
    ForecastAnswer,
    ForecastRequest,
    Moment,
    ScheduleAnswer,
    ScheduleRequest,
)
from codecarbon.carbon_aware.scoping import make_forecast_answer
from codecarbon.errors import CarbonAwareError, InvalidParameters, NotCovered
from codecarbon.units import US_PER_HOUR, US_PER_MIN, us_from_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codecarbon.carbon_aware.context import Context
    from codecarbon.intensity.provider import IntensityProvider
    from codecarbon.model import Location

SLOT_US = 5 * US_PER_MIN
HISTORY_LOOK_BACK_US = US_PER_HOUR
BEGINNING_US = -62_135_596_800_000_000  # year 1, before which no time can be written


class Operations:
    """Answers questions about carbon intensity.

    Args:
        context: Settings, places, sources and clock.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._options = context.options
        self._is_strict = context.options.profile == "strict"
        self._fetcher = Fetcher(context)

    def close(self) -> None:
        """End threads and connections; a later question starts new ones."""
        self._fetcher.close()
        for close in self.context.closers:
            close()

    def locations(self) -> Mapping[str, Location]:
        """Return all places by key; keys keep their spelling."""
        return self.context.locations.by_key

    # --- observed values ---------------------------------------------------------------------------------------------

    def emissions(
        self,
        locations: Sequence[str],
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        plural: bool = True,
    ) -> EmissionsAnswer:
        """Get the observed points of one or several places.

        Args:
            locations: Their keys; empty ones do not count.
            start: Begin of the period. None asks for everything up to now, or, in profile ``strict``, for now.
            end: Its end, later than the begin; None for the instant of the begin.
            plural: Whether the question allows several places.

        Raises:
            InvalidParameters: Something is missing or contradicts itself.
            UnknownLocation: A place is unknown, or outside the source's area.
            NotCovered: The source says that it has nothing for that time.
            NotConfigured: There is no source of observed values.
            IntensityError: The source has no usable answer.
        """
        names = checks.distinct_locations(locations, self._options, plural=plural)
        checks.raise_any(checks.period_problems(start, end, self._options))
        source = self._fetcher.emissions_source()
        if start is None:
            first_us, last_us, valid_until_us = self._until_now(source, names)
        else:
            first_us, valid_until_us = start.unix_us, None
            last_us = start.unix_us if end is None else end.unix_us
        span = asked_span(first_us, last_us)
        found = self._fetcher.map(source, lambda name: self._fetcher.observed(source, name, span), names)
        rows = self._fetcher.rows_of_file(source, names, span)
        if rows is None:
            rows = [row for series in found for row in series.rows]
        rows = [row for row in rows if is_covering(row.time_us, row.end_us, (first_us, last_us))]
        return EmissionsAnswer(tuple(rows), make_meta(rows, [one.series for one in found], valid_until_us))

    def best(self, locations: Sequence[str], start: Moment | None = None, end: Moment | None = None) -> EmissionsAnswer:
        """Get those observed points that share the lowest value of all; see :meth:`emissions`."""
        answer = self.emissions(locations, start, end)
        lowest = min((row.rating_g_per_kwh for row in answer.rows), default=math.inf)
        rows = tuple(row for row in answer.rows if row.rating_g_per_kwh == lowest)
        return EmissionsAnswer(rows, answer.meta)

    def _until_now(self, source: IntensityProvider, names: Sequence[str]) -> tuple[int, int, int | None]:
        """The period that a question without times means, and until when it selects the same points."""
        now_us = us_from_s(self.context.clock())
        slot_us = now_us - now_us % SLOT_US
        if source.name == "json_file":
            first_us = now_us if self._is_strict else BEGINNING_US
            change_us = self._fetcher.next_change_us(source, names, now_us, counts_ends=self._is_strict)
            return first_us, now_us, change_us
        if self._is_strict or source.name == "electricity_maps_free":
            return now_us, now_us, now_us
        return slot_us - self._options.lookback_h * US_PER_HOUR, slot_us, slot_us + SLOT_US

    # --- means -------------------------------------------------------------------------------------------------------

    def average(self, location: str | None, start: Moment | None, end: Moment | None) -> AverageAnswer:
        """Get the time-weighted mean of a place over a period.

        Raises:
            InvalidParameters: Something is missing or contradicts itself.
            NotCovered: There are no values, or none for a part of the period. In profile ``strict`` no values at all
                make a mean of zero, as its clients expect.
            DiscontinuousData: The values leave a gap or overlap.
            UnknownLocation: The place is unknown, or outside the source's area.
            NotConfigured: There is no source of observed values.
            IntensityError: The source has no usable answer.
        """
        request = AverageRequest(location, start, end)
        checks.raise_any(checks.average_problems(request, self._options))
        return self._average(self._fetcher.emissions_source(), request)

    def average_batch(self, items: Sequence[AverageRequest]) -> tuple[AverageAnswer, ...]:
        """Get the means of several periods, in the order of the items.

        In profile ``documented`` all items are about one place.

        Raises:
            CarbonAwareError: As of :meth:`average`; ``item_index`` tells which item it is about.
            IntensityError: The source has no usable answer.
        """
        checks.check_batch_size(len(items), self._options)
        found = [checks.average_problems(item, self._options) for item in items]
        checks.raise_any(checks.batch_problems(found, self._options))
        if not items:
            return ()
        source = self._fetcher.emissions_source()
        if not self._is_strict:
            self._check_one_place(source, items)

        def work(numbered: tuple[int, AverageRequest]) -> AverageAnswer:
            with _ItemOf(numbered[0]):
                return self._average(source, numbered[1])

        return tuple(self._fetcher.map(source, work, list(enumerate(items))))

    def _average(self, source: IntensityProvider, request: AverageRequest) -> AverageAnswer:
        assert request.location
        assert request.start
        assert request.end
        start_us, end_us = request.start.unix_us, request.end.unix_us
        series = self._fetcher.observed(source, request.location, asked_span(start_us, end_us)).series
        points = [point for point in series.points if point.end_us > start_us and point.start_us < end_us]
        if points:
            mean = mean_over(points, start_us, end_us)
        elif self._is_strict:
            mean = 0.0
        else:
            raise NotCovered("Period out of range. There are no values in the requested average period.")
        meta = make_meta([EmissionsRow(request.location, start_us, mean, end_us - start_us)], [series], None)
        return AverageAnswer(request.location, request.start, request.end, mean, meta)

    def _check_one_place(self, source: IntensityProvider, items: Sequence[AverageRequest]) -> None:
        names = dict.fromkeys(item.location or "" for item in items)
        places = {
            replace(where, key=where.key.casefold())
            for where in (self._fetcher.resolve(source, name) for name in names)
        }
        if len(places) > 1:
            shown = ", ".join(list(names)[:8])
            raise InvalidParameters((("location", f"a batch is about one {{location}}, not about {shown}"),))

    # --- forecasts ---------------------------------------------------------------------------------------------------

    def forecasts(
        self,
        locations: Sequence[str],
        data_start: Moment | None = None,
        data_end: Moment | None = None,
        window_min: int | None = None,
    ) -> tuple[ForecastAnswer, ...]:
        """Get the newest forecast of each place, scoped and averaged over windows.

        Args:
            locations: Their keys; empty ones do not count.
            data_start: Where to begin; None for the first point.
            data_end: Where to end; None for the end of the last point.
            window_min: Length of a window, minutes; None or 0 for the points as they are.

        Raises:
            InvalidParameters: Something is missing, contradicts itself, or lies outside the forecast.
            UnknownLocation: A place is unknown, or outside the source's area.
            NotConfigured: There is no source of forecasts.
            CapabilityError: The source has none.
            IntensityError: The source has no usable answer.
        """
        names = checks.distinct_locations(locations, self._options, plural=True)
        checks.raise_any(checks.scope_problems(data_start, data_end, window_min))
        source = self._fetcher.forecast_source()

        def work(name: str) -> ForecastAnswer:
            request = ForecastRequest(name, None, data_start, data_end, window_min)
            return make_forecast_answer(self._fetcher.forecast(source, name), request, self._options)

        return tuple(self._fetcher.map(source, work, names))

    def forecast_batch(self, items: Sequence[ForecastRequest]) -> tuple[ForecastAnswer, ...]:
        """Get for each item the forecast that was the newest at a moment of the past, in the order of the items.

        Raises:
            CarbonAwareError: As of :meth:`forecasts`; ``item_index`` tells which item it is about.
            IntensityError: The source has no usable answer.
        """
        checks.check_batch_size(len(items), self._options)
        checks.raise_any(checks.batch_problems([checks.forecast_problems(item) for item in items], self._options))
        if not items:
            return ()
        source = self._fetcher.forecast_source("historical_forecast")

        def work(numbered: tuple[int, ForecastRequest]) -> ForecastAnswer:
            with _ItemOf(numbered[0]):
                return self._forecast_at(source, numbered[1])

        return tuple(self._fetcher.map(source, work, list(enumerate(items))))

    def _forecast_at(self, source: IntensityProvider, request: ForecastRequest) -> ForecastAnswer:
        assert request.location
        assert request.requested
        look_back_us = 0 if self._is_strict else HISTORY_LOOK_BACK_US
        found = self._fetcher.forecast_at(source, request.location, request.requested.unix_us, look_back_us)
        if found is None:
            text = "No forecast was generated at the requested time {requested_at}."
            raise InvalidParameters((("requested_at", text),), "No forecast was generated at the requested time")
        return make_forecast_answer(found, request, self._options)

    # --- schedules ---------------------------------------------------------------------------------------------------

    def schedule(self, request: ScheduleRequest) -> ScheduleAnswer:
        """Find when and where a job is best run.

        Raises:
            InvalidParameters: Something is missing or contradicts itself.
            UnknownLocation: A place is unknown, or outside the source's area.
            NotConfigured: There is no source of forecasts.
            CapabilityError: The source has none.
            IntensityError: The source has no usable answer.
        """
        from codecarbon.carbon_aware.scheduling import find_schedule

        return find_schedule(self._fetcher, request, self._options, us_from_s(self.context.clock()))


class _ItemOf:
    """Marks the errors of one item of a batch with its place in it."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InvalidParameters):
            problems = tuple((f"[{self._index}].{field}", text) for field, text in error.problems)
            of_item = InvalidParameters(problems, error.detail)
            of_item.item_index = self._index
            raise of_item from error
        if isinstance(error, CarbonAwareError):
            error.item_index = self._index
