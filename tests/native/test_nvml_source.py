"""Reading NVIDIA devices: what is counted, and what each return code does. Time is virtual for us and for the stub."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from codecarbon._sensors import NvmlLibrary, NvmlSource
from codecarbon._sensors._testing import VirtualOps
from tests.support.nvml_stub import NvmlStub

S = 1_000_000_000
FIELDS = "nvmlDeviceGetFieldValues"
ENERGY_CALL = "nvmlDeviceGetTotalEnergyConsumption"
POWER_CALL = "nvmlDeviceGetPowerUsage"
UTILISATION = "nvmlDeviceGetUtilizationRates"


class Rig:
    """A stub, a library, and a source, all on one virtual clock."""

    def __init__(self, folder: Path, *lines: str, gpus: int = 1, watts: float = 100.0, util: bool = False) -> None:
        self.stub = NvmlStub.private(folder, *lines, gpus=gpus, watts=watts)
        self.ops = VirtualOps()
        self.stub.set_time(self.ops.now_ns)
        self.library = NvmlLibrary(str(self.stub.path))
        self.devices = self.library.open()
        self.source = NvmlSource(self.library, with_utilisation=util, ops=self.ops)

    def advance(self, seconds: float) -> None:
        self.ops.advance(round(seconds * S))
        self.stub.set_time(self.ops.now_ns)

    def read(self, channel: int = 0) -> tuple[int, int]:
        return self.source.read()[channel]

    def counts(self, channel: int = 0) -> int:
        raw, status = self.read(channel)
        assert status == 0
        return raw

    def run(self, seconds: float, step_s: float = 0.1) -> None:
        for _ in range(round(seconds / step_s)):
            self.advance(step_s)
            self.source.read()

    def calls_in(self, symbol: str, seconds: float, step_s: float = 0.1) -> int:
        before = self.stub.calls(symbol)
        self.run(seconds, step_s)
        return self.stub.calls(symbol) - before


# ---- what is counted ----


@pytest.mark.parametrize("line", ["fields 1", "fields 0"])
def test_the_counter_counts_millijoules_by_field_or_by_call(tmp_path: Path, line: str) -> None:
    rig = Rig(tmp_path, line, watts=250.0)
    assert rig.devices[0].method == "counter"
    (channel,) = rig.source.channels
    assert (channel.name, channel.domain, channel.num, channel.den) == ("gpu-0", "gpu", 1000, 1)
    assert channel.modulus == 0
    before = rig.counts()
    rig.run(10.0)
    assert rig.counts() - before == 2_500_000


def test_one_call_fetches_energy_and_power(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert rig.calls_in(FIELDS, 1.0) == 10
    assert rig.stub.calls(ENERGY_CALL) == 0
    assert rig.source.status(0)["power_w"] == 100.0


@pytest.mark.parametrize(
    ("lines", "symbol"),
    [
        (["energy 0"], FIELDS),
        (["energy 0", "fields 0"], POWER_CALL),
        (["energy 0", "fields 0", "power 0"], "nvmlDeviceGetSamples"),
    ],
    ids=["momentary field", "usage call", "driver's samples"],
)
def test_d20_a_card_without_a_counter_has_its_power_integrated(tmp_path: Path, lines: list[str], symbol: str) -> None:
    rig = Rig(tmp_path, *lines, "averages_power 0", watts=100.0)
    assert rig.devices[0].method == "integral"
    assert rig.source.methods == ("integral",)
    assert rig.source.channels[0].num == 1
    step_s = rig.source.recommended_period_ns / S
    before = rig.counts()
    rig.run(10.0, step_s)
    assert rig.counts() - before == 1_000_000_000
    rig.stub.set_power(0, 300.0)
    rig.run(10.0, step_s)
    # A step is drawn as a ramp between two readings: right within half a step of the driver's period and ours.
    assert rig.counts() - before == pytest.approx(4_000_000_000, abs=200 * 0.2 * 1e6)
    assert rig.stub.calls(symbol) > 5


def test_integration_leaves_out_a_hole_instead_of_drawing_across_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "energy 0", "averages_power 0")
    rig.run(1.0)
    before = rig.counts()
    rig.advance(60.0)
    assert rig.counts() == before
    rig.run(1.0)
    assert rig.counts() - before == 100_000_000


@pytest.mark.parametrize("lines", [["energy 0"], ["energy 0", "fields 0"], ["energy 0", "fields 0", "power 0"]])
def test_megawatts_are_no_reading(tmp_path: Path, lines: list[str]) -> None:
    rig = Rig(tmp_path, *lines, "averages_power 0")
    step_s = rig.source.recommended_period_ns / S
    rig.run(2.0, step_s)
    before = rig.counts()
    rig.stub.set_power(0, 12_000_000.0)
    for _ in range(2):
        rig.advance(step_s)
        raw, status = rig.read()
        assert raw <= before + 100_000_000 * 2 * step_s
        assert "power 0" in lines or status == -errno.EIO


def test_a_card_with_neither_energy_nor_power_has_no_energy_channel(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "gpu0.energy 0", "gpu0.power 0", "gpu0.samples 0", gpus=2, util=True)
    assert rig.devices[0].method == "none"
    assert rig.devices[0].refusal == "the device does not offer this (NVML code 3)"
    assert [channel.name for channel in rig.source.channels] == ["util.gpu-0", "gpu-1", "util.gpu-1"]


def test_a_denied_card_says_so(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    for symbol in (FIELDS, ENERGY_CALL, POWER_CALL, "nvmlDeviceGetSamples"):
        stub.fail(symbol, 4)
    (device,) = NvmlLibrary(str(stub.path)).open()
    assert "denies access" in device.refusal


def test_a_module_is_read_as_a_module(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "module_only 1", watts=600.0)
    assert (rig.devices[0].scope, rig.devices[0].method) == ("module", "counter")
    assert rig.source.channels[0].domain == "module"
    before = rig.counts()
    rig.run(10.0)
    assert rig.counts() - before == 6_000_000


def test_a_module_without_a_counter_is_integrated(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "module_only 1", "energy 0", watts=600.0)
    assert (rig.devices[0].scope, rig.devices[0].method) == ("module", "integral")
    before = rig.counts()
    rig.run(10.0)
    assert rig.counts() - before == 6_000_000_000


def test_slices_are_listed_and_the_board_is_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "gpu0.mig MIG-aaaa", "gpu0.mig MIG-bbbb")
    assert rig.devices[0].has_mig
    assert rig.devices[0].mig_uuids == ("MIG-aaaa", "MIG-bbbb")
    assert rig.read()[1] == 0


def test_load_is_integrated_in_percent_milliseconds(tmp_path: Path) -> None:
    rig = Rig(tmp_path, util=True)
    assert [channel.domain for channel in rig.source.channels] == ["gpu", "util.gpu"]
    before = rig.counts(1)
    rig.run(10.0)
    assert rig.counts(1) - before == 50 * 10_000
    rig.stub.set_utilisation(0, 101)
    rig.advance(0.1)
    assert rig.read(1)[1] == -errno.EIO


def test_the_counter_follows_the_truth_through_changes_of_power(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "period_ms 100")
    start_ns, before = rig.ops.now_ns, rig.counts()
    for power_w in (50.0, 700.0, 0.5, 333.0):
        rig.stub.set_power(0, power_w)
        rig.run(3.0)
    truth_mj = (rig.stub.true_uj(0, rig.ops.now_ns) - rig.stub.true_uj(0, start_ns)) / 1000
    assert rig.counts() - before == pytest.approx(truth_mj, abs=2)


# ---- which device ----


def test_devices_are_chosen_by_index_by_uuid_and_by_record(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gpus=3)
    second = rig.devices[1]
    for wanted in (1, second.uuid, second):
        assert NvmlSource(rig.library, [wanted], ops=rig.ops).devices[0].index == 1
    with pytest.raises(ValueError, match="no such device: 'GPU-4e81'"):
        NvmlSource(rig.library, ["GPU-4e81"])
    with pytest.raises(ValueError, match="no such device: 3"):
        NvmlSource(rig.library, [3])
    with pytest.raises(ValueError, match="named twice"):
        NvmlSource(rig.library, [1, second.uuid])


def test_a_closed_source_cannot_be_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.source.close()
    with pytest.raises(ValueError, match="closed source"):
        rig.source.read()


# ---- return codes ----


@pytest.mark.parametrize("code", [2, 3, 13, 25])
def test_what_is_not_offered_is_not_asked_again(tmp_path: Path, code: int) -> None:
    rig = Rig(tmp_path, util=True)
    rig.stub.fail(UTILISATION, code)
    rig.run(0.1)
    assert rig.calls_in(UTILISATION, 5.0) == 0
    assert f"(NVML code {code})" in rig.source.status(0)["utilisation_error"]
    assert rig.source.status(0)["energy_error"] == ""
    assert rig.read(0)[1] == 0


@pytest.mark.parametrize("code", [3, 13])
def test_a_counter_that_is_withdrawn_is_an_error_and_not_zero(tmp_path: Path, code: int) -> None:
    rig = Rig(tmp_path, "fields 0")
    rig.stub.fail(ENERGY_CALL, code)
    rig.advance(0.1)
    assert rig.read() == (0, -errno.EOPNOTSUPP)
    assert rig.calls_in(ENERGY_CALL, 5.0) == 0


def test_withdrawn_permission_is_reported(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.stub.fail(FIELDS, 4)
    rig.advance(0.1)
    assert rig.read()[1] == -errno.EACCES
    assert "denies access" in rig.source.status(0)["energy_error"]


@pytest.mark.parametrize("code", [10, 21, 999])
def test_a_passing_fault_drops_one_sample(tmp_path: Path, code: int) -> None:
    rig = Rig(tmp_path)
    before = rig.counts()
    rig.stub.fail(FIELDS, code, count=1)
    rig.advance(0.1)
    raw, status = rig.read()
    assert raw == 0
    assert status in {-errno.ETIMEDOUT, -errno.ENODATA, -errno.EIO}
    assert rig.source.status(0)["dropped"] == 1
    rig.advance(0.1)
    assert rig.counts() - before == 20_000


@pytest.mark.parametrize("code", [10, 21, 999])
def test_a_hundred_faults_in_a_row_end_a_metric(tmp_path: Path, code: int) -> None:
    rig = Rig(tmp_path)
    rig.stub.fail(FIELDS, code)
    assert rig.calls_in(FIELDS, 9.9) == 99
    assert rig.source.status(0)["energy_error"] == ""
    assert rig.calls_in(FIELDS, 5.0) == 1
    assert f"(NVML code {code})" in rig.source.status(0)["energy_error"]
    assert rig.read()[1] < 0


def test_faults_with_successes_between_them_end_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for _ in range(3):
        rig.stub.fail(FIELDS, 999, count=99)
        rig.run(10.0)
    assert rig.source.status(0)["energy_error"] == ""
    assert rig.read()[1] == 0


@pytest.mark.parametrize("code", [15, 16, 28])
def test_a_lost_gpu_is_left_alone_and_looked_for_after_half_a_minute(tmp_path: Path, code: int) -> None:
    rig = Rig(tmp_path, gpus=2)
    rig.stub.fail("", code, device=0)
    rig.advance(0.1)
    assert [status for _, status in rig.source.read()] == [-errno.ENODEV, 0]
    assert rig.source.status(0)["is_lost"]
    assert not rig.source.status(1)["is_lost"]
    before = rig.stub.calls("nvmlDeviceGetHandleByUUID")
    # Only the other card is asked, and nobody looks for this one yet.
    assert rig.calls_in(FIELDS, 29.0) == 290
    assert rig.stub.calls("nvmlDeviceGetHandleByUUID") == before
    rig.run(2.0)
    assert rig.stub.calls("nvmlDeviceGetHandleByUUID") == before + 1
    assert rig.source.status(0)["is_lost"]
    rig.stub.heal()
    rig.run(31.0)
    assert not rig.source.status(0)["is_lost"]
    assert [status for _, status in rig.source.read()] == [0, 0]


def test_a_gpu_is_lost_after_so_many_calls(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.stub.fail("", 15, after=7)
    statuses = []
    for _ in range(9):
        rig.advance(0.1)
        statuses.append(rig.read()[1])
    assert statuses == [0] * 7 + [-errno.ENODEV] * 2


def test_a_foreign_shutdown_is_repaired_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gpus=2)
    before = rig.source.read()
    assert rig.stub.shut_down() == 0
    assert rig.stub.refcount() == 0
    rig.advance(0.1)
    after = rig.source.read()
    assert [status for _, status in after] == [0, 0]
    assert [late - early for (late, _), (early, _) in zip(after, before, strict=True)] == [10_000, 10_000]
    assert rig.stub.refcount() == 1
    assert rig.stub.calls("nvmlInitWithFlags") == 2
    # It may happen again.
    assert rig.stub.shut_down() == 0
    rig.advance(0.1)
    assert [status for _, status in rig.source.read()] == [0, 0]


def test_a_start_that_does_not_help_is_not_repeated_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.stub.fail("nvmlInitWithFlags", 9)
    rig.stub.shut_down()
    assert rig.calls_in("nvmlInitWithFlags", 9.0) == 1
    assert rig.read()[1] == -errno.ENXIO


def test_an_error_of_one_field_voids_that_field_only(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    before = rig.counts()
    rig.stub.fail(FIELDS, 999, field=186)
    rig.advance(0.1)
    assert rig.counts() - before == 10_000
    rig.stub.fail(FIELDS, 999, field=83, count=1)
    rig.advance(0.1)
    assert rig.read()[1] == -errno.EIO
    rig.advance(0.1)
    assert rig.counts() - before == 30_000


def test_a_restart_of_the_counter_is_handed_on_as_it_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    before = rig.counts()
    rig.stub.reset_counter(0)
    rig.advance(0.5)
    assert rig.counts() == 50_000
    assert before > 50_000


# ---- how often ----


def test_the_recommended_rate_is_ten_hertz_and_one_on_consumer_cards(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "gpu1.name NVIDIA GeForce RTX 5060 Ti", "gpu1.brand 5", gpus=2)
    assert [device.recommended_period_ns for device in rig.devices] == [100_000_000, 1_000_000_000]
    assert NvmlSource(rig.library, [0]).recommended_period_ns == 100_000_000
    assert NvmlSource(rig.library).recommended_period_ns == 1_000_000_000


@pytest.mark.parametrize(
    ("name", "brand", "is_consumer"),
    [
        ("NVIDIA A100-SXM4-40GB", 14, False),
        ("Tesla V100-SXM2-16GB", 2, False),
        ("NVIDIA GeForce RTX 4090", 5, True),
        ("NVIDIA RTX A6000", 13, True),
        ("NVIDIA TITAN V", 6, True),
        ("Quadro P2000", 1, True),
        ("Some new card", 14, False),
    ],
)
def test_consumer_cards_are_told_by_brand_and_name(tmp_path: Path, name: str, brand: int, is_consumer: bool) -> None:
    stub = NvmlStub.private(tmp_path, f"name {name}", f"brand {brand}")
    (device,) = NvmlLibrary(str(stub.path)).open()
    assert device.is_consumer is is_consumer


def test_too_fast_a_sampler_is_held_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    calls = rig.calls_in(FIELDS, 10.0, step_s=0.001)
    assert calls <= 10.0 / 0.08 + 6
    assert -errno.EAGAIN in {rig.read()[1] for _ in range(8)}


def test_a_few_extra_reads_are_welcome(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.run(5.0)
    assert [rig.read()[1] for _ in range(4)] == [0] * 4
    rig.run(5.0)
    assert [rig.read()[1] for _ in range(4)] == [0] * 4


def test_a_counter_that_polling_disturbs_keeps_its_energy_at_the_recommended_rate(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "name NVIDIA GeForce RTX 4090", "brand 5", "lossy 1", "period_ms 0", watts=400.0)
    before = rig.counts()
    rig.run(60.0, rig.source.recommended_period_ns / S)
    # The published loss at one reading a second is 1.6 %.
    assert rig.counts() - before == pytest.approx(24_000_000, rel=0.02)


def test_energy_is_compared_with_power_all_along(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "name NVIDIA GeForce RTX 4090", "brand 5", "lossy 1", "period_ms 0", watts=400.0)
    assert rig.source.status(0)["energy_to_power_ratio"] is None
    rig.run(60.0, 1.0)
    assert rig.source.status(0)["energy_to_power_ratio"] == pytest.approx(0.985, abs=0.005)


def test_the_comparison_survives_a_restart_of_the_counter(tmp_path: Path) -> None:
    rig = Rig(tmp_path, watts=200.0)
    rig.run(5.0)
    rig.stub.reset_counter(0)
    rig.run(5.0)
    assert rig.source.status(0)["energy_to_power_ratio"] == pytest.approx(1.0, abs=0.03)


# ---- what the figures mean ----


@pytest.mark.parametrize(
    ("lines", "window_s", "seen"),
    [
        (["name NVIDIA H100 80GB HBM3", "architecture 9"], 0.025, 0.25),
        (["name NVIDIA H100 80GB HBM3", "architecture 9", "fields 0"], 1.0, 0.25),
        (["name NVIDIA A100-SXM4-40GB", "architecture 7", "fields 0"], 0.0, 0.25),
        (["name NVIDIA A10", "architecture 7", "fields 0"], 1.0, 1.0),
        (["name Tesla P100-PCIE-16GB", "architecture 4", "fields 0"], 0.0, 1.0),
    ],
)
def test_the_duty_of_the_power_sensor_is_known_where_published(
    tmp_path: Path, lines: list[str], window_s: float, seen: float
) -> None:
    (device,) = NvmlLibrary(str(NvmlStub.private(tmp_path, "energy 0", *lines).path)).open()
    assert device.method == "integral"
    assert device.power_window_ns == round(window_s * S)
    assert device.coverage_ratio == seen


def test_the_drivers_stamp_tells_the_age_unless_the_clock_stepped(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "period_ms 60000")
    library = NvmlLibrary(str(stub.path))
    library.open()
    source = NvmlSource(library)
    assert source.read()[0][1] == 0
    stub.set_period(0, 100_000_000)
    assert source.read()[0][1] == 0
    age_ns = source.status(0)["age_ns"]
    assert age_ns is not None
    assert 0 <= age_ns < 1_000_000_000
    stub.shift_stamps(3600_000_000)
    assert source.read()[0][1] == 0
    assert source.status(0)["age_ns"] == age_ns


def test_caps_come_from_the_power_limit(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "gpu1.limit_watts 0", "gpu2.limit_watts 60", "gpu3.module_only 1", gpus=4)
    assert [channel.cap_w for channel in rig.source.channels] == [1400.0, 3000.0, 300.0, 2400.0]
