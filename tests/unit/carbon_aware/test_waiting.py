"""Waiting for a planned start, with a clock that only the test moves."""

from __future__ import annotations

import threading

import pytest

from codecarbon.carbon_aware.decision import Decision
from codecarbon.carbon_aware.results import ScheduleOption
from codecarbon.carbon_aware.waiting import ASKING_SLICE_S, REPLAN_S, SETTLED_S, SLICE_S, Wait
from codecarbon.model import TimeSpan
from codecarbon.units import us_from_s

OPTION = ScheduleOption("here", (TimeSpan(0, 1),), 100.0)


def planned(start_s: float, *, generated_s: float = 0.0, is_now: bool = False, option: ScheduleOption | None = OPTION):
    return Decision(
        us_from_s(start_s), 0, is_now=is_now, because="it is so", option=option, generated_us=us_from_s(generated_s)
    )


class Clock:
    def __init__(self, now_s: float = 0.0):
        self.now_s = now_s
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, pause_s: float) -> None:
        self.slept_s.append(pause_s)
        self.now_s += pause_s


def at_once(run) -> None:
    run()


def wait_out(wait: Wait, clock: Clock) -> None:
    while (pause_s := wait.next_pause_s()) is not None:
        clock.sleep(pause_s)


def test_a_wait_ends_at_the_start_in_slices():
    clock = Clock()
    wait_out(Wait(planned(100), clock=clock), clock)
    assert clock.now_s == 100
    assert clock.slept_s == [SLICE_S, SLICE_S, SLICE_S, 10]


@pytest.mark.parametrize("decision", [planned(100, is_now=True), planned(0), planned(-5)])
def test_what_is_to_run_now_is_not_waited_for(decision):
    assert Wait(decision, clock=Clock()).next_pause_s() is None


def test_a_clock_that_jumps_forward_ends_the_wait():
    clock = Clock()
    wait = Wait(planned(10_000), clock=clock)
    assert wait.next_pause_s() == SLICE_S
    clock.now_s = 10_001  # the machine was asleep
    assert wait.next_pause_s() is None


def test_a_clock_that_is_set_back_lengthens_the_wait():
    clock = Clock(100.0)
    wait = Wait(planned(110), clock=clock)
    assert wait.next_pause_s() == 10
    clock.now_s = 0.0
    wait_out(wait, clock)
    assert clock.now_s == 110


def test_a_newer_forecast_moves_the_start():
    clock, changes = Clock(), []
    newer = planned(2000, generated_s=REPLAN_S)
    wait = Wait(planned(5000), lambda _: newer, clock=clock, spawn=at_once, on_change=changes.append)
    wait_out(wait, clock)
    assert clock.now_s == 2000
    assert changes == [newer]


def test_a_newer_forecast_may_say_now():
    clock = Clock()
    newer = planned(REPLAN_S, generated_s=REPLAN_S, is_now=True)
    wait_out(Wait(planned(5000), lambda _: newer, clock=clock, spawn=at_once), clock)
    assert clock.now_s == REPLAN_S


def test_the_same_forecast_moves_nothing():
    clock = Clock()
    wait_out(Wait(planned(1000), lambda _: planned(700), clock=clock, spawn=at_once), clock)
    assert clock.now_s == 1000


def test_the_plan_is_kept_when_data_go_missing():
    clock = Clock()
    lost = planned(REPLAN_S, is_now=True, option=None)
    wait_out(Wait(planned(1000), lambda _: lost, clock=clock, spawn=at_once), clock)
    assert clock.now_s == 1000


def test_the_same_start_from_a_newer_forecast_is_no_change():
    clock, changes = Clock(), []
    wait = Wait(
        planned(1000), lambda _: planned(1000, generated_s=1), clock=clock, spawn=at_once, on_change=changes.append
    )
    wait_out(wait, clock)
    assert changes == []


def test_forecasts_are_asked_for_now_and_then_and_not_at_the_end():
    clock, asked_s = Clock(), []

    def replan(kept_us):
        asked_s.append(clock.now_s)
        return planned(660)

    wait_out(Wait(planned(660), replan, clock=clock, spawn=at_once), clock)
    assert asked_s == [300], "at 600 s the start is settled"


def test_the_start_so_far_is_told():
    clock, kept = Clock(), []

    def replan(kept_us):
        kept.append(kept_us)
        return planned(900, generated_s=len(kept))

    wait_out(Wait(planned(1000), replan, clock=clock, spawn=at_once), clock)
    assert kept == [us_from_s(1000), us_from_s(900)]


def test_a_clock_that_is_set_back_asks_again():
    clock, asked_s = Clock(1000.0), []

    def replan(kept_us):
        asked_s.append(clock.now_s)
        return planned(5000)

    wait = Wait(planned(5000), replan, clock=clock, spawn=at_once)
    clock.now_s = 0.0
    wait.next_pause_s()
    wait.next_pause_s()
    assert asked_s == [0.0]


def test_a_service_that_hangs_does_not_delay_the_start():
    clock, release, threads = Clock(), threading.Event(), []

    def replan(kept_us):
        threads.append(threading.current_thread())
        release.wait(60)
        return planned(9000, generated_s=REPLAN_S)

    wait = Wait(planned(1000), replan, clock=clock)
    try:
        wait_out(wait, clock)
    finally:
        release.set()
    assert clock.now_s == 1000
    for thread in threads:
        thread.join(60)
    assert len(threads) == 1, "one question at a time"
    assert threads[0].daemon


def test_an_answer_is_taken_when_it_comes():
    clock, questions = Clock(), []
    newer = planned(400, generated_s=REPLAN_S)
    wait = Wait(planned(5000), lambda _: newer, clock=clock, spawn=questions.append)
    clock.now_s = REPLAN_S
    assert wait.next_pause_s() == ASKING_SLICE_S
    questions.pop()()
    assert wait.next_pause_s() == SLICE_S
    assert wait.decision is newer


def test_an_answer_that_comes_when_the_start_is_settled_is_not_taken():
    clock, questions, changes = Clock(), [], []
    wait = Wait(
        planned(1000),
        lambda _: planned(9000, generated_s=REPLAN_S),
        clock=clock,
        on_change=changes.append,
        spawn=questions.append,
    )
    clock.now_s = REPLAN_S
    wait.next_pause_s()
    clock.now_s = 1000 - SETTLED_S
    questions.pop()()
    wait_out(wait, clock)
    assert (clock.now_s, changes, questions) == (1000, [], [])


def test_a_question_that_breaks_down_keeps_the_plan_and_is_asked_again():
    clock, asked_s = Clock(), []

    def replan(kept_us):
        asked_s.append(clock.now_s)
        raise ArithmeticError

    def spawn(run):
        with pytest.raises(ArithmeticError):
            run()

    wait_out(Wait(planned(1000), replan, clock=clock, spawn=spawn), clock)
    assert (clock.now_s, asked_s) == (1000, [300, 600, 900])


def test_a_process_without_room_for_a_thread_keeps_the_plan_and_starts_in_time():
    clock, tried_s = Clock(), []

    def spawn(_):
        tried_s.append(clock.now_s)
        raise RuntimeError("can't start new thread")

    wait_out(Wait(planned(1000), lambda _: planned(700), clock=clock, spawn=spawn), clock)
    assert (clock.now_s, tried_s) == (1000, [300, 600, 900])
