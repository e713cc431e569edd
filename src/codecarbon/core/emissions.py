"""The emission engine of codecarbon 3, on top of the shipped tables and, with a token, of Electricity Maps."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from codecarbon import data
from codecarbon.config import warn_once
from codecarbon.errors import LocationError
from codecarbon.intensity import get_intensity
from codecarbon.model import Intensity, Location
from codecarbon.units import kg_from_g

if TYPE_CHECKING:
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import CloudMetadata, GeoMetadata
    from codecarbon.input import DataSource

__all__ = ["Emissions"]

logger = logging.getLogger(__name__)
# The names of regions that lookups by address give here are counties, which no table holds.
_QUIET_COUNTRIES = frozenset({"SWE", "NOR", "FIN"})


class Emissions:
    """Kilograms of CO2 equivalent from an energy and a place.

    Args:
        data_source: Kept for its place in the signature; the tables are the same for everybody.
        electricitymaps_api_token: Asks Electricity Maps before the tables, for places outside clouds.
        co2_signal_api_token: The older name of it.
        force_carbon_intensity_g_co2e_kwh: Replaces every table.
    """

    def __init__(
        self,
        data_source: DataSource,
        electricitymaps_api_token: str | None = None,
        co2_signal_api_token: str | None = None,
        force_carbon_intensity_g_co2e_kwh: float | None = None,
    ) -> None:
        self._data_source = data_source
        self._force_g_per_kwh = force_carbon_intensity_g_co2e_kwh
        if co2_signal_api_token:
            warn_once("co2_signal_api_token", "co2_signal_api_token is deprecated: use electricitymaps_api_token")
        self._electricitymaps_api_token = electricitymaps_api_token or co2_signal_api_token

    def get_cloud_emissions(self, energy: Energy, cloud: CloudMetadata, geo: GeoMetadata | None = None) -> float:
        """Return the emissions in a cloud region, kg; its country's if the provider publishes no figure."""
        return self._kg(energy, _place(geo, cloud.provider, cloud.region))

    def get_private_infra_emissions(self, energy: Energy, geo: GeoMetadata) -> float:
        """Return the emissions at a place outside clouds, kg; waits for the network when there is a token."""
        if self._electricitymaps_api_token and self._force_g_per_kwh is None:
            from codecarbon.core import electricitymaps_api

            try:
                return electricitymaps_api.get_emissions(energy, geo, self._electricitymaps_api_token)
            except electricitymaps_api.ElectricityMapsAPIError as error:
                logger.error("electricitymaps_api.get_emissions: %s; the tables are used", error)  # noqa: TRY400
        return self._kg(energy, _place(geo))

    def get_region_emissions(self, energy: Energy, geo: GeoMetadata) -> float:
        """Return the emissions in a state, a province or a bidding zone, kg.

        Raises:
            LocationError: The tables do not hold the region.
        """
        region = data.find_region(geo.country_iso_code or "", geo.region or "")
        if region is None:
            raise LocationError(f"Region {geo.region!r} not found for country {geo.country_iso_code!r}")
        return kg_from_g(energy.kWh * self._forced_or(region.intensity).intensity_g_per_kwh)

    def get_country_emissions(self, energy: Energy, geo: GeoMetadata) -> float:
        """Return the emissions in a country, kg; with the world's average if it is unknown."""
        return self._kg(energy, Location(country_iso_code=geo.country_iso_code))

    def get_cloud_country_name(self, cloud: CloudMetadata) -> str:
        """Return the name of the country of a cloud region.

        Raises:
            ValueError: The region is unknown.
        """
        country = data.find_country(_cloud_region(cloud, "country name").country_iso_code)
        if country is None:
            raise ValueError(f"Unable to find country name for {cloud}")
        return country.name

    def get_cloud_country_iso_code(self, cloud: CloudMetadata) -> str:
        """Return the ISO 3166-1 alpha-3 code of the country of a cloud region.

        Raises:
            ValueError: The region is unknown.
        """
        return _cloud_region(cloud, "country ISO Code").country_iso_code

    def get_cloud_geo_region(self, cloud: CloudMetadata) -> str:
        """Return the state of a cloud region, or else its city.

        Raises:
            ValueError: The region is unknown, or nobody says where in its country it is.
        """
        region = _cloud_region(cloud, "State/City name")
        name = region.state or region.city
        if name is None:
            raise ValueError(f"Unable to find State/City name for {cloud}")
        return name

    def _kg(self, energy: Energy, place: Location) -> float:
        intensity = get_intensity(place, force_g_per_kwh=self._force_g_per_kwh)
        is_quiet = place.country_iso_code in _QUIET_COUNTRIES or self._force_g_per_kwh is not None
        if intensity.note and not is_quiet:
            warn_once(f"intensity: {intensity.note}", "%s: %s", place.label, intensity.note)
        return kg_from_g(energy.kWh * intensity.intensity_g_per_kwh)

    def _forced_or(self, intensity: Intensity) -> Intensity:
        return (
            intensity
            if self._force_g_per_kwh is None
            else get_intensity(Location(), force_g_per_kwh=self._force_g_per_kwh)
        )


def _place(geo: GeoMetadata | None, provider: str | None = None, cloud_region: str | None = None) -> Location:
    return Location(
        country_iso_code=geo.country_iso_code if geo else None,
        region=geo.region if geo else None,
        cloud_provider=provider or "",
        cloud_region=cloud_region or "",
    )


def _cloud_region(cloud: CloudMetadata, wanted: str) -> data.CloudRegion:
    region = data.find_cloud_region(cloud.provider or "", cloud.region or "")
    if region is None:
        raise ValueError(f"Unable to find {wanted} for {cloud}")
    return region
