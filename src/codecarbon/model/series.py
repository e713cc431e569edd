"""Carbon intensity over time: points, and series of them, as every provider returns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from codecarbon.model.place import Signal
from codecarbon.record import FrozenRecord


class TimeSpan(NamedTuple):
    """A half-open span of time; both ends equal mean that one instant.

    Attributes:
        start_us: Its begin, UTC microseconds since 1970.
        end_us: Its end, likewise.
    """

    start_us: int
    end_us: int

    def overlaps(self, start_us: int, end_us: int) -> bool:
        """Whether a stretch of time lies at least partly inside; one that only touches an end does not."""
        return end_us > self.start_us and start_us < max(self.end_us, self.start_us + 1)


class IntensityPoint(NamedTuple):
    """Carbon intensity that holds for a while.

    Attributes:
        start_us: Its begin, UTC microseconds since 1970.
        duration_us: How long it holds; 0 when the provider does not say.
        intensity_g_per_kwh: Grams of CO2 equivalent per kilowatt hour.
        is_estimated: Whether the provider calls it an estimate, or it is a forecast in place of a measurement.
    """

    start_us: int
    duration_us: int
    intensity_g_per_kwh: float
    is_estimated: bool = False

    @property
    def end_us(self) -> int:
        """Its end, UTC microseconds since 1970."""
        return self.start_us + self.duration_us


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IntensitySeries(FrozenRecord):
    """Points of one zone from one provider.

    Attributes:
        points: The points, in the provider's order made ascending; without nulls, which are left out.
        zone: The zone as the provider names it.
        source: Name of the provider, for example ``watttime``.
        signal: Average or marginal; the two are never mixed.
        basis: ``lifecycle``, ``direct``, or empty when the provider does not say.
        generated_us: When a forecast was made, UTC microseconds; None for observations.
        valid_until_us: When the provider may have something newer; None for what no longer changes.
        is_stale: Whether it is older than ``valid_until_us``, kept because the provider does not answer.
        is_synthetic: Whether the values are made up, for trying things out.
        note: What a reader should know besides, else empty.
    """

    points: tuple[IntensityPoint, ...]
    zone: str
    source: str
    signal: Signal = "average"
    basis: str = ""
    generated_us: int | None = None
    valid_until_us: int | None = None
    is_stale: bool = False
    is_synthetic: bool = False
    note: str = ""
