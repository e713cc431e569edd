"""The sampler over the NVIDIA source: no fault of the driver makes a false joule or holds the program up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecarbon._sensors import NvmlLibrary, NvmlSource, Reading, Sampler, flag_names
from codecarbon._sensors._testing import VirtualOps
from tests.support.fresh_python import run_python
from tests.support.nvml_stub import NvmlStub

S = 1_000_000_000
FIELDS = "nvmlDeviceGetFieldValues"


class Rig:
    """Stub, source and sampler on one virtual clock."""

    def __init__(self, stub: NvmlStub, start_ns: int = 1_000 * S) -> None:
        self.stub = stub
        self.ops = VirtualOps(start_ns=start_ns)
        stub.set_time(self.ops.now_ns)
        library = NvmlLibrary(str(stub.path))
        library.open()
        self.source = NvmlSource(library, with_utilisation=False, ops=self.ops)
        self.sampler = Sampler(
            [self.source], idle_period_ns=self.source.recommended_period_ns, slow_read_ns=0, ops=self.ops
        )

    def tick(self, after_s: float = 0.1) -> int:
        self.ops.advance(round(after_s * S))
        self.stub.set_time(self.ops.now_ns)
        self.sampler.step()
        return self.ops.now_ns

    def run(self, seconds: float, step_s: float = 0.1) -> int:
        for _ in range(round(seconds / step_s)):
            self.tick(step_s)
        return self.ops.now_ns

    def window(self, start_ns: int, end_ns: int, channel: int = 0) -> tuple[int, int, int, tuple[str, ...]]:
        first: Reading = self.sampler.resolve(start_ns)
        energy_uj, low_uj, high_uj, _, flags = first.energy(self.sampler.resolve(end_ns), channel)
        return energy_uj, low_uj, high_uj, flag_names(flags)

    def true_uj(self, start_ns: int, end_ns: int) -> int:
        return self.stub.true_uj(0, end_ns) - self.stub.true_uj(0, start_ns)


def check(rig: Rig, start_ns: int, end_ns: int) -> tuple[str, ...]:
    energy_uj, low_uj, high_uj, flags = rig.window(start_ns, end_ns)
    truth_uj = rig.true_uj(start_ns, end_ns)
    assert low_uj <= truth_uj <= high_uj
    assert 0 <= low_uj <= energy_uj <= high_uj
    return flags


def check_total(rig: Rig, base_ns: int, t_ns: int) -> None:
    """Compare one instant, without the slack of a window's other end; the first reading showed base_ns."""
    _, low_uj, high_uj, lost_uj = rig.sampler.resolve(t_ns).channel(0)
    assert lost_uj == 0
    assert low_uj <= rig.true_uj(base_ns, t_ns) <= high_uj


def test_a_window_over_a_stepping_counter_holds_the_truth(tmp_path: Path) -> None:
    rig = Rig(NvmlStub.private(tmp_path, watts=300.0))
    start_ns = rig.run(5.0)
    end_ns = rig.run(10.0)
    rig.run(2.0)
    assert check(rig, start_ns, end_ns) == ()
    assert rig.window(start_ns, end_ns)[0] == pytest.approx(3_000_000_000, rel=0.001)


@pytest.mark.parametrize(("update_ms", "within"), [(20, 0.005), (100, 0.005), (106, 0.0075)])
@pytest.mark.parametrize("phase_ms", [1, 33, 77, 99])
@pytest.mark.parametrize("settle_s", [0.0, 1.0])
def test_a_run_from_its_first_reading_on_is_right(
    tmp_path: Path, update_ms: int, within: float, phase_ms: int, settle_s: float
) -> None:
    stub = NvmlStub.private(tmp_path, f"period_ms {update_ms}", watts=300.0)
    rig = Rig(stub, start_ns=1_000 * S + phase_ms * 1_000_000)
    start_ns = rig.tick(0.0)
    end_ns = rig.run(10.0)
    rig.run(settle_s)
    assert check(rig, start_ns, end_ns) == ()
    # Where updates and ticks drift against each other, each end is uncertain by half a tick.
    assert rig.window(start_ns, end_ns)[0] == pytest.approx(3_000_000_000, rel=within)


def test_two_ticks_around_the_first_update_lose_nothing(tmp_path: Path) -> None:
    rig = Rig(NvmlStub.private(tmp_path, watts=300.0), start_ns=1_000 * S + 99_500_000)
    start_ns = rig.tick(0.0)
    rig.tick(0.001)
    end_ns = rig.run(5.0)
    rig.run(1.0)
    assert check(rig, start_ns, end_ns) == ()
    assert rig.window(start_ns, end_ns)[0] == pytest.approx(1_500_000_000, rel=0.05)


def test_a_restart_of_the_counter_is_a_reset_and_never_negative_nor_a_wrap(tmp_path: Path) -> None:
    rig = Rig(NvmlStub.private(tmp_path, watts=300.0))
    start_ns = rig.run(5.0)
    rig.stub.reset_counter(0)
    end_ns = rig.run(5.0)
    rig.run(1.0)
    flags = check(rig, start_ns, end_ns)
    assert "RESET" in flags
    assert "WRAP" not in flags
    assert rig.window(start_ns, end_ns)[0] <= 3_000_000_000


@pytest.mark.parametrize("code", [10, 21, 999])
def test_dropped_samples_are_errors_and_cost_no_energy(tmp_path: Path, code: int) -> None:
    rig = Rig(NvmlStub.private(tmp_path, watts=300.0))
    start_ns = rig.run(5.0)
    rig.stub.fail(FIELDS, code, count=20)
    end_ns = rig.run(5.0)
    rig.run(1.0)
    assert "ERR" in check(rig, start_ns, end_ns)
    assert rig.window(start_ns, end_ns)[0] == pytest.approx(1_500_000_000, rel=0.02)


@pytest.mark.parametrize("lines", [(), ("energy 0", "averages_power 0")], ids=["counter", "integral"])
def test_a_gpu_that_was_lost_begins_anew(tmp_path: Path, lines: tuple[str, ...]) -> None:
    rig = Rig(NvmlStub.private(tmp_path, *lines, watts=300.0))
    start_ns = rig.run(5.0)
    rig.stub.fail("", 15, count=3)
    rig.stub.reset_counter(0)
    end_ns = rig.run(100.0)
    rig.run(1.0)
    energy_uj, _, high_uj, flags = rig.window(start_ns, end_ns)
    assert {"ERR", "RESET"} <= set(flags)
    assert energy_uj <= rig.true_uj(start_ns, end_ns) <= high_uj
    assert rig.sampler.state(0).errors > 100
    assert not rig.sampler.state(0).is_gone


def test_a_metric_that_failed_a_hundred_times_is_gone_and_comes_back(tmp_path: Path) -> None:
    rig = Rig(NvmlStub.private(tmp_path, watts=300.0))
    start_ns = rig.run(5.0)
    rig.stub.fail(FIELDS, 999, count=102)
    rig.run(11.0)
    assert rig.sampler.state(0).is_gone
    end_ns = rig.run(20.0)
    rig.run(1.0)
    assert not rig.sampler.state(0).is_gone
    assert check(rig, start_ns, end_ns)
    # The counter went on counting while nobody could read it.
    assert rig.window(start_ns, end_ns)[0] == pytest.approx(9_300_000_000, rel=0.01)


def test_too_many_ticks_cost_neither_energy_nor_the_channel(tmp_path: Path) -> None:
    rig = Rig(NvmlStub.private(tmp_path, watts=300.0))
    start_ns = rig.run(2.0)
    end_ns = rig.run(4.0, step_s=0.002)
    rig.run(1.0)
    check(rig, start_ns, end_ns)
    assert not rig.sampler.state(0).is_gone
    assert rig.window(start_ns, end_ns)[0] == pytest.approx(1_200_000_000, rel=0.05)


def test_a_dropped_sample_cannot_narrow_the_bound(tmp_path: Path) -> None:
    # The update at 1000 s is shown by the tick at 1000.15 s only, because the tick at 1000.05 s is dropped.
    rig = Rig(NvmlStub.private(tmp_path, "period_ms 1000", watts=300.0), start_ns=999 * S + 450_000_000)
    rig.run(0.5)
    rig.stub.fail(FIELDS, 999, count=1)
    rig.run(3.0)
    for t_ns in range(1_000 * S - 40_000_000, 1_000 * S + 60_000_000, 5_000_000):
        check_total(rig, 999 * S, t_ns)


def test_a_skipped_reading_cannot_narrow_the_bound_either(tmp_path: Path) -> None:
    rig = Rig(NvmlStub.private(tmp_path, "period_ms 1000", watts=300.0), start_ns=999 * S + 450_000_000)
    rig.run(0.5)
    calls = rig.stub.calls(FIELDS)
    for _ in range(15):
        rig.tick(0.010)
    assert rig.stub.calls(FIELDS) < calls + 15
    rig.run(3.0)
    for t_ns in range(1_000 * S - 40_000_000, 1_000 * S + 120_000_000, 5_000_000):
        check_total(rig, 999 * S, t_ns)
    assert rig.sampler.state(0).errors == 0


steps = st.lists(
    st.tuples(
        st.floats(0.001, 2.0),  # time to the next tick
        st.sampled_from([0.0, 5.0, 80.0, 300.0, 690.0]),  # power from then on
        st.sampled_from([0, 0, 0, 1, 3]),  # samples that are dropped
    ),
    min_size=10,
    max_size=40,
)


@given(steps=steps, data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_truth_lies_inside_the_bound_whatever_is_dropped(tmp_path_factory, steps, data) -> None:
    stub = NvmlStub.private(tmp_path_factory.mktemp("stub"), watts=100.0)
    rig = Rig(stub)
    first_ns = rig.run(1.0)
    for wait_s, power_w, dropped in steps:
        stub.set_power(0, power_w)
        if dropped:
            stub.fail(FIELDS, 999, count=dropped)
        last_ns = rig.tick(wait_s)
    rig.run(3.0)
    for _ in range(5):
        ends = sorted(data.draw(st.integers(first_ns, last_ns)) for _ in range(2))
        check(rig, ends[0], ends[1])


def test_a_real_thread_measures_the_truth(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "period_ms 20", watts=300.0)
    library = NvmlLibrary(str(stub.path))
    library.open()
    source = NvmlSource(library)
    sampler = Sampler([source], idle_period_ns=source.recommended_period_ns, slow_read_ns=0)
    sampler.start()
    assert sampler.tick(10.0)
    start_ns = time.monotonic_ns()
    time.sleep(0.8)
    end_ns = time.monotonic_ns()
    time.sleep(0.25)
    assert sampler.stop()
    energy_uj, low_uj, high_uj, _, flags = sampler.resolve(start_ns).energy(sampler.resolve(end_ns), 0)
    truth_uj = stub.true_uj(0, end_ns) - stub.true_uj(0, start_ns)
    assert low_uj <= truth_uj <= high_uj
    assert energy_uj == pytest.approx(truth_uj, rel=0.05)
    assert flag_names(flags) == ()


STUCK = """
import sys, time
from pathlib import Path
from codecarbon._sensors import NvmlLibrary, NvmlSource, Sampler
from tests.support.nvml_stub import NvmlStub
stub = NvmlStub.private(Path(sys.argv[1]))
library = NvmlLibrary(str(stub.path))
library.open()
source = NvmlSource(library)
sampler = Sampler([source], idle_period_ns=source.recommended_period_ns, slow_read_ns=0)
sampler.start()
assert sampler.tick(10.0)
stub.fail("nvmlDeviceGetFieldValues", delay_ns=int(sys.argv[2]))
sampler.tick(0.01)
before = time.monotonic()
is_over = sampler.stop() if sys.argv[3] == "stop" else None
if sys.argv[3] == "close":
    sampler.close()
    del sampler, source
    assert not library.close(0.1)
print(is_over)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "printed"), [("stop", "False"), ("exit", "None"), ("close", "None")])
def test_a_stall_of_five_seconds_at_stop_ends_within_three(tmp_path: Path, how: str, printed: str) -> None:
    before = time.monotonic()
    assert run_python(STUCK, str(tmp_path), "5000000000", how) == printed
    assert time.monotonic() - before < 3.0


def test_a_stall_of_half_a_second_is_waited_for(tmp_path: Path) -> None:
    assert run_python(STUCK, str(tmp_path), "500000000", "stop") == "True"


def test_a_forked_child_keeps_the_record_and_measures_anew(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from codecarbon._sensors import NvmlLibrary, NvmlSource, Sampler
from tests.support.nvml_stub import NvmlStub
stub = NvmlStub.private(Path(sys.argv[1]))
library = NvmlLibrary(str(stub.path))
def begin():
    library.open()
    sampler = Sampler([NvmlSource(library)], idle_period_ns=10**8, slow_read_ns=0)
    sampler.start()
    assert sampler.tick(10.0)
    return sampler
sampler = begin()
pid = os.fork()
if pid == 0:
    assert not sampler.is_running
    assert sampler.head >= 1
    assert begin().stop()
    sampler.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert sampler.tick(10.0)
assert sampler.state(0).errors == 0
print("ok")
"""
    assert run_python(script, str(tmp_path)) == "ok"
