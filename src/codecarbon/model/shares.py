"""Which source of carbon intensity priced how much of a run; in a module of its own since few runs ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecarbon.model.place import Signal
from codecarbon.record import FrozenRecord
from codecarbon.units import kwh_from_j

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.model.emissions import PricedEnergy


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SourceShare(FrozenRecord):
    """The part of a run that one source of carbon intensity priced in one way.

    Attributes:
        source: Who publishes the figures.
        year: The year they describe, or None for live values.
        zone: The table row or zone they belong to.
        signal: Average or marginal.
        note: How they were had when that was not the usual way, else empty.
        slot_count: How many five-minute slots.
        energy_j: Their energy after PUE.
        emissions_g: Their emissions.
        lowest_g_per_kwh: The lowest of their intensities.
        highest_g_per_kwh: The highest of their intensities.
    """

    source: str
    year: int | None
    zone: str
    signal: Signal
    note: str
    slot_count: int
    energy_j: float
    emissions_g: float
    lowest_g_per_kwh: float
    highest_g_per_kwh: float

    @property
    def intensity_g_per_kwh(self) -> float:
        """Mean intensity, weighted with the energy; half-way between lowest and highest where there was no energy."""
        if self.energy_j > 0 and self.lowest_g_per_kwh < self.highest_g_per_kwh:
            return self.emissions_g / kwh_from_j(self.energy_j)
        return (self.lowest_g_per_kwh + self.highest_g_per_kwh) / 2


def shares_of(priced: Sequence[PricedEnergy]) -> tuple[SourceShare, ...]:
    """Sum up slots by what priced them, in the order in which that was first used."""
    groups: dict[tuple[str, int | None, str, Signal, str], list[PricedEnergy]] = {}
    for slot in priced:
        intensity = slot.intensity
        key = (intensity.source, intensity.year, intensity.zone, intensity.signal, intensity.note)
        groups.setdefault(key, []).append(slot)
    return tuple(
        SourceShare(
            *key,
            slot_count=len(slots),
            energy_j=sum(slot.energy_j for slot in slots),
            emissions_g=sum(slot.emissions_g for slot in slots),
            lowest_g_per_kwh=min(slot.intensity.intensity_g_per_kwh for slot in slots),
            highest_g_per_kwh=max(slot.intensity.intensity_g_per_kwh for slot in slots),
        )
        for key, slots in groups.items()
    )
