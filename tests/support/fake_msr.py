"""MSR devices as sparse files, with the topology and processor facts that tell where to read them.

A hole reads as 0; that a register is absent must come from scripted system calls, as EIO.

In a file, registers less than 8 numbers apart overlap: of AMD's unit register only the low 16 bits remain, which hold
the energy unit, once the package counter two numbers further is set.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

INTEL_UNIT, INTEL_PACKAGE, INTEL_DRAM, INTEL_PSYS = 0x606, 0x611, 0x619, 0x64D
AMD_UNIT, AMD_PACKAGE = 0xC0010299, 0xC001029B
INTEL_UNIT_VALUE = 0xA0E03  # energy unit 14, as most Intel packages have it
AMD_UNIT_VALUE = 0xA1003  # energy unit 16


class FakeMsr:
    """Builds ``dev/cpu/N/msr``, ``sys/devices/system/cpu`` and ``proc/cpuinfo`` below one folder.

    Args:
        root: Gets the folders ``dev``, ``sys`` and ``proc``, one for each root setting.
        sockets: Number of packages.
        cpus_per_socket: Logical processors of each, numbered through.
        vendor: ``vendor_id`` of ``/proc/cpuinfo``.
        family: ``cpu family``.
        model: ``model``.
    """

    def __init__(
        self,
        root: Path,
        *,
        sockets: int = 1,
        cpus_per_socket: int = 2,
        vendor: str = "GenuineIntel",
        family: int = 6,
        model: int = 0x55,
    ) -> None:
        self.dev, self.sys, self.proc = root / "dev", root / "sys", root / "proc"
        self.cpus_per_socket = cpus_per_socket
        self.size = 0x1000 if vendor == "GenuineIntel" else 0xC0011000  # one page beyond the last register
        unit_register, self.unit_value = (
            (INTEL_UNIT, INTEL_UNIT_VALUE) if vendor == "GenuineIntel" else (AMD_UNIT, AMD_UNIT_VALUE)
        )
        count = sockets * cpus_per_socket
        self._write(self.sys / "devices/system/cpu/online", f"0-{count - 1}")
        self._write(self.sys / "devices/system/cpu/possible", f"0-{count - 1}")
        entries = []
        for cpu in range(count):
            socket, core = divmod(cpu, cpus_per_socket)
            topology = self.sys / f"devices/system/cpu/cpu{cpu}/topology"
            self._write(topology / "physical_package_id", str(socket))
            self._write(topology / "die_id", "0")
            self._write(topology / "core_id", str(core))
            self.poke(cpu, unit_register, self.unit_value)
            entries.append(
                f"processor\t: {cpu}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
                f"model name\t: Fake CPU\nphysical id\t: {socket}\ncore id\t\t: {core}\nflags\t\t: fpu msr\n"
            )
        self._write(self.proc / "cpuinfo", "\n".join(entries))

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def path(self, cpu: int) -> Path:
        """The device of one processor."""
        return self.dev / "cpu" / str(cpu) / "msr"

    def poke(self, cpu: int, register: int, value: int) -> None:
        """Set a register of one processor."""
        self.path(cpu).parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path(cpu), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(fd, max(os.fstat(fd).st_size, self.size))
            os.pwrite(fd, struct.pack("<Q", value), register)
        finally:
            os.close(fd)

    def poke_socket(self, socket: int, register: int, value: int) -> None:
        """Set a register that all processors of a package share."""
        for cpu in range(socket * self.cpus_per_socket, (socket + 1) * self.cpus_per_socket):
            self.poke(cpu, register, value)
