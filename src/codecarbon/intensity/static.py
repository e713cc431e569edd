"""Yearly means from the shipped tables, from the nearest place that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon import data
from codecarbon.errors import CapabilityError, LocationError
from codecarbon.model import Intensity, Location

if TYPE_CHECKING:
    from codecarbon.intensity.provider import Capability
    from codecarbon.model import IntensitySeries, Signal, TimeSpan


def get_intensity(location: Location, *, force_g_per_kwh: float | None = None) -> Intensity:
    """Return the carbon intensity of a place's electricity, g CO2 equivalent per kWh.

    The order is: the forced value; the cloud region's own figure; the state, province or bidding zone; the country;
    the world's average. It never fails: ``note`` says why a row was taken that is not the place's own.

    Args:
        location: The place, as far as it is known.
        force_g_per_kwh: Replaces every table; 0 is a value.
    """
    if force_g_per_kwh is not None:
        return Intensity(float(force_g_per_kwh), "set by the user", None, location.label, note="forced value")
    notes = []
    if location.cloud_provider and location.cloud_region:
        cloud = data.find_cloud_region(location.cloud_provider, location.cloud_region)
        if cloud is not None and cloud.intensity is not None:
            return cloud.intensity
        notes.append(f"no figure for {location.cloud_provider}:{location.cloud_region}")
    return _grid_intensity(location, notes)


def _grid_intensity(location: Location, notes: list[str]) -> Intensity:
    code = location.country_iso_code
    if not code:
        return data.world_average("; ".join([*notes, "unknown place, world average"]))
    if location.region and data.regions_of(code):
        region = data.find_region(code, location.region)
        if region is not None:
            return _with_notes(region.intensity, notes)
        notes.append(f"no figure for region {location.region!r} of {code}, country average")
    country = data.find_country(code)
    if country is not None and country.intensity is not None:
        return _with_notes(country.intensity, notes)
    name = code if country is None else f"{country.name} ({code})"
    return data.world_average("; ".join([*notes, f"no figure for {name}, world average"]))


def _with_notes(intensity: Intensity, notes: list[str]) -> Intensity:
    if not notes:
        return intensity
    text = "; ".join([*notes, *([intensity.note] if intensity.note else [])])
    return Intensity(
        intensity.intensity_g_per_kwh, intensity.source, intensity.year, intensity.zone, intensity.signal, text
    )


def check_country(country_iso_code: str) -> str:
    """Return a country's name.

    Raises:
        LocationError: The code is not an ISO 3166-1 alpha-3 code; the message says what to write instead.
    """
    country = data.find_country(country_iso_code)
    if country is None:
        raise LocationError(
            f"Does not support country with ISO code {country_iso_code!r}: expected ISO 3166-1 alpha-3, "
            "for example USA or FRA; see https://en.wikipedia.org/wiki/ISO_3166-1_alpha-3"
        )
    if country.iso3 != country_iso_code.strip().upper():
        raise LocationError(
            f"Does not support country with ISO code {country_iso_code!r}: "
            f"{country.name} is {country.iso3} in ISO 3166-1 alpha-3"
        )
    return country.name


class StaticTables:
    """A provider that answers for every place and time, with the yearly mean of the nearest place that has one."""

    name = "static"
    signal: Signal = "average"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Observed values only: nobody knows the yearly mean of a year to come."""
        return frozenset({"observed"})

    def zone_of(self, where: Location) -> str:
        """Name the row of the tables, for example ``USA/california`` or ``world``."""
        return get_intensity(where).zone

    def observed(self, where: Location, span: TimeSpan) -> IntensitySeries:
        """Get the yearly mean as one point as long as the span, marked as an estimate; an instant gets a second."""
        from codecarbon.model import IntensityPoint, IntensitySeries
        from codecarbon.units import US_PER_S

        mean = get_intensity(where)
        length_us = max(span.end_us - span.start_us, US_PER_S)
        point = IntensityPoint(span.start_us, length_us, mean.intensity_g_per_kwh, is_estimated=True)
        year = f" ({mean.year})" if mean.year else ""
        origin = where.origin if where.is_guess else ""
        note = "; ".join(filter(None, (f"yearly mean, {mean.source}{year}", mean.note, origin)))
        return IntensitySeries((point,), mean.zone, self.name, note=note)

    def forecast(self, where: Location) -> IntensitySeries:
        """Refuse.

        Raises:
            CapabilityError: Always.
        """
        raise CapabilityError("the static tables have no forecasts", self.name, where.label, "forecast")

    def forecast_at(self, where: Location, requested_us: int, *, look_back_us: int = 0) -> IntensitySeries:
        """Refuse.

        Raises:
            CapabilityError: Always.
        """
        del requested_us, look_back_us
        raise CapabilityError("the static tables have no forecasts", self.name, where.label, "historical_forecast")
