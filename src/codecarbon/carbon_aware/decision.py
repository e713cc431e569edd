"""Deciding when a job is to start, with the reason in one line; what cannot be known means: run now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codecarbon import units
from codecarbon.carbon_aware.names import get_names
from codecarbon.carbon_aware.results import EmissionsRow, Moment, ScheduleOption, ScheduleRequest
from codecarbon.errors import CapabilityError, CodeCarbonError, InvalidParameters, WindowInfeasible
from codecarbon.model import IntensityPoint, TimeSpan
from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.carbon_aware.operations import Operations
    from codecarbon.carbon_aware.results import ScheduleAnswer
    from codecarbon.forecast import SeriesLike

DEFAULT_WITHIN_S = units.s_from_us(units.US_PER_DAY)
"""How long a job may be put off when neither a deadline nor a time is given."""

DEFAULT_MIN_SAVING_PERCENT = 1.0
"""What waiting must save at least; no forecast is so good that less would mean anything."""

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
        min_saving_ratio: The part of the emissions that waiting, or another place, must save at least; below it the
            job runs at once.
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
    min_saving_ratio: float = units.ratio_from_percent(DEFAULT_MIN_SAVING_PERCENT)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Decision(FrozenRecord):
    """When to start, and why.

    Attributes:
        start_us: The start, UTC microseconds.
        decided_us: When it was decided.
        is_now: Whether the job is to start at once.
        because: The reason, a clause without a full stop.
        option: The chosen way to run, as the forecast has it; None when nothing could be chosen.
        alternatives: The best ways to run, in their order; the chosen one is among them, or was moved a little, or
            is a start at once that hardly any of them is better than.
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

    def decide(self, wish: Wish, *, kept_us: int | None = None) -> Decision:
        """Decide when to start; never raises for missing data.

        Args:
            wish: The job.
            kept_us: A start that was decided before, UTC microseconds; it is kept where hardly any other is better.
        """
        now_us = units.us_from_s(self._clock())
        if wish.latest_end_us - units.us_from_s(wish.duration_s) <= now_us:
            return _run_now(now_us, "the deadline leaves no time to wait")
        try:
            return self._ask(wish, now_us, kept_us)
        except InvalidParameters as error:
            problems = get_names("schedule", "documented").render(error.problems)
            reason = "; ".join(text for texts in problems.values() for text in texts) or error.detail
        except CapabilityError as error:
            reason = f"{error.provider} has no forecasts"
        except (CodeCarbonError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
        return _run_now(now_us, reason.rstrip("."))

    def _ask(self, wish: Wish, now_us: int, kept_us: int | None) -> Decision:
        locations = wish.locations or self._at_home()
        if not locations:
            return _run_now(now_us, "the place of this machine is not known: name a location, as --regions or regions=")
        if self._operations is None:
            self._operations = self._make()
        answer = self._operations.schedule(_request(wish, locations, now_us))
        if answer.meta.is_synthetic and not wish.allows_synthetic:
            return _run_now(now_us, "the only data are made-up samples, which put nothing off unless asked for")
        if answer.best is None:
            reasons = dict.fromkeys(place.reason for place in answer.by_location if place.reason)
            return _run_now(now_us, "; ".join(map(_as_clause, reasons)) or "the forecast has no window for it")
        # Asking took time: what was to begin at the time of asking begins now, and is not told as put off.
        now_us = max(now_us, units.us_from_s(self._clock()))
        at_once = _start_at_once(wish, answer, now_us)
        option = best = _against(answer.best, None if at_once is None else at_once.intensity_g_per_kwh)
        if at_once is not None and not _is_worth_it(wish, best, at_once):
            option = at_once
        points = self._operations.forecasts((option.location,), None, None, None)[0].points
        if option is best:
            option = _place_start(wish, best, points, now_us, kept_us)
        return _decision(wish, answer, option, points, now_us)

    def _at_home(self) -> tuple[str, ...]:
        if self._home is None:
            self._home = self._find_home()
        return (self._home,) if self._home else ()


def _start_at_once(wish: Wish, answer: ScheduleAnswer, now_us: int) -> ScheduleOption | None:
    """Find the run that waiting has to beat: now at home, or now in another place where that saves enough.

    None where it is not known what a run now would be like.
    """
    firsts = [place.options[0] for place in answer.by_location if place.options]
    values = {way.location: now for way in firsts if (now := way.now_intensity_g_per_kwh) is not None}
    if not values:
        return None
    home = answer.by_location[0].location
    location = min(values, key=values.__getitem__)
    if home in values and values[location] > _limit_g_per_kwh(wish, values[home]):
        location = home
    value = values[location]
    emissions_g = None if wish.power_w is None else units.kwh_from_j(wish.power_w * wish.duration_s) * value
    span = TimeSpan(now_us, now_us + units.us_from_s(wish.duration_s))
    return ScheduleOption(location, (span,), value, emissions_g=emissions_g)


def _is_worth_it(wish: Wish, best: ScheduleOption, at_once: ScheduleOption) -> bool:
    """Whether the best way to run saves enough against a start at once, or is that start itself."""
    (span, *more) = best.spans
    if best.location == at_once.location and span.start_us <= at_once.spans[0].start_us and not more:
        return True
    return best.intensity_g_per_kwh <= _limit_g_per_kwh(wish, at_once.intensity_g_per_kwh)


def _limit_g_per_kwh(wish: Wish, now_g_per_kwh: float) -> float:
    """The highest mean that is worth waiting or moving for, where a run would otherwise start now."""
    return now_g_per_kwh * (1.0 - wish.min_saving_ratio)


def _decision(
    wish: Wish, answer: ScheduleAnswer, option: ScheduleOption, points: tuple[EmissionsRow, ...], now_us: int
) -> Decision:
    """Put a choice together with what it is compared with."""
    place = next(place for place in answer.by_location if place.location == option.location)
    home = answer.by_location[0]
    home_now = home.options[0].now_intensity_g_per_kwh if home.options else None
    option = _against(option, home_now)
    start_us = max(option.spans[0].start_us, now_us)
    is_now = start_us == now_us
    ways = [_against(way, home_now) for each in answer.by_location for way in each.options]
    ways.sort(key=lambda way: (way.intensity_g_per_kwh, way.spans[0].start_us))
    return Decision(
        start_us=start_us,
        decided_us=now_us,
        is_now=is_now,
        because=_because(answer, option, is_now=is_now),
        option=option,
        alternatives=tuple(ways[: wish.alternatives]),
        points=points,
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


def _as_clause(sentence: str) -> str:
    """Turn a sentence of prose into what can stand behind the word because."""
    return sentence.rstrip(".").replace("The ", "the ", 1) if sentence.startswith("The ") else sentence.rstrip(".")


def _run_now(now_us: int, because: str) -> Decision:
    return Decision(start_us=now_us, decided_us=now_us, is_now=True, because=because)


def _place_start(
    wish: Wish, best: ScheduleOption, points: tuple[EmissionsRow, ...], now_us: int, kept_us: int | None
) -> ScheduleOption:
    """Keep an earlier start that is good enough, or move the best one a little, so that not everybody takes it.

    A job in pieces is left as planned.
    """
    (span, *more) = best.spans
    if more or span.start_us <= now_us:
        return best
    from codecarbon.forecast import WindowChoice, prepare, spread_start

    series = prepare([IntensityPoint(row.time_us, row.duration_us, row.rating_g_per_kwh) for row in points])
    if kept_us is not None and now_us <= kept_us <= wish.latest_end_us - (span.end_us - span.start_us):
        kept = _starting_at(best, series, kept_us)
        if kept is not None and kept.intensity_g_per_kwh <= best.intensity_g_per_kwh * (1.0 + _slack_ratio(wish, best)):
            return kept
    if wish.seed is None:
        return best
    choice = WindowChoice(span.start_us, span.end_us, best.intensity_g_per_kwh, now_us, best.now_intensity_g_per_kwh)
    start_us = spread_start(
        choice,
        series,
        seed=wish.seed,
        tolerance_ratio=_tolerance_ratio(wish, best),
        earliest_us=now_us,
        deadline_us=wish.latest_end_us,
    )
    return _starting_at(best, series, start_us) or best


def _slack_ratio(wish: Wish, best: ScheduleOption) -> float:
    """How much worse than the best a start may be that is worth waiting for."""
    now, value = best.now_intensity_g_per_kwh, best.intensity_g_per_kwh
    if now is None:
        return SLACK_RATIO
    if value <= 0.0:
        return 0.0
    return max(0.0, min(SLACK_RATIO, _limit_g_per_kwh(wish, now) / value - 1.0))


def _tolerance_ratio(wish: Wish, best: ScheduleOption) -> float:
    """How much worse than the best a start that is drawn may be: it keeps half of what the best one saves."""
    now, value = best.now_intensity_g_per_kwh, best.intensity_g_per_kwh
    slack_ratio = _slack_ratio(wish, best)
    return slack_ratio if now is None or value <= 0.0 else max(0.0, min(slack_ratio, (now / value - 1.0) / 2.0))


def _starting_at(option: ScheduleOption, series: SeriesLike, start_us: int) -> ScheduleOption | None:
    """The same run with another start and its own mean; None where the forecast does not cover it."""
    from codecarbon.forecast import best_window

    span = option.spans[0]
    moved = TimeSpan(start_us, start_us + span.end_us - span.start_us)
    try:
        # The one window that fits between its own ends.
        found = best_window(
            series, units.s_from_us(moved.end_us - start_us), earliest_us=start_us, deadline_us=moved.end_us
        )
    except WindowInfeasible:
        return None
    value, emissions_g = found.intensity_g_per_kwh, option.emissions_g
    if emissions_g is not None and option.intensity_g_per_kwh > 0.0:
        emissions_g *= value / option.intensity_g_per_kwh
    return replace(option, spans=(moved,), intensity_g_per_kwh=value, emissions_g=emissions_g)


def _against(option: ScheduleOption, now: float | None) -> ScheduleOption:
    """Compare with a start at once: the one at home is what happens without a plan."""
    saving_ratio = None if not now else 1.0 - option.intensity_g_per_kwh / now
    return replace(option, now_intensity_g_per_kwh=now, saving_ratio=saving_ratio)


def _because(answer: ScheduleAnswer, option: ScheduleOption, *, is_now: bool) -> str:
    """Explain a choice: signal, place, then and now, and where that is known from."""
    home = answer.by_location[0].location
    kind = f"the {answer.meta.signal} intensity"
    source = f"{option.location}, {' and '.join(answer.meta.sources)}{', stale' if answer.meta.is_stale else ''}"
    then = f"{option.intensity_g_per_kwh:.0f} g/kWh"
    now, ratio = option.now_intensity_g_per_kwh, option.saving_ratio
    if is_now and (more := _what_saves_more(answer, option)):
        return f"{kind} is {then} now, and {more} ({source})"
    if is_now and option.location == home and len(option.spans) == 1:
        return f"{kind} is {then} now and not lower before the deadline ({source})"
    where = "" if option.location == home else f" in {home}"
    if now is None or ratio is None:
        return f"{kind} is {then} then; what it is now{where} is not known ({source})"
    saving = f"{units.percent_from_ratio(ratio)} less"
    return f"{kind} is {then} then and {now:.0f} now{where}, {saving} ({source})"


def _what_saves_more(answer: ScheduleAnswer, option: ScheduleOption) -> str:
    """Tell what was passed over for a start at once; empty where that is best."""
    best, value = answer.best, option.intensity_g_per_kwh
    if best is None or best.intensity_g_per_kwh >= value:
        return ""
    saving = units.percent_from_ratio(1.0 - best.intensity_g_per_kwh / value, decimals=1)
    what = "waiting" if best.location == option.location else f"running in {best.location}"
    return f"{what} would save only {saving}"
