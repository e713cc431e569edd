"""When to run, and where: windows over a forecast of carbon intensity.

Everything here is pure: series in, small records out. ``docs/method/forecast.md`` has the formulas.
"""

from codecarbon.forecast.place import PlaceChoice, best_place, rank_places
from codecarbon.forecast.rolling import RollingPoint, optima, rolling
from codecarbon.forecast.split import SplitChoice, split_window
from codecarbon.forecast.steps import SeriesLike, prepare
from codecarbon.forecast.window import Job, WindowChoice, best_window, plan, rank_windows, spread_start

__all__ = [
    "Job",
    "PlaceChoice",
    "RollingPoint",
    "SeriesLike",
    "SplitChoice",
    "WindowChoice",
    "best_place",
    "best_window",
    "optima",
    "plan",
    "prepare",
    "rank_places",
    "rank_windows",
    "rolling",
    "split_window",
    "spread_start",
]
