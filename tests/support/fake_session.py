"""A session of exactly known power on a clock that only tests move, for everything that lies above sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from codecarbon.model import (
    ChannelEnergy,
    ComponentEnergy,
    EnergyWindow,
    Finding,
    GpuFacts,
    MachineFacts,
    Utilisation,
)
from codecarbon.units import NS_PER_S, j_from_uj, ns_from_s, s_from_ns

SLOT_S = 300
EPOCH_UNIX_S = 1_700_000_100  # a multiple of 300: the fake clock starts on a slot boundary
FACTS = MachineFacts(
    os="Linux-6.1-x86_64",
    python_version="3.11.7",
    cpu_model="Fake CPU",
    cpu_count=8,
    cpu_physical_count=1,
    ram_total_gib=16.0,
    is_virtual=False,
    is_arm=False,
)


@dataclass(slots=True)
class FakeClock:
    """Time that passes when a test says so."""

    t_ns: int = NS_PER_S

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.t_ns += ns_from_s(seconds)


@dataclass(frozen=True, slots=True)
class FakeMark:
    t_ns: int


@dataclass
class FakeAnchors:
    """Wall clock: the epoch at fake time zero."""

    def unix_ns(self, t_ns: int) -> int:
        """Nanoseconds since 1970."""
        return EPOCH_UNIX_S * NS_PER_S + t_ns

    def t_ns(self, when: datetime) -> int:
        """The fake clock's instant of an aware time."""
        if when.tzinfo is None:
            raise ValueError(f"{when!r} has no time zone")
        return ns_from_s(when.timestamp() - EPOCH_UNIX_S)


@dataclass
class FakeSession:
    """Constant powers; None is a component of which nothing is known.

    Attributes:
        clock: The clock; tests move it.
        power_w: Power of each component.
        settled_ns: Marks up to here are final; None for all.
        calls: Names of the calls that reached the session.
        failing: Names of methods that raise ``RuntimeError``.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    power_w: dict[str, float | None] = field(default_factory=lambda: {"cpu": 100.0, "ram": 10.0, "gpu": None})
    settled_ns: int | None = None
    gpus: tuple[GpuFacts, ...] = ()
    facts: MachineFacts = FACTS
    calls: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    holds: int = 0
    is_running: bool = False
    anchors: FakeAnchors = field(default_factory=FakeAnchors)
    cpu_percent: float | None = 50.0

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise RuntimeError(f"{name} fails because the test says so")

    def start(self) -> FakeMark:
        self._note("start")
        assert not self.is_running
        self.is_running = True
        return self.mark()

    def stop(self) -> FakeMark:
        self._note("stop")
        assert self.is_running
        self.is_running = False
        self.holds = 0
        return FakeMark(self.clock.t_ns)

    def mark(self) -> FakeMark:
        assert self.is_running
        return FakeMark(self.clock.t_ns)

    def mark_at(self, t_ns: int) -> FakeMark:
        return FakeMark(t_ns)

    def tick(self, wait_s: float = 0.005) -> None:
        self._note("tick")

    def hold_fast(self) -> None:
        self.holds += 1

    def release_fast(self) -> None:
        self.holds -= 1

    def settle(self, mark: FakeMark) -> bool:
        return self.settled_ns is None or mark.t_ns <= self.settled_ns

    def utc(self, mark: FakeMark) -> datetime:
        return datetime.fromtimestamp(EPOCH_UNIX_S, timezone.utc) + timedelta(seconds=s_from_ns(mark.t_ns))

    def _uj(self, component: str, start: FakeMark, end: FakeMark) -> int | None:
        power_w = self.power_w[component]
        # One nanosecond of a watt is a nanojoule; totals are whole microjoules, so that parts sum exactly.
        total = [None if power_w is None else int(power_w * mark.t_ns) // 1000 for mark in (start, end)]
        return None if total[0] is None or total[1] is None else total[1] - total[0]

    def joules(self, start: FakeMark, end: FakeMark) -> tuple[float | None, float | None, float | None, bool]:
        self._note("joules")
        uj = [self._uj(name, start, end) for name in ("cpu", "gpu", "ram")]
        cpu_j, gpu_j, ram_j = (None if entry is None else j_from_uj(entry) for entry in uj)
        return cpu_j, gpu_j, ram_j, not self.settle(end)

    def window(self, spans: list[tuple[FakeMark, FakeMark]]) -> EnergyWindow:
        self._note("window")
        if not spans:
            raise ValueError("a window needs at least one span")
        for start, end in spans:
            if end.t_ns < start.t_ns:
                raise ValueError("a span ends before it starts")
        duration_ns = sum(end.t_ns - start.t_ns for start, end in spans)
        return EnergyWindow(
            start_utc=self.utc(spans[0][0]),
            end_utc=self.utc(spans[-1][1]),
            duration_s=s_from_ns(duration_ns),
            components=tuple(self._component(name, spans) for name in ("cpu", "ram", "gpu") if self._is_there(name)),
            provisional=any(not self.settle(end) for _, end in spans),
            ticks=len(spans),
            missed_ticks=0,
            gap_s=0.0,
            own_cpu_s=0.0,
            utilisation=Utilisation(self.cpu_percent, None, 25.0, 4.0),
        )

    def _is_there(self, name: str) -> bool:
        return name != "gpu" or self.power_w["gpu"] is not None

    def _component(self, name: str, spans: list[tuple[FakeMark, FakeMark]]) -> ComponentEnergy:
        parts = [self._uj(name, start, end) for start, end in spans]
        if parts[0] is None:
            reason = f"{name}: no counter is live"
            return ComponentEnergy(
                name, None, None, None, None, "plausible", None, "none", "machine", 0.0, missing=(reason,)
            )
        uj = sum(part or 0 for part in parts)
        joules = j_from_uj(uj)
        channel = ChannelEnergy(f"{name}-0", name, uj, uj, uj, 0.0)
        return ComponentEnergy(
            name,
            joules,
            joules * 0.9,
            joules * 1.1,
            0.0,
            "hard",
            "measured",
            "fake",
            "machine",
            1.0,
            channels=(channel,),
        )

    def boundaries(self, start: FakeMark, end: FakeMark) -> list[tuple[int, FakeMark, FakeMark]]:
        slot_ns = SLOT_S * NS_PER_S
        pieces = []
        begin = start
        while True:
            slot = self.anchors.unix_ns(begin.t_ns) // slot_ns
            edge_ns = (slot + 1) * slot_ns - self.anchors.unix_ns(0)
            if edge_ns >= end.t_ns:
                return [*pieces, (slot * SLOT_S, begin, end)]
            pieces.append((slot * SLOT_S, begin, FakeMark(edge_ns)))
            begin = FakeMark(edge_ns)

    def findings(self) -> tuple[Finding, ...]:
        return (Finding("powercap", "package-0", "package", "live", "/sys/fake", "counting"),)


class RecordingHandler:
    """An output handler that remembers what it got."""

    def __init__(self) -> None:
        self.outs: list[tuple[Any, Any]] = []
        self.lives: list[tuple[Any, Any]] = []
        self.tasks: list[tuple[list[Any], str]] = []
        self.exits = 0

    def out(self, total: Any, delta: Any) -> None:
        self.outs.append((total, delta))

    def live_out(self, total: Any, delta: Any) -> None:
        self.lives.append((total, delta))

    def task_out(self, data: list[Any], experiment_name: str) -> None:
        self.tasks.append((data, experiment_name))

    def exit(self) -> None:
        self.exits += 1
