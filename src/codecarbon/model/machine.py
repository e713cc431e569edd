"""The machine: where its files are, what it is, and which sensors it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codecarbon.record import FrozenRecord

SensorState = Literal["live", "dormant", "dead", "gone", "refused", "alias", "model"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Roots(FrozenRecord):
    """Root folders of the kernel's file systems, and the NVIDIA library."""

    sysfs: str = "/sys"
    procfs: str = "/proc"
    dev: str = "/dev"
    nvml_library: str = "libnvidia-ml.so.1"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MachineFacts(FrozenRecord):
    """What the machine is; read once, without a subprocess.

    Attributes:
        os: The platform string, as ``platform.platform()`` gives it.
        python_version: For example ``3.12.1``.
        cpu_model: Brand string, or ``Unknown``.
        cpu_count: Logical processors this process may use the machine with.
        cpu_physical_count: Sockets.
        ram_total_gib: Installed memory.
        is_virtual: Whether a hypervisor announces itself.
        is_arm: Whether the machine is an Arm.
    """

    os: str
    python_version: str
    cpu_model: str
    cpu_count: int
    cpu_physical_count: int
    ram_total_gib: float
    is_virtual: bool
    is_arm: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GpuFacts(FrozenRecord):
    """One graphics card, by index and by identity."""

    index: int
    uuid: str
    name: str
    memory_total_bytes: int | None
    power_limit_w: float | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Finding(FrozenRecord):
    """One sensor that discovery came across.

    Attributes:
        interface: ``perf``, ``powercap``, ``msr``, ``nvml`` or ``model``.
        name: The channel, for example ``package-0``, or the interface itself when it is refused as a whole.
        domain: What it counts.
        state: What became of it.
        path: The file, device or library.
        reason: Why it is in that state, in a sentence.
        remedy: The exact command that would make it usable, or empty.
        power_w: Power seen while probing, None when nothing was seen.
    """

    interface: str
    name: str
    domain: str
    state: SensorState
    path: str
    reason: str
    remedy: str = ""
    power_w: float | None = None
