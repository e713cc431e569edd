"""Rolling means of a forecast, as the Carbon Aware WebApi defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import DiscontinuousData, InvalidParameters
from codecarbon.forecast.steps import prepare
from codecarbon.model.series import IntensitySeries
from codecarbon.units import iso_from_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.model.series import IntensityPoint

_EVER_US = 1 << 60


class RollingPoint(NamedTuple):
    """Mean carbon intensity over one window.

    Attributes:
        start_us: Begin of the window, UTC microseconds since 1970.
        duration_us: Its length, microseconds.
        intensity_g_per_kwh: The mean over it, weighted by time.
    """

    start_us: int
    duration_us: int
    intensity_g_per_kwh: float


def rolling(
    points: IntensitySeries | Sequence[IntensityPoint],
    window_us: int | None,
    start_us: int | None = None,
    end_us: int | None = None,
    *,
    may_overrun_first: bool = False,
    may_skip_gaps: bool = True,
) -> tuple[RollingPoint, ...]:
    """Slide a window over a forecast and return its means.

    The points that end after ``start_us`` and begin at ``end_us`` or before are kept. The first window begins at
    ``start_us``, or at the first point kept if that is later; each next one begins one length of that point later.
    The last window is the first that reaches into the last point kept, or the last that ends by ``end_us``.

    Args:
        points: The forecast, in the order of time.
        window_us: Length of the window, microseconds; None or 0 returns the kept points whole, as they are.
        start_us: Begin of the span, UTC microseconds; None for all that there is.
        end_us: Its end, likewise.
        may_overrun_first: Whether the first window may end after ``end_us``, as in the SDK.
        may_skip_gaps: Whether windows over a gap are left out; otherwise such a window is an error, as in the SDK.

    Returns:
        A mean for each window, in the order of time; nothing if no window fits.

    Raises:
        InvalidParameters: The window is negative, or beyond belief, or would slide more than ten million times.
        DiscontinuousData: Points overlap or have no order, or a window has a gap and gaps may not be skipped.
    """
    items = points.points if isinstance(points, IntensitySeries) else points
    from_us = -_EVER_US if start_us is None else start_us
    to_us = _EVER_US if end_us is None else end_us
    if not window_us:
        kept = (point for point in items if point.end_us > from_us and point.start_us <= to_us)
        return tuple(RollingPoint(*point[:3]) for point in kept)
    if window_us < 0:
        raise InvalidParameters((("window_size", "{window_size} must not be negative"),))
    steps = prepare(items)
    try:
        rows, gap_us = steps.rolling(window_us, from_us, to_us, may_overrun_first=may_overrun_first)
    except ValueError as error:
        raise InvalidParameters((("window_size", f"{{window_size}} does not fit the forecast: {error}"),)) from error
    if gap_us is not None and not may_skip_gaps:
        raise DiscontinuousData(f"The forecast has a gap in the window that begins at {iso_from_us(gap_us)}")
    return tuple(map(RollingPoint._make, rows))


def optima(values: Sequence[float], *, relative_tolerance: float = 1e-9) -> tuple[int, ...]:
    """Find the lowest values, ties included.

    Args:
        values: What to compare.
        relative_tolerance: By which share of the lowest value another may exceed it and still be a tie; 0 means that
            only equal values are.

    Returns:
        Indices in order; empty without values.
    """
    if not values:
        return ()
    lowest = min(values)
    limit = lowest + relative_tolerance * abs(lowest)
    return tuple(i for i, value in enumerate(values) if value <= limit)
