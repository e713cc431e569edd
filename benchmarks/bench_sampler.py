"""One thousand readings a second of four counters, beside a bare C thread that does the same."""

from __future__ import annotations

import ctypes
import os
import shlex
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import codecarbon
from benchmarks.conftest import Report
from benchmarks.machine import FakeMachine, holds

PERIOD_NS = 1_000_000
SOURCE = Path(__file__).parent / "bare_thread.c"


@dataclass(frozen=True)
class Slice:
    """What a sampler did in a stretch of time, per second of it."""

    ticks_hz: float
    cpu_ratio: float


class BareThread:
    """The C thread, built with the machine's compiler."""

    def __init__(self, folder: Path, counters: list[Path]) -> None:
        library = folder / "bare_thread.so"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, "-O2", "-shared", "-fPIC", "-pthread", "-o", library, SOURCE], check=True)
        self.library = ctypes.CDLL(str(library))
        self.paths = (ctypes.c_char_p * len(counters))(*(os.fsencode(path) for path in counters))

    def measure(self, load: Callable[[float], None], seconds: float, expected_uj: int) -> Slice:
        """Run the thread beside a load; its last reading must be the counter's value."""
        began = time.perf_counter()
        status = self.library.bare_start(self.paths, len(self.paths), ctypes.c_int64(PERIOD_NS))
        assert status == 0, os.strerror(status)
        load(seconds)
        ticks, cpu_ns, bad, first = ctypes.c_uint64(), ctypes.c_int64(), ctypes.c_uint64(), ctypes.c_uint64()
        self.library.bare_stop(*(ctypes.byref(value) for value in (ticks, cpu_ns, bad, first)))
        elapsed_s = time.perf_counter() - began
        assert bad.value == 0
        assert first.value == expected_uj
        return Slice(ticks.value / elapsed_s, cpu_ns.value / 1e9 / elapsed_s)


def measure_python_thread(counters: list[Path], load: Callable[[float], None], seconds: float) -> float:
    """Read the counters from a Python thread instead, on the same grid; readings a second."""
    stop_at = time.perf_counter() + seconds
    ticks = 0

    def run() -> None:
        nonlocal ticks
        files = [os.open(path, os.O_RDONLY) for path in counters]
        due = time.perf_counter()
        while due < stop_at:
            for file in files:
                int(os.pread(file, 32, 0))
            ticks += 1
            now = time.perf_counter()
            due += max(1, -int((due - now) * 1e9 // PERIOD_NS)) * PERIOD_NS / 1e9
            time.sleep(max(0.0, due - now))
        for file in files:
            os.close(file)

    thread = threading.Thread(target=run)
    thread.start()
    load(seconds)
    thread.join()
    return ticks / seconds


def measure_ours(meter: codecarbon.EnergyMeter, load: Callable[[float], None], seconds: float) -> Slice:
    """Read our own thread's ticks and CPU time over a window, from the window's record."""
    began = meter.mark()
    load(seconds)
    window = meter.energy(began, meter.mark())
    return Slice(window.ticks / window.duration_s, window.own_cpu_s / window.duration_s)


def spin(seconds: float) -> None:
    """Hold the interpreter with pure Python."""
    stop_at = time.perf_counter() + seconds
    total = 0
    while time.perf_counter() < stop_at:
        for number in range(1000):
            total += number


@pytest.mark.parametrize(("name", "load"), [("idle", time.sleep), ("busy", spin)])
def test_the_sampler_is_nearly_a_bare_c_thread(
    report: Report, fake_machine: FakeMachine, tmp_path: Path, name: str, load: Callable[[float], None]
) -> None:
    rounds, seconds = (5, 0.3) if report.smoke else (10, 2.0)
    bare = BareThread(tmp_path, fake_machine.counters)
    theirs, ours, threads = [], [], []
    for _ in range(rounds):
        theirs.append(bare.measure(load, seconds, fake_machine.energy_uj))
        threads.append(measure_python_thread(fake_machine.counters, load, seconds))
        with codecarbon.EnergyMeter(fake_machine.request(sampling_hz=1000)) as meter:
            load(0.3)
            ours.append(measure_ours(meter, load, seconds))
            begin = meter.mark()
            fake_machine.advance(7_000_000)
            load(0.1)
            assert holds(meter.energy(begin, meter.mark()), 7_000_000)
    for what, field, unit in (("cpu", "cpu_ratio", "of a core"), ("ticks", "ticks_hz", "per s")):
        report.judge(
            f"sampler_{what}_{name}",
            statistics.median(getattr(one, field) for one in ours),
            baseline=statistics.median(getattr(one, field) for one in theirs),
            baseline_name="bare C thread",
            baseline_unit=unit,
        )
    report.note(
        f"sampler_ticks_{name}",
        statistics.median(one.ticks_hz for one in ours),
        unit="per s",
        baseline=statistics.median(threads),
        baseline_name="Python thread",
    )
