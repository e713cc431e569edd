"""The reporter's thread: its grid, its end, and that late calls are left out."""

from __future__ import annotations

import threading

import pytest

from codecarbon.tracker.reporter import Reporter


def test_ticks_until_stopped_and_can_start_again():
    ticked = threading.Semaphore(0)
    reporter = Reporter(0.001, ticked.release)
    for _ in range(2):
        reporter.start()
        reporter.start()
        assert all(ticked.acquire(timeout=5) for _ in range(3))
        assert reporter.is_running
        reporter.stop()
        reporter.stop()
        assert not reporter.is_running


def test_wake_calls_on_wake_and_not_the_tick():
    woken = threading.Event()
    reporter = Reporter(3600, lambda: pytest.fail("too early"), woken.set)
    reporter.start()
    reporter.wake()
    assert woken.wait(5)
    reporter.stop()


def test_stop_from_its_own_thread_does_not_wait_for_itself():
    done = threading.Event()

    def tick() -> None:
        reporter.stop()
        done.set()

    reporter = Reporter(0.001, tick)
    reporter.start()
    assert done.wait(5)


def test_a_period_longer_than_a_thread_may_wait_is_accepted():
    reporter = Reporter(1e15, lambda: None)
    reporter.start()
    reporter.stop()


def test_one_daemon_thread_per_tracker(rig):
    before = threading.active_count()
    tracker = rig.tracker(measure_power_secs=0.001)
    tracker.start()
    assert threading.active_count() == before + 1
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "codecarbon-reporter"] == [True]
    tracker.stop()
    assert threading.active_count() == before


def test_d04_reports_on_the_thread_and_by_hand_count_nothing_twice(rig):
    tracker = rig.tracker(measure_power_secs=0.001, api_call_interval=1)
    tracker.start()
    for _ in range(200):
        rig.pass_s(1)
        tracker.flush()
    tracker.stop()
    data = tracker.final_emissions_data
    assert data.energy_consumed == pytest.approx(110 * 200 / 3.6e6)
    assert data.cpu_power == pytest.approx(100)
    deltas = [delta.energy_consumed for _, delta in rig.handler.outs]
    lives = [delta.energy_consumed for _, delta in rig.handler.lives]
    assert sum(deltas) + sum(lives) == pytest.approx(data.energy_consumed)


def test_long_gap_is_named_while_the_reporter_runs(rig, log):
    tracker = rig.tracker(measure_power_secs=100)
    tracker.start()
    tracker._measure_power_and_energy()
    assert "didn't run for a long period" not in log.text
    tracker._reports._last_tick_s -= 301
    tracker._measure_power_and_energy()
    assert "didn't run for a long period" in log.text
    log.clear()
    tracker.stop()
    tracker._reports._last_tick_s -= 301
    tracker._measure_power_and_energy()
    assert "didn't run for a long period" not in log.text
