"""What is wrong with a question, before anything is fetched; all faults of a question are told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.carbon_aware.names import BINDING_DETAIL
from codecarbon.errors import InvalidParameters
from codecarbon.units import US_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.carbon_aware.options import Options
    from codecarbon.carbon_aware.results import AverageRequest, ForecastRequest, Moment

Problem = tuple[str, str]
NOT_BEFORE = "{start} must be before {end}"


def raise_any(problems: Sequence[Problem], detail: str = "Invalid parameters") -> None:
    """Raise when there are problems.

    Raises:
        InvalidParameters: There are.
    """
    if problems:
        raise InvalidParameters(tuple(problems), detail)


def distinct_locations(locations: Sequence[str], options: Options, *, plural: bool) -> tuple[str, ...]:
    """Return the places of a question: without empty ones and, in profile ``documented``, each only once.

    Raises:
        InvalidParameters: There is none, or more than the question allows.
    """
    given = tuple(name for name in locations if name.strip())
    if not given and plural:
        raise InvalidParameters((("locations", "{locations} is not set"),))
    if not given:
        raise InvalidParameters((("location", "The location field is required."),), BINDING_DETAIL)
    if options.profile == "documented":
        firsts: dict[str, str] = {}
        for name in given:
            firsts.setdefault(name.casefold(), name)
        given = tuple(firsts.values())
        if not plural and len(given) > 1:
            shown = ", ".join(given[:8])
            raise InvalidParameters((("location", f"only one {{location}} can be asked for here, not {shown}"),))
    elif not plural:
        given = given[:1]
    if len(given) > options.limits.max_locations:
        limit = options.limits.max_locations
        raise InvalidParameters((("locations", f"at most {limit} locations can be asked for at once"),))
    return given


def period_problems(start: Moment | None, end: Moment | None, options: Options) -> list[Problem]:
    """Find what is wrong with a period of observed values."""
    if end is not None and start is None:
        return [("start", "{start} must be defined if {end} is defined")]
    return _order_problems(start, end, options)


def _order_problems(start: Moment | None, end: Moment | None, options: Options) -> list[Problem]:
    if start is None or end is None:
        return []
    if start.unix_us >= end.unix_us:
        return [("start", NOT_BEFORE)]
    days = options.limits.max_range_days
    if days and end.unix_us - start.unix_us > days * US_PER_DAY:
        return [("end", f"{{start}} and {{end}} may lie at most {days} days apart")]
    return []


def average_problems(request: AverageRequest, options: Options) -> list[Problem]:
    """Find what is wrong with a question for a mean."""
    problems = []
    if request.start is None:
        problems.append(("start_time", "{start_time} is not set"))
    if request.end is None:
        problems.append(("end_time", "{end_time} is not set"))
    is_lone = options.profile == "strict" and problems
    if not is_lone and not (request.location or "").strip():
        problems.append(("location", "{location} is not set"))
    return problems + _order_problems(request.start, request.end, options)


def scope_problems(start: Moment | None, end: Moment | None, window_min: int | None) -> list[Problem]:
    """Find what is wrong with the bounds and the window of a forecast."""
    problems = []
    if start is not None and end is not None and start.unix_us >= end.unix_us:
        problems.append(("start", NOT_BEFORE))
    if window_min is not None and window_min < 0:
        problems.append(("window_size", "{window_size} must not be negative"))
    return problems


def forecast_problems(request: ForecastRequest) -> list[Problem]:
    """Find what is wrong with an item of a batch of forecasts."""
    problems = []
    if not (request.location or "").strip():
        problems.append(("location", "{location} is not set"))
    if request.requested is None:
        problems.append(("requested_at", "{requested_at} is not set"))
    return problems + scope_problems(request.data_start, request.data_end, request.window_min)


def batch_problems(each: Sequence[Sequence[Problem]], options: Options) -> list[Problem]:
    """Join the problems of a batch's items; ``strict`` reports those of the first faulty item, as upstream does."""
    problems = [(f"[{at}].{field}", text) for at, found in enumerate(each) for field, text in found]
    if options.profile == "strict" and problems:
        first = problems[0][0].partition(".")[0]
        problems = [problem for problem in problems if problem[0].partition(".")[0] == first]
    return problems


def check_batch_size(count: int, options: Options) -> None:
    """Check that a batch is not too long.

    Raises:
        InvalidParameters: It is.
    """
    limit = options.limits.max_batch_items
    if count > limit:
        raise InvalidParameters((("items", f"at most {limit} items can be asked for at once, not {count}"),))
