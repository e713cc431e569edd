"""``codecarbon run --when greenest``: wait for the best moment, then measure a command as ``monitor`` does."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from codecarbon import units
from codecarbon.carbon_aware.waiting import Wait
from codecarbon.cli import child, monitor, options, text, when
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codecarbon.carbon_aware.decision import Decision
    from codecarbon.cli.monitor import Wishes
    from codecarbon.cli.when import Ask

GREENEST, NOW = "greenest", "now"
DEFAULT_DURATION = "1h"
"""How long a command is taken to run when nobody says it; a guess, and said to be one in the help."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run(
    words: Sequence[str],
    wishes: Wishes,
    given: dict[str, object],
    ask: Ask,
    *,
    start: str = GREENEST,
    is_dry: bool = False,
) -> int:
    """Wait for the best moment and measure a command then.

    Args:
        words: The command and its arguments.
        wishes: What ``monitor`` is asked for beside the settings.
        given: Settings from options, by name.
        ask: What is known of the job.
        start: ``greenest``, or ``now`` to wait for nothing.
        is_dry: Only say what would be done.

    Returns:
        The exit code to end with: the command's, or 128 + n when signal n ended the waiting.

    Raises:
        ConfigError: An option's value cannot be used.
    """
    if start not in {GREENEST, NOW}:
        raise ConfigError("when", start, "option --when", f"{NOW} or {GREENEST}")
    try:
        child.check_command(words[0])
    except child.CommandError as error:
        options.fail(str(error), error.exit_code)
    if start == GREENEST:
        monitor.check_wishes(wishes, given)  # not hours later
        number = _wait_for_start(ask, is_dry=is_dry)
        if number is not None:
            text.say("stopped while waiting; the command was not started")
            return child.SIGNALLED + number
    return 0 if is_dry else monitor.watch_command(words, wishes, given)


def _wait_for_start(ask: Ask, *, is_dry: bool) -> int | None:
    """Wait for the best moment, or only say when it is; return the signal that ended the waiting, or None."""
    wish = when.read_wish(ask, now_us=units.us_from_s(time.time()), default_duration=DEFAULT_DURATION)
    wish = replace(wish, locations=wish.locations[:1])  # a command is not moved
    planner = when.planner_of(ask)
    decision = planner.decide(wish)
    if is_dry or decision.is_now:
        text.say(when.explain(decision))
        return None
    with child.catch_signals() as signals_fd:
        text.say(when.explain(decision))
        wait = Wait(
            decision,
            lambda kept_us: planner.decide(wish, kept_us=kept_us),
            clock=time.time,
            on_change=_say_change,
        )
        return wait_out(wait, lambda pause_s: ending_signal(signals_fd, pause_s))


def wait_out(wait: Wait, pause: Callable[[float], int | None]) -> int | None:
    """Wait, with the remaining time on the terminal.

    Args:
        wait: What to wait for.
        pause: Sleeps for some seconds; returns the signal that ended the sleep for good, or None.

    Returns:
        The signal that ended the waiting, or None when it is time to start.
    """
    with _progress(wait):
        while (pause_s := wait.next_pause_s()) is not None:
            number = pause(pause_s)
            if number is not None:
                return number
    return None


def ending_signal(signals_fd: int, pause_s: float) -> int | None:
    """Sleep until a signal arrives that ends the waiting, and return its number; None when the time is up.

    Args:
        signals_fd: From ``child.catch_signals``.
        pause_s: How long to sleep at most, seconds.
    """
    end_s = time.monotonic() + pause_s
    while True:
        ready, _, _ = select.select([signals_fd], [], [], max(0.0, end_s - time.monotonic()))
        if not ready:
            return None
        for number in os.read(signals_fd, 4096):
            if number in _ENDING:
                return number


def _say_change(decision: Decision) -> None:
    text.say(f"a newer forecast: {when.explain(decision)}")


@contextmanager
def _progress(wait: Wait) -> Iterator[None]:
    """Show the planned start and the time until it, on a terminal."""
    if not text.is_terminal(sys.stderr):
        yield
        return
    from codecarbon.cli.live import StatusLine

    style = text.Style(is_coloured=text.has_colour(sys.stderr))
    with StatusLine(sys.stderr.fileno(), lambda: progress_text(wait), style.reverse):
        yield


def progress_text(wait: Wait) -> str:
    """Compose the line that is shown while waiting."""
    start = when.moment(wait.decision.start_us)
    return f" codecarbon  starts {start}, in {text.clock(wait.remaining_s())}   Ctrl-C to give up"
