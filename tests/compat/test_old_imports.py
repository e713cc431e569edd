"""Import paths of codecarbon 3, and what a bare import costs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import codecarbon
from tests.support.drive import driven

OLD_NAMES = {
    "codecarbon": "EmissionsTracker OfflineEmissionsTracker OutputMethod track_emissions __version__ __app_name__",
    "codecarbon.emissions_tracker": (
        "BaseEmissionsTracker EmissionsTracker OfflineEmissionsTracker TaskEmissionsTracker track_emissions "
        "track_task_emissions EmissionsData"
    ),
    "codecarbon.output": "BaseOutput OutputMethod EmissionsData TaskEmissionsData FileOutput LoggerOutput",
    "codecarbon.output_methods.emissions_data": "EmissionsData TaskEmissionsData",
    "codecarbon.external.logger": "logger set_logger_format set_logger_level",
    "codecarbon.external.scheduler": "PeriodicScheduler",
    "codecarbon.external.task": "Task",
    "codecarbon.external.hardware": "MODE_CPU_LOAD POWER_CONSTANT CONSUMPTION_PERCENTAGE_CONSTANT",
    "codecarbon.external.ram": "RAM RAM_SLOT_POWER_X86",
    "codecarbon.core.cpu": "TDP DEFAULT_POWER_PER_CORE is_rapl_available is_psutil_available is_powergadget_available",
    "codecarbon.core.hardware_cache": "clear_cache",
    "codecarbon.lock": "Lock LOCKFILE",
    "codecarbon.core.units": "Time Energy Power Water EmissionsPerKWh",
}


@pytest.mark.parametrize("path", OLD_NAMES)
def test_old_path(path):
    module = importlib.import_module(path)
    for name in OLD_NAMES[path].split():
        assert hasattr(module, name), name


def test_old_and_new_names_are_the_same_objects():
    from codecarbon import emissions_tracker

    assert emissions_tracker.EmissionsTracker is codecarbon.EmissionsTracker
    assert emissions_tracker.EmissionsData is codecarbon.EmissionsData
    assert codecarbon.__app_name__ == "codecarbon"


def test_everything_in_all_resolves():
    for name in codecarbon.__all__:
        assert getattr(codecarbon, name) is not None
    assert set(codecarbon.__all__) <= set(dir(codecarbon))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        codecarbon.no_such_name  # noqa: B018 (the access is the test)
    with pytest.raises(ImportError):
        from codecarbon import no_such_name  # noqa: F401


def run(code: str) -> object:
    """The JSON that a bare interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_submodules_are_reachable_after_a_bare_import():
    assert (
        run("import codecarbon, json; print(json.dumps(codecarbon.output.EmissionsData.__name__))") == "EmissionsData"
    )


def test_bare_import_loads_nothing_heavy():
    code = """
import sys
before = set(sys.modules)
import codecarbon
new = sorted(set(sys.modules) - before)
import json
print(json.dumps(new))
"""
    assert run(code) == ["codecarbon", "codecarbon._version"]


def test_find_spec_works():
    import importlib.util

    assert importlib.util.find_spec("codecarbon") is not None
    assert codecarbon.__spec__ is not None


def test_periodic_scheduler_calls_on_and_stops_twice(caplog):
    from codecarbon.external.scheduler import PeriodicScheduler

    ticked = threading.Semaphore(0)

    def tick(a, b):
        assert (a, b) == (1, 2)
        ticked.release()
        raise ValueError("logged, not fatal")

    scheduler = PeriodicScheduler(0.001, tick, 1, b=2)
    scheduler.start()
    scheduler.start()
    assert all(ticked.acquire(timeout=5) for _ in range(3))
    scheduler.stop()
    scheduler.stop()
    assert not scheduler.is_running


def test_task_can_be_made_by_hand():
    from codecarbon.external.task import Task

    task = Task("mine")
    assert (task.task_name, task.is_active, task.emissions_data) == ("mine", False, None)


def fake_proc(tmp_path: Path, *, brand: str, cpus: int, gib: int) -> Path:
    """A /proc with a processor and an amount of memory."""
    block = "processor\t: {}\nvendor_id\t: GenuineIntel\nmodel name\t: " + brand + "\nphysical id\t: 0\n\n"
    (tmp_path / "cpuinfo").write_text("".join(block.format(number) for number in range(cpus)))
    (tmp_path / "meminfo").write_text(f"MemTotal: {gib * 1024 * 1024} kB\n")
    return tmp_path


def test_tdp(tmp_path, monkeypatch):
    from codecarbon.core.cpu import DEFAULT_POWER_PER_CORE, TDP

    name = "Intel(R) Core(TM) i7-8850H CPU @ 2.60GHz"
    monkeypatch.setenv("CODECARBON_PROCFS_ROOT", str(fake_proc(tmp_path, brand=name, cpus=2, gib=8)))
    assert (TDP().model, TDP().tdp) == (name, 45)
    fake_proc(tmp_path, brand="Nobody's processor", cpus=6, gib=8)
    assert TDP().tdp == 6 * DEFAULT_POWER_PER_CORE == 24


def test_rapl_is_available_where_a_counter_moves(tmp_path, monkeypatch):
    from codecarbon.core.cpu import is_rapl_available

    (tmp_path / "none").mkdir()
    monkeypatch.setenv("CODECARBON_DEV_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("CODECARBON_SYSFS_ROOT", str(tmp_path / "none"))
    assert not is_rapl_available()
    with driven("powercap", tmp_path / "tree", watts=100) as env:
        monkeypatch.setenv("CODECARBON_SYSFS_ROOT", env["CODECARBON_SYSFS_ROOT"])
        assert is_rapl_available()


def test_ram_model(tmp_path, monkeypatch):
    from codecarbon.external.ram import RAM

    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("CODECARBON_PROCFS_ROOT", str(fake_proc(tmp_path, brand="x", cpus=1, gib=128)))
    assert pytest.approx(38) == RAM().total_power().W
    assert pytest.approx(7) == RAM(force_ram_power=7).total_power().W
    power, energy = RAM().measure_power_and_energy(3600)
    assert energy.kWh == pytest.approx(power.W / 1000)
    # D-19: a small process is not charged a floor
    share = RAM(tracking_mode="process", children=False)
    assert 0 < share.total_power().W == pytest.approx(38 * share.process_memory_GB / 128, rel=0.2)
    assert share.total_power().W < 5


def test_clearing_the_cache_is_harmless():
    from codecarbon.core.hardware_cache import clear_cache

    clear_cache()
