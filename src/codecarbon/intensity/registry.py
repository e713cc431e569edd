"""From the name of a source of carbon intensity to its class; nothing is imported until it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.config.plugins import Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.intensity.provider import IntensityProvider
    from codecarbon.model import Signal

PLUGIN_GROUP = "codecarbon.intensity_providers"
"""Entry point group in which other distributions announce sources by name."""

_BUILT_IN = {
    "watttime": "codecarbon.intensity.watttime:WattTime",
    "electricity_maps": "codecarbon.intensity.electricity_maps:ElectricityMaps",
    "electricity_maps_free": "codecarbon.intensity.electricity_maps_free:ElectricityMapsFree",
    "uk_carbon_intensity": "codecarbon.intensity.uk_carbon_intensity:UkCarbonIntensity",
    "energi_data_service": "codecarbon.intensity.energi_data_service:EnergiDataService",
    "energy_charts": "codecarbon.intensity.energy_charts:EnergyCharts",
    "json_file": "codecarbon.intensity.json_file:JsonFile",
    "constant": "codecarbon.intensity.constant:Constant",
    "static": "codecarbon.intensity.static:StaticTables",
    "sample": "codecarbon.intensity.sample:Sample",
}
BUILT_IN_PROVIDERS = tuple(_BUILT_IN)
_FAMILY = Family("intensity_providers", PLUGIN_GROUP, "a source", _BUILT_IN)
# All others are averages; a test compares this with the classes, which would take long to import.
_MARGINAL = frozenset({"watttime"})


def is_provider(name: str) -> bool:
    """Whether there is a source of this name, built in or of an installed distribution; imports no source."""
    return _FAMILY.has(name)


def get_provider_class(name: str) -> Callable[..., IntensityProvider]:
    """Import a source of carbon intensity.

    Args:
        name: Its name: a built-in one, or one that an installed distribution announces.

    Returns:
        Its class, or another distribution's function that makes one.

    Raises:
        ConfigError: There is no source of this name, or the one that was announced cannot be imported.
    """
    provider: Callable[..., IntensityProvider] = _FAMILY.load(name)
    return provider


def get_signal(name: str) -> Signal:
    """Say what the values of a source mean; imports no built-in source.

    Raises:
        ConfigError: There is no source of this name.
    """
    if name in _BUILT_IN:
        return "marginal" if name in _MARGINAL else "average"
    signal: Signal = getattr(get_provider_class(name), "signal", "average")
    return signal
