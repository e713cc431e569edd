"""The best time to start: one window, ranked alternatives, many jobs at once, and starts spread around a choice."""

from __future__ import annotations

import heapq
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import InvalidParameters, WindowInfeasible
from codecarbon.forecast.steps import prepare
from codecarbon.units import iso_from_us, us_from_s, words_from_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codecarbon._sensors import Steps
    from codecarbon.forecast.steps import SeriesLike

_EVER_US = 1 << 60
_LONGEST_US = 1 << 53  # 285 years, which no data cover: what is longer fits as little


class WindowChoice(NamedTuple):
    """When to run, and what that saves.

    Attributes:
        start_us: When to start, UTC microseconds since 1970.
        end_us: When the run ends, likewise.
        intensity_g_per_kwh: Mean carbon intensity over the run.
        now_us: The start that it is compared with: now, or else the first instant allowed.
        now_intensity_g_per_kwh: The mean if the run started then; None where the data do not cover that.
    """

    start_us: int
    end_us: int
    intensity_g_per_kwh: float
    now_us: int
    now_intensity_g_per_kwh: float | None

    @property
    def saving_g_per_kwh(self) -> float | None:
        """What waiting saves against starting at ``now_us``; None where that is not known."""
        now = self.now_intensity_g_per_kwh
        return None if now is None else now - self.intensity_g_per_kwh

    @property
    def saving_ratio(self) -> float | None:
        """The share of emissions that waiting saves; None where that is not known, or is no share of anything."""
        return saving_ratio(self.intensity_g_per_kwh, self.now_intensity_g_per_kwh)


class Job(NamedTuple):
    """A run to be planned.

    Attributes:
        duration_s: How long it takes, seconds, more than 0.
        earliest_us: When it may start, UTC microseconds since 1970; None for as soon as there are data.
        deadline_us: When it must have ended, likewise; None for as late as there are data.
    """

    duration_s: float
    earliest_us: int | None = None
    deadline_us: int | None = None


def best_window(
    series: SeriesLike,
    duration_s: float,
    *,
    earliest_us: int | None = None,
    deadline_us: int | None = None,
    now_us: int | None = None,
) -> WindowChoice:
    """Find the start that minimises mean intensity over a run of fixed length.

    All instants are possible starts, not only those at which a step of the series begins.

    Args:
        series: Steps of constant intensity, in the order of time; windows over a gap are not considered.
        duration_s: Length of the run, seconds, more than 0.
        earliest_us: When it may start, UTC microseconds; None for as soon as there are data.
        deadline_us: When it must have ended, likewise; None for as late as there are data.
        now_us: The present: no start lies before it, and the saving is against it.

    Returns:
        The earliest optimum.

    Raises:
        WindowInfeasible: The run is longer than the data, or than the time that is allowed.
        InvalidParameters: The duration is not more than 0.
        DiscontinuousData: Points overlap or have no order.

    Source:
        Exact for steps: some optimum starts or ends on an edge, or at a bound (docs/method/forecast.md).
    """
    steps = prepare(series)
    window_us, from_us, to_us = limits_us(duration_s, earliest_us, deadline_us, now_us)
    found = steps.best(window_us, from_us, to_us)
    if found is None:
        raise infeasible(steps, window_us, from_us, to_us)
    base_us = base_of(steps, from_us, now_us)
    return WindowChoice(found[0], found[0] + window_us, found[1], base_us, steps.mean(base_us, base_us + window_us))


def rank_windows(
    series: SeriesLike,
    duration_s: float,
    count: int,
    *,
    apart_s: float | None = None,
    earliest_us: int | None = None,
    deadline_us: int | None = None,
    now_us: int | None = None,
) -> tuple[WindowChoice, ...]:
    """Find several good windows: the best one, then the best that lies apart from it, and so on.

    Args:
        series: As for ``best_window``, like the arguments not named here.
        duration_s: Length of the run, seconds, more than 0.
        count: How many to return at the most, at least 1.
        apart_s: How far two starts must lie apart, seconds, more than 0; None for the duration, so that no two windows
            overlap.
        earliest_us: As for ``best_window``.
        deadline_us: As for ``best_window``.
        now_us: As for ``best_window``.

    Returns:
        The choices, best first; equal ones in the order of time.

    Raises:
        WindowInfeasible: Not even one window fits.
        InvalidParameters: A duration is not more than 0, or the count is not at least 1.
        DiscontinuousData: Points overlap or have no order.
    """
    if count < 1:
        raise InvalidParameters((("count", "{count} must be at least 1"),))
    steps = prepare(series)
    window_us, from_us, to_us = limits_us(duration_s, earliest_us, deadline_us, now_us)
    apart_us = window_us if apart_s is None else length_us(apart_s, "apart")
    chosen: list[WindowChoice] = []
    waiting: list[tuple[float, int, int, int]] = []  # the best mean of each range of starts that is left
    _push(waiting, steps, window_us, (from_us, to_us))
    if not waiting:
        raise infeasible(steps, window_us, from_us, to_us)
    base_us = base_of(steps, from_us, now_us)
    now = steps.mean(base_us, base_us + window_us)
    while waiting and len(chosen) < count:
        mean, start_us, low_us, high_us = heapq.heappop(waiting)
        chosen.append(WindowChoice(start_us, start_us + window_us, mean, base_us, now))
        _push(waiting, steps, window_us, (low_us, start_us - apart_us))
        _push(waiting, steps, window_us, (start_us + apart_us, high_us))
    return tuple(chosen)


def plan(jobs: Iterable[Job], series: SeriesLike, *, now_us: int | None = None) -> tuple[WindowChoice | None, ...]:
    """Find the best window for each of many runs, in one call of the native core.

    Args:
        jobs: The runs.
        series: As for ``best_window``.
        now_us: As for ``best_window``.

    Returns:
        A choice for each job, in order; None for one that fits nowhere.

    Raises:
        InvalidParameters: A duration is not more than 0.
        DiscontinuousData: Points overlap or have no order.
    """
    steps = prepare(series)
    limits = [limits_us(job.duration_s, job.earliest_us, job.deadline_us, now_us) for job in jobs]
    choices: list[WindowChoice | None] = []
    for (window_us, from_us, _), found in zip(limits, steps.best_of_each(limits), strict=True):
        if found is None:
            choices.append(None)
            continue
        base_us = base_of(steps, from_us, now_us)
        now = steps.mean(base_us, base_us + window_us)
        choices.append(WindowChoice(found[0], found[0] + window_us, found[1], base_us, now))
    return tuple(choices)


def spread_start(
    choice: WindowChoice,
    series: SeriesLike,
    *,
    seed: str,
    tolerance_ratio: float = 0.02,
    earliest_us: int | None = None,
    deadline_us: int | None = None,
) -> int:
    """Move a start by a share of chance, so that not everybody starts in the same minute.

    The start is drawn evenly from those around the choice, without a break, whose mean exceeds the choice's by at most
    ``tolerance_ratio`` of it. The draw depends on the seed and on nothing else.

    Args:
        choice: What ``best_window`` found.
        series: The series that it found it in.
        seed: What tells this run from others, for example host and job.
        tolerance_ratio: By how much the mean may grow, as a share of it; 0 stays among equals.
        earliest_us: When the run may start, UTC microseconds; None for ``choice.now_us``.
        deadline_us: When it must have ended, likewise; None for as late as there are data.

    Returns:
        When to start, UTC microseconds; the choice itself where the series does not bear it out. Never before
        ``earliest_us``, and never so late that the run misses the deadline.

    Raises:
        WindowInfeasible: The choice itself begins too early or ends too late.
        InvalidParameters: The tolerance is negative.
        DiscontinuousData: Points overlap or have no order.
    """
    if not tolerance_ratio >= 0.0:
        raise InvalidParameters((("tolerance", "{tolerance} must not be negative"),))
    window_us = choice.end_us - choice.start_us
    limit = choice.intensity_g_per_kwh + tolerance_ratio * abs(choice.intensity_g_per_kwh)
    from_us = choice.now_us if earliest_us is None else earliest_us
    to_us = _EVER_US if deadline_us is None else deadline_us - window_us
    if not from_us <= choice.start_us <= to_us:
        raise WindowInfeasible("The chosen start is not, or no longer, allowed: choose again")
    slack = prepare(series).slack(window_us, choice.start_us, limit, from_us, to_us)
    if slack is None:
        return choice.start_us
    first_us, last_us = slack
    draw = int.from_bytes(blake2b(seed.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
    return first_us + draw % (last_us - first_us + 1)


def saving_ratio(intensity_g_per_kwh: float, now_intensity_g_per_kwh: float | None) -> float | None:
    """The share that one mean saves of another; None where that is not known, or is no share of anything."""
    if now_intensity_g_per_kwh is None:
        return None
    saving_g_per_kwh = now_intensity_g_per_kwh - intensity_g_per_kwh
    if now_intensity_g_per_kwh > 0.0:
        return saving_g_per_kwh / now_intensity_g_per_kwh
    return None if saving_g_per_kwh else 0.0


def cost_problems(costs: Mapping[str, float]) -> list[tuple[str, str]]:
    """What is wrong with costs, each of which must be 0 or more, and finite."""
    return [(name, f"{{{name}}} must be 0 or more") for name, cost in costs.items() if not 0.0 <= cost < float("inf")]


def length_us(duration_s: float, field: str) -> int:
    """A length of time in microseconds, at least one."""
    if not 0.0 < duration_s < float("inf"):
        raise InvalidParameters(((field, f"{{{field}}} must be more than 0"),))
    return min(max(1, us_from_s(duration_s)), _LONGEST_US)


def limits_us(
    duration_s: float, earliest_us: int | None, deadline_us: int | None, now_us: int | None
) -> tuple[int, int, int]:
    """Length of the window, and the first and the last start that are allowed."""
    window_us = length_us(duration_s, "duration")
    given = [moment for moment in (earliest_us, now_us) if moment is not None]
    return window_us, max(given, default=-_EVER_US), _EVER_US if deadline_us is None else deadline_us - window_us


def base_of(steps: Steps, from_us: int, now_us: int | None) -> int:
    """The start that a choice is compared with."""
    if now_us is not None:
        return now_us
    return max(from_us, steps.spans()[0][0])


def _push(waiting: list[tuple[float, int, int, int]], steps: Steps, window_us: int, starts_us: tuple[int, int]) -> None:
    """Note the best window of a range of starts, if it has one."""
    found = steps.best(window_us, *starts_us)
    if found is not None:
        heapq.heappush(waiting, (found[1], found[0], *starts_us))


def infeasible(steps: Steps, window_us: int, from_us: int, to_us: int) -> WindowInfeasible:
    """Say why no window fits."""
    spans = steps.spans()
    if not spans:
        return WindowInfeasible("There are no data to choose a window from")
    if to_us < from_us:
        return WindowInfeasible(
            f"The run takes longer than the time from {iso_from_us(from_us)} to {iso_from_us(to_us + window_us)}"
        )
    longest_us = max(0, *(min(end_us, to_us + window_us) - max(begin_us, from_us) for begin_us, end_us in spans))
    return WindowInfeasible(
        f"The run takes {words_from_us(window_us)}, and the data that may be used cover {words_from_us(longest_us)} "
        "without a gap"
    )
