"""The data accessors of codecarbon 3, on top of the shipped tables.

The tables have a schema of their own (``codecarbon.data``); what is returned here has the old keys, as far as the
tables hold what belongs to them. Everything is loaded when it is first asked for, and kept for the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from codecarbon.data import read_rows, table_path

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DataSource", "DataSourceException"]

_T = TypeVar("_T")
_CACHE: dict[str, Any] = {}
_PROVIDERS = {"gcp": "Google Cloud Platform"}


class DataSourceException(Exception):  # noqa: N818 (public name of codecarbon 3)
    """The tables hold nothing of that kind for the country."""


class DataSource:
    """The shipped tables."""

    @property
    def geo_js_url(self) -> str:
        """The address of the geo service that codecarbon 3 asked; this version does not."""
        return "https://get.geojs.io/v1/ip/geo.json"

    @property
    def cloud_emissions_path(self) -> str:
        """Path of the table of cloud regions."""
        return table_path("cloud_regions")

    @property
    def carbon_intensity_per_source_path(self) -> str:
        """Path of the table of factors."""
        return table_path("factors")

    @property
    def global_energy_mix_data_path(self) -> str:
        """Path of the table of countries; their generation stands in a table beside it."""
        return table_path("countries")

    @property
    def cpu_power_path(self) -> str:
        """Path of the table of processors."""
        return table_path("cpu_tdp")

    def get_global_energy_mix_data(self) -> dict[str, dict[str, Any]]:
        """Return intensity (g/kWh), generation (TWh) and year by ISO 3166-1 alpha-3 code."""
        return _cached("global_energy_mix", _global_energy_mix)

    def get_cloud_emissions_data(self) -> Any:
        """Return the cloud regions that have a figure, as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        return _cached("cloud_emissions", lambda: _data_frame("get_cloud_emissions_data", _cloud_emissions()))

    def get_country_emissions_data(self, country_iso_code: str) -> dict[str, dict[str, Any]]:
        """Return the output emission rates of US states, lb/MWh, by lower-case name.

        Raises:
            DataSourceException: The country is not the USA.
        """
        if country_iso_code.lower() != "usa":
            raise DataSourceException(f"No emissions of regions of {country_iso_code!r} are shipped, only of 'usa'")
        return _cached("usa_emissions", _usa_emissions)

    def get_country_energy_mix_data(self, country_iso_code: str) -> dict[str, dict[str, Any]]:
        """Return the generation of Canadian provinces by source, percent, by lower-case name.

        Raises:
            DataSourceException: The country is not Canada.
        """
        if country_iso_code.lower() != "can":
            raise DataSourceException(f"No energy mix of regions of {country_iso_code!r} is shipped, only of 'can'")
        return _cached("canada_energy_mix", _canada_energy_mix)

    def get_nordic_country_energy_mix_data(self) -> dict[str, dict[str, Any]]:
        """Return the factors of the Nordic bidding zones, g/kWh, under ``data`` by zone."""
        return _cached("nordic_emissions", _nordic_emissions)

    def get_carbon_intensity_per_source_data(self) -> dict[str, Any]:
        """Return g/kWh of each way of generating electricity, each with its source's address."""
        return _cached("carbon_intensity_per_source", _carbon_intensity_per_source)

    def get_cpu_power_data(self) -> Any:
        """Return processor names and their thermal design power, W, as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        return _cached("cpu_power", lambda: _data_frame("get_cpu_power_data", _cpu_power()))


def _cached(name: str, make: Callable[[], _T]) -> _T:
    table: _T = _CACHE[name] if name in _CACHE else _CACHE.setdefault(name, make())
    return table


def _data_frame(caller: str, columns: dict[str, list[Any]]) -> Any:
    from importlib import import_module

    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise ImportError(
            f"DataSource.{caller}() returns a pandas DataFrame: pip install pandas "
            "(codecarbon.data.read_rows gives the same table without it)"
        ) from error
    return pandas.DataFrame(columns)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _global_energy_mix() -> dict[str, dict[str, Any]]:
    generation = {row.pop("iso3"): row for row in read_rows("generation")}
    mixes: dict[str, dict[str, Any]] = {}
    for country in read_rows("countries"):
        code = country["iso3"]
        if code not in generation:
            continue
        mix: dict[str, Any] = {
            name.replace("_twh", "_TWh").replace("capita_kwh", "capita_Wh"): float(value)
            for name, value in generation[code].items()
        }
        mix.update(
            carbon_intensity=_number(country["g_per_kwh"]),
            country_name=country["name"],
            iso_code=code,
            year=int(mix["year"]),
        )
        mixes[code] = mix
    return mixes


def _cloud_emissions() -> dict[str, list[Any]]:
    names = {row["iso3"]: row["name"] for row in read_rows("countries")}
    addresses = {row["source"]: row["url"] for row in read_rows("sources")}
    rows = [row for row in read_rows("cloud_regions") if row["g_per_kwh"]]
    keys = [row["region"].split("/") for row in rows]
    return {
        "provider": [provider for provider, _ in keys],
        "providerName": [_PROVIDERS[provider] for provider, _ in keys],
        "region": [region for _, region in keys],
        "country_name": [names[row["iso3"]] for row in rows],
        "countryIsoCode": [row["iso3"] for row in rows],
        "state": [row["state"] or None for row in rows],
        "city": [row["city"] or None for row in rows],
        "impact": [float(row["g_per_kwh"]) for row in rows],
        "source": [addresses[row["source"]] for row in rows],
    }


def _usa_emissions() -> dict[str, dict[str, Any]]:
    return {
        row["place"].removeprefix("USA/"): {
            "emissions": float(row["published_lb_per_mwh"]),
            "regionCode": row["code"].removeprefix("USA/").upper(),
        }
        for row in read_rows("regions")
        if row["place"].startswith("USA/")
    }


def _canada_energy_mix() -> dict[str, dict[str, Any]]:
    rows = {row.pop("province"): row for row in read_rows("canada_mix")}
    return {province: {name: float(share) for name, share in row.items()} for province, row in rows.items()}


def _nordic_emissions() -> dict[str, dict[str, Any]]:
    sources = {row["source"]: row["text"] for row in read_rows("sources")}
    zones = [row for row in read_rows("regions") if row["place"][:3] in {"SWE", "NOR", "FIN"}]
    return {
        "data": {
            row["place"][4:].upper(): {
                "emission_factor": float(row["g_per_kwh"]),
                "unit": "gCO2eq/kWh",
                "year": int(row["year"]),
            }
            for row in zones
        },
        "metadata": {"source": sources[zones[0]["source"]]},
    }


def _carbon_intensity_per_source() -> dict[str, Any]:
    table: dict[str, Any] = {"unit": "gCO2.eq/kWh"}
    for row in read_rows("factors"):
        table[row["name"]] = float(row["g_per_kwh"])
        table[f"{row['name']}_source"] = row["url"]
    return table


def _cpu_power() -> dict[str, list[Any]]:
    rows = read_rows("cpu_tdp")
    return {"Name": [row["name"] for row in rows], "TDP": [float(row["tdp_w"]) for row in rows]}
