"""What a mark costs, and that the energy between two of them is exact."""

from __future__ import annotations

import time

from pytest_benchmark.fixture import BenchmarkFixture

import codecarbon
from benchmarks.bench_tasks import median_us
from benchmarks.conftest import Report
from benchmarks.machine import FakeMachine


def test_two_marks_cost_microseconds_and_their_energy_is_exact(
    report: Report, benchmark: BenchmarkFixture, fake_machine: FakeMachine
) -> None:
    with codecarbon.EnergyMeter() as meter:
        time.sleep(0.15)
        fake_machine.advance(1_000_000)
        time.sleep(0.25)
        begin = meter.mark()
        time.sleep(0.25)
        fake_machine.advance(5_000_000)
        time.sleep(0.25)
        end = meter.mark()
        time.sleep(0.15)
        window = meter.energy(begin, end)
        mark = meter.mark
        benchmark.pedantic(lambda: (mark(), mark()), rounds=20 if report.smoke else 2000, iterations=10)
    channels = [channel for component in window.components for channel in component.channels]
    assert sorted(channel.energy_uj for channel in channels) == [5_000_000] * 4
    nothing_us = median_us(lambda: (time.monotonic_ns(), time.monotonic_ns()), 2000)
    report.judge("mark", benchmark.stats.stats.median * 1e6, baseline=nothing_us, baseline_name="two clock reads")
