"""The old GPU modules, over nvidia-ml-py and the stub library, each case in an interpreter of its own."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.nvml_stub import CONFIG_VARIABLE, build_stub, config_text

PRELUDE = """
import ctypes, json, logging, os
logging.basicConfig(format="%(name)s: %(message)s")
from codecarbon.core.gpu import AllGPUDevices
from codecarbon.core.units import Time
stub = ctypes.CDLL("libnvidia-ml.so.1")
stub.stub_set_time.argtypes = [ctypes.c_int64]
stub.stub_set_power.argtypes = [ctypes.c_int, ctypes.c_uint64]
def at(seconds):
    stub.stub_set_time(int(seconds * 1e9))
at(1000)
"""


def run(tmp_path: Path, script: str, *lines: str, gpus: int = 2) -> tuple[Any, str]:
    """Run a script beside the stub; what it printed as JSON, and its log."""
    config = tmp_path / "stub.conf"
    config.write_text(config_text(*lines, gpus=gpus, watts=300.0))
    environment = {**os.environ, "LD_LIBRARY_PATH": str(build_stub().parent), CONFIG_VARIABLE: str(config)}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_static_info_names_each_card(tmp_path: Path) -> None:
    script = "gpus = AllGPUDevices(); print(json.dumps([gpus.device_count, gpus.get_gpu_static_info()]))"
    (count, cards), _ = run(tmp_path, script, "gpu1.limit_watts 0", "gpu1.name NVIDIA T4")
    assert count == 2
    assert cards[0] == {
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": "GPU-4e81a1b2-0000-0000-0000-000000000000",
        "total_memory": 80 << 30,
        "power_limit": 700.0,
        "gpu_index": 0,
    }
    assert (cards[1]["name"], cards[1]["power_limit"]) == ("NVIDIA T4", None)


def test_details_hold_what_the_old_ones_held(tmp_path: Path) -> None:
    script = "print(json.dumps([AllGPUDevices().get_gpu_details(), AllGPUDevices().get_gpu_utilization_list()]))"
    (details, utilisation), _ = run(tmp_path, script, gpus=1)
    assert details[0] == {
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": "GPU-4e81a1b2-0000-0000-0000-000000000000",
        "total_memory": 80 << 30,
        "power_limit": 700.0,
        "gpu_index": 0,
        "free_memory": 76 << 30,
        "used_memory": 4 << 30,
        "temperature": 42,
        "power_usage": 300.0,
        "total_energy_consumption": 300_000_000,
        "gpu_utilization": 50,
        "compute_mode": 0,
        "compute_processes": [{"pid": 16, "used_memory": 1 << 20}],
        "graphics_processes": [{"pid": 8, "used_memory": 1 << 20}],
    }
    assert utilisation == [{"gpu_index": 0, "gpu_utilization": 50}]


DELTA = """
gpus = AllGPUDevices()
gpus.start()
found = []
for second in (1010, 1020):
    at(second)
    found.append([[d["gpu_index"], d["delta_energy_consumption"].kWh * 3.6e6, d["power_usage"].W]
                  for d in gpus.get_delta(Time(10))])
    stub.stub_set_power(0, 100000)
print(json.dumps(found))
"""


@pytest.mark.parametrize("lines", [(), ("averages_power 0", "energy 0")], ids=["counter", "d20 power only"])
def test_deltas_are_energy_and_mean_power(tmp_path: Path, lines: tuple[str, ...]) -> None:
    (first, second), log = run(tmp_path, DELTA, *lines)
    assert first == [[0, pytest.approx(3000.0), pytest.approx(300.0)], [1, pytest.approx(3000.0), pytest.approx(300.0)]]
    # By its ends, a power sensor sees 300 W and 100 W; a counter sees 100 W all along.
    assert second[0][1] == pytest.approx(2000.0 if lines else 1000.0)
    assert log == ""


def test_a_card_without_counter_and_power_is_said_once(tmp_path: Path) -> None:
    (first, second), log = run(tmp_path, DELTA, "energy 0", "power 0", gpus=1)
    assert first[0][1] == second[0][1] == 0.0
    assert log.count("The energy of GPU 0 is not known for a while, and is left out") == 1


def test_a_restarted_counter_is_no_negative_energy(tmp_path: Path) -> None:
    script = """
gpus = AllGPUDevices()
gpus.start()
at(1010)
stub.stub_reset_counter(0)
at(1011)
found = [gpus.get_delta(Time(11))[0]["delta_energy_consumption"].kWh * 3.6e6]
at(1012)
found.append(gpus.get_delta(Time(1))[0]["delta_energy_consumption"].kWh * 3.6e6)
print(json.dumps(found))
"""
    found, log = run(tmp_path, script, gpus=1)
    assert found == [0.0, pytest.approx(300.0)]
    assert "GPU 0 is not known" in log


def test_d48_importing_starts_nothing_and_d41_no_program_is_run(tmp_path: Path) -> None:
    script = """
before = stub.stub_refcount()
os.environ["PATH"] = ""
from codecarbon.core.gpu import PYNVML_AVAILABLE, is_gpu_details_available, is_nvidia_system
print(json.dumps([before, PYNVML_AVAILABLE, is_gpu_details_available(), is_nvidia_system(), stub.stub_refcount()]))
"""
    assert run(tmp_path, script)[0] == [0, True, True, True, 1]


def test_a_driver_that_is_not_loaded_means_no_cards(tmp_path: Path) -> None:
    script = """
from codecarbon.core.gpu_nvidia import PYNVML_AVAILABLE
print(json.dumps([PYNVML_AVAILABLE, AllGPUDevices().device_count, AllGPUDevices().get_gpu_details()]))
"""
    assert run(tmp_path, script, "init 9")[0] == [False, 0, []]


def test_a_failing_list_is_a_warning_and_empty(tmp_path: Path) -> None:
    found, log = run(
        tmp_path, "print(json.dumps(AllGPUDevices().device_count))", "error nvmlDeviceGetCount_v2 -1 -1 -1 999 0 0 -1"
    )
    assert found == 0
    assert "The NVIDIA cards cannot be listed" in log


def test_the_stub_has_what_other_readers_resolve() -> None:
    library = ctypes.CDLL(str(build_stub(is_private=True)), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    for symbol in (
        "nvmlDeviceGetC2cModeInfoV",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetPersistenceMode",
        "nvmlDeviceGetPowerManagementDefaultLimit",
        "nvmlDeviceGetPowerManagementLimitConstraints",
        "nvmlDeviceGetComputeRunningProcesses_v2",
        "nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
        "nvmlDeviceGetSupportedMemoryClocks",
    ):
        assert getattr(library, symbol)
