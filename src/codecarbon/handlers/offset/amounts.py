"""Masses of emissions as the ledger counts them: whole micrograms, so that every sum and every split is exact.

Services sell whole pounds. A purchase is the pounds that fit, rounded down; the rest, always less than a pound, stays.
"""

from __future__ import annotations

import math

from codecarbon import units

# The most that the service takes in one order.
MAX_POUNDS_PER_OFFSET = 10_000_000


def ug_from_kg(mass_kg: float) -> int | None:
    """Convert kilograms to whole micrograms, rounding down; None for what is no mass (negative, NaN, infinite)."""
    if not math.isfinite(mass_kg) or mass_kg < 0:
        return None
    return units.ug_from_kg(mass_kg)


def pounds_of(mass_ug: int) -> int:
    """Convert micrograms to the whole pounds that fit, which is 0 for a debt."""
    return units.lb_from_ug(max(0, mass_ug))
