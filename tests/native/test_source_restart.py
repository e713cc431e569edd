"""A sensor that went away and came back begins a new epoch: whatever it shows then is not energy."""

from __future__ import annotations

import errno
import struct

import pytest

from codecarbon._sensors import (
    Channel,
    Fault,
    MsrSource,
    PerfSource,
    PowercapSource,
    Sampler,
    ScriptedOps,
    VirtualOps,
    flag_names,
)
from tests.support import fake_msr
from tests.support.fake_msr import FakeMsr
from tests.support.fake_pmu import CPU_CLOCK, SOFTWARE, need_perf
from tests.support.fake_powercap import build_sockets

PERIOD_NS = 100_000_000
BEFORE, AFTER = 4_000_000_000, 5_000_000  # close to the end of a range, then at its begin: it looks like a wrap
LATER = BEFORE + 300_000_000  # of a counter that cannot wrap: it looks like energy


class Bench:
    """One source with one channel, its counter set by hand, in virtual time."""

    def __init__(self, tmp_path, kind):
        self.away = Fault("read" if kind == "perf" else "pread", errno=errno.ENODEV)
        self.away.is_active = False
        self.clock = VirtualOps()
        self.kind = kind
        channel = Channel("package-0", "package", modulus=0 if kind == "perf" else 2**32, cap_w=1000.0)
        if kind == "powercap":
            self.zone = build_sockets(tmp_path, has_dram=False).zones["package-0"]
            self.set(BEFORE)
            source = PowercapSource([(self.zone.energy_path, channel)], ops=self.ops())
        elif kind == "msr":
            self.tree = FakeMsr(tmp_path)
            self.set(BEFORE)
            source = MsrSource(self.tree.path(0), [(fake_msr.INTEL_PACKAGE, channel)], ops=self.ops())
        else:
            need_perf()
            # Calls 1 and 2 are the ones of opening and of the first tick.
            replies = [
                Fault("read", path="perf:*", first=1, last=2, data=struct.pack("=5Q", 1, 10, 10, BEFORE, 7)),
                Fault("read", path="perf:*", first=3, data=struct.pack("=5Q", 1, 10, 10, LATER, 7)),
            ]
            source = PerfSource(SOFTWARE, 0, [(CPU_CLOCK, channel)], ops=self.ops(*replies))
        self.sampler = Sampler([source], idle_period_ns=PERIOD_NS, ops=self.clock)

    def ops(self, *faults):
        return ScriptedOps([self.away, *faults], base=self.clock)

    def set(self, count):
        if self.kind == "powercap":
            self.zone.write(count)
        elif self.kind == "msr":
            self.tree.poke(0, fake_msr.INTEL_PACKAGE, count)


@pytest.mark.parametrize("is_slow", [False, True], ids=["", "read-twice"])
@pytest.mark.parametrize("kind", ["powercap", "msr", "perf"])
def test_counter_that_came_back_restarts_and_adds_nothing(tmp_path, kind, is_slow):
    bench = Bench(tmp_path, kind)
    bench.sampler.step()
    start = bench.sampler.resolve(bench.clock.now_ns)
    bench.away.is_active = True
    bench.sampler.step(100, PERIOD_NS)
    assert bench.sampler.state(0).is_gone
    bench.clock.advance(5_000_000_000)
    bench.away.is_active = False
    bench.set(AFTER)
    if is_slow:
        # A slow tick reads everything twice and keeps the tighter bracket: the restart must survive that.
        bench.clock.delay_next_read(1_000_000)
    bench.sampler.step(2, PERIOD_NS)
    assert not bench.sampler.state(0).is_gone
    end = bench.sampler.resolve(bench.clock.now_ns)
    energy_uj, low_uj, high_uj, _, flags = start.energy(end, 0)
    assert (energy_uj, low_uj) == (0, 0)
    assert high_uj > 10_000_000_000  # what 1000 W could have been in the 15 s without it
    names = flag_names(flags)
    assert "RESET" in names
    assert "WRAP" not in names


def test_a_perf_count_of_64_bits_wraps_exactly():
    """In the kernel's unit it does so after 4.3 GJ: months of one big package."""
    need_perf()
    before, after = 2**64 - (3 << 16), 5 << 16
    replies = [
        Fault("read", path="perf:*", first=1, last=2, data=struct.pack("=5Q", 1, 10, 10, before, 7)),
        Fault("read", path="perf:*", first=3, data=struct.pack("=5Q", 1, 10, 10, after, 7)),
    ]
    clock = VirtualOps()
    # 2**-32 J, and 16 of the bits left out.
    channel = Channel("package-0", "package", num=15625, den=1 << 10, modulus=1 << 48, cap_w=1000.0)
    source = PerfSource(SOFTWARE, 0, [(CPU_CLOCK, channel)], shift=16, ops=ScriptedOps(replies, base=clock))
    sampler = Sampler([source], idle_period_ns=PERIOD_NS, ops=clock)
    sampler.step(3, PERIOD_NS)
    assert sampler.state(0).count == 8
    assert "RESET" not in {name for bits in sampler.snapshot()[0]["flags"] for name in flag_names(int(bits))}


@pytest.mark.parametrize("shift", [-1, 33])
def test_perf_readings_keep_half_of_their_bits(shift):
    with pytest.raises(ValueError, match="can be left out"):
        PerfSource(SOFTWARE, 0, [(CPU_CLOCK, Channel("package-0", "package"))], shift=shift)
