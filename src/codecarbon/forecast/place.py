"""The best place to run, and when there: several forecasts, and what moving costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import InvalidParameters, NotCovered, WindowInfeasible
from codecarbon.forecast.split import per_kwh
from codecarbon.forecast.steps import prepare
from codecarbon.forecast.window import WindowChoice, base_of, best_window, cost_problems, limits_us, saving_ratio
from codecarbon.model.series import IntensitySeries
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codecarbon._sensors import Steps
    from codecarbon.forecast.steps import SeriesLike

_TIE_RATIO = 1e-9


class PlaceChoice(NamedTuple):
    """Where to run, when there, and what that saves.

    Attributes:
        place: The key of the place.
        window: When to run there; its own saving is against running now in the same place.
        move_g_per_kwh: What moving there emits, per kilowatt hour of the run; 0 at home.
        home_now_intensity_g_per_kwh: The mean if the run started now at home; None where the data do not cover that.
    """

    place: str
    window: WindowChoice
    move_g_per_kwh: float
    home_now_intensity_g_per_kwh: float | None

    @property
    def intensity_g_per_kwh(self) -> float:
        """Mean carbon intensity over the run, the move included."""
        return self.window.intensity_g_per_kwh + self.move_g_per_kwh

    @property
    def saving_ratio(self) -> float | None:
        """The share of emissions saved against starting now at home; None where that is not known."""
        return saving_ratio(self.intensity_g_per_kwh, self.home_now_intensity_g_per_kwh)


def rank_places(
    series: Mapping[str, SeriesLike],
    duration_s: float,
    *,
    home: str | None = None,
    move_cost_g: float = 0.0,
    move_cost_g_per_kwh: float = 0.0,
    move_energy_kwh: float = 0.0,
    move_time_s: float = 0.0,
    energy_kwh: float | None = None,
    earliest_us: int | None = None,
    deadline_us: int | None = None,
    now_us: int | None = None,
) -> tuple[PlaceChoice, ...]:
    """Find the best window in each of several places, and put the places in order.

    Args:
        series: The forecast of each place, all of one signal.
        duration_s: Length of the run, seconds, more than 0.
        home: Where the run is now; None for the first place.
        move_cost_g: What moving it emits, grams of CO2 equivalent; needs ``energy_kwh``.
        move_cost_g_per_kwh: What moving it emits, per kilowatt hour of the run.
        move_energy_kwh: What moving it uses, priced with the mean over the move at its dirtier end; needs
            ``energy_kwh``.
        move_time_s: How long moving takes, seconds, from ``now_us`` on, or else from the first instant allowed.
        energy_kwh: What the run uses, more than 0.
        earliest_us: When it may start, UTC microseconds; None for as soon as there are data.
        deadline_us: When it must have ended, likewise; None for as late as there are data.
        now_us: The present: no start lies before it.

    Returns:
        The places in which the run fits, best first. Home stands before a place that is not better by more than a
        billionth; places that are equal stand in the order given.

    Raises:
        WindowInfeasible: It fits nowhere.
        InvalidParameters: An argument is out of range, home is no place, or signals are mixed.
        NotCovered: No forecast covers the move that has to be priced.
        DiscontinuousData: Points overlap or have no order.
    """
    home = next(iter(series), "") if home is None else home
    costs = {"move_cost": move_cost_g, "move_energy": move_energy_kwh, "move_time": move_time_s}
    _check(series, home, costs | {"move_intensity": move_cost_g_per_kwh})
    steps = {place: prepare(one) for place, one in series.items()}
    window_us, from_us, _ = limits_us(duration_s, earliest_us, deadline_us, now_us)
    base_us = base_of(steps[home], from_us, now_us)
    arrival_us = base_us + us_from_s(move_time_s)
    home_now = steps[home].mean(base_us, base_us + window_us)
    found = []
    reasons = []
    for place, one in steps.items():
        is_home = place == home
        start_us = earliest_us if is_home or not move_time_s else max(from_us, arrival_us)
        try:
            window = best_window(one, duration_s, earliest_us=start_us, deadline_us=deadline_us, now_us=now_us)
        except WindowInfeasible as error:
            reasons.append(f"{place}: {error}")
            continue
        move_g = 0.0 if is_home else move_cost_g
        if move_energy_kwh and not is_home:
            move_g += move_energy_kwh * _dirtier((steps[home], one), base_us, max(arrival_us, base_us + 1))
        move_g_per_kwh = 0.0 if is_home else per_kwh(move_g, energy_kwh) + move_cost_g_per_kwh
        found.append(PlaceChoice(place, window, move_g_per_kwh, home_now))
    if not found:
        raise WindowInfeasible("; ".join(reasons))
    found.sort(key=lambda choice: choice.intensity_g_per_kwh)
    limit = found[0].intensity_g_per_kwh + _TIE_RATIO * abs(found[0].intensity_g_per_kwh)
    found.sort(key=lambda choice: choice.place != home or choice.intensity_g_per_kwh > limit)
    return tuple(found)


def best_place(
    series: Mapping[str, SeriesLike],
    duration_s: float,
    *,
    home: str | None = None,
    move_cost_g: float = 0.0,
    move_cost_g_per_kwh: float = 0.0,
    move_energy_kwh: float = 0.0,
    move_time_s: float = 0.0,
    energy_kwh: float | None = None,
    earliest_us: int | None = None,
    deadline_us: int | None = None,
    now_us: int | None = None,
) -> PlaceChoice:
    """Find the best place for a run, and the best window there; arguments and errors as for ``rank_places``."""
    return rank_places(
        series,
        duration_s,
        home=home,
        move_cost_g=move_cost_g,
        move_cost_g_per_kwh=move_cost_g_per_kwh,
        move_energy_kwh=move_energy_kwh,
        move_time_s=move_time_s,
        energy_kwh=energy_kwh,
        earliest_us=earliest_us,
        deadline_us=deadline_us,
        now_us=now_us,
    )[0]


def _check(series: Mapping[str, SeriesLike], home: str, costs: dict[str, float]) -> None:
    problems = cost_problems(costs)
    if not series:
        problems.append(("locations", "{locations} must name a place"))
    elif home not in series:
        problems.append(("home", "{home} must be one of {locations}"))
    if len({one.signal for one in series.values() if isinstance(one, IntensitySeries)}) > 1:
        problems.append(("locations", "{locations} mix average and marginal intensity, which do not compare"))
    if problems:
        raise InvalidParameters(tuple(problems))


def _dirtier(ends: tuple[Steps, Steps], from_us: int, to_us: int) -> float:
    """The higher mean of two places over a span."""
    known = [mean for mean in (one.mean(from_us, to_us) for one in ends) if mean is not None]
    if not known:
        raise NotCovered("No forecast covers the move, so that its energy cannot be priced")
    return max(known)
