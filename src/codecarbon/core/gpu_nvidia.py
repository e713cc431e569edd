"""Old path of NVIDIA's cards, through the module ``pynvml``; not run on hardware.

The library is started on first use, not at import, and no program such as ``nvidia-smi`` is run.
"""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import dataclass
from typing import Any

from codecarbon import units
from codecarbon.core.gpu_device import GPUDevice

__all__ = ["PYNVML_AVAILABLE", "NvidiaGPUDevice", "is_nvidia_system"]

logger = logging.getLogger(__name__)

PYNVML_AVAILABLE: bool


@functools.lru_cache(maxsize=1)
def _started(_pid: int) -> Any:
    """The module, once its library runs in this process; None where it does not."""
    try:
        import pynvml
    except ImportError:
        logger.warning("pynvml is not available: install nvidia-ml-py to see NVIDIA cards")
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        logger.debug("pynvml initialization failed: %s", error)
        return None
    return pynvml


def __getattr__(name: str) -> bool:
    if name == "PYNVML_AVAILABLE":
        return is_nvidia_system()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def is_nvidia_system() -> bool:
    """Whether NVIDIA's library is there and its driver answers."""
    # A forked child must start it anew.
    return _started(os.getpid()) is not None


def list_devices() -> list[NvidiaGPUDevice]:
    """All cards, by index."""
    nvml = _started(os.getpid())
    if nvml is None:
        return []
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError as error:
        logger.warning("The NVIDIA cards cannot be listed: %s", error)
        return []
    return [NvidiaGPUDevice(handle, index) for index, handle in enumerate(handles)]


def _text(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


@dataclass
class NvidiaGPUDevice(GPUDevice):
    """One NVIDIA card."""

    def get_static_details(self) -> dict[str, Any]:
        """What never changes."""
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        limit_mw = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        return {
            "name": _text(self._ask("nvmlDeviceGetName")),
            "uuid": _text(self._ask("nvmlDeviceGetUUID")),
            "total_memory": -1 if memory is None else memory.total,
            "power_limit": None if limit_mw is None else units.w_from_mw(limit_mw),
            "gpu_index": self.gpu_index,
        }

    def get_gpu_details(self) -> dict[str, Any]:
        """The static details and what changes: memory (bytes), degrees C, power (W), energy (mJ), load."""
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        return {
            **self.get_static_details(),
            "free_memory": None if memory is None else memory.free,
            "used_memory": None if memory is None else memory.used,
            "temperature": self._ask("nvmlDeviceGetTemperature", 0),
            "power_usage": self._power_w(),
            "total_energy_consumption": self._total_energy_mj(),
            "gpu_utilization": self.get_gpu_utilization(),
            "compute_mode": self._ask("nvmlDeviceGetComputeMode"),
            "compute_processes": self._processes("nvmlDeviceGetComputeRunningProcesses"),
            "graphics_processes": self._processes("nvmlDeviceGetGraphicsRunningProcesses"),
        }

    def get_gpu_utilization(self) -> int | None:
        """Load, percent."""
        rates = self._ask("nvmlDeviceGetUtilizationRates")
        return None if rates is None else int(rates.gpu)

    def _total_energy_mj(self) -> int | None:
        total_mj = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        return None if total_mj is None else int(total_mj)

    def _power_w(self) -> float | None:
        power_mw = self._ask("nvmlDeviceGetPowerUsage")
        return None if power_mw is None else units.w_from_mw(power_mw)

    def _processes(self, function: str) -> list[dict[str, int | None]]:
        found = self._ask(function)
        return [{"pid": process.pid, "used_memory": process.usedGpuMemory} for process in found or ()]

    def _ask(self, function: str, *arguments: int) -> Any:
        """Call the library; None where the card does not offer this."""
        nvml = _started(os.getpid())
        if nvml is None:
            return None
        try:
            return getattr(nvml, function)(self.handle, *arguments)
        except nvml.NVMLError as error:
            logger.debug("%s of GPU %d: %s", function, self.gpu_index, error)
            return None
