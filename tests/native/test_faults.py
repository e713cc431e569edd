"""Every fault of a sensor ends in a flag and a wider bound, never in wrong joules, a crash or a leak."""

from __future__ import annotations

import errno
import os
import random
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecarbon._sensors import Channel, Fault, PowercapSource, Sampler, ScriptedOps, VirtualOps, flag_names
from tests.support.rig import FJ_PER_UJ, MS, START_NS, US, Window, window

S = 1_000_000_000
POWER_UW = 80_000_000  # 80 W: 80,000 microjoules per millisecond
PER_MS = 80_000
CAP_W = 500.0
ZONE = "*/energy_uj"


class Zone:
    """A powercap zone at constant power, written by the test before each tick, behind scripted operations."""

    def __init__(self, folder, *faults: Fault, modulus: int = 0, start_uj: int = 5_000_000) -> None:
        self.path = folder / "energy_uj"
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT)
        weakref.finalize(self, os.close, self.fd)
        self.start_uj = start_uj
        self.modulus = modulus
        self.clock = VirtualOps(start_ns=START_NS)
        self.ops = ScriptedOps(faults, base=self.clock)
        self.write()
        channel = Channel("package-0", "package", modulus=modulus, cap_w=CAP_W)
        self.source = PowercapSource([(self.path, channel)], ops=self.ops)
        self.sampler = Sampler(
            [self.source],
            idle_period_ns=100 * MS,
            fast_period_ns=MS,
            slots=16384,
            coarse_slots=0,
            ops=self.ops,
        )

    def true_uj(self, t_ns: int) -> int:
        return (t_ns - START_NS) * PER_MS // MS

    def write(self) -> None:
        energy_uj = self.start_uj + self.true_uj(self.clock.now_ns)
        # Of fixed width, so that no read meets half of it.
        os.pwrite(self.fd, b"%015d\n" % (energy_uj % self.modulus if self.modulus else energy_uj), 0)

    def run(self, ticks: int, *, period_ns: int = MS) -> Zone:
        for _ in range(ticks):
            self.clock.advance(period_ns)
            self.write()
            self.sampler.step()
        return self

    def flags(self) -> list[frozenset[str]]:
        return [frozenset(flag_names(int(bits))) for bits in self.sampler.snapshot()[0]["flags"]]

    def window(self, t0_ns: int, t1_ns: int) -> Window:
        return window(self.sampler.resolve(t0_ns), self.sampler.resolve(t1_ns))

    def check(self, t0_ns: int, t1_ns: int) -> Window:
        seen = self.window(t0_ns, t1_ns)
        assert seen.contains((self.true_uj(t1_ns) - self.true_uj(t0_ns)) * FJ_PER_UJ), (t0_ns, t1_ns, seen)
        return seen


GARBAGE = {
    "empty": b"",
    "word": b"abc\n",
    "negative": b"-5\n",
    "21 digits": b"123456789012345678901\n",
    "cut short": b"5160",
    "NUL bytes": b"5160\0\0\0\n",
    "trailing spaces": b"5160000  \n",
    "nan": b"nan\n",
    "exponent": b"1e3\n",
    "two lines": b"5160000\n5160001\n",
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_an_error_and_costs_no_energy(tmp_path, text):
    zone = Zone(tmp_path, Fault("pread", path=ZONE, first=11, last=13, data=text)).run(20)
    assert ["ERR" in flags for flags in zone.flags()] == [10 <= tick < 13 for tick in range(20)]
    state = zone.sampler.state(0)
    assert (state.count, state.errors, state.last_errno) == (19 * PER_MS, 3, -errno.EINVAL)
    assert {"ERR"} <= zone.check(START_NS + 5 * MS, START_NS + 18 * MS).flags


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.ENODEV, errno.EACCES, errno.EBADF])
def test_failed_read_is_an_error_and_costs_no_energy(tmp_path, code):
    zone = Zone(tmp_path, Fault("pread", path=ZONE, first=11, last=13, errno=code)).run(20)
    state = zone.sampler.state(0)
    assert (state.count, state.errors, state.errors_in_row, state.last_errno) == (19 * PER_MS, 3, 0, -code)
    for us in range(2500, 19_000, 317):
        zone.check(START_NS + 2 * MS, START_NS + us * US)


def test_zone_that_vanished_returns_as_a_new_epoch(tmp_path):
    fault = Fault("pread", path=ZONE, errno=errno.ENODEV)
    fault.is_active = False
    zone = Zone(tmp_path, fault).run(50)
    fault.is_active = True
    zone.run(200)
    assert zone.sampler.state(0).is_gone
    assert zone.sampler.state(0).count == 49 * PER_MS
    fault.is_active = False
    # The zone was made anew, and so its counter begins anew.
    zone.start_uj = -zone.true_uj(zone.clock.now_ns)
    zone.run(60, period_ns=100 * MS).run(50)
    state = zone.sampler.state(0)
    assert not state.is_gone
    assert zone.ops.calls("open") >= 1
    assert zone.ops.open_fds == 1
    assert {"GAP"} <= zone.check(START_NS + 10 * MS, zone.clock.now_ns - 10 * MS).flags
    assert state.count <= zone.true_uj(zone.clock.now_ns)


def test_reopening_without_descriptors_is_tried_again_and_leaks_none(tmp_path):
    reads = Fault("pread", path=ZONE, errno=errno.ENODEV)
    opens = Fault("open", path=ZONE, errno=errno.EMFILE)
    reads.is_active = opens.is_active = False
    zone = Zone(tmp_path, reads, opens).run(50)
    reads.is_active = opens.is_active = True
    zone.run(200).run(160, period_ns=100 * MS)
    # At most every five seconds.
    assert 2 <= opens.hits <= 4
    assert zone.ops.open_fds == 1
    reads.is_active = opens.is_active = False
    zone.run(51, period_ns=100 * MS)
    assert not zone.sampler.state(0).is_gone
    assert zone.ops.open_fds == 1
    assert zone.sampler.state(0).count <= zone.true_uj(zone.clock.now_ns)


def test_too_many_open_files_at_the_start_leave_nothing_open(tmp_path):
    (tmp_path / "energy_uj").write_text("1\n")
    ops = ScriptedOps([Fault("open", first=3, errno=errno.EMFILE)])
    zones = [(tmp_path / "energy_uj", Channel(f"zone-{i}", "package")) for i in range(4)]
    with pytest.raises(OSError, match="Too many open files"):
        PowercapSource(zones, ops=ops)
    assert ops.open_fds == 0


def test_first_reads_that_fail_delay_the_beginning_only(tmp_path):
    zone = Zone(tmp_path, Fault("pread", path=ZONE, last=30, errno=errno.EIO)).run(100)
    state = zone.sampler.state(0)
    assert state.first_ns == START_NS + 31 * MS
    assert state.count == 69 * PER_MS
    zone.check(START_NS + 32 * MS, START_NS + 90 * MS)


def test_error_while_closing_is_survived(tmp_path):
    zone = Zone(tmp_path, Fault("close", path=ZONE, errno=errno.EIO)).run(5)
    zone.sampler.close()
    assert zone.ops.open_fds == 0


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(st.integers(0, 2**32), st.booleans())
def test_no_script_of_faults_makes_a_joule(tmp_path_factory, seed, has_wrap):
    # A zero that is read again and again, just where the counter would wrap to it, cannot be told from the wrap.
    garbage = [*GARBAGE.values(), *([] if has_wrap else [b"0\n"])]
    modulus = 262_143_328_850
    rng = random.Random(seed)
    faults = []
    for _ in range(rng.randrange(1, 8)):
        first = rng.randrange(1, 400)
        kind = rng.choice(["errno", "data", "at_most", "delay_ns"])
        value = {
            "errno": lambda: rng.choice([errno.EIO, errno.ENODEV, errno.EINVAL]),
            "data": lambda: rng.choice(garbage),
            "at_most": lambda: rng.randrange(16),
            "delay_ns": lambda: rng.choice([60 * US, 3 * MS, 200 * MS]),
        }[kind]()
        faults.append(Fault("pread", path=ZONE, first=first, last=first + rng.randrange(12), **{kind: value}))
    start_uj = modulus - rng.randrange(400 * PER_MS) if has_wrap else rng.randrange(10**9, modulus // 2)
    zone = Zone(tmp_path_factory.mktemp("zone"), *faults, modulus=modulus, start_uj=start_uj).run(400)
    state = zone.sampler.state(0)
    assert state.count <= zone.true_uj(zone.clock.now_ns) - zone.true_uj(START_NS)
    begin, end = state.first_ns + US, zone.sampler.resolve(START_NS).last_ns
    for _ in range(20):
        t0, t1 = sorted(rng.randrange(begin, end) for _ in range(2))
        zone.check(t0, t1)
