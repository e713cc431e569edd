"""Sessions on fake trees that are driven at a known power, through the real sampler."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from codecarbon.errors import ConfigError, TrackerStateError
from codecarbon.measure import EnergyMeter, Mark, MeasureRequest, Session
from codecarbon.measure.hub import HUB
from codecarbon.measure.session import CHOICE_AGE_NS
from codecarbon.model import EnergyWindow, Roots
from codecarbon.units import NS_PER_S
from tests.support import fake_pmu, fake_powercap
from tests.support.drive import driven
from tests.support.nvml_stub import NvmlStub

MODEL_ONLY = Roots(sysfs="/nonexistent-sys", dev="/nonexistent-dev", nvml_library="libnone.so")


@pytest.fixture(scope="module")
def driven_roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roots]:
    root = tmp_path_factory.mktemp("driven")
    with driven("powercap", root / "tree", watts=100, dram=20, sockets=2) as environment:
        yield Roots(sysfs=environment["CODECARBON_SYSFS_ROOT"], dev=str(root), nvml_library="libnone.so")


@pytest.fixture
def session(driven_roots: Roots) -> Iterator[Session]:
    session = Session(MeasureRequest(roots=driven_roots))
    yield session
    if session.is_running:
        session.stop()


def frozen_roots(tmp_path: Path) -> Roots:
    fake_powercap.build_sockets(tmp_path, 1, has_dram=False, energy_uj=1000)
    return Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library="libnone.so")


def wait_until_final(session: Session, *marks: Mark) -> None:
    deadline_s = time.monotonic() + 10
    while [mark for mark in marks if not session.settle(mark)]:
        assert time.monotonic() < deadline_s, "marks never settled"
        session.tick()


def span_ns(window: tuple[Mark, Mark]) -> int:
    return window[1].t_ns - window[0].t_ns


def run_for(session: Session, seconds: float) -> tuple[Mark, Mark]:
    start = session.start()
    deadline_ns = start.t_ns + round(seconds * NS_PER_S)
    while time.monotonic_ns() < deadline_ns:
        session.tick()
    return start, session.stop()


def test_constant_power_is_reported_within_the_bound(session: Session) -> None:
    span = run_for(session, 1.5)
    cpu = session.window([span]).component("cpu")
    assert cpu is not None
    truth_j = 200.0 * span_ns(span) / NS_PER_S
    assert cpu.energy_j == pytest.approx(truth_j, rel=0.05)
    assert cpu.low_j <= truth_j <= cpu.high_j
    assert (cpu.method, cpu.bound_kind, cpu.scope, cpu.source) == ("measured", "hard", "machine", "RAPL by powercap")


def test_d06_live_memory_is_measured_and_stays_out_of_the_processors(session: Session) -> None:
    span = run_for(session, 1.0)
    ram = session.window([span]).component("ram")
    assert ram is not None
    assert ram.method == "measured"
    assert ram.energy_j == pytest.approx(40.0 * span_ns(span) / NS_PER_S, rel=0.05)


def test_d06_rapl_include_dram_moves_memory_into_the_processors(driven_roots: Roots) -> None:
    session = Session(MeasureRequest(roots=driven_roots, rapl_include_dram=True))
    span = run_for(session, 1.0)
    window = session.window([span])
    assert window.component("ram") is None
    assert window.energy_j == pytest.approx(240.0 * span_ns(span) / NS_PER_S, rel=0.05)


def test_parts_sum_to_the_whole_exactly(session: Session) -> None:
    marks = [session.start()]
    for _ in range(5):
        session.tick()
        marks.append(session.mark())
    marks.append(session.stop())
    whole = session.window([(marks[0], marks[-1])])
    parts = [session.window([pair]) for pair in itertools.pairwise(marks)]
    for name in ("cpu", "ram"):
        whole_uj = [channel.energy_uj for channel in whole.component(name).channels]
        part_uj = [[channel.energy_uj for channel in part.component(name).channels] for part in parts]
        assert [sum(column) for column in zip(*part_uj, strict=True)] == whole_uj


def test_a_settled_mark_never_changes(session: Session) -> None:
    start = session.start()
    session.hold_fast()
    middle = session.mark()
    wait_until_final(session, start, middle)
    before = session.window([(start, middle)])
    assert not before.provisional
    session.tick()
    session.stop()
    after = session.window([(start, middle)])
    assert [c.energy_j for c in after.components] == [c.energy_j for c in before.components]


def test_a_provisional_bound_contains_the_settled_value(session: Session) -> None:
    start = session.start()
    session.hold_fast()
    deadline_s = time.monotonic() + 5
    while session.joules(start, session.mark())[0] == 0.0:
        assert time.monotonic() < deadline_s
        session.tick()
    end = session.mark()
    early = session.window([(start, end)]).component("cpu")
    wait_until_final(session, start, end)
    late = session.window([(start, end)]).component("cpu")
    if early.method == late.method:
        assert early.low_j <= late.energy_j <= early.high_j


def test_joules_agree_with_the_window(session: Session) -> None:
    span = run_for(session, 0.5)
    cpu_j, gpu_j, ram_j, is_provisional = session.joules(*span)
    window = session.window([span])
    assert cpu_j == pytest.approx(window.component("cpu").energy_j)
    assert ram_j == pytest.approx(window.component("ram").energy_j)
    assert gpu_j is None
    assert is_provisional is False, "a stopped session gets no later sample"


def test_a_frozen_counter_is_never_zero_joules_but_the_model_and_a_name(tmp_path: Path) -> None:
    session = Session(MeasureRequest(roots=frozen_roots(tmp_path)))
    span = run_for(session, 0.3)
    cpu = session.window([span]).component("cpu")
    assert cpu.method == "modelled"
    assert cpu.bound_kind == "plausible"
    assert cpu.energy_j > 0


def test_a_frozen_counter_shows_as_dormant(tmp_path: Path) -> None:
    session = Session(MeasureRequest(roots=frozen_roots(tmp_path)))
    session.start()
    try:
        finding = next(f for f in session.findings() if f.name == "package-0")
        assert finding.state == "dormant"
        assert "never moved" in finding.reason
    finally:
        session.stop()


def test_a_dead_package_beside_a_live_one_is_named_as_missing(tmp_path: Path) -> None:
    fake_pmu.need_perf()
    fake_pmu.build_constant(tmp_path, 10)
    tree = fake_powercap.FakePowercap(tmp_path)
    tree.add_zone("package-1", energy_uj=5)
    session = Session(MeasureRequest(roots=Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library="libnone.so")))
    span = run_for(session, 0.5)
    window = session.window([span])
    assert window.component("cpu").method == "measured"
    assert any("package-1" in reason for reason in window.missing)


def test_psys_makes_the_total_only_on_request(tmp_path: Path) -> None:
    fake_pmu.need_perf()
    scale = fake_pmu.watt_scale
    events = {"energy-pkg": (fake_pmu.CPU_CLOCK, scale(10)), "energy-psys": (fake_pmu.CPU_CLOCK, scale(30))}
    fake_pmu.FakePmu(tmp_path, events)
    roots = Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library="libnone.so")
    powers = {}
    for prefer in (False, True):
        session = Session(MeasureRequest(roots=roots, rapl_prefer_psys=prefer))
        span = run_for(session, 0.5)
        window = session.window([span])
        cpu = window.component("cpu")
        # A busy machine may give the thread its first tick late; what came before is no part of the coverage.
        powers[prefer] = cpu.energy_j / (span_ns(span) / NS_PER_S * cpu.coverage_ratio)
        assert cpu.scope == ("platform" if prefer else "machine")
        assert (window.component("ram") is None) is prefer, "the platform contains the memory"
    assert powers[False] == pytest.approx(10, rel=0.05)
    assert powers[True] == pytest.approx(30, rel=0.05)


def test_forced_power_switches_the_counters_off(driven_roots: Roots) -> None:
    request = MeasureRequest(roots=driven_roots, force_cpu_power_w=50.0, force_ram_power_w=8.0)
    session = Session(request)
    span = run_for(session, 0.5)
    window = session.window([span])
    assert window.component("cpu").method == "modelled"
    assert window.component("cpu").high_j == pytest.approx(50.0 * span_ns(span) / NS_PER_S, rel=0.05)
    ram = window.component("ram")
    assert ram.method == "constant"
    assert ram.energy_j == pytest.approx(8.0 * span_ns(span) / NS_PER_S, rel=0.05)


def test_a_machine_without_counters_is_modelled_with_a_plausible_bound() -> None:
    session = Session(MeasureRequest(roots=MODEL_ONLY))
    span = run_for(session, 0.5)
    window = session.window([span])
    for component in window.components:
        assert component.method == "modelled"
        assert component.bound_kind == "plausible"
        assert component.low_j == 0.0
        assert 0.0 < component.energy_j <= component.high_j
    assert window.measured_ratio == 0.0
    assert window.utilisation.cpu_percent is not None


def test_missing_everything_is_none_and_said(tmp_path: Path) -> None:
    roots = Roots(sysfs=str(tmp_path), procfs=str(tmp_path), dev=str(tmp_path), nvml_library="libnone.so")
    session = Session(MeasureRequest(roots=roots))
    span = run_for(session, 0.05)
    window = session.window([span])
    assert window.energy_j is None
    assert {c.component for c in window.components} == {"cpu", "ram"}
    assert len(window.missing) == 2


def test_sessions_share_one_sampler_and_the_last_one_stops_it(driven_roots: Roots) -> None:
    first, second = Session(MeasureRequest(roots=driven_roots)), Session(MeasureRequest(roots=driven_roots))
    first.start()
    second.start()
    sampler = first.mark().segment.streams[0].sampler
    assert second.mark().segment.streams[0].sampler is sampler
    first.stop()
    assert sampler.is_running
    second.stop()
    assert not sampler.is_running


def test_the_highest_rate_asked_for_wins(driven_roots: Roots) -> None:
    slow = Session(MeasureRequest(roots=driven_roots, sampling_hz=5.0))
    quick = Session(MeasureRequest(roots=driven_roots, sampling_hz=100.0))
    slow.start()
    sampler = slow.mark().segment.streams[0].sampler
    assert sampler.idle_period_ns == 200_000_000
    quick.start()
    assert sampler.idle_period_ns == 10_000_000
    quick.stop()
    assert sampler.idle_period_ns == 200_000_000
    slow.stop()


def test_a_restart_opens_a_new_segment_and_the_pause_is_not_in_it(session: Session) -> None:
    first = run_for(session, 0.4)
    second = run_for(session, 0.4)
    assert first[0].segment is not second[0].segment
    window = session.window([first, second])
    lengths_s = (span_ns(first) + span_ns(second)) / NS_PER_S
    assert window.duration_s == pytest.approx(lengths_s)
    assert window.component("cpu").energy_j == pytest.approx(200.0 * lengths_s, rel=0.05)


def test_slots_touch_and_sum_to_the_whole(session: Session) -> None:
    start = session.start()
    session.tick()
    end = session.mark()
    # Pretend that a five-minute boundary of UTC lies in the middle of the run.
    middle_ns = (start.t_ns + end.t_ns) // 2
    session.anchors._offsets = [(0, 300 * NS_PER_S - middle_ns)]
    session.stop()
    pieces = session.boundaries(start, end)
    assert [slot for slot, _, _ in pieces] == [0, 300]
    assert pieces[0][2] is pieces[1][1]
    assert pieces[0][2].t_ns == middle_ns
    whole = session.joules(start, end)[0]
    assert sum(session.joules(a, b)[0] for _, a, b in pieces) == pytest.approx(whole, abs=1e-9)


def test_windows_between_aware_datetimes(session: Session) -> None:
    session.start()
    begin = datetime.now(timezone.utc)
    for _ in range(40):
        session.tick()
    end = datetime.now(timezone.utc)
    window = session.energy(begin, end)
    session.stop()
    assert window.duration_s == pytest.approx((end - begin).total_seconds(), abs=1e-3)
    assert abs(window.start_utc - begin) < timedelta(milliseconds=1)


def test_a_window_that_ends_before_it_starts_is_refused(session: Session) -> None:
    start, end = run_for(session, 0.05)
    with pytest.raises(ValueError, match="must end after it starts"):
        session.window([(end, start)])
    with pytest.raises(ValueError, match="at least one span"):
        session.window([])


def test_marks_of_two_segments_are_no_window(session: Session) -> None:
    first = run_for(session, 0.02)
    second = run_for(session, 0.02)
    with pytest.raises(ValueError, match="same segment"):
        session.window([(first[0], second[1])])


def test_a_window_before_the_first_sample_has_less_coverage(session: Session) -> None:
    start = session.start()
    before = session.mark_at(start.t_ns - NS_PER_S)
    for _ in range(20):
        session.tick()
    end = session.stop()
    cpu = session.window([(before, end)]).component("cpu")
    assert cpu.coverage_ratio < 0.5


def test_an_empty_window_is_zero_with_a_hull(session: Session) -> None:
    start = session.start()
    session.tick()
    session.stop()
    window = session.window([(start, start)])
    assert window.duration_s == 0.0
    assert window.component("cpu").energy_j == 0.0


def test_a_session_that_does_not_run_says_so() -> None:
    session = Session(MeasureRequest(roots=MODEL_ONLY))
    for call in (session.mark, session.stop):
        with pytest.raises(TrackerStateError, match="start"):
            call()
    session.start()
    with pytest.raises(TrackerStateError, match="already"):
        session.start()
    session.stop()


def test_a_forked_child_starts_its_own_sampler(driven_roots: Roots) -> None:
    parent = Session(MeasureRequest(roots=driven_roots))
    parent.start()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            own = Session(MeasureRequest(roots=driven_roots))
            own.start()
            ok = own.mark().segment.streams[0].sampler.is_running
            own.stop()
            os.write(write_end, b"1" if ok else b"0")
        finally:
            os._exit(0)
    os.close(write_end)
    assert os.read(read_end, 1) == b"1"
    os.waitpid(pid, 0)
    assert parent.mark().segment.streams[0].sampler.is_running
    parent.stop()


def test_no_stream_is_left_behind(driven_roots: Roots) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        session = Session(MeasureRequest(roots=driven_roots))
        session.start()
        session.stop()
    del session
    assert not HUB._streams
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_the_meter_measures_a_block_without_prices(driven_roots: Roots) -> None:
    with EnergyMeter(MeasureRequest(roots=driven_roots)) as meter, meter.window("block") as block:
        assert block.record is None
        deadline_ns = time.monotonic_ns() + NS_PER_S // 2
        while time.monotonic_ns() < deadline_ns:
            pass
    record: EnergyWindow | None = block.record
    assert record is not None
    assert block.name == "block"
    assert record.component("cpu").energy_j == pytest.approx(200.0 * record.duration_s, rel=0.05)
    assert meter.stop() is None, "a second stop measures nothing"


def test_the_meter_measures_where_the_settings_say(driven_roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = driven_roots
    values = {"SYSFS_ROOT": roots.sysfs, "PROCFS_ROOT": roots.procfs, "DEV_ROOT": roots.dev}
    for name, value in (values | {"NVML_LIBRARY": roots.nvml_library}).items():
        monkeypatch.setenv(f"CODECARBON_{name}", value)
    with EnergyMeter() as meter, meter.window("block") as block:
        deadline_ns = time.monotonic_ns() + NS_PER_S // 2
        while time.monotonic_ns() < deadline_ns:
            pass
    record: EnergyWindow | None = block.record
    assert record is not None
    assert record.component("cpu").energy_j == pytest.approx(200.0 * record.duration_s, rel=0.05)


def test_the_meter_refuses_a_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODECARBON_SAMPLING_HZ", "often")
    with pytest.raises(ConfigError, match="sampling_hz"):
        EnergyMeter()


def test_cards_are_attached_when_their_library_answers_and_named_after_the_stop(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, gpus=2, watts=300.0)
    roots = Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library=str(stub.path))
    session = Session(MeasureRequest(roots=roots))
    start = session.start()
    deadline_s = time.monotonic() + 20
    while not session.joules(start, session.mark())[1]:
        assert time.monotonic() < deadline_s, "the cards were never attached"
        session.tick()
    end = session.stop()
    gpu = session.window([(start, end)]).component("gpu")
    assert (gpu.method, gpu.scope, gpu.source) == ("measured", "gpu", "NVML")
    recorded_j = 600.0 * span_ns((start, end)) / NS_PER_S * gpu.coverage_ratio
    assert gpu.low_j <= recorded_j <= gpu.high_j
    assert [card.index for card in session.gpus] == [0, 1]
    assert {finding.state for finding in session.findings() if finding.interface == "nvml"} == {"live"}


def test_a_library_that_fails_is_named_and_no_gpu_energy_is_invented(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", 9)
    stub.fail("nvmlInit_v2", 9)
    session = Session(MeasureRequest(roots=Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library=str(stub.path))))
    start = session.start()
    deadline_s = time.monotonic() + 20
    while not any(finding.interface == "nvml" for finding in session.findings()):
        assert time.monotonic() < deadline_s
        session.tick()
    window = session.window([(start, session.stop())])
    assert window.component("gpu").energy_j is None
    assert any("driver" in reason for reason in window.missing)


def test_many_brief_questions_ask_the_counters_once_while_none_has_moved(tmp_path: Path) -> None:
    session = Session(MeasureRequest(roots=frozen_roots(tmp_path)))
    session.start()
    try:
        choices = []
        begin_ns = time.monotonic_ns()
        for _ in range(50):
            start = session.mark()
            session.joules(start, session.mark())
            choices.append(start.segment.choice)
            assert start.segment.choice is not None
            assert not start.segment.choice.is_settled
        periods = (time.monotonic_ns() - begin_ns) // CHOICE_AGE_NS
        assert len({id(choice) for choice in choices}) <= periods + 2
    finally:
        session.stop()


def test_edge_sync_tightens_the_bound_of_a_short_window(session: Session) -> None:
    session.start()
    session.hold_fast()
    sampler = session.mark().segment.streams[0].sampler
    deadline_s = time.monotonic() + 5
    while not all(sampler.state(i).max_period_ns for i in range(4)):
        assert time.monotonic() < deadline_s, "the update period was never learnt"
        session.tick()
    synced = [(session.mark(sync=True), session.mark(sync=True)) for _ in range(30)]
    plain = []
    for _ in range(30):
        session.tick()
        start = session.mark()
        session.tick()
        plain.append((start, session.mark()))
    session.stop()

    def width_uj(pair: tuple[Mark, Mark]) -> int:
        channel = session.window([pair]).component("cpu").channels[0]
        return channel.high_uj - channel.low_uj

    # On a busy machine the writer of the fake counter pauses now and then: quartiles, not extremes.
    assert sorted(map(width_uj, synced))[7] < sorted(map(width_uj, plain))[15] / 2


def test_a_card_that_offers_nothing_is_named_beside_those_that_count(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, gpus=2, watts=300.0)
    for symbol in (
        "nvmlDeviceGetTotalEnergyConsumption",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetFieldValues",
        "nvmlDeviceGetSamples",
    ):
        stub.fail(symbol, 3, device=1)
    session = Session(MeasureRequest(roots=Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library=str(stub.path))))
    start = session.start()
    deadline_s = time.monotonic() + 20
    while not session.joules(start, session.mark())[1]:
        assert time.monotonic() < deadline_s, "the good card was never attached"
        session.tick()
    gpu = session.window([(start, session.stop())]).component("gpu")
    assert gpu.energy_j > 0
    assert [channel.name for channel in gpu.channels] == ["gpu-0"]
    assert any("gpu-1" in reason for reason in gpu.missing)
