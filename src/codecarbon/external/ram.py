"""Old path of the memory model."""

from __future__ import annotations

from codecarbon.config import resolve
from codecarbon.core.units import Energy, Power, Time
from codecarbon.hardware import read_facts
from codecarbon.hardware.models import DIMM_W, process_ram_power_w, ram_power_w
from codecarbon.model import Roots
from codecarbon.units import BYTES_PER_GIB, gib_from_bytes

__all__ = ["RAM", "RAM_SLOT_POWER_X86"]

RAM_SLOT_POWER_X86 = DIMM_W


class RAM:
    """Modelled power of the memory.

    Args:
        pid: Process that counts in process mode; this one when left out.
        children: Whether its descendants count too.
        tracking_mode: ``machine``, or ``process`` for its share of the machine's memory.
        force_ram_power: Watts that replace the model.
    """

    def __init__(
        self,
        pid: int | None = None,
        children: bool = True,  # noqa: FBT001, FBT002 (old signature)
        tracking_mode: str = "machine",
        force_ram_power: float | None = None,
    ) -> None:
        settings = resolve()
        facts = read_facts(Roots(procfs=settings.procfs_root))
        self.machine_memory_GB = facts.ram_total_gib
        self.is_arm_cpu = facts.is_arm
        self._pid = pid
        self._children = children
        self._tracking_mode = tracking_mode
        self._force_w = force_ram_power

    @property
    def process_memory_GB(self) -> float:  # noqa: N802 (public name of codecarbon 3)
        """Resident memory of the process, and of its descendants if they count, GiB."""
        import psutil

        process = psutil.Process(self._pid)
        tree = [process, *(process.children(recursive=True) if self._children else [])]
        return gib_from_bytes(sum(member.memory_info().rss for member in tree if member.is_running()))

    def total_power(self) -> Power:
        """The power now; a process gets its share of the machine's, never a floor of its own."""
        if self._force_w is not None:
            return Power.from_watts(self._force_w)
        machine_w = ram_power_w(self.machine_memory_GB, is_arm=self.is_arm_cpu)
        if self._tracking_mode != "process":
            return Power.from_watts(machine_w)
        resident = int(self.process_memory_GB * BYTES_PER_GIB)
        total = int(self.machine_memory_GB * BYTES_PER_GIB)
        return Power.from_watts(process_ram_power_w(machine_w, resident, total))

    def measure_power_and_energy(self, last_duration: float) -> tuple[Power, Energy]:
        """The power now, and the energy if it was like that for ``last_duration`` seconds."""
        power = self.total_power()
        return power, Energy.from_power_and_time(power=power, time=Time.from_seconds(last_duration))
