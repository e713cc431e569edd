"""What the other native tests stand on: virtual time, scripted faults, and sensors whose true energy is known."""

from __future__ import annotations

import errno

import pytest

from codecarbon._sensors import Channel, Fault, PowercapSource, ScriptedOps, SimChannel, SimSource, VirtualOps

MS = 1_000_000
S = 1_000_000_000


def first_raw(source):
    return source.read()[0][0]


def powercap(path, ops):
    return PowercapSource([(path, Channel("package-0", "package"))], ops=ops)


@pytest.fixture
def energy_uj(tmp_path):
    path = tmp_path / "energy_uj"
    path.write_text("123\n")
    return path


def test_register_shows_the_floor_of_the_energy_at_its_last_update():
    ops = VirtualOps(start_ns=0)
    channel = SimChannel(power=[(0, 3.0)], update_ns=MS, num=1000)
    source = SimSource([channel], ops=ops)
    ops.advance(int(2.9 * MS))
    # 2 ms at 3 W are 6,000 microjoules, six counts of a thousand.
    assert first_raw(source) == 6
    assert channel.last_update_ns(ops.now_ns) == 2 * MS


def test_truth_follows_the_steps_of_the_power_curve():
    channel = SimChannel(power=[(S, 100.0), (2 * S, 50.0), (3 * S, 0.0)])
    assert channel.true_energy_uj(0, 10 * S) == 150e6
    assert channel.true_energy_uj(int(1.5 * S), int(2.5 * S)) == 75e6
    assert channel.true_energy_fj(2 * S, 2 * S + 1) == 50_000_000


def test_register_wraps_at_its_modulus():
    ops = VirtualOps(start_ns=0)
    source = SimSource([SimChannel(power=[(0, 1.0)], modulus=1000, start=990)], ops=ops)
    ops.advance(MS)
    assert first_raw(source) == 990  # 1,000 microjoules later
    ops.advance(10 * MS)
    assert first_raw(source) == 990
    wide = SimSource([SimChannel(power=[(0, 1.0)], modulus=2**32, start=2**32 - 1)], ops=VirtualOps(start_ns=MS))
    assert first_raw(wide) == 999


def test_jitter_moves_updates_within_its_limit_and_repeats():
    spread = set()
    for k in range(1, 200):
        shown = SimChannel(power=[(0, 1.0)], jitter=0.1, seed=5).last_update_ns(k * MS + MS // 2)
        assert abs(shown - k * MS) <= MS // 10
        spread.add(shown - k * MS)
    assert len(spread) > 100
    again = SimChannel(power=[(0, 1.0)], jitter=0.1, seed=5).last_update_ns(199 * MS + MS // 2)
    assert again == shown


def test_events_happen_when_they_are_due():
    events = [
        ("error", 10 * MS, 12 * MS, errno.EIO),
        ("glitch", 20 * MS, 10**9, 1),
        ("zero", 30 * MS, 2),
        ("freeze", 40 * MS, 50 * MS),
        ("reset", 60 * MS, 7),
        ("jump", 70 * MS, 10**6),
    ]
    ops = VirtualOps(start_ns=0)
    source = SimSource([SimChannel(power=[(0, 1.0)], events=events)], ops=ops)
    seen = {}
    for ms in range(80):
        ops.advance_to(ms * MS)
        seen[ms] = source.read()[0]
    assert [seen[ms] for ms in (9, 10, 11, 12)] == [(9000, 0), (0, -errno.EIO), (0, -errno.EIO), (12000, 0)]
    assert [seen[ms][0] for ms in (20, 21)] == [20_000 + 10**9, 21_000]
    assert [seen[ms][0] for ms in (30, 31, 32)] == [0, 0, 32_000]
    assert [seen[ms][0] for ms in (40, 45, 49, 50)] == [39_000, 39_000, 39_000, 50_000]
    assert [seen[ms][0] for ms in (60, 61)] == [7, 1007]
    assert [seen[ms][0] for ms in (69, 70)] == [9007, 10_007 + 10**6]


def test_read_takes_its_time_and_looks_at_the_register_inside():
    ops = VirtualOps(start_ns=0)
    source = SimSource([SimChannel(power=[(0, 1000.0)], update_ns=0)], ops=ops, read_ns=MS)
    inside = set()
    for _ in range(50):
        before = ops.now_ns
        raw = first_raw(source)
        assert ops.now_ns - before == MS
        # One microjoule per nanosecond.
        assert before <= raw <= ops.now_ns
        inside.add(raw - before)
    assert len(inside) > 20
    assert ops.cpu_ns == 50 * MS


def test_suspend_is_seen_by_the_boot_clock_only():
    ops = VirtualOps(start_ns=5)
    assert ops.boot_ns == 5
    ops.suspend(3 * S)
    assert ops.now_ns == 5
    assert ops.boot_ns == 3 * S + 5


def test_time_does_not_go_back():
    ops = VirtualOps(start_ns=100)
    with pytest.raises(ValueError, match="does not go back"):
        ops.advance(-1)
    assert ops.advance_to(50) == 100


def test_fault_hits_its_calls_and_no_others(energy_uj):
    fault = Fault("pread", path="*/energy_uj", first=2, last=3, errno=errno.EIO)
    other = Fault("pread", path="*/other", errno=errno.EINVAL)
    ops = ScriptedOps([fault, other])
    source = powercap(energy_uj, ops)
    assert [source.read()[0][1] for _ in range(4)] == [0, -errno.EIO, -errno.EIO, 0]
    assert (fault.seen, fault.hits, other.seen) == (4, 2, 0)
    assert ops.calls("pread") == 4


def test_fault_can_be_switched(energy_uj):
    fault = Fault("pread", errno=errno.ENODEV)
    source = powercap(energy_uj, ScriptedOps([fault]))
    fault.is_active = False
    assert source.read() == [(123, 0)]
    fault.is_active = True
    assert source.read() == [(0, -errno.ENODEV)]


def test_read_returns_scripted_bytes_and_short_reads(energy_uj):
    faults = [Fault("pread", last=1, data=b"77\n"), Fault("pread", first=2, at_most=2)]
    source = powercap(energy_uj, ScriptedOps(faults))
    assert source.read() == [(77, 0)]
    # Cut off before its newline, which the first text had.
    assert source.read() == [(0, -errno.EINVAL)]


def test_open_descriptors_are_counted(energy_uj):
    ops = ScriptedOps()
    source = powercap(energy_uj, ops)
    assert ops.open_fds == 1
    source.close()
    assert ops.open_fds == 0
    with pytest.raises(OSError, match="Too many open files") as failure:
        powercap(energy_uj, ScriptedOps([Fault("open", errno=errno.EMFILE)]))
    assert failure.value.filename == energy_uj


def test_delay_passes_in_virtual_time(energy_uj):
    clock = VirtualOps(start_ns=0)
    source = powercap(energy_uj, ScriptedOps([Fault("pread", first=2, delay_ns=200 * MS)], base=clock))
    source.read()
    assert clock.now_ns == 0
    source.read()
    assert clock.now_ns == 200 * MS


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SimChannel(power=[]),
        lambda: SimChannel(power=[(1, 1.0), (1, 2.0)]),
        lambda: SimChannel(power=[(0, float("nan"))]),
        lambda: SimChannel(power=[(0, 1.0)], jitter=0.5),
        lambda: SimChannel(power=[(0, 1.0)], events=[("explode", 0)]),
        lambda: Fault("unlink"),
        lambda: Fault("read", first=0),
        lambda: SimSource([]),
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError):
        wrong()
