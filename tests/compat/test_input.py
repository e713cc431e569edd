"""The data accessors of codecarbon 3."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from codecarbon import input as source_module
from codecarbon.input import DataSource, DataSourceException


@pytest.fixture
def source(monkeypatch):
    monkeypatch.setattr(source_module, "_CACHE", {})
    return DataSource()


@pytest.fixture
def pandas(monkeypatch):
    """A stand-in whose DataFrame keeps its columns: pandas is no dependency of this package."""
    module = types.ModuleType("pandas")
    module.DataFrame = dict
    monkeypatch.setitem(sys.modules, "pandas", module)


def test_paths_exist(source):
    for path in (
        source.cloud_emissions_path,
        source.carbon_intensity_per_source_path,
        source.global_energy_mix_data_path,
        source.cpu_power_path,
    ):
        assert Path(path).is_file()
    assert source.geo_js_url.startswith("https://")


def test_global_energy_mix_has_the_old_keys(source):
    mix = source.get_global_energy_mix_data()
    assert len(mix) == 213
    france = mix["FRA"]
    sources = {
        "biofuel",
        "coal",
        "fossil",
        "gas",
        "hydroelectricity",
        "low_carbon",
        "nuclear",
        "oil",
        "other_renewable",
    }
    sources |= {"other_renewable_exc_biofuel", "renewables", "solar", "total", "wind"}
    others = {"carbon_intensity", "country_name", "iso_code", "per_capita_Wh", "year"}
    assert set(france) == {f"{name}_TWh" for name in sources} | others
    assert france["carbon_intensity"] == 56.039
    assert (france["iso_code"], france["country_name"], france["year"]) == ("FRA", "France", 2023)
    assert 0 < france["nuclear_TWh"] < france["low_carbon_TWh"] < france["total_TWh"]


def test_intensity_per_source(source):
    table = source.get_carbon_intensity_per_source_data()
    assert len(table) == 21
    assert table["coal"] > 800
    assert table["wind"] < 80
    assert table["world_average"] == 475
    assert table["coal_source"].startswith("http")


def test_us_states(source):
    states = source.get_country_emissions_data("usa")
    assert len(states) == 51
    assert states["california"] == {"emissions": 452.541, "regionCode": "CA"}
    with pytest.raises(DataSourceException, match="'fra'"):
        source.get_country_emissions_data("fra")


def test_canadian_provinces(source):
    provinces = source.get_country_energy_mix_data("can")
    assert len(provinces) == 13
    assert provinces["british columbia"]["hydro"] == 86.8
    assert provinces["british columbia"]["total"] == 99.9
    with pytest.raises(DataSourceException, match="'usa'"):
        source.get_country_energy_mix_data("usa")


def test_nordic_zones(source):
    zones = source.get_nordic_country_energy_mix_data()
    assert set(zones["data"]) == {"SE1", "SE2", "SE3", "SE4", "NO1", "NO2", "NO3", "NO4", "NO5", "FI"}
    assert zones["data"]["SE2"] == {"emission_factor": 18.0, "unit": "gCO2eq/kWh", "year": 2024}
    assert "ENTSO-E" in zones["metadata"]["source"]


def test_data_frames_are_made_of_our_tables(source, pandas):
    cpu = source.get_cpu_power_data()
    assert list(cpu) == ["Name", "TDP"]
    assert cpu["TDP"][cpu["Name"].index("AMD Ryzen Threadripper 1950X")] == 180.0
    cloud = source.get_cloud_emissions_data()
    row = cloud["region"].index("europe-west1")
    assert (cloud["provider"][row], cloud["impact"][row], cloud["countryIsoCode"][row]) == ("gcp", 122.0, "BEL")
    assert (cloud["state"][row], cloud["city"][row]) == (None, "St. Ghislain")
    assert len(cloud["region"]) == 40
    assert len({len(column) for column in cloud.values()}) == 1


@pytest.mark.parametrize("name", ["get_cpu_power_data", "get_cloud_emissions_data"])
def test_without_pandas_the_error_says_what_to_install(source, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=rf"DataSource\.{name}\(\) returns a pandas DataFrame: pip install pandas"):
        getattr(source, name)()


def test_tables_are_shared_between_sources(source):
    assert source.get_global_energy_mix_data() is DataSource().get_global_energy_mix_data()
    assert source.get_carbon_intensity_per_source_data() is DataSource().get_carbon_intensity_per_source_data()
