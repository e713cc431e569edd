"""The mean over a period, and which points a period selects."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from codecarbon.carbon_aware.moments import write_time
from codecarbon.errors import DiscontinuousData, NotCovered
from codecarbon.model import IntensityPoint, TimeSpan

if TYPE_CHECKING:
    from collections.abc import Sequence


def asked_span(start_us: int, end_us: int) -> TimeSpan:
    """Return the span to ask a provider for, so that a point which starts at the very end comes too."""
    return TimeSpan(start_us, end_us if end_us == start_us else end_us + 1)


def is_covering(start_us: int, end_us: int, period_us: tuple[int, int]) -> bool:
    """Whether a point belongs to a period: it ends after its begin, and starts no later than its end.

    Both ends of the period may be the same instant. A point that starts exactly at the end belongs to it, as clients
    expect.
    """
    return end_us > period_us[0] and start_us <= period_us[1]


def mean_over(points: Sequence[IntensityPoint], start_us: int, end_us: int) -> float:
    """Return the time-weighted mean over ``[start, end)``, g/kWh.

    Args:
        points: Those that overlap the period, rising or falling.
        start_us: Its begin, UTC microseconds since 1970.
        end_us: Its end, later than that.

    Raises:
        DiscontinuousData: Neighbours leave a gap, or overlap.
        NotCovered: The points do not reach from the begin to the end.
    """
    inside = [point for point in points if point.end_us > start_us and point.start_us < end_us]
    if len(inside) > 1 and inside[1].start_us < inside[0].start_us:
        inside.reverse()
    for before, after in itertools.pairwise(inside):
        if before.end_us != after.start_us:
            raise DiscontinuousData(
                "AverageOverPeriod requires continuous chronological data. "
                f"A point ends at {write_time(before.end_us)}, and the next one starts at {write_time(after.start_us)}."
            )
    if not inside or inside[0].start_us > start_us or inside[-1].end_us < end_us:
        raise NotCovered(
            "Period out of range. Data points did not cover the requested average period: "
            f"{write_time(start_us)} to {write_time(end_us)}."
        )
    weights = ((min(end_us, point.end_us) - max(start_us, point.start_us), point) for point in inside)
    return math.fsum(point.intensity_g_per_kwh * weight_us for weight_us, point in weights) / (end_us - start_us)
