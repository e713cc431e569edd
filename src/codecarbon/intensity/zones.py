"""What a place says about the zone that a live provider should use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.errors import NoIntensityData

if TYPE_CHECKING:
    from codecarbon.model import Location

_POLE_DEG, _DATE_LINE_DEG = 90.0, 180.0


def named_zone(where: Location, *providers: str) -> str:
    """Give the zone of a place that is known for one of the providers, else the one named for any, else nothing."""
    known = dict(where.zones)
    own = (known.get(name, "").strip() for name in providers)
    return next(filter(None, own), where.zone.strip())


def country_code(where: Location) -> str:
    """Give the ISO 3166-1 alpha-2 code of a place's country, upper case; empty when it is not known."""
    from codecarbon import data

    if where.country_2letter_iso_code:
        return where.country_2letter_iso_code.strip().upper()
    iso3 = where.country_iso_code
    if not iso3 and where.cloud_provider and where.cloud_region:
        cloud = data.find_cloud_region(where.cloud_provider, where.cloud_region)
        iso3 = cloud.country_iso_code if cloud else None
    country = data.find_country(iso3) if iso3 else None
    return country.iso2 if country else ""


def coordinates_deg(where: Location) -> tuple[float, float] | None:
    """Give latitude and longitude, degrees; None unless both are known and are on Earth."""
    latitude, longitude = where.latitude_deg, where.longitude_deg
    if latitude is None or longitude is None:
        return None
    is_on_earth = abs(latitude) <= _POLE_DEG and abs(longitude) <= _DATE_LINE_DEG
    return (latitude, longitude) if is_on_earth else None


def outside(provider: str, where: Location, why: str) -> NoIntensityData:
    """Make the error for a place that a provider does not cover."""
    return NoIntensityData(f"{provider} has no data for {where.label}: {why}", provider, where.label)
