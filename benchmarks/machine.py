"""A powercap tree of two packages with memory, for programs that read it as if it were the kernel's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecarbon.hardware import MeasureRequest
    from codecarbon.model import EnergyWindow

MODULUS_UJ = 262_143_328_850


class FakeMachine:
    """Two packages and their memory, laid out as the kernel lays out its powercap class.

    Args:
        root: The folder that stands for /sys.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.counters: list[Path] = []
        self.energy_uj: dict[Path, int] = {}
        self._class = root / "class" / "powercap"
        self._class.mkdir(parents=True)
        control = root / "devices" / "virtual" / "powercap" / "intel-rapl"
        control.mkdir(parents=True)
        (control / "enabled").write_text("1\n", encoding="ascii")
        (control / "subsystem").symlink_to(self._class)
        (self._class / control.name).symlink_to(control)
        for package in range(2):
            zone = self._zone(control / f"intel-rapl:{package}", f"package-{package}", 40_000_000_000 + package)
            self._zone(zone / f"intel-rapl:{package}:0", "dram", 7_000_000_000 + package)

    def _zone(self, zone: Path, name: str, energy_uj: int) -> Path:
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n", encoding="ascii")
        (zone / "enabled").write_text("1\n", encoding="ascii")
        (zone / "max_energy_range_uj").write_text(f"{MODULUS_UJ}\n", encoding="ascii")
        counter = zone / "energy_uj"
        counter.write_text(f"{energy_uj:012d}\n", encoding="ascii")
        (self._class / zone.name).symlink_to(zone)
        self.counters.append(counter)
        self.energy_uj[counter] = energy_uj
        return zone

    def request(self, *, sampling_hz: float | None = None) -> MeasureRequest:
        """Return what a meter needs to read this machine."""
        from codecarbon.hardware import MeasureRequest
        from codecarbon.model import Roots

        return MeasureRequest(roots=Roots(sysfs=str(self.root)), sampling_hz=sampling_hz)

    def advance(self, energy_uj: int) -> None:
        """Add energy to every counter, in place and in one write each, so that no reader sees half a number."""
        for counter in self.counters:
            self.energy_uj[counter] += energy_uj
            with counter.open("r+b", buffering=0) as handle:
                handle.write(f"{self.energy_uj[counter]:012d}\n".encode("ascii"))


def holds(window: EnergyWindow, energy_uj: int) -> bool:
    """Whether the bound of every one of the four counters contains the energy that it really gained."""
    channels = [channel for component in window.components for channel in component.channels]
    assert len(channels) == 4, channels
    return all(channel.low_uj <= energy_uj <= channel.high_uj for channel in channels)


def parts(window: EnergyWindow) -> list[int]:
    """The estimate of each counter, in microjoules."""
    return [channel.energy_uj for component in window.components for channel in component.channels]
