"""When and where a job is best run, by the newest forecasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from codecarbon.carbon_aware.checks import Problem, distinct_locations, raise_any
from codecarbon.carbon_aware.fetching import make_meta
from codecarbon.carbon_aware.results import (
    EmissionsRow,
    LocationSchedule,
    ScheduleAnswer,
    ScheduleOption,
    ScheduleRequest,
)
from codecarbon.errors import ProviderDataError, WindowInfeasible
from codecarbon.forecast import prepare, rank_windows, split_window
from codecarbon.model import TimeSpan
from codecarbon.units import US_PER_DAY, kwh_from_j, s_from_us

if TYPE_CHECKING:
    from codecarbon._sensors import Steps
    from codecarbon.carbon_aware.fetching import Fetcher, Series
    from codecarbon.carbon_aware.options import Options

MAX_ALTERNATIVES = 100
MAX_PIECES = 12  # the search takes time with their square
MAX_DURATION_S = s_from_us(366 * US_PER_DAY)
MAX_POWER_W = 2e9  # more than any place has


def schedule_problems(request: ScheduleRequest) -> list[Problem]:
    """Find what is wrong with a question for a schedule."""
    is_ordered = not (request.earliest and request.deadline) or request.earliest.unix_us < request.deadline.unix_us
    names = {name.casefold() for name in request.locations}
    rules = (
        (any(name.strip() for name in names), "locations", "{locations} is not set"),
        (0.0 < request.duration_s <= MAX_DURATION_S, "duration", "{duration} must be more than 0, at most 366 days"),
        (is_ordered, "earliest", "{earliest} must be before {deadline}"),
        (
            1 <= request.alternatives <= MAX_ALTERNATIVES,
            "alternatives",
            f"{{alternatives}} must be from 1 to {MAX_ALTERNATIVES}",
        ),
        (1 <= request.pieces <= MAX_PIECES, "pieces", f"{{pieces}} must be from 1 to {MAX_PIECES}"),
        (0.0 <= request.resume_cost_s <= MAX_DURATION_S, "resume_cost", "{resume_cost} must be 0 to 366 days"),
        (request.power_w is None or 0.0 < request.power_w <= MAX_POWER_W, "power", "{power} must be more than 0"),
        (0.0 <= request.move_cost_g < float("inf"), "move_cost", "{move_cost} must not be negative"),
        (
            not request.move_cost_g or request.power_w is not None,
            "power",
            "{power} is needed to compare {move_cost} with emissions",
        ),
        (request.home is None or request.home.casefold() in names, "home", "{home} must be one of {locations}"),
    )
    return [(field, text) for is_met, field, text in rules if not is_met]


def find_schedule(fetcher: Fetcher, request: ScheduleRequest, options: Options, now_us: int) -> ScheduleAnswer:
    """Find the alternatives of each place, and the best of all.

    Args:
        fetcher: Who asks for forecasts.
        request: The job.
        options: The settings.
        now_us: The present, UTC microseconds since 1970.

    Raises:
        InvalidParameters: Something is missing or contradicts itself.
    """
    raise_any(schedule_problems(request))
    names = distinct_locations(request.locations, options, plural=True)
    source = fetcher.forecast_source()
    found = fetcher.map(source, lambda name: fetcher.forecast(source, name), names)
    schedules = tuple(_schedule(one, request, now_us) for one in found)
    best = _best(schedules, request)
    rows = [
        EmissionsRow(option.location, span.start_us, option.intensity_g_per_kwh, span.end_us - span.start_us)
        for schedule in schedules
        for option in schedule.options
        for span in option.spans
    ]
    # The present is a part of the answer: which starts are left, and what starting at once would cost.
    return ScheduleAnswer(best, schedules, make_meta(rows, [one.series for one in found], now_us))


def _schedule(found: Series, request: ScheduleRequest, now_us: int) -> LocationSchedule:
    """The alternatives of one place."""
    generated_us = found.series.generated_us
    if generated_us is None:
        raise ProviderDataError("the forecast does not say when it was made", found.series.source, found.location)
    steps = prepare(tuple(sorted(found.series.points)))
    bounds = _Bounds(
        earliest_us=max(now_us, request.earliest.unix_us) if request.earliest else now_us,
        deadline_us=request.deadline.unix_us if request.deadline else None,
        now_us=now_us,
    )
    options: list[ScheduleOption] = []
    reason = ""
    try:
        if request.pieces > 1:
            options.append(_in_pieces(found.location, steps, request, bounds))
        options += _in_one_piece(found.location, steps, request, bounds)
    except WindowInfeasible as error:
        # What does not fit in one piece may fit in several.
        reason = "" if options else str(error)
    kept = {option.spans: option for option in reversed(options)}
    distinct = [option for option in options if kept[option.spans] is option]
    return LocationSchedule(found.location, generated_us, tuple(distinct[: request.alternatives]), reason)


class _Bounds(TypedDict):
    earliest_us: int
    deadline_us: int | None
    now_us: int


def _in_pieces(location: str, steps: Steps, request: ScheduleRequest, bounds: _Bounds) -> ScheduleOption:
    choice = split_window(steps, request.duration_s, request.pieces, resume_cost_s=request.resume_cost_s, **bounds)
    return ScheduleOption(
        location,
        choice.pieces,
        choice.intensity_g_per_kwh,
        choice.now_intensity_g_per_kwh,
        choice.saving_ratio,
        _emissions_g(request, choice.intensity_g_per_kwh),
    )


def _in_one_piece(location: str, steps: Steps, request: ScheduleRequest, bounds: _Bounds) -> list[ScheduleOption]:
    return [
        ScheduleOption(
            location,
            (TimeSpan(choice.start_us, choice.end_us),),
            choice.intensity_g_per_kwh,
            choice.now_intensity_g_per_kwh,
            choice.saving_ratio,
            _emissions_g(request, choice.intensity_g_per_kwh),
        )
        for choice in rank_windows(steps, request.duration_s, request.alternatives, **bounds)
    ]


def _emissions_g(request: ScheduleRequest, intensity_g_per_kwh: float) -> float | None:
    """Emissions of the run; what resuming costs is a part of the intensity."""
    if request.power_w is None:
        return None
    return kwh_from_j(request.power_w * request.duration_s) * intensity_g_per_kwh


def _best(schedules: tuple[LocationSchedule, ...], request: ScheduleRequest) -> ScheduleOption | None:
    """The best option of all; home wins unless another place is better by more than the move costs."""
    firsts = [schedule.options[0] for schedule in schedules if schedule.options]
    if not firsts:
        return None
    home = (request.home or "").casefold()

    def move_g(option: ScheduleOption) -> float:
        return request.move_cost_g if home and option.location.casefold() != home else 0.0

    def cost(option: ScheduleOption) -> tuple[float, bool]:
        emissions_g = option.intensity_g_per_kwh if option.emissions_g is None else option.emissions_g
        return emissions_g + move_g(option), bool(home) and option.location.casefold() != home

    best = min(firsts, key=cost)
    at_home = next((option for option in firsts if option.location.casefold() == home), None)
    if not home or best is at_home:
        return best
    # Away from home the alternative is to start at once at home, and the move counts.
    home_now = at_home.now_intensity_g_per_kwh if at_home else None
    saving_ratio = None
    if home_now:
        home_now_g = _emissions_g(request, home_now) or home_now
        saving_ratio = 1.0 - cost(best)[0] / home_now_g
    return replace(best, now_intensity_g_per_kwh=home_now, saving_ratio=saving_ratio)
