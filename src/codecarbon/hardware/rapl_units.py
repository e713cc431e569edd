"""Registers, units and ranges of RAPL counters, as exact fractions.

Sources: Intel SDM volume 3B, 15.10 and volume 4 (registers, unit field); AMD PPR for Family 17h Model 01h, 2.1.14.1
(MSRC001_0299 to 029B); Linux ``arch/x86/events/rapl.c`` and ``drivers/powercap/intel_rapl_{common,msr}.c`` (exceptions
by model, and how powercap rounds); model numbers from Linux ``arch/x86/include/asm/intel-family.h``.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from codecarbon.units import UJ_PER_J

COUNT_MODULUS = 1 << 32
"""Every RAPL counter has 32 bits."""

NJ_PER_UJ = 1000
MIN_ESU, MAX_ESU = 3, 20
"""A unit field outside this range comes from a machine that only pretends (a guest reads 0)."""

MIN_SCALE_J, MAX_SCALE_J = 1e-15, 1.0
"""No perf energy event counts in joules outside this range."""


PERF_SHIFT = 16
"""perf counts in 2**-32 J whatever the hardware does, so that 64 bits are full after 4.3 GJ, months of one big
package. No hardware counts finer than 2**-16 J, so the lower half of those bits is always 0 and may be left out."""


class EnergyUnit(NamedTuple):
    """Microjoules per count, as a fraction in lowest terms."""

    num: int
    den: int


class RegisterMap(NamedTuple):
    """Where a vendor keeps its counters.

    Attributes:
        unit: The register whose bits 12:8 hold the energy unit.
        energy: The energy status register of each domain.
    """

    unit: int
    energy: dict[str, int]


class PowercapRange(NamedTuple):
    """How a powercap counter counts, in microjoules.

    Attributes:
        modulus: The reading wraps here.
        quantum: The smallest step of the reading.
        is_assumed: The zone does not tell its range, so the commonest one was taken.
    """

    modulus: int
    quantum: int
    is_assumed: bool


INTEL = RegisterMap(0x606, {"package": 0x611, "core": 0x639, "uncore": 0x641, "dram": 0x619, "psys": 0x64D})
# The core counter of AMD covers one core, not all of them: it is a breakdown, left to whoever wants it.
AMD = RegisterMap(0xC0010299, {"package": 0xC001029B})

AMD_FIRST_FAMILY = {"AuthenticAMD": 0x17, "HygonGenuine": 0x18}
INTEL_FAMILY = 6

# Memory counts in a fixed unit whatever the unit register says: Haswell-X, Broadwell-X, Broadwell-D, Skylake-X (with
# Cascade and Cooper Lake), Ice Lake-X, Ice Lake-D, Knights Landing, Knights Mill. The data sheet of the Xeon E5 v3
# (330784, 5.3.1) says 15.3 uJ, which powercap takes literally; perf takes 2**-16 J, the power of two behind it.
FIXED_DRAM_MODELS = frozenset({0x3F, 0x4F, 0x56, 0x55, 0x6A, 0x6C, 0x57, 0x85})
FIXED_DRAM_ESU = 16
USUAL_ESU = 14
# Sapphire and Emerald Rapids count the platform in whole joules.
JOULE_PSYS_MODELS = frozenset({0x8F, 0xCF})
# Silvermont, Merrifield, Airmont, Moorefield and Lightning Mountain, and Avoton of the same design: the field is the
# exponent of the microjoules itself.
MICROJOULE_MODELS = frozenset({0x37, 0x4A, 0x4C, 0x4D, 0x5A, 0x75})

_DEFAULT_POWERCAP_UNIT_NJ = 61035  # 2**-14 J as powercap rounds it: most Intel packages


def _fraction(num: int, den: int) -> EnergyUnit:
    divisor = gcd(num, den)
    return EnergyUnit(num // divisor, den // divisor)


def find_registers(vendor: str, family: int) -> RegisterMap | None:
    """Find the registers of a processor, or None when it has no RAPL that we know.

    Args:
        vendor: ``vendor_id`` of ``/proc/cpuinfo``.
        family: ``cpu family`` of ``/proc/cpuinfo``.
    """
    if vendor == "GenuineIntel" and family == INTEL_FAMILY:
        return INTEL
    if vendor in AMD_FIRST_FAMILY and family >= AMD_FIRST_FAMILY[vendor]:
        return AMD
    return None


def get_esu(unit_register: int) -> int:
    """Return the energy status unit, bits 12:8 of the unit register.

    Raises:
        ValueError: The field is beyond what any processor uses.
    """
    esu = unit_register >> 8 & 0x1F
    if not MIN_ESU <= esu <= MAX_ESU:
        raise ValueError(f"energy unit field is {esu}, expected {MIN_ESU} to {MAX_ESU}: register {unit_register:#x}")
    return esu


def unit_from_esu(esu: int) -> EnergyUnit:
    """Return the unit of 1 / 2**esu joules."""
    return _fraction(UJ_PER_J, 1 << esu)


def get_units(vendor: str, family: int, model: int, unit_register: int) -> dict[str, EnergyUnit]:
    """Return the unit of every domain that is read through the MSR device.

    Args:
        vendor: ``vendor_id`` of ``/proc/cpuinfo``.
        family: ``cpu family`` of ``/proc/cpuinfo``.
        model: ``model`` of ``/proc/cpuinfo``.
        unit_register: Value of the unit register.

    Raises:
        ValueError: The processor has no RAPL that we know, or its unit register makes no sense.
    """
    registers = find_registers(vendor, family)
    if registers is None:
        raise ValueError(f"no RAPL registers are known for {vendor} family {family}")
    esu = get_esu(unit_register)
    is_intel = registers is INTEL
    usual = EnergyUnit(1 << esu, 1) if is_intel and model in MICROJOULE_MODELS else unit_from_esu(esu)
    units = dict.fromkeys(registers.energy, usual)
    if is_intel and model in FIXED_DRAM_MODELS:
        units["dram"] = unit_from_esu(FIXED_DRAM_ESU)
    if is_intel and model in JOULE_PSYS_MODELS:
        units["psys"] = EnergyUnit(UJ_PER_J, 1)
    return units


def get_perf_shift(unit: EnergyUnit) -> int:
    """Return how many low bits of a perf event's count are to be left out: those of the kernel's fixed-point unit."""
    return PERF_SHIFT if unit == _fraction(UJ_PER_J, 1 << 32) else 0


def get_perf_modulus(shift: int) -> int:
    """Return where a perf reading wraps, in counts; 0 where nothing is left out: then it does so in no lifetime."""
    return 1 << 64 - shift if shift else 0


def get_perf_quantum(kind: str, shift: int) -> int:
    """Return the step of a perf reading, in counts; the kernel does not tell the hardware's, so the usual one.

    Packages and memory count in 2**-14 J or finer, and the platform in anything up to whole joules.
    """
    if not shift:
        return 1
    return 1 << 32 - shift - (0 if kind == "psys" else USUAL_ESU)


def get_perf_unit(scale: str) -> EnergyUnit:
    """Return the unit of a perf event whose ``scale`` file gives joules per count.

    The kernel prints 2**-32 as 2.3283064365386963e-10: a decimal text that is the nearest to a power of two means that
    power of two; any other text means what it says.

    Raises:
        ValueError: The text is not a positive decimal number of sane size.
    """
    text = scale.strip()
    value = float(text)
    if not MIN_SCALE_J <= value <= MAX_SCALE_J:
        raise ValueError(f"scale of a perf energy event is {text!r}, expected joules per count")
    num, den = value.as_integer_ratio()
    if num == 1:
        return _fraction(UJ_PER_J, den)
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, decimals = mantissa.partition(".")
    shift = int(exponent or 0) - len(decimals)
    num, den = int(whole + decimals) * UJ_PER_J, 1
    unit = _fraction(num * 10**shift, den) if shift >= 0 else _fraction(num, den * 10**-shift)
    if max(unit) >= 1 << 63:
        raise ValueError(f"scale of a perf energy event has too many digits: {text!r}")
    return unit


def get_powercap_range(max_energy_range_uj: int | None) -> PowercapRange:
    """Return modulus and step of a powercap zone.

    The file holds the largest value, (2**32 - 1) units, and the driver keeps a unit as whole nanojoules (61035, 15258,
    15300…), so the modulus is one unit more and the unit follows from the range.

    Args:
        max_energy_range_uj: Content of the file of that name; None or 0 when it cannot be read.
    """
    if max_energy_range_uj is None or max_energy_range_uj <= 0:
        return PowercapRange(
            (_DEFAULT_POWERCAP_UNIT_NJ << 32) // NJ_PER_UJ, _step(_DEFAULT_POWERCAP_UNIT_NJ), is_assumed=True
        )
    unit_nj = -(-max_energy_range_uj * NJ_PER_UJ // (COUNT_MODULUS - 1))
    if unit_nj * (COUNT_MODULUS - 1) // NJ_PER_UJ == max_energy_range_uj:
        return PowercapRange((unit_nj << 32) // NJ_PER_UJ, _step(unit_nj), is_assumed=False)
    # Not a 32-bit counter of whole nanojoules: then the largest value is the only thing known.
    return PowercapRange(max_energy_range_uj + 1, 1, is_assumed=False)


def _step(unit_nj: int) -> int:
    """Return a unit in microjoules, rounded up: no reading lags its counter by more."""
    return -(-unit_nj // NJ_PER_UJ)
