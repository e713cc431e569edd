"""One answer of Electricity Maps, as codecarbon 3 asked for it: an adapter of the source of that name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from codecarbon.errors import CodeCarbonError
from codecarbon.intensity import get_provider_class
from codecarbon.model import Location, TimeSpan
from codecarbon.units import US_PER_DAY, kg_from_g, us_from_s

if TYPE_CHECKING:
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata

URL: str = "https://api.electricitymaps.com/v3/carbon-intensity/latest"
ELECTRICITYMAPS_API_TIMEOUT: int = 30
_LATEST = "carbon-intensity/latest"

__all__ = ["ELECTRICITYMAPS_API_TIMEOUT", "URL", "ElectricityMapsAPIError", "get_emissions"]


class ElectricityMapsAPIError(Exception):
    """There was no answer, or none that could be used."""


def get_emissions(energy: Energy, geo: GeoMetadata, electricitymaps_api_token: str = "") -> float:
    """Return the emissions of an energy at a place's latest carbon intensity, kg.

    Args:
        energy: The energy.
        geo: The place: its coordinates if there are some, else its country.
        electricitymaps_api_token: The key.

    Raises:
        ElectricityMapsAPIError: There was no answer, or none that could be used.
    """
    has_coordinates = bool(geo.latitude)
    place = Location(
        country_2letter_iso_code=geo.country_2letter_iso_code,
        country_iso_code=geo.country_iso_code,
        latitude_deg=geo.latitude if has_coordinates else None,
        longitude_deg=geo.longitude if has_coordinates else None,
    )
    now_us = us_from_s(time.time())
    try:
        source = get_provider_class("electricity_maps_free")(
            electricitymaps_api_token,
            base_url=URL.removesuffix(_LATEST),
            timeout_s=(ELECTRICITYMAPS_API_TIMEOUT, ELECTRICITYMAPS_API_TIMEOUT),
            tries=1,
        )
        points = source.observed(place, TimeSpan(now_us - US_PER_DAY, now_us)).points
    except CodeCarbonError as error:
        raise ElectricityMapsAPIError(str(error)) from error
    if not points:
        raise ElectricityMapsAPIError(f"No carbonIntensity data for {place.label} in the last 24 hours")
    return kg_from_g(energy.kWh * points[-1].intensity_g_per_kwh)
