"""A sampler over simulated sensors, driven in virtual time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from codecarbon._sensors import Reading, Sampler, SimChannel, SimSource, VirtualOps, flag_names

US = 1_000
MS = 1_000_000
S = 1_000_000_000
START_NS = 1000 * S
FJ_PER_UJ = 1_000_000_000
# An Intel package counter: 2^-14 J per count, 32 bits.
INTEL = {"num": 15625, "den": 256, "modulus": 2**32}


class Window(NamedTuple):
    """What the core says about one channel between two instants."""

    energy_uj: int
    low_uj: int
    high_uj: int
    std_j: float
    flags: frozenset[str]

    @property
    def width_uj(self) -> int:
        return self.high_uj - self.low_uj

    def contains(self, true_fj: int) -> bool:
        return self.low_uj * FJ_PER_UJ <= true_fj <= self.high_uj * FJ_PER_UJ


class Total(NamedTuple):
    """What the core says about one channel at one instant."""

    total_uj: int
    low_uj: int
    high_uj: int
    lost_uj: int


class Rig:
    """One sampler over one simulated source, stepped by hand."""

    def __init__(
        self,
        *channels: SimChannel,
        period_ns: int = MS,
        idle_period_ns: int = 100 * MS,
        read_ns: int = 0,
        slots: int = 16384,
        coarse_slots: int = 256,
        ops: VirtualOps | None = None,
    ) -> None:
        self.ops = VirtualOps(start_ns=START_NS) if ops is None else ops
        self.channels = channels
        self.source = SimSource(channels, ops=self.ops, read_ns=read_ns)
        self.period_ns = period_ns
        self.sampler = Sampler(
            [self.source],
            idle_period_ns=max(idle_period_ns, period_ns),
            fast_period_ns=period_ns,
            slots=slots,
            coarse_slots=coarse_slots,
            ops=self.ops,
        )

    def run_until(self, t_ns: int, *, period_ns: int | None = None, late: random.Random | None = None) -> Rig:
        """Tick until the next tick would come after t_ns; with `late`, each comes up to half a period too late."""
        period = self.period_ns if period_ns is None else period_ns
        while (n := (t_ns - self.ops.now_ns) // period) > 0:
            if late:
                self.ops.delay_next_wait(late.randrange(period // 2 + 1))
            self.sampler.step(1 if late else n, period)
        return self

    def run(self, ns: int, **how: object) -> Rig:
        return self.run_until(self.ops.now_ns + ns, **how)

    def at(self, t_ns: int, i: int = 0) -> Total:
        return Total(*self.sampler.resolve(t_ns).channel(i))

    def window(self, t0_ns: int, t1_ns: int, i: int = 0) -> Window:
        return window(self.sampler.resolve(t0_ns), self.sampler.resolve(t1_ns), i)

    def true_fj(self, t0_ns: int, t1_ns: int, i: int = 0) -> int:
        return self.channels[i].true_energy_fj(t0_ns, t1_ns)

    def flags(self) -> list[frozenset[str]]:
        """Flags of every tick that the ring still holds."""
        return [frozenset(flag_names(int(bits))) for bits in self.sampler.snapshot()[0]["flags"]]


def window(first: Reading, later: Reading, i: int = 0) -> Window:
    *numbers, flags = first.energy(later, i)
    return Window(*numbers, frozenset(flag_names(flags)))


def random_power(rng: random.Random, span_ns: int, *, steps: int, max_w: float) -> list[tuple[int, float]]:
    """A power curve with steps at random times of the span, and some of them at 0 W."""
    times = sorted({START_NS - S, *(START_NS + rng.randrange(span_ns) for _ in range(steps))})
    return [(t, 0.0 if rng.random() < 0.1 else rng.uniform(0.0, max_w)) for t in times]


def random_windows(rng: random.Random, t0_ns: int, t1_ns: int, n: int) -> Iterator[tuple[int, int]]:
    """Random windows inside a span, more of them short than long."""
    for _ in range(n):
        length = int((t1_ns - t0_ns) * rng.random() ** 3)
        begin = t0_ns + rng.randrange(t1_ns - t0_ns - length + 1)
        yield begin, begin + length
