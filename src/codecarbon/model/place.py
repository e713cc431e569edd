"""Where the energy was used, and how carbon-intensive it was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codecarbon.record import FrozenRecord

Signal = Literal["average", "marginal"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Location(FrozenRecord):
    """A place, as far as it is known.

    Attributes:
        country_iso_code: ISO 3166-1 alpha-3, upper case, or None.
        country_name: English short name, or None.
        region: State, province or bidding zone, lower case, or None.
        cloud_provider: For example ``gcp``; empty on private machines.
        cloud_region: For example ``europe-west1``; empty on private machines.
        country_2letter_iso_code: ISO 3166-1 alpha-2, or None.
        longitude_deg: As it was given; a guessed one is rounded to 0.1 degree; or None.
        latitude_deg: Likewise.
        origin: Who said so: ``constructor``, an environment variable, a file, ``guessed from the time zone``…
        is_guess: True when nobody said so and it was inferred.
        key: The name under which somebody asked for it, as they wrote it; empty otherwise.
        zone: A provider's own zone, when somebody named that, for example ``DK-DK1``; empty otherwise.
        zones: The zone by provider, as pairs of names, for example ``("electricity_maps", "DK-DK1")``.
        name: What a file of locations calls it besides its key; empty otherwise.
    """

    country_iso_code: str | None = None
    country_name: str | None = None
    region: str | None = None
    cloud_provider: str = ""
    cloud_region: str = ""
    country_2letter_iso_code: str | None = None
    longitude_deg: float | None = None
    latitude_deg: float | None = None
    origin: str = "unknown"
    is_guess: bool = False
    key: str = ""
    zone: str = ""
    zones: tuple[tuple[str, str], ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """A short text for people, for example ``gcp:europe-west1`` or ``USA/california``."""
        if self.key:
            return self.key
        if self.cloud_provider and self.cloud_region:
            return f"{self.cloud_provider}:{self.cloud_region}"
        if self.country_iso_code and self.region:
            return f"{self.country_iso_code}/{self.region}"
        return self.country_iso_code or "unknown place"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Intensity(FrozenRecord):
    """Carbon intensity of electricity.

    Attributes:
        intensity_g_per_kwh: Grams of CO2 equivalent per kilowatt hour.
        source: Who publishes the figure.
        year: The year it describes, or None for a constant or a live value.
        zone: The table row or zone it belongs to.
        signal: Average or marginal; the two are never mixed in a sum.
        note: Why this row was taken when it is not the place's own, else empty.
    """

    intensity_g_per_kwh: float
    source: str
    year: int | None
    zone: str
    signal: Signal = "average"
    note: str = ""
