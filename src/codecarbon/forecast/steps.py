"""From a series of points to steps that the native core can search."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from codecarbon._sensors import Steps
from codecarbon.errors import DiscontinuousData
from codecarbon.model.series import IntensitySeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.model.series import IntensityPoint

SeriesLike: TypeAlias = "IntensitySeries | Sequence[IntensityPoint] | Steps"
"""What every search takes: a series, its points, or what ``prepare`` made of either for many searches."""


def prepare(series: SeriesLike) -> Steps:
    """Turn a series into steps, once for many searches; steps are returned as they are.

    Args:
        series: Points in the order of time. Points without a length say nothing and are left out.

    Raises:
        DiscontinuousData: Points overlap or have no order, or a value is not a number that can be true.
    """
    if isinstance(series, Steps):
        return series
    points = series.points if isinstance(series, IntensitySeries) else series
    try:
        return Steps(points)
    except ValueError as error:
        raise DiscontinuousData(f"The data cannot be searched for windows: {error}") from error
