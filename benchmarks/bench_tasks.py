"""What a task costs the program that opens and closes it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

import codecarbon
from benchmarks.conftest import Report
from benchmarks.machine import FakeMachine, holds


def median_us(call: Callable[[], object], count: int) -> float:
    """Return the median time of a call, µs."""
    times = []
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1e3


def test_a_task_costs_microseconds(
    report: Report, benchmark: BenchmarkFixture, fake_machine: FakeMachine, tmp_path: Path
) -> None:
    pairs = 50 if report.smoke else 3000
    tracker = codecarbon.OfflineEmissionsTracker(
        country_iso_code="FRA", output_dir=str(tmp_path), log_level="error", output_methods=[]
    )
    tracker.start()
    # As on a real machine, where counters move all the time: what supplies each component is decided by now.
    fake_machine.advance(1_000_000)
    time.sleep(0.3)
    results = []

    def pair() -> None:
        tracker.start_task("step")
        results.append(tracker.stop_task("step"))

    try:
        benchmark.pedantic(pair, rounds=pairs, warmup_rounds=10)
        nothing_us = median_us(lambda: (time.monotonic_ns(), time.monotonic_ns()), pairs)
        # The answer is right too: the bound of a task during which every counter gains 3 J contains that.
        time.sleep(0.05)
        tracker.start_task("known")
        time.sleep(0.05)
        fake_machine.advance(3_000_000)
        time.sleep(0.05)
        tracker.stop_task("known")
        known = tracker.task_record("known")
    finally:
        tracker.stop()
    assert len(results) == pairs + 10
    assert all(result.duration >= 0 for result in results)
    assert holds(known.window, 3_000_000)
    report.judge(
        "tasks",
        benchmark.stats.stats.median * 1e6,
        baseline=nothing_us,
        baseline_name="two clock reads",
    )
    report.peer("tasks", lambda peer: peer.say("tasks", "us"))
