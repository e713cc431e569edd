"""How ``codecarbon run`` waits, without a second of real waiting."""

from __future__ import annotations

import os
import signal
import time

import pytest

from codecarbon.carbon_aware.decision import Decision
from codecarbon.carbon_aware.results import ScheduleOption
from codecarbon.carbon_aware.waiting import Wait
from codecarbon.cli import run
from codecarbon.errors import ConfigError
from codecarbon.model import TimeSpan
from codecarbon.units import us_from_iso, us_from_s


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def planned(in_s: float) -> Decision:
    option = ScheduleOption("here", (TimeSpan(0, 1),), 100.0)
    return Decision(us_from_s(in_s), 0, is_now=False, because="it is so", option=option, generated_us=0)


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def test_waiting_ends_at_the_start():
    clock = Clock()

    def pause(pause_s):
        clock.now_s += pause_s

    assert run.wait_out(Wait(planned(100), clock=clock), pause) is None
    assert clock.now_s == 100


def test_a_signal_ends_the_waiting():
    assert run.wait_out(Wait(planned(100), clock=Clock()), lambda _: signal.SIGINT) == signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_that_end_the_waiting(pipe, number):
    os.write(pipe[1], bytes([signal.SIGCHLD, number]))
    assert run.ending_signal(pipe[0], 60.0) == number


def test_other_signals_do_not(pipe):
    os.write(pipe[1], bytes([signal.SIGUSR1, signal.SIGCHLD]))
    assert run.ending_signal(pipe[0], 0.01) is None


def test_the_line_while_waiting(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    start_us = us_from_iso("2030-05-18T02:30:00Z")
    clock = Clock()
    clock.now_s = start_us / 1e6 - 3723
    wait = Wait(planned(start_us / 1e6), clock=clock)
    assert run.progress_text(wait) == (" codecarbon  starts Sat 18 May 02:30:00 UTC, in 1:02:03   Ctrl-C to give up")
    monkeypatch.undo()
    time.tzset()


def test_an_unknown_word_for_when_is_refused():
    with pytest.raises(ConfigError, match="option --when"):
        run.run(["true"], run.monitor.Wishes(), {}, run.when.Ask(), start="later")
