"""Lookups of countries, regions and cloud regions."""

from __future__ import annotations

import pytest

from codecarbon import data
from codecarbon.units import g_per_kwh_from_lb_per_mwh


def test_country_is_found_by_either_code_in_either_case():
    country = data.find_country("FRA")
    assert country is not None
    assert (country.iso3, country.iso2, country.name) == ("FRA", "FR", "France")
    assert country.intensity is not None
    assert country.intensity.intensity_g_per_kwh == 56.039
    assert country.intensity.year is not None
    assert country.intensity.source.startswith("Our World in Data")
    assert data.find_country("fr") == data.find_country(" fra ") == country


@pytest.mark.parametrize("code", ["", "X", "XX", "XXX", "FRANCE", "F\tR", "20", "A1", "\n"])
def test_unknown_code_finds_no_country(code):
    assert data.find_country(code) is None


def test_country_without_a_figure_is_known_all_the_same():
    country = data.find_country("LIE")
    assert country is not None
    assert country.name == "Liechtenstein"
    assert country.intensity is None


def test_published_zero_is_replaced_by_the_generation_mix():
    country = data.find_country("CAF")
    assert country is not None
    assert country.intensity is not None
    assert country.intensity.intensity_g_per_kwh == 26.0  # all of it hydroelectricity
    assert "generation mix" in country.intensity.note
    hydro = data.find_factor("hydroelectricity")
    assert hydro is not None
    assert hydro.intensity_g_per_kwh == 26.0


def test_us_states_convert_pounds_exactly():
    for row in data.read_rows("regions"):
        if row["published_lb_per_mwh"]:
            expected = g_per_kwh_from_lb_per_mwh(float(row["published_lb_per_mwh"]))
            assert float(row["g_per_kwh"]) == pytest.approx(expected, rel=1e-12)
    assert len(data.regions_of("USA")) == 51  # with the District of Columbia


def test_region_is_found_by_name_code_and_without_accents():
    quebec = data.find_region("CAN", "quebec")
    assert quebec is not None
    assert quebec.intensity.intensity_g_per_kwh == pytest.approx(3.9, abs=0.05)
    assert data.find_region("can", "Québec") == data.find_region("CAN", "QC") == quebec
    assert data.find_region("CAN", "british  columbia") is not None


@pytest.mark.parametrize(("country", "region"), [("USA", "ontario"), ("USA", ""), ("USA", "a\tb"), ("FRA", "bretagne")])
def test_unknown_region_finds_nothing(country, region):
    assert data.find_region(country, region) is None


def test_regions_are_known_for_five_countries_only():
    assert {c: len(data.regions_of(c)) for c in ("USA", "CAN", "SWE", "NOR", "FIN", "FRA")} == {
        "USA": 51,
        "CAN": 13,
        "SWE": 4,
        "NOR": 5,
        "FIN": 1,
        "FRA": 0,
    }


def test_d23_missing_state_is_none_and_not_a_number():
    belgium = data.find_cloud_region("gcp", "europe-west1")
    assert belgium is not None
    assert (belgium.country_iso_code, belgium.state, belgium.city) == ("BEL", None, "St. Ghislain")
    for row in data.read_rows("cloud_regions"):
        provider, _, name = row["region"].partition("/")
        found = data.find_cloud_region(provider, name)
        assert found is not None
        assert found.state is None or (found.state and isinstance(found.state, str))
        assert found.city is None or (found.city and isinstance(found.city, str))


def test_d46_misspelt_region_is_corrected():
    doha = data.find_cloud_region("GCP", "ME-CENTRAL1")
    assert doha is not None
    assert doha.intensity is not None
    assert doha.intensity.intensity_g_per_kwh == 575.0
    assert data.find_cloud_region("gcp", "me-cenrtal1") is None


def test_aws_and_azure_regions_have_a_country_and_no_figure():
    for provider, name, country in [("aws", "eu-west-3", "FRA"), ("azure", "westeurope", "NLD")]:
        region = data.find_cloud_region(provider, name)
        assert region is not None
        assert region.country_iso_code == country
        assert region.intensity is None


def test_factors_and_world_average():
    assert data.world_average().intensity_g_per_kwh == 475.0
    assert data.world_average("why").note == "why"
    coal, wind = data.find_factor("coal"), data.find_factor("wind")
    assert coal is not None
    assert wind is not None
    assert coal.intensity_g_per_kwh > 800
    assert wind.intensity_g_per_kwh < 80
    assert data.find_factor("antimatter") is None
