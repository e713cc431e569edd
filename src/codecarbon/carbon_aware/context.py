"""Everything that operations work with, made once from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from codecarbon.carbon_aware.locations import LocationTable
from codecarbon.carbon_aware.options import ConfigProblem, Options
from codecarbon.intensity.provider import IntensityProvider
from codecarbon.record import FrozenRecord


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Context(FrozenRecord):
    """Settings, places, sources and clock.

    Attributes:
        options: The settings.
        locations: The places.
        emissions: Where observed values come from, or None.
        forecast: Where forecasts come from, or None; often the same object.
        clock: Seconds since 1970.
        problems: What cannot be used, of the settings and of everything they name.
    """

    options: Options
    locations: LocationTable
    emissions: IntensityProvider | None
    forecast: IntensityProvider | None
    clock: Callable[[], float] = time.time
    problems: tuple[ConfigProblem, ...] = ()
