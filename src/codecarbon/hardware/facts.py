"""What the machine is, read from the kernel's text files: no subprocess, no third-party import."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from codecarbon.model import MachineFacts, Roots
from codecarbon.units import gib_from_bytes


class CpuInfo(NamedTuple):
    """The parts of ``/proc/cpuinfo`` that sensors and models depend on.

    Attributes:
        vendor: For example ``GenuineIntel``; empty when the file does not say.
        family: CPU family number, 0 when unknown.
        model: CPU model number, 0 when unknown.
        brand: Brand string, or ``Unknown``.
        flags: Feature flags.
        cpu_count: Logical processors.
        socket_count: Sockets, at least 1.
        first_cpu: First logical processor of each socket, by socket id.
    """

    vendor: str
    family: int
    model: int
    brand: str
    flags: frozenset[str]
    cpu_count: int
    socket_count: int
    first_cpu: dict[int, int]

    @property
    def is_amd(self) -> bool:
        """Whether energy counters follow AMD's layout (Hygon's do too)."""
        return self.vendor in ("AuthenticAMD", "HygonGenuine")

    @property
    def is_virtual(self) -> bool:
        """Whether a hypervisor announces itself."""
        return "hypervisor" in self.flags


def read_cpu_info(roots: Roots) -> CpuInfo:
    """Read the processor's identity.

    Args:
        roots: Where the proc file system is.

    Returns:
        The facts; fields that the file does not hold have their documented fall-back.
    """
    text = read_text(f"{roots.procfs}/cpuinfo") or ""
    # The first block tells the identity; the rest only numbers processors and sockets. Parsing each block of a
    # 256-thread machine in full would cost milliseconds of every start.
    head = dict(_fields(text.split("\n\n", 1)[0]))
    cpus = current = 0
    first_cpu: dict[int, int] = {}
    for line in text.splitlines():
        if line.startswith("processor"):
            current = _int(line.partition(":")[2], cpus)
            cpus += 1
        elif line.startswith("physical id"):
            first_cpu.setdefault(_int(line.partition(":")[2], 0), current)
    brand = head.get("model name") or head.get("Hardware") or "Unknown"
    return CpuInfo(
        vendor=head.get("vendor_id", ""),
        family=_int(head.get("cpu family", ""), 0),
        model=_int(head.get("model", ""), 0),
        brand=" ".join(brand.split()),
        flags=frozenset((head.get("flags") or head.get("Features") or "").split()),
        cpu_count=cpus or os.cpu_count() or 1,
        socket_count=len(first_cpu) or 1,
        first_cpu=first_cpu or {0: 0},
    )


def read_facts(roots: Roots, cpu: CpuInfo | None = None) -> MachineFacts:
    """Read what the machine is.

    Args:
        roots: Where the proc file system is.
        cpu: The processor's identity, when it has been read already.

    Returns:
        The facts; ``ram_total_gib`` is 0.0 only where there is no memory information at all.
    """
    cpu = cpu or read_cpu_info(roots)
    return MachineFacts(
        os=read_platform(),
        python_version="{}.{}.{}".format(*sys.version_info),
        cpu_model=cpu.brand,
        cpu_count=cpu.cpu_count,
        cpu_physical_count=cpu.socket_count,
        ram_total_gib=gib_from_bytes(read_ram_total_bytes(roots)),
        is_virtual=cpu.is_virtual,
        is_arm=os.uname().machine.startswith(("arm", "aarch")),
    )


def read_platform() -> str:
    """The text of ``platform.platform()``, without the subprocess that it starts to ask for the processor."""
    kernel = os.uname()
    # musl does not know the name, and then there is no such part.
    libc = (os.confstr("CS_GNU_LIBC_VERSION") or "") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    parts = [kernel.sysname, kernel.release, kernel.machine]
    if libc:
        parts += ["with", libc.replace(" ", "")]
    return "-".join(part.replace(" ", "_") for part in parts)


def read_ram_total_bytes(roots: Roots) -> int:
    """Read the installed memory, in bytes; 0 when the kernel does not say."""
    for key, value in _fields(read_text(f"{roots.procfs}/meminfo") or ""):
        if key == "MemTotal":
            return _int(value.split()[0], 0) * 1024
    return 0


def read_text(path: str) -> str | None:
    """Read a small kernel file, or None when it is not there or may not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (pathlib costs start-up time)
            return file.read()
    except OSError:
        return None


def _fields(text: str) -> list[tuple[str, str]]:
    return [
        (key.strip(), value.strip()) for key, sep, value in (line.partition(":") for line in text.splitlines()) if sep
    ]


def _int(text: str, default: int) -> int:
    try:
        return int(text)
    except ValueError:
        return default
