"""What a session wants to measure, in plain values that no settings file is needed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.model import Roots

if TYPE_CHECKING:
    from codecarbon.config import Settings


class MeasureRequest(NamedTuple):
    """The choices that decide which sensors are read and how.

    Attributes:
        roots: Where sys, proc and dev are, and the NVIDIA library.
        tracking_mode: ``machine`` or ``process``; counters always cover the machine.
        sampling_hz: Ticks per second while nothing is watched closely, or None for 10 with 1000 inside task windows.
        force_cpu_power_w: Power of the processors at full load; switches their counters off.
        force_ram_power_w: Constant power of the memory; switches its counter off.
        force_mode_cpu_load: Prefer the load model to the processors' counters.
        rapl_include_dram: Count the memory's counter as processor energy.
        rapl_prefer_psys: Take the platform counter as the total.
        gpu_ids: Indices or UUID prefixes of the graphics cards to count, or None for all visible ones.
    """

    roots: Roots = Roots()
    tracking_mode: str = "machine"
    sampling_hz: float | None = None
    force_cpu_power_w: float | None = None
    force_ram_power_w: float | None = None
    force_mode_cpu_load: bool = False
    rapl_include_dram: bool = False
    rapl_prefer_psys: bool = False
    gpu_ids: tuple[int | str, ...] | None = None

    @property
    def wants_cpu_counters(self) -> bool:
        """Whether counters may supply the processors' energy."""
        return self.force_cpu_power_w is None and not self.force_mode_cpu_load


def make_request(settings: Settings) -> MeasureRequest:
    """What somebody with these settings wants measured."""
    return MeasureRequest(
        roots=Roots(settings.sysfs_root, settings.procfs_root, settings.dev_root, settings.nvml_library),
        tracking_mode=settings.tracking_mode,
        sampling_hz=None if isinstance(settings.sampling_hz, str) else settings.sampling_hz,
        force_cpu_power_w=settings.force_cpu_power,
        force_ram_power_w=settings.force_ram_power,
        force_mode_cpu_load=settings.force_mode_cpu_load,
        rapl_include_dram=settings.rapl_include_dram,
        rapl_prefer_psys=settings.rapl_prefer_psys,
        gpu_ids=settings.gpu_ids,
    )
