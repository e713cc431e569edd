"""A LoadSource over a fake procfs in virtual time."""

from __future__ import annotations

from codecarbon._sensors import LoadSource, ScriptedOps, VirtualOps
from tests.support.fake_proc import TICK_NS

S, MS = 1_000_000_000, 1_000_000
CPUS = 4
P_MAX_W = 100.0


class Rig:
    """A source over a fake procfs in virtual time."""

    def __init__(self, proc, *, faults=(), **options):
        self.proc = proc
        self.clock = VirtualOps()
        self.ticks = {"busy": 0, "idle": 0, "stolen": 0}
        defaults = {"mode": "machine", "cpu_formula": "load", "p_max_w": P_MAX_W, "ram_w": 20.0, "cpu_count": CPUS}
        defaults["ram_total_bytes"] = 1 << 30
        self.source = LoadSource(proc.root, **{**defaults, **options}, ops=ScriptedOps(faults, base=self.clock))

    def run(self, ns, **ticks):
        """Let time pass, and ticks with it."""
        self.clock.advance(ns)
        for name, count in ticks.items():
            self.ticks[name] += count
        self.proc.set_ticks(**self.ticks)

    def read(self, name=None):
        """All readings by channel name, or the value of one, which must be good."""
        readings = {
            channel.name: reading for channel, reading in zip(self.source.channels, self.source.read(), strict=True)
        }
        if name is None:
            return readings
        assert readings[name][1] == 0
        return readings[name][0]

    def tree_ticks(self):
        """Clock ticks of the process tree so far, which must be whole ones."""
        ns = self.read("util.tree_cpu")
        assert ns % TICK_NS == 0
        return ns // TICK_NS

    def statuses(self):
        return {name: status for name, (_, status) in self.read().items()}
