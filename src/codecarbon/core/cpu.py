"""Old path of what was known about processors: their rated power, and whether their energy counters can be read.

The classes that read counters on the caller's thread are gone: ``codecarbon.EnergyMeter`` measures in their place.
"""

from __future__ import annotations

from importlib.util import find_spec

from codecarbon.config import resolve
from codecarbon.data import find_tdp_w
from codecarbon.hardware import MeasureRequest, detect, read_cpu_info
from codecarbon.hardware.models import WATTS_PER_LOGICAL_CPU
from codecarbon.model import Roots

__all__ = ["DEFAULT_POWER_PER_CORE", "TDP", "is_powergadget_available", "is_psutil_available", "is_rapl_available"]

DEFAULT_POWER_PER_CORE = WATTS_PER_LOGICAL_CPU
_RAPL_INTERFACES = ("perf", "powercap", "msr")


class TDP:
    """Rated power of this machine's processor.

    Attributes:
        model: Brand string, or ``Unknown``.
        tdp: Watts of one socket; where the model is not in the tables, 4 W for each logical processor.
    """

    def __init__(self) -> None:
        cpu = read_cpu_info(_roots())
        self.model = cpu.brand
        self.tdp = find_tdp_w(cpu.brand) or WATTS_PER_LOGICAL_CPU * cpu.cpu_count


def is_rapl_available() -> bool:
    """Whether an energy counter of a processor can be read and moves; looks at it for a fraction of a second."""
    return any(
        finding.interface in _RAPL_INTERFACES and finding.state == "live"
        for finding in detect(MeasureRequest(roots=_roots()))
    )


def is_psutil_available() -> bool:
    """Whether psutil is installed; only needed where there is no ``/proc``."""
    return find_spec("psutil") is not None


def is_powergadget_available() -> bool:
    """Intel's tool exists for systems that this version does not run on."""
    return False


def _roots() -> Roots:
    settings = resolve()
    return Roots(settings.sysfs_root, settings.procfs_root, settings.dev_root, settings.nvml_library)
