"""Old path of the base of all cards: names, details, and the energy between two calls.

Runs are measured by the native core; this serves programs that ask a card directly.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codecarbon.core.units import Energy, Power, Time

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GPUDevice"]

logger = logging.getLogger(__name__)


@dataclass
class GPUDevice(ABC):
    """One card.

    Args:
        handle: What its library calls it.
        gpu_index: Its place in the library's list.

    Attributes:
        power: Mean power between the last two calls of ``delta``.
        energy_delta: Energy between them.
        last_energy: What the counter showed last; 0 kWh where there is none.
    """

    handle: Any
    gpu_index: int
    power: Power = field(default_factory=lambda: Power(0.0))
    energy_delta: Energy = field(default_factory=lambda: Energy(0.0))
    last_energy: Energy = field(default_factory=lambda: Energy(0.0))

    def __post_init__(self) -> None:
        self._last_mj: int | None = None
        self._last_w: float | None = None
        self._has_warned = False
        self.start()

    @abstractmethod
    def get_static_details(self) -> dict[str, Any]:
        """Name, uuid, total_memory (bytes, -1 unknown), power_limit (W, None unknown) and gpu_index."""

    @abstractmethod
    def get_gpu_details(self) -> dict[str, Any]:
        """The static details and what changes; None where the card does not say."""

    @abstractmethod
    def get_gpu_utilization(self) -> int | None:
        """Load, percent; None where the card does not say."""

    @abstractmethod
    def _total_energy_mj(self) -> int | None:
        """What the energy counter shows, or None."""

    @abstractmethod
    def _power_w(self) -> float | None:
        """Power now, or None."""

    def start(self) -> None:
        """Begin at the present reading."""
        self._take(self._total_energy_mj(), self._power_w())

    def delta(self, duration: Time) -> dict[str, Any]:
        """Energy since ``start`` or the last call: by the counter, else by integrating the power at both ends.

        Args:
            duration: The time since then.

        Returns:
            ``name``, ``uuid``, ``gpu_index``, ``delta_energy_consumption`` (Energy) and ``power_usage`` (Power).
        """
        now_mj, now_w = self._total_energy_mj(), self._power_w()
        self.energy_delta = self._energy_until(now_mj, now_w, duration)
        self.power = Power.from_energy_delta_and_delay(self.energy_delta, duration)
        self._take(now_mj, now_w)
        details: Mapping[str, Any] = self.get_static_details()
        return {
            "name": details["name"],
            "uuid": details["uuid"],
            "gpu_index": self.gpu_index,
            "delta_energy_consumption": self.energy_delta,
            "power_usage": self.power,
        }

    def _take(self, now_mj: int | None, now_w: float | None) -> None:
        # A counter that failed once keeps its last reading: it is cumulative, so nothing is lost.
        if now_mj is not None:
            self._last_mj = now_mj
            self.last_energy = Energy.from_millijoules(now_mj)
        self._last_w = now_w

    def _energy_until(self, now_mj: int | None, now_w: float | None, duration: Time) -> Energy:
        if now_mj is not None and self._last_mj is not None and now_mj >= self._last_mj:
            return Energy.from_millijoules(now_mj - self._last_mj)
        if self._last_mj is None and now_w is not None and self._last_w is not None:
            return Energy.from_power_and_time(power=Power.from_watts((now_w + self._last_w) / 2), time=duration)
        if not self._has_warned:
            self._has_warned = True
            logger.warning("The energy of GPU %d is not known for a while, and is left out", self.gpu_index)
        return Energy(0.0)
