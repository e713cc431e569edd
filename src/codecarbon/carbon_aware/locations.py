"""The places that can be asked about: from location files, or the built-in table of cloud regions."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from codecarbon import data
from codecarbon.carbon_aware.options import ConfigProblem, LocationFile, Options
from codecarbon.carbon_aware.paths import find_location_file
from codecarbon.errors import ConfigError
from codecarbon.model import Location
from codecarbon.record import FrozenRecord

log = logging.getLogger(__name__)

FILES_KEY = "LocationDataSourcesConfiguration:LocationSourceFiles"
CLOUDS = ("azure", "aws", "gcp")
_COORDINATES = re.compile(r"\s*([+-]?\d{1,2}(?:\.\d+)?)\s*,\s*([+-]?\d{1,3}(?:\.\d+)?)\s*", re.ASCII)
_ZONE = re.compile(r"([A-Za-z]{2})(?:-.+)?", re.ASCII)
_SAME_PLACE_DEG = 1.0
_EARTH_RADIUS_KM = 6371.0  # mean radius, IUGG 1980
# How near a region must be for its country to stand in for that of a point; docs/method/intensity.md.
NEAR_KM = 200.0


class Nearest(NamedTuple):
    """The known place nearest to a point, and how far away it is."""

    location: Location
    distance_km: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocationTable(FrozenRecord):
    """All places by key.

    Attributes:
        by_key: The places; keys keep their spelling.
        folded: The keys by themselves without regard to case.
    """

    by_key: Mapping[str, Location]
    folded: Mapping[str, str]

    def find(self, text: str) -> Location | None:
        """Find the place that somebody means.

        Args:
            text: A key in either case; ``latitude,longitude``; ``zone:DE`` for a provider's own zone;
                ``aws:us-east-1``, ``gcp:…``, ``azure:…`` for a cloud region, whatever the location files say; or a
                country by its ISO 3166-1 code, ``DE`` or ``DEU``, with a state or province as in ``USA/california``.
        """
        key = self.folded.get(text.casefold())
        if key is not None:
            return self.by_key[key]
        match = _COORDINATES.fullmatch(text)
        if match is not None:
            return _at_coordinates(text, float(match[1]), float(match[2]))
        kind, _, rest = text.partition(":")
        if kind.casefold() == "zone" and rest.strip():
            return Location(key=text, zone=rest.strip(), origin="request")
        if kind.casefold() in CLOUDS:
            return builtin_regions().get(f"{kind}/{rest}".casefold())
        return _in_country(text)

    def nearest(self, latitude_deg: float, longitude_deg: float) -> Nearest | None:
        """Find the place nearest to a point on the globe; None when no place has coordinates."""
        return _nearest_of(self.by_key.values(), latitude_deg, longitude_deg)


def load_locations(options: Options) -> tuple[LocationTable, tuple[ConfigProblem, ...]]:
    """Read all location files, and the built-in table if it is to be served.

    A file with any fault contributes nothing, so that no half of it is served; the fault is told with file and key.

    Returns:
        The places, and what cannot be used.
    """
    problems: list[ConfigProblem] = []
    collector = _Collector()
    for key, entry, path in _files(options, problems):
        try:
            places = read_location_file(path)
        except ConfigError as error:
            problems.append(ConfigProblem(key, str(error), str(path)))
            continue
        for name, where in places:
            collector.add(f"{entry.prefix}{entry.delimiter}{name}", where, path.name)
    if options.has_builtin_locations:
        for where in builtin_regions().values():
            collector.add(where.key, where, where.cloud_provider)
    return collector.table(), tuple(problems)


def _files(options: Options, problems: list[ConfigProblem]) -> list[tuple[str, LocationFile, Path]]:
    """The files to read, each with the setting that names it."""
    folder = Path(options.location_folder)
    if not options.location_files:
        return [(str(path), LocationFile(str(path)), path) for path in sorted(folder.rglob("*.json"))]
    found = []
    for at, entry in enumerate(options.location_files):
        key = f"{FILES_KEY}:{at}:DataFileLocation"
        try:
            path = find_location_file(entry.path, folder)
        except ConfigError as error:
            problems.append(ConfigProblem(key, str(error)))
            continue
        if path.is_file():
            found.append((key, entry, path))
        else:
            log.error("Location file %s does not exist.", path)
            problems.append(ConfigProblem(key, f"the file {path} does not exist", is_warning=True))
    return found


class _Collector:
    """Gathers places and renames those whose key is taken."""

    def __init__(self) -> None:
        self.by_key: dict[str, Location] = {}
        self._folded: dict[str, str] = {}

    def add(self, key: str, where: Location, origin: str) -> None:
        free = key
        number = 0
        while free.casefold() in self._folded:
            number += 1
            free = f"{key}_{number}"
        if free != key:
            log.warning("Location key %s from %s already exists. Creating new key.", key, origin)
            log.warning("New key %s generated from %s", free, key)
        self._folded[free.casefold()] = free
        self.by_key[free] = _renamed(where, free)

    def table(self) -> LocationTable:
        return LocationTable(MappingProxyType(self.by_key), MappingProxyType(self._folded))


def _renamed(where: Location, key: str) -> Location:
    from dataclasses import replace

    return where if where.key == key else replace(where, key=key)


# --- files -----------------------------------------------------------------------------------------------------------


def read_location_file(path: Path) -> list[tuple[str, Location]]:
    """Read a file ``{key: {"Latitude", "Longitude", "Name"}}``; keys may occur twice.

    Raises:
        ConfigError: It cannot be read, or an entry cannot be used; the message names the key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text, object_pairs_hook=_Pairs)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError("location file", path.name, str(path), f"readable JSON ({error})") from error
    if not isinstance(document, _Pairs):
        raise ConfigError("location file", path.name, str(path), "an object of locations by key")
    return [(key, _read_entry(key, entry, path)) for key, entry in document]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its members, also those of equal names."""


def _read_entry(key: str, entry: object, path: Path) -> Location:
    if not isinstance(entry, _Pairs):
        raise ConfigError(key, None, str(path), "an object with Name, or Latitude and Longitude")
    members = {name.casefold(): value for name, value in entry}
    latitude_deg = _read_degrees(key, "Latitude", members.get("latitude"), 90.0, path)
    longitude_deg = _read_degrees(key, "Longitude", members.get("longitude"), 180.0, path)
    name = members.get("name")
    if name is not None and not isinstance(name, str):
        raise ConfigError(f"{key}.Name", name, str(path), "a text")
    name = (name or "").strip()
    has_both = latitude_deg is not None and longitude_deg is not None
    if not name and not has_both:
        raise ConfigError(key, None, str(path), "a Name, or both Latitude and Longitude: Invalid Location")
    known = _same_builtin(name or key, latitude_deg, longitude_deg)
    return Location(
        country_iso_code=known.country_iso_code if known else None,
        country_name=known.country_name if known else None,
        country_2letter_iso_code=known.country_2letter_iso_code if known else None,
        region=known.region if known else None,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        origin=str(path),
        key=key,
        zone="" if has_both else name,
        zones=known.zones if known else (),
        name=name,
    )


def _read_degrees(key: str, member: str, value: object, limit: float, path: Path) -> float | None:
    """A coordinate, as text or as a number; None when it is not there."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    expected = f"degrees between -{limit:g} and {limit:g}, as a number or as text"
    try:
        degrees = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
    except ValueError as error:
        raise ConfigError(f"{key}.{member}", value, str(path), expected) from error
    if not -limit <= degrees <= limit:
        raise ConfigError(f"{key}.{member}", value, str(path), expected)
    return degrees


def with_nearest_country(where: Location) -> Location:
    """Give a place that is known by its coordinates alone the country and subdivision of the nearest region.

    For tables that know countries only. A place that says more about itself, or has no built-in region within
    ``NEAR_KM``, stays as it is; ``origin`` tells whose country it is.
    """
    is_bare = not (where.country_iso_code or where.zone or where.cloud_region)
    if not is_bare or where.latitude_deg is None or where.longitude_deg is None:
        return where
    found = _nearest_builtin(where.latitude_deg, where.longitude_deg)
    if found is None or found.distance_km > NEAR_KM:
        return where
    near = found.location
    return replace(
        where,
        country_iso_code=near.country_iso_code,
        country_name=near.country_name,
        country_2letter_iso_code=near.country_2letter_iso_code,
        region=near.region,
        origin=f"nearest known region {near.cloud_provider}:{near.cloud_region}, {found.distance_km:.0f} km away",
        is_guess=True,
    )


def with_country_of_zone(where: Location) -> Location | None:
    """Give a place that is known by a source's zone alone the country in which the zone's name says that it lies.

    For tables that know countries only. Zones are called ``FR`` or ``DK-DK1``, an ISO 3166-1 alpha-2 code first;
    ``origin`` tells what was taken for what.

    Returns:
        The place; None when the name begins with no country.
    """
    match = _ZONE.fullmatch(where.zone)
    country = data.find_country(match[1]) if match else None
    if country is None:
        return None
    return replace(
        where,
        country_iso_code=country.iso3,
        country_name=country.name,
        country_2letter_iso_code=country.iso2,
        origin=f"zone {where.zone} taken for its country {country.iso3}",
        is_guess=True,
    )


@lru_cache(maxsize=1024)
def _nearest_builtin(latitude_deg: float, longitude_deg: float) -> Nearest | None:
    return _nearest_of(builtin_regions().values(), latitude_deg, longitude_deg)


def _nearest_of(places: Iterable[Location], latitude_deg: float, longitude_deg: float) -> Nearest | None:
    found = [
        Nearest(where, _distance_km(latitude_deg, longitude_deg, where.latitude_deg, where.longitude_deg))
        for where in places
        if where.latitude_deg is not None and where.longitude_deg is not None
    ]
    return min(found, key=lambda one: one.distance_km, default=None)


# --- the built-in table ----------------------------------------------------------------------------------------------

_builtin: dict[str, Location] = {}


def builtin_regions() -> Mapping[str, Location]:
    """Return the regions of Azure, AWS and GCP by ``cloud/region``, Azure's first."""
    if not _builtin:
        rows = data.read_rows("locations")
        rows.sort(key=lambda row: CLOUDS.index(row["region"].partition("/")[0]))
        _builtin.update({row["region"]: _builtin_location(row) for row in rows})
    return MappingProxyType(_builtin)


def _builtin_location(row: dict[str, str]) -> Location:
    cloud, _, region = row["region"].partition("/")
    country = data.find_country(row["iso3"])
    providers = ("electricity_maps", "uk_carbon_intensity")
    return Location(
        country_iso_code=row["iso3"],
        country_name=country.name if country else None,
        country_2letter_iso_code=country.iso2 if country else None,
        region=row["subdivision"] or None,
        cloud_provider=cloud,
        cloud_region=region,
        latitude_deg=float(row["latitude_deg"]) if row["latitude_deg"] else None,
        longitude_deg=float(row["longitude_deg"]) if row["longitude_deg"] else None,
        origin=f"built-in table of {cloud} regions",
        key=region,
        zones=tuple((name, row[name]) for name in providers if row[name]),
        name=region,
    )


def _same_builtin(name: str, latitude_deg: float | None, longitude_deg: float | None) -> Location | None:
    """The built-in region of this name, if it also lies there."""
    if latitude_deg is None or longitude_deg is None:
        return None
    for cloud in CLOUDS:
        where = builtin_regions().get(f"{cloud}/{name}".casefold())
        if where is None or where.latitude_deg is None or where.longitude_deg is None:
            continue
        off_deg = max(abs(where.latitude_deg - latitude_deg), abs(where.longitude_deg - longitude_deg))
        if off_deg <= _SAME_PLACE_DEG:
            return where
    return None


def _at_coordinates(text: str, latitude_deg: float, longitude_deg: float) -> Location | None:
    if abs(latitude_deg) > 90.0 or abs(longitude_deg) > 180.0:  # noqa: PLR2004 (the globe)
        return None
    return Location(latitude_deg=latitude_deg, longitude_deg=longitude_deg, origin="request", key=text)


def _in_country(text: str) -> Location | None:
    code, _, region = text.strip().partition("/")
    country = data.find_country(code)
    if country is None or (region and data.find_region(country.iso3, region) is None):
        return None
    return Location(
        country_iso_code=country.iso3,
        country_name=country.name,
        country_2letter_iso_code=country.iso2,
        region=region.casefold() or None,
        origin="request",
        key=text,
    )


def _distance_km(latitude_deg: float, longitude_deg: float, other_lat: float, other_lon: float) -> float:
    """Distance on a sphere, by the haversine formula."""
    first, second = math.radians(latitude_deg), math.radians(other_lat)
    half_lat = (second - first) / 2.0
    half_lon = math.radians(other_lon - longitude_deg) / 2.0
    chord = math.sin(half_lat) ** 2 + math.cos(first) * math.cos(second) * math.sin(half_lon) ** 2
    return 2.0 * _EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))
