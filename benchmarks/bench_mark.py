"""What a mark costs, and that windows between marks add up exactly."""

from __future__ import annotations

import time

from pytest_benchmark.fixture import BenchmarkFixture

import codecarbon
from benchmarks.bench_tasks import median_us
from benchmarks.conftest import Report
from benchmarks.machine import FakeMachine, holds, parts


def test_two_marks_cost_microseconds_and_windows_add_up_exactly(
    report: Report, benchmark: BenchmarkFixture, fake_machine: FakeMachine
) -> None:
    with codecarbon.EnergyMeter(fake_machine.request()) as meter:
        fake_machine.advance(1_000_000)
        time.sleep(0.25)
        begin = meter.mark()
        time.sleep(0.25)
        fake_machine.advance(5_000_000)
        middle = meter.mark()
        time.sleep(0.25)
        end = meter.mark()
        # A mark is settled once its counters have moved after it.
        fake_machine.advance(1_000_000)
        time.sleep(0.25)
        whole = meter.energy(begin, end)
        first, second = meter.energy(begin, middle), meter.energy(middle, end)
        mark = meter.mark
        benchmark.pedantic(lambda: (mark(), mark()), rounds=20 if report.smoke else 2000, iterations=10)
    assert holds(whole, 5_000_000)
    assert [a + b for a, b in zip(parts(first), parts(second), strict=True)] == parts(whole)
    nothing_us = median_us(lambda: (time.monotonic_ns(), time.monotonic_ns()), 2000)
    report.judge("mark", benchmark.stats.stats.median * 1e6, baseline=nothing_us, baseline_name="two clock reads")
