"""Grams and litres from joules.

With E the energy of a slot before PUE, J, p the power usage effectiveness and I the slot's intensity, g/kWh, the
slot's emissions are E p I / 3.6e6. Derivation and sources: docs/method/emissions.md.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.model import Intensity, PricedEnergy
from codecarbon.units import kwh_from_j

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Totals(NamedTuple):
    """Sums over slots, after PUE; None where nothing is known.

    Attributes:
        energy_j: Energy after PUE.
        emissions_g: Emissions.
        low_g: Lower end, from the energy bound alone.
        high_g: Upper end, from the energy bound alone.
    """

    energy_j: float | None
    emissions_g: float | None
    low_g: float | None
    high_g: float | None


def price(
    slots: Iterable[tuple[int, float | None]], intensity_of: Callable[[int], Intensity], *, pue_ratio: float = 1.0
) -> tuple[PricedEnergy, ...]:
    """Price each slot's energy with the intensity of that slot.

    Args:
        slots: Begin of the slot, UTC seconds since 1970, and its energy before PUE, J. A slot whose energy is None is
            left out, since nothing is known to price.
        intensity_of: The intensity that holds in the slot beginning at a time.
        pue_ratio: Power usage effectiveness, multiplied into every energy.
    """
    priced = []
    for start_unix_s, energy_j in slots:
        if energy_j is None:
            continue
        intensity = intensity_of(start_unix_s)
        after_pue_j = energy_j * pue_ratio
        emissions_g = kwh_from_j(after_pue_j) * intensity.intensity_g_per_kwh
        priced.append(PricedEnergy(start_unix_s, after_pue_j, emissions_g, intensity))
    return tuple(priced)


def total(
    priced: Sequence[PricedEnergy],
    *,
    low_j: float | None = None,
    high_j: float | None = None,
    pue_ratio: float = 1.0,
) -> Totals:
    """Sum priced slots, and carry the energy's bound over to the emissions.

    The spread over the slots is taken as it was read; energy that may be there besides, or may not be there, is priced
    with the highest intensity of the slots, which makes the bound wide rather than wrong. With one intensity the bound
    is the energy's bound times that intensity.

    Args:
        priced: The slots.
        low_j: Lower end of the energy of all slots together, before PUE; None when there is no bound.
        high_j: Upper end, likewise.
        pue_ratio: The ratio that the slots were priced with.
    """
    if not priced:
        return Totals(None, None, None, None)
    energy_j = fsum(slot.energy_j for slot in priced)
    emissions_g = fsum(slot.emissions_g for slot in priced)
    intensities = [slot.intensity.intensity_g_per_kwh for slot in priced]
    low_g = high_g = None
    if low_j is not None:
        surplus_j = max(0.0, energy_j - low_j * pue_ratio)
        least_g = kwh_from_j(low_j * pue_ratio) * min(intensities)
        low_g = max(emissions_g - kwh_from_j(surplus_j) * max(intensities), min(least_g, emissions_g))
    if high_j is not None:
        missing_j = max(0.0, high_j * pue_ratio - energy_j)
        high_g = emissions_g + kwh_from_j(missing_j) * max(intensities)
    return Totals(energy_j, emissions_g, low_g, high_g)


def water_l(energy_j: float | None, *, wue_l_per_kwh: float) -> float | None:
    """Return the water used, litres; None when the energy is unknown.

    Args:
        energy_j: Energy after PUE: the water figure follows codecarbon 3, which applies WUE behind PUE.
        wue_l_per_kwh: Water usage effectiveness.
    """
    return None if energy_j is None else kwh_from_j(energy_j) * wue_l_per_kwh


def rate_g_per_s(emissions_g: float | None, duration_s: float) -> float | None:
    """Return emissions per second; None when they are unknown or no time has passed."""
    return None if emissions_g is None or duration_s <= 0 else emissions_g / duration_s
