"""Trackers on real samplers that read driven counters: the truth is known, so it must lie in what they say."""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codecarbon import OfflineEmissionsTracker
from codecarbon.model import EmissionsRecord
from codecarbon.units import j_from_kwh
from tests.support.drive import driven
from tests.support.fake_powercap import RANGE_ESU_14_UJ
from tests.support.nvml_stub import NvmlStub

PACKAGE_W = 100.0
DRAM_W = 20.0


@pytest.fixture(params=[0, RANGE_ESU_14_UJ - 30_000_000], ids=["from zero", "wrapping on the way"])
def counters(request, tmp_path, monkeypatch):
    with driven("powercap", tmp_path / "tree", watts=PACKAGE_W, dram=DRAM_W, sockets=2, start_uj=request.param) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield


def make(tmp_path: Path, **options) -> OfflineEmissionsTracker:
    return OfflineEmissionsTracker(country_iso_code="FRA", output_dir=tmp_path, log_level="error", **options)


def check(record: EmissionsRecord, seconds: float) -> None:
    """The truth lies inside the stated bound of every component, and near the estimate."""
    for name, power_w in (("cpu", 2 * PACKAGE_W), ("ram", 2 * DRAM_W)):
        part = record.window.component(name)
        truth_j = power_w * seconds
        assert part.method == "measured"
        assert part.bound_kind == "hard"
        assert part.low_j <= truth_j <= part.high_j, (name, part, truth_j)
        # Writer and sampler share the machine with other tests: a late write moves an end by some milliseconds.
        assert part.energy_j == pytest.approx(truth_j, abs=0.03 * power_w + 0.005 * truth_j)


@pytest.mark.usefixtures("counters")
def test_a_run_reports_the_true_energy_within_its_own_bound(tmp_path):
    with make(tmp_path) as tracker:
        began = tracker.mark()
        time.sleep(1.0)
        seconds = (tracker.mark().t_ns - began.t_ns) / 1e9
    data = tracker.final_emissions_data
    check(tracker.final_record, data.duration)
    assert data.duration == pytest.approx(seconds, abs=0.1)
    assert data.cpu_power == pytest.approx(2 * PACKAGE_W, rel=0.05)
    assert j_from_kwh(data.energy_consumed) == pytest.approx(tracker.final_record.window.energy_j)
    with (tmp_path / "emissions.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert (len(header), len(row)) == (38, 38)
    assert float(row[header.index("cpu_energy")]) == data.cpu_energy


@pytest.mark.usefixtures("counters")
def test_nested_tasks_report_the_true_energy_within_their_own_bounds(tmp_path):
    tracker = make(tmp_path)
    tracker.start()
    time.sleep(0.15)
    tracker.start_task("outer")
    time.sleep(0.1)
    tracker.start_task("inner")
    time.sleep(0.2)
    at_once = tracker.stop_task("inner")
    time.sleep(0.1)
    tracker.stop_task("outer")
    tracker.stop()
    for name in ("outer", "inner"):
        check(tracker.task_record(name), tracker._tasks[name].emissions_data.duration)
    assert at_once.cpu_energy == pytest.approx(tracker._tasks["inner"].emissions_data.cpu_energy, rel=0.2)
    assert tracker.task_record("outer").window.energy_j < tracker.final_record.window.energy_j


@pytest.mark.usefixtures("counters")
def test_tasks_without_a_run_sum_to_it_exactly(tmp_path):
    tracker = make(tmp_path, output_methods=[])
    for name in ("a", "b", "c"):
        tracker.start_task(name)
        time.sleep(0.12)
        tracker.stop_task(name)
        time.sleep(0.03)
    tracker.stop()
    for component in ("cpu", "ram"):
        parts = [tracker.task_record(name).window.component(component) for name in ("a", "b", "c")]
        whole = tracker.final_record.window.component(component)
        assert sum(channel.energy_uj for part in parts for channel in part.channels) == sum(
            channel.energy_uj for channel in whole.channels
        )
    assert tracker.final_emissions_data.duration == pytest.approx(0.36, abs=0.1)


def test_two_trackers_share_the_sensors_and_agree(tmp_path, monkeypatch):
    with driven("powercap", tmp_path / "tree", watts=PACKAGE_W) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with make(tmp_path, output_methods=[]) as outer, make(tmp_path, output_methods=[]) as inner:
            time.sleep(0.5)
        powers_w = [tracker.final_emissions_data.cpu_power for tracker in (outer, inner)]
    assert powers_w == [pytest.approx(PACKAGE_W, rel=0.1)] * 2


def test_a_restart_leaves_the_pause_out(tmp_path, monkeypatch):
    with driven("powercap", tmp_path / "tree", watts=PACKAGE_W) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        tracker = make(tmp_path, output_methods=[])
        for _ in range(2):
            tracker.start()
            time.sleep(0.3)
            tracker.stop()
            time.sleep(0.3)
    window = tracker.final_record.window
    assert window.duration_s == pytest.approx(0.6, abs=0.1)
    part = window.component("cpu")
    assert part.low_j <= PACKAGE_W * window.duration_s <= part.high_j


def test_without_sensors_the_model_stands_in_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "sys").mkdir()
    (tmp_path / "dev").mkdir()
    monkeypatch.setenv("CODECARBON_SYSFS_ROOT", str(tmp_path / "sys"))
    monkeypatch.setenv("CODECARBON_DEV_ROOT", str(tmp_path / "dev"))
    with make(tmp_path) as tracker:
        time.sleep(0.2)
    part = tracker.final_record.window.component("cpu")
    assert (part.method, part.bound_kind) == ("modelled", "plausible")
    assert part.low_j == 0.0
    assert part.low_j <= part.energy_j <= part.high_j
    assert tracker.final_emissions > 0


@pytest.mark.slow
def test_graphics_cards_are_counted_named_and_bounded(tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("CODECARBON_SYSFS_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("CODECARBON_DEV_ROOT", str(tmp_path / "none"))
    stub = NvmlStub.private(tmp_path, gpus=2, watts=300)
    tracker = make(tmp_path, nvml_library=stub.path)
    before = tracker.get_detected_hardware()
    assert before["gpu_count"] == 2
    assert before["gpu_model"].startswith("2 x ")
    tracker.start()
    deadline_s = time.monotonic() + 10
    while not tracker._run.session.gpus:
        assert time.monotonic() < deadline_s, "the library never answered"
        tracker._measure_power_and_energy()
        time.sleep(0.01)
    time.sleep(1.2)
    begin = tracker.mark()
    time.sleep(1.0)
    end = tracker.mark()
    time.sleep(0.3)
    part = tracker.energy(begin, end).window.component("gpu")
    tracker.stop()
    truth_j = 600.0 * (end.t_ns - begin.t_ns) / 1e9
    assert part.method == "measured"
    assert part.low_j <= truth_j <= part.high_j
    assert part.energy_j == pytest.approx(truth_j, rel=0.05)
    data = tracker.final_emissions_data
    assert data.gpu_count == 2
    assert data.gpu_model == before["gpu_model"]
    assert data.gpu_energy > 0
    assert tracker._conf["gpu_count"] == 2


def test_one_of_two_graphics_cards_is_counted(tmp_path):
    stub = NvmlStub.private(tmp_path, gpus=2, watts=300)
    found = make(tmp_path, nvml_library=stub.path, gpu_ids=[1]).get_detected_hardware()
    assert (found["gpu_count"], found["gpu_ids"]) == (1, (1,))


BURN = "import time\nwhile time.process_time() < 0.25: pass"


@pytest.mark.slow
@pytest.mark.parametrize("measure_power_secs", [0.1, 15])
def test_d08_exited_children_count_whatever_the_interval(tmp_path, monkeypatch, measure_power_secs):
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("CODECARBON_SYSFS_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("CODECARBON_DEV_ROOT", str(tmp_path / "none"))
    cpus = os.cpu_count() or 1
    tracker = make(
        tmp_path,
        tracking_mode="process",
        force_cpu_power=100.0 * cpus,
        measure_power_secs=measure_power_secs,
        output_methods=[],
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tracker:
        for _ in range(4):
            subprocess.run([sys.executable, "-I", "-c", BURN], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    part = tracker.final_record.window.component("cpu")
    assert part.method == "modelled"
    assert part.scope == "process"
    # 100 W for each second of processor time, this process's own included; the kernel counts it in hundredths.
    assert 0.9 * 100 * spent_s <= part.energy_j <= 100 * (spent_s + 1.0)
