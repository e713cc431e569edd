"""Carbon intensity of electricity by country, state, province, bidding zone and cloud region."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from codecarbon.data.tables import find_row, get_row, read_text
from codecarbon.model import Intensity

_ALPHA_2 = 2  # letters of the short country code


class Country(NamedTuple):
    """An ISO 3166-1 country; ``intensity`` is None when nobody publishes a figure that we have."""

    iso3: str
    iso2: str
    name: str
    intensity: Intensity | None


class Region(NamedTuple):
    """A state, a province or a bidding zone; the name is lower case."""

    country_iso_code: str
    name: str
    intensity: Intensity


class CloudRegion(NamedTuple):
    """A cloud provider's region; ``intensity`` is None when the provider publishes no figure."""

    provider: str
    name: str
    country_iso_code: str
    state: str | None
    city: str | None
    intensity: Intensity | None


def find_country(iso_code: str) -> Country | None:
    """Find a country by its ISO 3166-1 code, alpha-3 or alpha-2, in either case."""
    code = iso_code.strip().upper()
    row = find_row("countries", code)
    if row is None and len(code) == _ALPHA_2 and code.isalpha():
        text = read_text("countries")
        at = text.find(f"\t{code}\t")
        row = find_row("countries", text[at - 3 : at]) if at >= 0 else None
    if row is None:
        return None
    iso3, iso2, name, g_per_kwh, year, basis, source = row
    note = "mean of the generation mix, since the published figure is zero" if basis == "mix" else ""
    return Country(iso3, iso2, name, _intensity(g_per_kwh, source, year, iso3, note))


def find_region(country_iso_code: str, region: str) -> Region | None:
    """Find a region by its name or its code, in either case and without regard to accents."""
    place = f"{country_iso_code.strip().upper()}/{_folded(region)}"
    row = find_row("regions", place)
    if row is None:
        text = read_text("regions")
        at = text.find(f"\t{place}\t") if "\t" not in place and "\n" not in place else -1
        row = text[text.rfind("\n", 0, at) + 1 : text.find("\n", at)].split("\t") if at >= 0 else None
    if row is None:
        return None
    key, _, g_per_kwh, year, source, _ = row
    return Region(key[:3], key[4:], _figure(g_per_kwh, source, year, key))


def regions_of(country_iso_code: str) -> tuple[str, ...]:
    """Return the names of a country's regions that the tables hold."""
    prefix = f"{country_iso_code.strip().upper()}/"
    keys = (line.partition("\t")[0] for line in read_text("regions").splitlines())
    return tuple(key.removeprefix(prefix) for key in keys if key.startswith(prefix))


def find_cloud_region(provider: str, region: str) -> CloudRegion | None:
    """Find a cloud region, for example ``gcp``, ``europe-west1``, in either case."""
    provider, name = provider.strip().lower(), region.strip().lower()
    row = find_row("cloud_regions", f"{provider}/{name}")
    if row is None:
        return None
    _, iso3, state, city, g_per_kwh, year, source = row
    intensity = _intensity(g_per_kwh, source, year, f"{provider}:{name}")
    return CloudRegion(provider, name, iso3, state or None, city or None, intensity)


def find_factor(name: str) -> Intensity | None:
    """Find the intensity of a way of generating electricity, for example ``coal``."""
    row = find_row("factors", name)
    return _figure(row[1], row[3], row[2], name) if row else None


def world_average(note: str = "") -> Intensity:
    """Return the world's mean intensity."""
    row = get_row("factors", "world_average")
    return _figure(row[1], row[3], row[2], "world", note)


def _intensity(g_per_kwh: str, source: str, year: str, zone: str, note: str = "") -> Intensity | None:
    return _figure(g_per_kwh, source, year, zone, note) if g_per_kwh else None


def _figure(g_per_kwh: str, source: str, year: str, zone: str, note: str = "") -> Intensity:
    text = get_row("sources", source)[1]
    return Intensity(float(g_per_kwh), text, int(year) if year else None, zone, note=note)


def _folded(name: str) -> str:
    """Lower case, accents off, blanks collapsed: ``Québec`` -> ``quebec``."""
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).lower().split())
