"""What a session wants to measure, in plain values that no settings file is needed for."""

from __future__ import annotations

from typing import NamedTuple

from codecarbon.model import Roots


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
