"""What a machine draws where no sensor tells: power ceilings of processors, power of memory.

The formulas are those of codecarbon 2 and 3 (https://docs.codecarbon.io, "Methodology"), kept so that modelled figures
stay comparable; where they were applied wrongly, the rule here says so.
"""

from __future__ import annotations

from typing import NamedTuple

WATTS_PER_LOGICAL_CPU = 4.0
"""Where a processor's rated power is unknown, and the most that a virtual processor is charged."""

FALLBACK_CPU_W = 85.0
"""Where not even the number of processors is known."""

DIMM_W = 5.0
ARM_DIMM_W = 1.5
MIN_RAM_W = 10.0
MIN_ARM_RAM_W = 3.0

# Up to so many GiB a machine is taken to have so many modules.
_DIMMS_BY_SIZE = ((2, 1), (16, 2), (64, 4), (128, 8))
_DIMM_SIZES_GIB = (128, 64, 32, 16, 8, 4)
_MAX_DIMMS = 32
_USUAL_SLOTS = 8
# Modules beyond these counts draw less each: (up to so many modules, share of the first ones' power).
_DIMM_SHARES = ((4, 1.0), (8, 0.9), (16, 0.8), (_MAX_DIMMS, 0.7))


class PowerCeiling(NamedTuple):
    """Power of all processors at full load, watts, and the sentence that says where it comes from."""

    power_w: float
    reason: str


def cpu_power_ceiling(
    tdp_w: float | None,
    *,
    sockets: int,
    logical_cpus: int,
    is_virtual: bool,
    forced_w: float | None = None,
) -> PowerCeiling:
    """Choose the power of all processors at full load.

    Logical processors already are those of all sockets, so a ceiling made from them is never multiplied by the sockets
    again. A guest sees its host's processor name: it is charged for the whole chip only if it has enough of it.

    Args:
        tdp_w: Rated power of one socket, None when the model is not in the tables.
        sockets: Number of sockets.
        logical_cpus: Number of logical processors, 0 when unknown.
        is_virtual: Whether a hypervisor announces itself.
        forced_w: What the user says it is.
    """
    if forced_w is not None:
        return PowerCeiling(forced_w, f"force_cpu_power: {forced_w:g} W")
    by_count_w = WATTS_PER_LOGICAL_CPU * logical_cpus
    if tdp_w is not None:
        rated_w = tdp_w * max(sockets, 1)
        if is_virtual and 0.0 < by_count_w < rated_w:
            reason = f"virtual machine: {WATTS_PER_LOGICAL_CPU:g} W for each of {logical_cpus} virtual processors"
            return PowerCeiling(by_count_w, f"{reason}, less than the {rated_w:g} W of the physical ones")
        return PowerCeiling(rated_w, f"rated power: {tdp_w:g} W for each of {max(sockets, 1)} sockets")
    if logical_cpus > 0:
        reason = f"rated power unknown: {WATTS_PER_LOGICAL_CPU:g} W for each of {logical_cpus} logical processors"
        return PowerCeiling(by_count_w, reason)
    return PowerCeiling(FALLBACK_CPU_W, f"nothing known about the processors: {FALLBACK_CPU_W:g} W")


def dimm_count(ram_gib: float) -> int:
    """Estimate the number of memory modules behind an amount of memory."""
    for limit_gib, count in _DIMMS_BY_SIZE:
        if ram_gib <= limit_gib:
            return count
    for size_gib in _DIMM_SIZES_GIB:
        if size_gib <= ram_gib / _USUAL_SLOTS:
            return min(-int(-ram_gib // size_gib), _MAX_DIMMS)
    raise AssertionError("beyond 128 GiB a module of 16 GiB always fits")


def ram_power_w(ram_gib: float, *, is_arm: bool) -> float:
    """Estimate the power of a machine's memory in watts.

    Args:
        ram_gib: Installed memory, always the machine's: a process gets its share of the result, not a result for its
            share, since modules and the floor belong to the machine.
        is_arm: Whether the machine is an Arm.

    Raises:
        ValueError: The amount is not positive; unknown memory has no modelled power.
    """
    if not ram_gib > 0.0:
        raise ValueError(f"installed memory must be positive, not {ram_gib!r} GiB")
    each_w = ARM_DIMM_W if is_arm else DIMM_W
    total_w, counted = 0.0, 0
    for limit, share in _DIMM_SHARES:
        here = min(dimm_count(ram_gib), limit) - counted
        if here <= 0:
            break
        total_w += share * each_w * here
        counted += here
    return max(total_w, MIN_ARM_RAM_W if is_arm else MIN_RAM_W)


def process_ram_power_w(machine_w: float, resident_bytes: int, total_bytes: int) -> float:
    """Return the part of the machine's memory power that a process tree's resident memory stands for.

    Raises:
        ValueError: The machine's memory is not positive.
    """
    if total_bytes <= 0:
        raise ValueError(f"installed memory must be positive, not {total_bytes!r} bytes")
    return machine_w * min(1.0, resident_bytes / total_bytes)
