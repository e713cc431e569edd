"""Opening, listing, calibrating, closing and forking NVIDIA's library, on the stub."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from codecarbon._sensors import NvmlLibrary, NvmlSource
from tests.support.fresh_python import run_python
from tests.support.nvml_stub import CONFIG_VARIABLE, NvmlStub, build_stub, config_text


def test_a_handle_costs_nothing_before_begin() -> None:
    library = NvmlLibrary("libnvidia-nowhere.so.1")
    assert library.poll() == "new"
    assert library.error is None
    with pytest.raises(ValueError, match="not open but new"):
        library.devices()


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_must_be_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a library's name"):
        NvmlLibrary(name)


def test_open_lists_the_devices(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "gpu1.name NVIDIA GeForce RTX 4090", "gpu1.brand 5", gpus=2)
    first, second = NvmlLibrary(str(stub.path)).open()
    assert (first.index, first.uuid) == (0, "GPU-4e81a1b2-0000-0000-0000-000000000000")
    assert first.name == "NVIDIA H100 80GB HBM3"
    assert first.memory_total_bytes == 80 << 30
    assert first.power_limit_w == 700.0
    assert first.pci_bus_id == "00000000:01:00.0"
    assert (first.method, first.scope, first.refusal) == ("counter", "gpu", "")
    assert not first.is_consumer
    assert not first.has_mig
    assert second.is_consumer


def test_a_driver_without_devices_is_no_error(tmp_path: Path) -> None:
    library = NvmlLibrary(str(NvmlStub.private(tmp_path, gpus=0).path))
    assert library.open() == ()
    with pytest.raises(ValueError, match="none of the devices"):
        NvmlSource(library)


def test_a_missing_library_says_so() -> None:
    library = NvmlLibrary("libnvidia-missing.so.1")
    with pytest.raises(FileNotFoundError, match="cannot be loaded") as caught:
        library.open()
    assert caught.value.errno == errno.ENOENT
    assert library.poll() == "failed"
    assert isinstance(library.error, OSError)


def test_a_library_of_another_kind_says_so() -> None:
    with pytest.raises(OSError, match="lacks functions that every version of NVML has"):
        NvmlLibrary("libm.so.6").open()


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (9, errno.ENODEV, "kernel driver is not loaded"),
        (12, errno.ENOENT, "a library that the driver needs is missing"),
        (18, errno.ELIBBAD, "different versions"),
        (4, errno.EACCES, "denies access"),
        (999, errno.EIO, "unknown error"),
    ],
)
def test_a_code_at_the_start_means_no_nvml_and_why(tmp_path: Path, code: int, error: int, words: str) -> None:
    library = NvmlLibrary(str(NvmlStub.private(tmp_path, f"init {code}").path))
    with pytest.raises(OSError, match=words) as caught:
        library.open()
    assert caught.value.errno == error
    assert caught.value.nvml_code == code
    assert library.poll() == "failed"


def test_a_failed_start_can_be_tried_again(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", 9, count=1)
    library = NvmlLibrary(str(stub.path))
    with pytest.raises(OSError, match="not loaded"):
        library.open()
    assert len(library.open()) == 1


def test_begin_never_waits_for_the_driver(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", delay_ns=300_000_000)
    library = NvmlLibrary(str(stub.path))
    before = time.monotonic()
    library.begin()
    assert time.monotonic() - before < 0.1
    assert library.poll() == "opening"
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.01 s"):
        library.open(timeout_s=0.01)
    assert len(library.open()) == 1


def test_waiting_ends_with_the_state_and_lets_python_run(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", delay_ns=200_000_000)
    library = NvmlLibrary(str(stub.path))
    library.begin()
    assert library.wait(0.01) == "opening"
    states = []
    waiter = threading.Thread(target=lambda: states.append(library.wait()))
    waiter.start()
    assert library.poll() == "opening"
    waiter.join()
    assert states == ["ready"]


def test_all_handles_of_a_name_share_one_start(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    for _ in range(3):
        NvmlLibrary(str(stub.path)).open()
    assert stub.refcount() == 1


def test_close_gives_the_start_back_once_and_voids_sources(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    library = NvmlLibrary(str(stub.path))
    library.open()
    source = NvmlSource(library)
    assert library.close()
    assert library.close()
    assert stub.refcount() == 0
    assert [status for _, status in source.read()] == [-errno.ESTALE, -errno.ESTALE]
    library.open()
    assert stub.refcount() == 1
    assert [status for _, status in source.read()] == [-errno.ESTALE, -errno.ESTALE]
    assert [status for _, status in NvmlSource(library).read()] == [0, 0]


def test_close_does_not_wait_for_a_driver_that_hangs(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", delay_ns=500_000_000)
    library = NvmlLibrary(str(stub.path))
    library.begin()
    before = time.monotonic()
    assert not library.close(timeout_s=0.05)
    assert time.monotonic() - before < 0.3
    # The start that completes after all is given back by the helper.
    assert library.wait_calibrated(timeout_s=5.0)
    assert library.poll() == "closed"
    assert stub.refcount() == 0


def test_calibration_finds_the_update_period_and_compares_energy_with_power(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "period_ms 20", watts=250.0)
    library = NvmlLibrary(str(stub.path))
    library.open(calibrate_s=0.3)
    assert library.wait_calibrated()
    assert library.is_calibrated
    (device,) = library.devices()
    assert device.update_period_ns == pytest.approx(20e6, rel=0.5)
    assert device.max_period_ns >= device.update_period_ns
    assert device.energy_to_power_ratio == pytest.approx(1.0, abs=0.2)


def test_a_counter_that_stands_still_is_given_the_time_watched_as_its_period(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "period_ms 60000", watts=250.0)
    library = NvmlLibrary(str(stub.path))
    library.open(calibrate_s=0.1)
    assert library.wait_calibrated()
    (device,) = library.devices()
    assert device.update_period_ns == 100_000_000
    assert device.energy_to_power_ratio is None


def test_calibration_leaves_consumer_cards_alone(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "name NVIDIA GeForce RTX 4090", "brand 5", "lossy 1")
    library = NvmlLibrary(str(stub.path))
    library.open(calibrate_s=0.2)
    probed = stub.calls("nvmlDeviceGetFieldValues")
    assert library.wait_calibrated()
    assert stub.calls("nvmlDeviceGetFieldValues") == probed
    assert library.devices()[0].update_period_ns == 0


def test_the_stub_is_one_library_for_us_and_for_nvidia_ml_py() -> None:
    script = """
import ctypes, pynvml
from codecarbon._sensors import NvmlLibrary, NvmlSource
pynvml.nvmlInit()
library = NvmlLibrary("libnvidia-ml.so.1")
library.open()
stub = ctypes.CDLL("libnvidia-ml.so.1")
assert stub.stub_refcount() == 2, stub.stub_refcount()
handle = pynvml.nvmlDeviceGetHandleByIndex(1)
theirs = [pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) for _ in range(2)]
source = NvmlSource(library, [1], with_utilisation=False)
ours = source.read()[0][0]
assert theirs[0] <= ours <= pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
assert pynvml.nvmlDeviceGetUUID(handle) == library.devices()[1].uuid
values = pynvml.nvmlDeviceGetFieldValues(handle, [83, (186, 0), (186, 1)])
assert [value.nvmlReturn for value in values] == [0, 0, 3]
assert values[1].value.uiVal == 300000
value_type, samples = pynvml.nvmlDeviceGetSamples(handle, 0, 0)
assert len(samples) == 120 and samples[-1].sampleValue.uiVal == 300000
assert [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)] == [16]
pynvml.nvmlShutdown()
assert stub.stub_refcount() == 1
assert source.read()[0][1] == 0
print("ok")
"""
    library = build_stub()
    config = library.parent / f"shared-{os.getpid()}.conf"
    config.write_text(config_text(gpus=2, watts=300.0))
    try:
        assert run_python(script, LD_LIBRARY_PATH=str(library.parent), **{CONFIG_VARIABLE: str(config)}) == "ok"
    finally:
        config.unlink()


def test_a_forked_child_must_open_anew_and_never_shuts_down(tmp_path: Path) -> None:
    script = """
import os, sys, errno
from pathlib import Path
from codecarbon._sensors import NvmlLibrary, NvmlSource
from tests.support.nvml_stub import NvmlStub
stub = NvmlStub.private(Path(sys.argv[1]))
library = NvmlLibrary(str(stub.path))
library.open()
source = NvmlSource(library)
assert source.read()[0][1] == 0
pid = os.fork()
if pid == 0:
    shutdowns = stub.calls("nvmlShutdown")
    assert library.poll() == "closed"
    assert source.read()[0][1] == -errno.ESTALE
    assert library.close()
    assert stub.calls("nvmlShutdown") == shutdowns
    library.open()
    assert NvmlSource(library).read()[0][1] == 0
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert source.read()[0][1] == 0
assert stub.refcount() == 1
print("ok")
"""
    assert run_python(script, str(tmp_path)) == "ok"


def test_a_fork_while_the_driver_starts_leaves_the_child_free(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from codecarbon._sensors import NvmlLibrary
from tests.support.nvml_stub import NvmlStub
stub = NvmlStub.private(Path(sys.argv[1]))
stub.fail("nvmlDeviceGetCount_v2", delay_ns=300_000_000)
library = NvmlLibrary(str(stub.path))
library.begin()
pid = os.fork()
if pid == 0:
    assert library.poll() == "closed"
    assert library.close(0.0)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert len(library.open()) == 1
print("ok")
"""
    assert run_python(script, str(tmp_path)) == "ok"


@pytest.mark.parametrize("symbol", ["nvmlInitWithFlags", "nvmlDeviceGetFieldValues"])
def test_a_process_ends_while_the_driver_is_stuck(tmp_path: Path, symbol: str) -> None:
    script = """
import sys, time
from pathlib import Path
from codecarbon._sensors import NvmlLibrary
from tests.support.nvml_stub import NvmlStub
stub = NvmlStub.private(Path(sys.argv[1]))
stub.fail(sys.argv[2], delay_ns=5_000_000_000, after=int(sys.argv[3]))
library = NvmlLibrary(str(stub.path))
library.begin(calibrate_s=1.0)
while sys.argv[2] != "nvmlInitWithFlags" and library.poll() != "ready":
    time.sleep(0.001)
print("ok")
"""
    before = time.monotonic()
    after = "0" if symbol == "nvmlInitWithFlags" else "4"
    assert run_python(script, str(tmp_path), symbol, after) == "ok"
    assert time.monotonic() - before < 3.0
