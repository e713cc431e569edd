"""Two fake packages with memory, for programs that read them as if they were the kernel's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.fake_powercap import RANGE_DRAM_UJ, FakePowercap, FakeZone

if TYPE_CHECKING:
    from codecarbon.hardware import MeasureRequest
    from codecarbon.model import EnergyWindow

START_UJ = 40_000_000_000


class FakeMachine:
    """Two packages and their memory.

    Args:
        root: The folder that stands for /sys.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        tree = FakePowercap(root)
        self.zones: list[FakeZone] = []
        for socket in range(2):
            package = tree.add_zone(f"package-{socket}", energy_uj=START_UJ)
            self.zones += [package, tree.add_zone("dram", parent=package, energy_uj=START_UJ, range_uj=RANGE_DRAM_UJ)]
        self.energy_uj = START_UJ
        self.counters = [zone.energy_path for zone in self.zones]

    def request(self, *, sampling_hz: float | None = None) -> MeasureRequest:
        """Return what a meter needs to read this machine."""
        from codecarbon.hardware import MeasureRequest
        from codecarbon.model import Roots

        return MeasureRequest(roots=Roots(sysfs=str(self.root)), sampling_hz=sampling_hz)

    def advance(self, energy_uj: int) -> None:
        """Add energy to every counter."""
        self.energy_uj += energy_uj
        for zone in self.zones:
            zone.write(self.energy_uj)


def holds(window: EnergyWindow, energy_uj: int) -> bool:
    """Whether the bound of every one of the four counters contains the energy that it really gained."""
    channels = [channel for component in window.components for channel in component.channels]
    assert len(channels) == 4, channels
    return all(channel.low_uj <= energy_uj <= channel.high_uj for channel in channels)


def parts(window: EnergyWindow) -> list[int]:
    """The estimate of each counter, in microjoules."""
    return [channel.energy_uj for component in window.components for channel in component.channels]
