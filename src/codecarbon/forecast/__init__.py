"""When to run, and where: windows over a forecast of carbon intensity.

Everything here is pure: series in, small records out. ``docs/method/forecast.md`` has the formulas.
"""

from codecarbon.forecast.rolling import RollingPoint, optima, rolling
from codecarbon.forecast.steps import Forecast, prepare
from codecarbon.forecast.window import Job, WindowChoice, best_window, plan, rank_windows, spread_start

__all__ = [
    "Forecast",
    "Job",
    "RollingPoint",
    "WindowChoice",
    "best_window",
    "optima",
    "plan",
    "prepare",
    "rank_windows",
    "rolling",
    "spread_start",
]
