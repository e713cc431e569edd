"""The best pieces of time for a run that may be interrupted and resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon._sensors import split
from codecarbon.errors import InvalidParameters
from codecarbon.forecast.steps import prepare
from codecarbon.forecast.window import base_of, cost_problems, infeasible, limits_us, saving_ratio
from codecarbon.model.series import TimeSpan
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    from codecarbon._sensors import Steps
    from codecarbon.forecast.steps import SeriesLike

_LOWER = 1.0 - 1e-12
_MAX_PIECES = 1000


class SplitChoice(NamedTuple):
    """When to run, piece by piece, and what that saves.

    Attributes:
        pieces: The spans in which the run is on, in the order of time; what resuming takes is inside.
        intensity_g_per_kwh: Grams of CO2 equivalent, all that resuming costs included, per kilowatt hour that the run
            would use without a break; so it compares with a run in one piece.
        now_us: The start that it is compared with: now, or else the first instant allowed.
        now_intensity_g_per_kwh: The mean if the run started then and were never interrupted; None where the data do
            not cover that.
    """

    pieces: tuple[TimeSpan, ...]
    intensity_g_per_kwh: float
    now_us: int
    now_intensity_g_per_kwh: float | None

    @property
    def start_us(self) -> int:
        """When the first piece starts, UTC microseconds since 1970."""
        return self.pieces[0].start_us

    @property
    def end_us(self) -> int:
        """When the last piece ends, UTC microseconds since 1970."""
        return self.pieces[-1].end_us

    @property
    def saving_ratio(self) -> float | None:
        """The share of emissions that this saves; None where that is not known, or is no share of anything."""
        return saving_ratio(self.intensity_g_per_kwh, self.now_intensity_g_per_kwh)


def split_window(
    series: SeriesLike,
    duration_s: float,
    pieces: int,
    *,
    resume_cost_s: float = 0.0,
    resume_cost_g: float = 0.0,
    resume_energy_kwh: float = 0.0,
    energy_kwh: float | None = None,
    earliest_us: int | None = None,
    deadline_us: int | None = None,
    now_us: int | None = None,
) -> SplitChoice:
    """Find the cheapest way to run in at most so many pieces.

    Pieces may begin and end at any instant, and on both sides of a gap. Fewer pieces are preferred unless more are
    truly cheaper, and early ones among equals.

    Args:
        series: As for ``best_window``, like the three times; its values must not be negative.
        duration_s: How long the run takes without a break, seconds, more than 0.
        pieces: How many pieces at the most, 1 to 1000.
        resume_cost_s: How much longer it runs for each time that it is resumed, at the power of the run.
        resume_cost_g: What each time emits besides, grams of CO2 equivalent; needs ``energy_kwh``.
        resume_energy_kwh: What each time uses besides, priced with the mean over the whole time that is allowed; needs
            ``energy_kwh``.
        energy_kwh: What the run uses without a break, more than 0.
        earliest_us: As for ``best_window``.
        deadline_us: As for ``best_window``.
        now_us: As for ``best_window``.

    Raises:
        WindowInfeasible: Not even in pieces does the run fit.
        InvalidParameters: An argument is out of range, the values are negative, or the search would look at more than
            a hundred million states.
        DiscontinuousData: Points overlap or have no order.

    Source:
        Exact for steps, by dynamic programming (docs/method/forecast.md), in time proportional to
        slots * slots needed * pieces^2.
    """
    steps = prepare(series)
    window_us, from_us, last_us = limits_us(duration_s, earliest_us, deadline_us, now_us)
    _check(pieces, {"resume_cost": resume_cost_s, "resume_mass": resume_cost_g, "resume_energy": resume_energy_kwh})
    resume_us, to_us = us_from_s(resume_cost_s), last_us + window_us
    extra_g = resume_cost_g + resume_energy_kwh * (_mean(steps, from_us, to_us) if resume_energy_kwh else 0.0)
    penalty = per_kwh(extra_g, energy_kwh) * window_us
    best_cost = float("inf")
    best_used: tuple[TimeSpan, ...] = ()
    for count in range(1, pieces + 1):
        try:
            found = split(steps, window_us + (count - 1) * resume_us, from_us, to_us, pieces=count, penalty=penalty)
        except ValueError as error:
            raise InvalidParameters((("pieces", f"{{pieces}} cannot be searched: {error}"),)) from error
        if found is not None and found[0] < best_cost * _LOWER:
            best_cost, best_used = found[0], tuple(TimeSpan(*span) for span in found[1])
    if not best_used:
        raise infeasible(steps, window_us, from_us, last_us)
    base_us = base_of(steps, from_us, now_us)
    return SplitChoice(best_used, best_cost / window_us, base_us, steps.mean(base_us, base_us + window_us))


def per_kwh(mass_g: float, energy_kwh: float | None) -> float:
    """Spread an extra mass over the energy of a run, g/kWh.

    Raises:
        InvalidParameters: There is a mass, and no energy to spread it over.
    """
    if not mass_g:
        return 0.0
    if energy_kwh is None or not 0.0 < energy_kwh < float("inf"):
        raise InvalidParameters((("energy", "{energy} of the run is needed to weigh other costs against"),))
    return mass_g / energy_kwh


def _check(pieces: int, costs: dict[str, float]) -> None:
    problems = cost_problems(costs)
    if not 1 <= pieces <= _MAX_PIECES:
        problems.append(("pieces", f"{{pieces}} must be from 1 to {_MAX_PIECES}"))
    if problems:
        raise InvalidParameters(tuple(problems))


def _mean(steps: Steps, from_us: int, to_us: int) -> float:
    """The mean over what is known of a span."""
    spans = [(max(begin_us, from_us), min(end_us, to_us)) for begin_us, end_us in steps.spans()]
    known = [(end_us - begin_us, steps.mean(begin_us, end_us)) for begin_us, end_us in spans if begin_us < end_us]
    total_us = sum(length for length, _ in known)
    return sum(length * mean for length, mean in known if mean is not None) / total_us if total_us else 0.0
