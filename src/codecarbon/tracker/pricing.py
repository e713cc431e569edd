"""From energy to emissions and water: one place, one intensity per five-minute slot, PUE and WUE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.emissions import price, total, water_l
from codecarbon.intensity import get_intensity
from codecarbon.model import EmissionsRecord, EnergyWindow, Intensity, Location
from codecarbon.units import kg_from_g, kwh_from_j

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codecarbon.tracker.live import LiveIntensity


class Pricer:
    """Prices energy for one place.

    Args:
        location: The place.
        force_g_per_kwh: An intensity that replaces every other.
        pue_ratio: Power usage effectiveness; multiplies every energy.
        wue_l_per_kwh: Litres of water per kilowatt hour after PUE.
        intensity_of: Intensity of a slot, by its begin in UTC seconds; the place's own when left out.
        live: Intensity over time, in place of the other two.

    Attributes:
        intensity: The place's yearly mean, or the forced value.
        live: Intensity over time, or None.
    """

    def __init__(
        self,
        location: Location,
        *,
        force_g_per_kwh: float | None = None,
        pue_ratio: float = 1.0,
        wue_l_per_kwh: float = 0.0,
        intensity_of: Callable[[int], Intensity] | None = None,
        live: LiveIntensity | None = None,
    ) -> None:
        self.location = location
        self.pue_ratio = pue_ratio
        self.wue_l_per_kwh = wue_l_per_kwh
        # Static tables give one value for all times: look it up once, not once per slot.
        self.intensity = get_intensity(location, force_g_per_kwh=force_g_per_kwh)
        self.live = live
        self._intensity_of = intensity_of or (lambda _slot: self.intensity)
        self._kg_per_j = kg_from_g(kwh_from_j(pue_ratio) * self.intensity.intensity_g_per_kwh)

    def begin(self) -> None:
        """Ask for live intensity from now on, if there is a source of it."""
        if self.live is not None:
            self.live.begin()

    def end(self) -> None:
        """Ask no more; what is known now prices the run. Waits for nobody."""
        if self.live is not None:
            self.live.end()

    def kwh(self, energy_j: float) -> float:
        """Energy after PUE, kWh."""
        return kwh_from_j(energy_j * self.pue_ratio)

    def quick_kg(self, energy_j: float) -> float:
        """Emissions at the place's yearly mean, or at the forced value."""
        return energy_j * self._kg_per_j

    def live_kg(self, parts: Iterable[tuple[int, float]]) -> float:
        """Emissions over time.

        Args:
            parts: Begin of the slot and its energy in J before PUE.
        """
        if self.live is None:
            return self.quick_kg(sum(energy_j for _, energy_j in parts))
        slots = list(parts)
        found = self.live.prices([slot for slot, _ in slots])
        return kg_from_g(sum(self.kwh(energy_j) * found[slot].intensity_g_per_kwh for slot, energy_j in slots))

    def final_kg(self, record: EmissionsRecord) -> float:
        """The part of a record's emissions whose price can no longer change, kg; all of it without live intensity."""
        if self.live is None:
            return kg_from_g(record.emissions_g)
        # Looked up in one go, at prices that stand: the record may hold what stood in for one of them.
        final = self.live.final_prices([part.start_unix_s for part in record.priced])
        parts = [part for part in record.priced if part.start_unix_s in final]
        return kg_from_g(
            sum(kwh_from_j(part.energy_j) * final[part.start_unix_s].intensity_g_per_kwh for part in parts)
        )

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
        parts = list(slots)
        intensity_of = self._intensity_of
        if self.live is not None:
            intensity_of = self.live.prices([slot for slot, _ in parts]).__getitem__
        priced = price(parts, intensity_of, pue_ratio=self.pue_ratio)
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
            pricing_notes=self.live.notes if self.live is not None else (),
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
