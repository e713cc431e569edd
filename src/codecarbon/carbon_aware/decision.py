"""Deciding when a job is to start, with the reason in one line; what cannot be known means: run now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codecarbon import units
from codecarbon.carbon_aware.names import get_names
from codecarbon.carbon_aware.results import EmissionsRow, Moment, ScheduleOption, ScheduleRequest
from codecarbon.errors import CapabilityError, CodeCarbonError, InvalidParameters
from codecarbon.model import IntensityPoint, TimeSpan
from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.results import ScheduleAnswer

DEFAULT_WITHIN_S = units.s_from_us(units.US_PER_DAY)
"""How long a job may be put off when neither a deadline nor a time is given."""

SLACK_RATIO = 0.02
"""By how much the mean intensity may exceed the best one, so that starts can be spread."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Wish(FrozenRecord):
    """A job that may be put off.

    Attributes:
        duration_s: How long it runs, seconds.
        latest_end_us: When it must have ended, UTC microseconds.
        locations: Where it may run, the first being home; empty for where this machine is.
        power_w: What it draws, watts; None when that is not known.
        pieces: In how many pieces it may be split.
        resume_cost_s: Extra run time for each piece after the first, seconds.
        alternatives: How many ways to run it to name.
        seed: Decides which start within the chosen window's slack is taken; None for the very best one.
        allows_synthetic: Whether made-up data may put it off.
    """

    duration_s: float
    latest_end_us: int
    locations: tuple[str, ...] = ()
    power_w: float | None = None
    pieces: int = 1
    resume_cost_s: float = 0.0
    alternatives: int = 1
    seed: str | None = None
    allows_synthetic: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Decision(FrozenRecord):
    """When to start, and why.

    Attributes:
        start_us: The start, UTC microseconds.
        decided_us: When it was decided.
        is_now: Whether the job is to start at once.
        because: The reason, a clause without a full stop.
        option: The chosen way to run, as the forecast has it; None when nothing could be chosen.
        alternatives: Ways to run, the best first, the chosen one among them.
        points: The forecast of the chosen place.
        signal: ``average`` or ``marginal``; empty when there are no data.
        sources: Where the data come from.
        is_synthetic: Whether they are made up.
        generated_us: When the forecast was made; None without one.
    """

    start_us: int
    decided_us: int
    is_now: bool
    because: str
    option: ScheduleOption | None = None
    alternatives: tuple[ScheduleOption, ...] = ()
    points: tuple[EmissionsRow, ...] = ()
    signal: str = ""
    sources: tuple[str, ...] = ()
    is_synthetic: bool = False
    generated_us: int | None = None


def latest_end_us(
    now_us: int, duration_s: float, *, deadline_us: int | None = None, within_s: float | None = None
) -> int:
    """Work out when a job must have ended.

    Args:
        now_us: The time, UTC microseconds.
        duration_s: How long the job runs, seconds.
        deadline_us: When it must have ended; None for any time.
        within_s: After what time it must have begun, seconds; None for a day, or whenever the deadline allows.
    """
    if within_s is None:
        if deadline_us is not None:
            return deadline_us
        within_s = DEFAULT_WITHIN_S
    begun_in_time_us = now_us + units.us_from_s(within_s + duration_s)
    return begun_in_time_us if deadline_us is None else min(deadline_us, begun_in_time_us)


class Planner:
    """Decides for one wish, as often as it is asked.

    Args:
        operations: Makes what answers questions; called once, on first use, since that reads files.
        clock: Seconds since 1970.
        home: Finds where this machine is, as a text for questions; likewise.
    """

    def __init__(
        self,
        operations: Callable[[], Operations],
        *,
        clock: Callable[[], float],
        home: Callable[[], str] = str,
    ) -> None:
        self._make = operations
        self._operations: Operations | None = None
        self._find_home = home
        self._home: str | None = None
        self._clock = clock

    def decide(self, wish: Wish) -> Decision:
        """Decide when to start; never raises for missing data."""
        now_us = units.us_from_s(self._clock())
        if wish.latest_end_us - units.us_from_s(wish.duration_s) <= now_us:
            return _run_now(now_us, "the deadline leaves no time to wait")
        try:
            return self._ask(wish, now_us)
        except InvalidParameters as error:
            problems = get_names("schedule", "documented").render(error.problems)
            reason = "; ".join(text for texts in problems.values() for text in texts) or error.detail
        except CapabilityError as error:
            reason = f"{error.provider} has no forecasts"
        except (CodeCarbonError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
        return _run_now(now_us, reason)

    def _ask(self, wish: Wish, now_us: int) -> Decision:
        locations = wish.locations or self._at_home()
        if not locations:
            return _run_now(now_us, "the place of this machine is not known: name a location")
        if self._operations is None:
            self._operations = self._make()
        answer = self._operations.schedule(_request(wish, locations, now_us))
        if answer.meta.is_synthetic and not wish.allows_synthetic:
            return _run_now(now_us, "the only data are made-up samples, which put nothing off unless asked for")
        if answer.best is None:
            reasons = dict.fromkeys(place.reason for place in answer.by_location if place.reason)
            return _run_now(now_us, "; ".join(reasons) or "the forecast has no window for it")
        return self._choose(self._operations, wish, answer, answer.best, now_us)

    def _at_home(self) -> tuple[str, ...]:
        if self._home is None:
            self._home = self._find_home()
        return (self._home,) if self._home else ()

    def _choose(
        self, operations: Operations, wish: Wish, answer: ScheduleAnswer, best: ScheduleOption, now_us: int
    ) -> Decision:
        place = next(place for place in answer.by_location if place.location == best.location)
        forecast = operations.forecasts((best.location,), None, None, None)[0]
        home = answer.by_location[0]
        at_home = home.options[0] if home.options else None
        option = _against(_spread(wish, best, forecast.points, now_us), at_home)
        start_us = max(option.spans[0].start_us, now_us)
        is_now = start_us == now_us
        ways = [_against(way, at_home) for each in answer.by_location for way in each.options]
        ways.sort(key=lambda way: (way.intensity_g_per_kwh, way.spans[0].start_us))
        return Decision(
            start_us=start_us,
            decided_us=now_us,
            is_now=is_now,
            because=_because(answer, option, home.location, is_now=is_now),
            option=option,
            alternatives=tuple(ways[: wish.alternatives]),
            points=forecast.points,
            signal=str(answer.meta.signal),
            sources=answer.meta.sources,
            is_synthetic=answer.meta.is_synthetic,
            generated_us=place.generated_us,
        )


def _request(wish: Wish, locations: tuple[str, ...], now_us: int) -> ScheduleRequest:
    return ScheduleRequest(
        locations=locations,
        duration_s=wish.duration_s,
        earliest=Moment(now_us),
        deadline=Moment(wish.latest_end_us),
        alternatives=wish.alternatives,
        pieces=wish.pieces,
        resume_cost_s=wish.resume_cost_s,
        power_w=wish.power_w,
        home=locations[0],
    )


def _run_now(now_us: int, because: str) -> Decision:
    return Decision(start_us=now_us, decided_us=now_us, is_now=True, because=because)


def _spread(wish: Wish, best: ScheduleOption, points: tuple[EmissionsRow, ...], now_us: int) -> ScheduleOption:
    """Move the start a little, so that not everybody starts in the same minute; a split job is left as planned."""
    span = best.spans[0]
    if wish.seed is None or len(best.spans) > 1 or span.start_us <= now_us:
        return best
    from codecarbon.forecast import WindowChoice, best_window, prepare, spread_start

    series = prepare([IntensityPoint(row.time_us, row.duration_us, row.rating_g_per_kwh) for row in points])
    choice = WindowChoice(span.start_us, span.end_us, best.intensity_g_per_kwh, now_us, best.now_intensity_g_per_kwh)
    start_us = spread_start(
        choice,
        series,
        seed=wish.seed,
        tolerance_ratio=SLACK_RATIO,
        earliest_us=now_us,
        deadline_us=wish.latest_end_us,
    )
    moved = TimeSpan(start_us, start_us + span.end_us - span.start_us)
    # The one window that fits between its own ends: its mean, as the core reckons it.
    value = best_window(series, wish.duration_s, earliest_us=start_us, deadline_us=moved.end_us).intensity_g_per_kwh
    ratio = value / best.intensity_g_per_kwh if best.intensity_g_per_kwh else 1.0
    return replace(
        best,
        spans=(moved,),
        intensity_g_per_kwh=value,
        emissions_g=None if best.emissions_g is None else best.emissions_g * ratio,
    )


def _against(option: ScheduleOption, at_home: ScheduleOption | None) -> ScheduleOption:
    """Compare with a start at once at home, which is what happens without a plan."""
    now = at_home.now_intensity_g_per_kwh if at_home is not None else None
    saving_ratio = None if not now else 1.0 - option.intensity_g_per_kwh / now
    return replace(option, now_intensity_g_per_kwh=now, saving_ratio=saving_ratio)


def _because(answer: ScheduleAnswer, option: ScheduleOption, home: str, *, is_now: bool) -> str:
    """Explain a choice: signal, place, then and now, and where that is known from."""
    kind = f"the {answer.meta.signal} intensity"
    source = f"{option.location}, {' and '.join(answer.meta.sources)}{', stale' if answer.meta.is_stale else ''}"
    then = f"{option.intensity_g_per_kwh:.0f} g/kWh"
    now, ratio = option.now_intensity_g_per_kwh, option.saving_ratio
    if is_now and option.location == home:
        return f"{kind} is {then} now and not lower before the deadline ({source})"
    where = "" if option.location == home else f" in {home}"
    if now is None or ratio is None:
        return f"{kind} is {then} then; what it is now{where} is not known ({source})"
    saving = f"{ratio:.0%} less".replace("%", " %")
    return f"{kind} is {then} then and {now:.0f} now{where}, {saving} ({source})"
