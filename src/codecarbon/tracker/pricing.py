"""From energy to emissions and water: one place, one intensity per five-minute slot, PUE and WUE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.emissions import price, total, water_l
from codecarbon.intensity import get_intensity
from codecarbon.model import EmissionsRecord, EnergyWindow, Intensity, Location
from codecarbon.units import kg_from_g, kwh_from_j

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Pricer:
    """Prices energy for one place.

    Args:
        location: The place.
        force_g_per_kwh: An intensity that replaces every other.
        pue_ratio: Power usage effectiveness; multiplies every energy.
        wue_l_per_kwh: Litres of water per kilowatt hour after PUE.
        intensity_of: Intensity of a slot, by its begin in UTC seconds; the place's own when left out.
    """

    def __init__(
        self,
        location: Location,
        *,
        force_g_per_kwh: float | None = None,
        pue_ratio: float = 1.0,
        wue_l_per_kwh: float = 0.0,
        intensity_of: Callable[[int], Intensity] | None = None,
    ) -> None:
        self.location = location
        self.pue_ratio = pue_ratio
        self.wue_l_per_kwh = wue_l_per_kwh
        # Static tables give one value for all times: look it up once, not once per slot.
        self.intensity = get_intensity(location, force_g_per_kwh=force_g_per_kwh)
        self._intensity_of = intensity_of or (lambda _slot: self.intensity)
        self._kg_per_j = kg_from_g(kwh_from_j(pue_ratio) * self.intensity.intensity_g_per_kwh)

    def kwh(self, energy_j: float) -> float:
        """Energy after PUE, kWh."""
        return kwh_from_j(energy_j * self.pue_ratio)

    def quick_kg(self, energy_j: float) -> float:
        """Emissions of a short stretch at the place's present intensity."""
        return energy_j * self._kg_per_j

    def water_l(self, energy_j: float) -> float:
        """Water for energy that PUE was applied to already."""
        return (water_l(energy_j, wue_l_per_kwh=self.wue_l_per_kwh) or 0.0) if self.wue_l_per_kwh else 0.0

    def record(self, window: EnergyWindow, slots: Iterable[tuple[int, float]]) -> EmissionsRecord:
        """Price a window.

        Args:
            window: The energy, before PUE.
            slots: Its parts as (begin of the slot, energy in J before PUE); they sum to the window's energy.

        Returns:
            The full record; its low and high ends follow the window's bound.
        """
        priced = price(slots, self._intensity_of, pue_ratio=self.pue_ratio)
        sums = total(priced, low_j=window.low_j, high_j=window.high_j, pue_ratio=self.pue_ratio)
        return EmissionsRecord(
            window=window,
            location=self.location,
            pue_ratio=self.pue_ratio,
            wue_l_per_kwh=self.wue_l_per_kwh,
            emissions_g=sums.emissions_g or 0.0,
            emissions_low_g=sums.low_g or 0.0,
            emissions_high_g=sums.high_g or 0.0,
            water_l=self.water_l(sums.energy_j or 0.0),
            priced=priced,
        )


def split_whole(parts: dict[int, float], newest: int, whole_j: float) -> list[tuple[int, float]]:
    """Make the slots of a window sum to the window exactly.

    The whole is one difference of integer totals, so it is right; the newest slot is what the earlier ones leave.

    Args:
        parts: Energy of each slot, J.
        newest: The slot that is still open.
        whole_j: Energy of all slots together.

    Returns:
        ``(slot, energy_j)`` in order of time.
    """
    earlier = {slot: energy_j for slot, energy_j in parts.items() if slot != newest}
    spent_j = sum(earlier.values())
    if spent_j > whole_j:
        # The source of a component was chosen anew (a counter came to life): the shares stand, the sum follows.
        earlier = {slot: energy_j * whole_j / spent_j for slot, energy_j in earlier.items()}
        spent_j = whole_j
    return sorted({**earlier, newest: whole_j - spent_j}.items())
