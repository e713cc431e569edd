"""The search for the best window: beside a plain loop in C, and beside numpy, which people would use instead."""

from __future__ import annotations

import ctypes
import os
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.conftest import Report
from codecarbon._sensors import Steps
from codecarbon.forecast import Job, best_window, plan
from codecarbon.model.series import IntensityPoint, IntensitySeries

SOURCE = Path(__file__).parent / "plain_window.c"
STEP_US = 300_000_000
STEP_S = 300
MILLION = 1_000_000
# An hour, a day and a year of five-minute steps: whatever the window, the work must stay the same.
WINDOWS = (12, 288, 105_120)


class PlainLoop:
    """The loop in C, built with the machine's compiler as the package is."""

    def __init__(self, folder: Path) -> None:
        library = folder / "plain_window.so"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, "-O3", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
        self.best = ctypes.CDLL(str(library)).plain_best
        self.best.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
        self.best.restype = ctypes.c_int64

    def search(self, values: NDArray[np.float64], count: int) -> int:
        """Return where the lowest window of so many values begins."""
        return int(self.best(values.ctypes.data, len(values), count))


@pytest.fixture
def plain_loop(tmp_path: Path) -> PlainLoop:
    """The baseline of this file."""
    return PlainLoop(tmp_path)


def make_values(count: int) -> NDArray[np.float64]:
    """Days that differ: a wave with noise, always the same."""
    noise = np.random.default_rng(1).normal(0, 10, count)
    return np.asarray(300 + 100 * np.sin(np.arange(count) * (2 * np.pi / 288)) + noise)


def make_series(values: NDArray[np.float64]) -> IntensitySeries:
    points = tuple(IntensityPoint(at * STEP_US, STEP_US, float(value)) for at, value in enumerate(values))
    return IntensitySeries(points, zone="bench", source="bench")


def in_numpy(values: NDArray[np.float64], count: int) -> int:
    """Return the same by prefix sums, which lose digits as they grow."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    return int(np.argmin(sums[count:] - sums[:-count]))


def alternate_ms(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each way, ms; they take turns, so that a slow moment hits all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, call in ways.items():
            began = time.perf_counter()
            call()
            if turn:
                times[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(took) for name, took in times.items()}


def slowest(report: Report, ways: Callable[[int], dict[str, Callable[[], object]]]) -> dict[str, float]:
    """Measure all lengths of window, and return the figures of the one where ours is worst beside the loop in C."""
    figures = [alternate_ms(ways(count), 3 if report.smoke else 15) for count in WINDOWS]
    return max(figures, key=lambda found: found["ours"] / found["plain"])


def test_a_million_points_cost_no_more_than_a_plain_loop(report: Report, plain_loop: PlainLoop) -> None:
    values = make_values(MILLION)
    steps = Steps.from_grid(0, STEP_US, values)

    def ways(count: int) -> dict[str, Callable[[], object]]:
        assert best_window(steps, count * STEP_S).start_us == plain_loop.search(values, count) * STEP_US
        assert in_numpy(values, count) == plain_loop.search(values, count)
        return {
            "ours": lambda: best_window(steps, count * STEP_S),
            "plain": lambda: plain_loop.search(values, count),
            "numpy": lambda: in_numpy(values, count),
        }

    took = slowest(report, ways)
    report.judge(
        "window_million", took["ours"], baseline=took["plain"], baseline_name="plain loop in C", baseline_unit="ms"
    )
    report.note("window_million", took["ours"], unit="ms", baseline=took["numpy"], baseline_name="numpy")


def test_steps_of_different_lengths_cost_a_few_plain_loops(report: Report, plain_loop: PlainLoop) -> None:
    values = make_values(MILLION)
    jitter = np.random.default_rng(2).integers(-1_000_000, 1_000_000, MILLION + 1)
    steps = Steps.from_edges(np.arange(MILLION + 1, dtype=np.int64) * STEP_US + jitter, values)

    def ways(count: int) -> dict[str, Callable[[], object]]:
        # A second of jitter moves the optimum by little: one that lies elsewhere must at least be lower.
        choice, at = best_window(steps, count * STEP_S), plain_loop.search(values, count) * STEP_US
        beside = steps.mean(at, choice.end_us - choice.start_us + at)
        assert beside is None or choice.intensity_g_per_kwh <= beside
        return {
            "ours": lambda: best_window(steps, count * STEP_S),
            "plain": lambda: plain_loop.search(values, count),
        }

    took = slowest(report, ways)
    report.judge(
        "window_unequal", took["ours"], baseline=took["plain"], baseline_name="plain loop in C", baseline_unit="ms"
    )


def test_a_day_costs_microseconds_from_python(report: Report, plain_loop: PlainLoop) -> None:
    values = make_values(288)
    series = make_series(values)
    assert best_window(series, 36 * STEP_S).start_us == plain_loop.search(values, 36) * STEP_US
    took = alternate_ms(
        {
            "ours": lambda: best_window(series, 36 * STEP_S),
            "numpy": lambda: in_numpy(np.array([point.intensity_g_per_kwh for point in series.points]), 36),
        },
        20 if report.smoke else 2000,
    )
    report.judge("window_day", took["ours"] * 1e3, baseline=took["numpy"] * 1e3, baseline_name="numpy, from the series")


def test_a_thousand_jobs_cost_milliseconds(report: Report, plain_loop: PlainLoop) -> None:
    values = make_values(2016)
    series = make_series(values)
    jobs = [Job(STEP_S * (1 + at % 288), (at % 100) * STEP_US, (2016 - at % 50) * STEP_US) for at in range(1000)]

    def one_by_one() -> list[int]:
        return [at % 100 + in_numpy(values[at % 100 : 2016 - at % 50], 1 + at % 288) for at in range(1000)]

    starts = [choice.start_us // STEP_US for choice in plan(jobs, series) if choice is not None]
    assert starts == one_by_one()
    took = alternate_ms({"ours": lambda: plan(jobs, series), "numpy": one_by_one}, 3 if report.smoke else 15)
    report.judge("window_batch", took["ours"], baseline=took["numpy"], baseline_name="numpy, job by job")
