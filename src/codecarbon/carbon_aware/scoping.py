"""From a provider's forecast to an answer: bounds, windows, optima and echoes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.carbon_aware.averages import is_covering
from codecarbon.carbon_aware.checks import raise_any
from codecarbon.carbon_aware.fetching import Series, make_meta
from codecarbon.carbon_aware.moments import datetime_of
from codecarbon.carbon_aware.names import FORECAST_DETAIL
from codecarbon.carbon_aware.results import EmissionsRow, ForecastAnswer, ForecastRequest, Moment
from codecarbon.errors import InvalidParameters, ProviderDataError
from codecarbon.forecast import optima, rolling
from codecarbon.units import US_PER_MIN, us_from_min

if TYPE_CHECKING:
    from codecarbon.carbon_aware.options import Options
    from codecarbon.model import IntensityPoint

TIE_TOLERANCE = 1e-9


def make_forecast_answer(found: Series, request: ForecastRequest, options: Options) -> ForecastAnswer:
    """Scope a forecast to the bounds that were asked for, and average it over windows.

    Args:
        found: The whole forecast.
        request: What was asked for; its location and its moment are echoed.
        options: The profile decides about echoes, ties and the first window.

    Raises:
        InvalidParameters: The forecast has no points, or the bounds lie outside of it.
        ProviderDataError: The provider did not say when it was made.
    """
    is_strict = options.profile == "strict"
    points = sorted(found.series.points)
    if not points:
        text = "there is no forecast for {location}"
        raise InvalidParameters((("location", text),), FORECAST_DETAIL)
    start_us, end_us = _bounds(points, request)
    kept = [point for point in points if is_covering(point.start_us, point.end_us, (start_us, end_us))]
    window_us = us_from_min(request.window_min or 0)
    if window_us:
        windows = rolling(kept, min(window_us, _too_long_us(kept)), start_us, end_us, may_overrun_first=is_strict)
        rows = tuple(EmissionsRow(found.row_name, one.start_us, one.intensity_g_per_kwh, window_us) for one in windows)
    else:
        rows = tuple(
            EmissionsRow(found.row_name, one.start_us, one.intensity_g_per_kwh, one.duration_us) for one in kept
        )
    tolerance = 0.0 if is_strict else TIE_TOLERANCE
    lowest = optima([row.rating_g_per_kwh for row in rows], relative_tolerance=tolerance) if rows else ()
    if found.series.generated_us is None:
        raise ProviderDataError("the forecast does not say when it was made", found.series.source, found.location)
    first, last = (rows[0], rows[-1]) if rows else (None, None)
    default_start_us = first.time_us if first else points[0].start_us
    default_end_us = (last.time_us if is_strict else last.end_us) if last else points[-1].end_us
    default_window_min = 0 if is_strict else points[0].duration_us // US_PER_MIN
    return ForecastAnswer(
        generated_us=found.series.generated_us,
        requested=request.requested,
        location=found.location,
        data_start=request.data_start or Moment(default_start_us),
        data_end=request.data_end or Moment(default_end_us),
        window_size_min=default_window_min if request.window_min is None else request.window_min,
        optimal=tuple(rows[at] for at in lowest),
        points=rows,
        meta=make_meta(rows, [found.series], None),
    )


def _too_long_us(points: list[IntensityPoint]) -> int:
    """Return the shortest window that fits nowhere, microseconds; longer ones need not be told apart."""
    return max((point.end_us for point in points), default=0) - min((point.start_us for point in points), default=0) + 1


def _bounds(points: list[IntensityPoint], request: ForecastRequest) -> tuple[int, int]:
    """Where to begin and to end.

    Raises:
        InvalidParameters: They contradict each other, or lie outside the forecast.
    """
    first_us, last_us = points[0].start_us, max(point.end_us for point in points)
    start_us = request.data_start.unix_us if request.data_start else first_us
    end_us = request.data_end.unix_us if request.data_end else last_us
    problems = []
    if start_us >= end_us:
        problems.append(("data_start_at", "{data_start_at} must be earlier than {data_end_at}"))
    for field, value_us in (("data_start_at", start_us), ("data_end_at", end_us)):
        if not first_us <= value_us <= last_us:
            span = f"'{_shown(first_us)}' through '{_shown(last_us)}'"
            problems.append((field, f"{{{field}}} must be within time range of the forecasted data, {span}"))
    raise_any(problems, FORECAST_DETAIL)
    return start_us, end_us


def _shown(unix_us: int) -> str:
    return f"{datetime_of(unix_us):%m/%d/%Y %H:%M:%S} +00:00"
