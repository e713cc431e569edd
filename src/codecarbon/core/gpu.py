"""Old path of the list of cards; a run's own list is ``EmissionsTracker.get_detected_hardware()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codecarbon.core.gpu_device import GPUDevice
from codecarbon.core.gpu_nvidia import NvidiaGPUDevice, is_nvidia_system, list_devices

if TYPE_CHECKING:
    from codecarbon.core.units import Time

__all__ = [
    "PYNVML_AVAILABLE",
    "AllGPUDevices",
    "GPUDevice",
    "NvidiaGPUDevice",
    "is_gpu_details_available",
    "is_nvidia_system",
]

PYNVML_AVAILABLE: bool


def __getattr__(name: str) -> bool:
    if name == "PYNVML_AVAILABLE":
        return is_nvidia_system()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def is_gpu_details_available() -> bool:
    """Whether any library can tell about cards."""
    return is_nvidia_system()


class AllGPUDevices:
    """All cards of this machine.

    Attributes:
        devices: The cards, by index.
        device_count: How many.
    """

    def __init__(self) -> None:
        self.devices: list[GPUDevice] = list(list_devices())
        self.device_count = len(self.devices)

    def start(self) -> None:
        """Begin all cards at their present readings."""
        for device in self.devices:
            device.start()

    def get_gpu_static_info(self) -> list[dict[str, Any]]:
        """What never changes, card by card."""
        return [device.get_static_details() for device in self.devices]

    def get_gpu_details(self) -> list[dict[str, Any]]:
        """Everything that the cards tell, card by card."""
        return [device.get_gpu_details() for device in self.devices]

    def get_gpu_utilization_list(self) -> list[dict[str, Any]]:
        """Load in percent, card by card."""
        return [
            {"gpu_index": device.gpu_index, "gpu_utilization": device.get_gpu_utilization()} for device in self.devices
        ]

    def get_delta(self, last_duration: Time) -> list[dict[str, Any]]:
        """Energy and mean power since the last call, card by card; see ``GPUDevice.delta``."""
        return [device.delta(last_duration) for device in self.devices]
