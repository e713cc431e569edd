"""``@codecarbon.carbon_aware``: a function that waits for clean electricity before it runs."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from codecarbon import units
from codecarbon.carbon_aware import arguments
from codecarbon.carbon_aware.configured import allows_synthetic, make_planner, new_seed
from codecarbon.carbon_aware.decision import DEFAULT_MIN_SAVING_PERCENT, Decision, Wish, latest_end_us
from codecarbon.carbon_aware.waiting import Wait
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime, timedelta

    from codecarbon.carbon_aware.decision import Planner

log = logging.getLogger("codecarbon.carbon_aware")

F = TypeVar("F", bound="Callable[..., Any]")


def carbon_aware(
    *,
    duration: str | float | timedelta,
    deadline: str | datetime | None = None,
    within: str | float | timedelta | None = None,
    regions: str | Sequence[str] | None = None,
    source: str | None = None,
    config: str | None = None,
    min_saving_percent: float = DEFAULT_MIN_SAVING_PERCENT,
    planner: Planner | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Callable[[F], F]:
    """Make a function wait, each time it is called, for the start at which electricity is cleanest.

    A coroutine function waits without blocking its event loop; any other function blocks its thread. A generator
    function is refused, since calling one does not run it. When data are missing the function runs at once, and the
    log says "run now, because …". The last decision is the attribute ``decision`` of the function that is returned.

    Put it above ``@track_emissions``, so that the waiting is not measured.

    Args:
        duration: How long the function runs: ``"3h"``, ``"1h30m"``, ``"PT3H"``, seconds, or a ``timedelta``.
        deadline: When it must have ended: ISO 8601 (local time without an offset), or an aware ``datetime``.
        within: How long after the call it must have begun; a day, unless there is a deadline.
        regions: Where it may run; this machine's place by default. The function is not moved: only the first counts.
        source: A configured data source, or a kind of source such as ``"sample"``.
        config: A file like ``appsettings.json``, in place of those found in the working folder.
        min_saving_percent: What waiting must save at least, 0 to 100; below it the function runs at once.
        planner: Decides in place of the one that the configuration makes.
        clock: Seconds since 1970.
        sleep: Sleeps for some seconds.
        async_sleep: Likewise, for coroutine functions.

    Raises:
        ConfigError: An argument cannot be used.
    """
    job = _Job(
        duration_s=_read("duration", arguments.parse_duration_s, duration, arguments.DURATION_FORMS),
        deadline_us=_read("deadline", arguments.parse_time_us, deadline, arguments.TIME_FORMS),
        within_s=_read("within", arguments.parse_duration_s, within, arguments.DURATION_FORMS),
        regions=arguments.parse_keys(regions or ()),
        min_saving_ratio=_read(
            "min_saving_percent", arguments.parse_percent_ratio, min_saving_percent, arguments.PERCENT_FORMS
        ),
        source=source,
        planner=planner or make_planner(source=source, config=config, clock=clock),
        clock=clock,
    )

    def decorate(function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigError("function", function, "decorator", "a function or a coroutine function, no generator")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                wait = await asyncio.to_thread(job.begin, wrapper)
                while (pause_s := wait.next_pause_s()) is not None:
                    await async_sleep(pause_s)
                return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                wait = job.begin(wrapper)
                while (pause_s := wait.next_pause_s()) is not None:
                    sleep(pause_s)
                return function(*args, **kwargs)

        wrapper.decision = None  # type: ignore[attr-defined]
        return cast("F", wrapper)

    return decorate


class _Job:
    """What is known of the function, and how its waits begin."""

    def __init__(
        self,
        *,
        duration_s: float,
        deadline_us: int | None,
        within_s: float | None,
        regions: tuple[str, ...],
        min_saving_ratio: float,
        source: str | None,
        planner: Planner,
        clock: Callable[[], float],
    ) -> None:
        self._duration_s = duration_s
        self._deadline_us = deadline_us
        self._within_s = within_s
        self._regions = regions
        self._min_saving_ratio = min_saving_ratio
        self._source = source
        self._planner = planner
        self._clock = clock
        self._seed = new_seed()

    def begin(self, wrapper: Any) -> Wait:
        """Decide about one call."""
        wish = self._wish()

        def keep(decision: Decision) -> None:
            wrapper.decision = decision
            if decision.is_now:
                level = logging.WARNING if decision.option is None else logging.INFO
                log.log(level, "run now, because %s", decision.because)
            else:
                log.info("start at %s, because %s", units.iso_from_us(decision.start_us), decision.because)

        decision = self._planner.decide(wish)
        keep(decision)

        def replan(kept_us: int) -> Decision:
            return self._planner.decide(wish, kept_us=kept_us)

        return Wait(decision, replan, clock=self._clock, on_change=keep)

    def _wish(self) -> Wish:
        now_us = units.us_from_s(self._clock())
        end_us = latest_end_us(now_us, self._duration_s, deadline_us=self._deadline_us, within_s=self._within_s)
        return Wish(
            duration_s=self._duration_s,
            latest_end_us=end_us,
            locations=self._regions[:1],
            seed=self._seed,
            allows_synthetic=allows_synthetic(self._source),
            min_saving_ratio=self._min_saving_ratio,
        )


def _read(name: str, parse: Callable[[Any], Any], given: object, expected: str) -> Any:
    if given is None:
        return None
    try:
        return parse(given)
    except ValueError as error:
        raise ConfigError(name, given, "decorator", expected) from error
