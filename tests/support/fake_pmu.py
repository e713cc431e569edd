"""A ``power`` PMU made of software events.

The folder looks like the kernel's, but its ``type`` is 1, where event 0 (``cpu-clock``) counts the nanoseconds of one
processor: with a scale of 1e-9 it is a sensor of exactly 1 W, and with another scale one of any power.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from codecarbon._sensors import probe_event
from tests.support.skips import skip_without_permission

SOFTWARE = 1  # PERF_TYPE_SOFTWARE of perf_event_open(2)
CPU_CLOCK = 0  # counts nanoseconds
CONTEXT_SWITCHES = 3  # counts irregularly
DUMMY = 9  # opens, and never counts
RAPL_SCALE = "2.3283064365386962890625e-10"


class FakePmu:
    """Builds a PMU folder; ``root`` is what ``CODECARBON_SYSFS_ROOT`` is set to.

    Args:
        root: Gets ``bus/event_source/devices`` and ``devices``.
        events: Number and scale text of each event, by the name of its file.
        cpus: Content of ``cpumask``.
        name: Name of the PMU.
        pmu_type: Content of ``type``.
    """

    def __init__(
        self,
        root: Path,
        events: Mapping[str, tuple[int, str]],
        *,
        cpus: Sequence[int] = (0,),
        name: str = "power",
        pmu_type: int = SOFTWARE,
    ) -> None:
        self.root = root
        self.folder = root / "devices" / name
        (self.folder / "events").mkdir(parents=True)
        (self.folder / "format").mkdir()
        (self.folder / "type").write_text(f"{pmu_type}\n")
        (self.folder / "cpumask").write_text(",".join(map(str, cpus)) + "\n")
        (self.folder / "format" / "event").write_text("config:0-7\n")
        for event, (config, scale) in events.items():
            (self.folder / "events" / event).write_text(f"event=0x{config:02x}\n")
            (self.folder / "events" / f"{event}.scale").write_text(f"{scale}\n")
            (self.folder / "events" / f"{event}.unit").write_text("Joules\n")
        bus = root / "bus" / "event_source" / "devices"
        bus.mkdir(parents=True, exist_ok=True)
        (bus / name).symlink_to(os.path.relpath(self.folder, bus))


def watt_scale(power_w: int) -> str:
    """Scale with which ``cpu-clock`` is a sensor of so many watts."""
    return f"{power_w}e-9"


def build_constant(root: Path, package_w: int = 1, dram_w: int = 0) -> FakePmu:
    """Make a PMU whose package, and memory if wanted, draw a constant power for ever."""
    events = {"energy-pkg": (CPU_CLOCK, watt_scale(package_w))}
    if dram_w:
        events["energy-ram"] = (CPU_CLOCK, watt_scale(dram_w))
    return FakePmu(root, events)


def build_phantom(root: Path) -> FakePmu:
    """Make the PMU that many virtual machines show: one event, which opens and never moves."""
    return FakePmu(root, {"energy-psys": (DUMMY, RAPL_SCALE)})


def need_perf() -> None:
    """Skip the test unless this user may count on a whole processor."""
    errno = probe_event(SOFTWARE, 0, CPU_CLOCK)
    if errno:
        skip_without_permission(f"perf_event_open on a processor: {os.strerror(errno)}")
