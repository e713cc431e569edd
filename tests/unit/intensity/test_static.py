"""Which figure prices a place."""

from __future__ import annotations

import pytest

from codecarbon.errors import LocationError
from codecarbon.intensity import GivenPlace, check_country, find_place, get_intensity
from codecarbon.model import Location


def intensity_of(**given):
    return get_intensity(find_place(GivenPlace(**given), may_guess=False))


@pytest.mark.parametrize(
    ("country", "region", "g_per_kwh"),
    [
        ("FRA", None, 56.039),
        ("fra", None, 56.039),
        ("USA", None, 369.473),
        ("NOR", None, 30.08),
        ("CAN", None, 170.043),
        ("USA", "California", 205.3),
        ("USA", "illinois", 368.0),
        ("CAN", "ontario", 64.7),
        ("CAN", "Quebec", 3.9),
        ("SWE", "SE2", 18.0),
        ("NOR", "no5", 18.0),
        ("FIN", "FI", 72.0),
        ("CAF", None, 26.0),
    ],
)
def test_place_is_priced_with_its_own_figure(country, region, g_per_kwh):
    found = intensity_of(country_iso_code=country, region=region)
    assert found.intensity_g_per_kwh == pytest.approx(g_per_kwh, abs=0.05)
    assert found.signal == "average"
    assert found.source
    assert found.year


def test_cloud_region_is_priced_with_the_providers_figure():
    found = intensity_of(cloud_provider="gcp", cloud_region="europe-west1", country_iso_code="USA")
    assert found.intensity_g_per_kwh == 122.0
    assert found.zone == "gcp:europe-west1"
    assert found.note == ""


def test_cloud_region_without_a_figure_is_priced_as_its_country():
    found = intensity_of(cloud_provider="azure", cloud_region="francecentral")
    assert found.intensity_g_per_kwh == 56.039
    assert "no figure for azure:francecentral" in found.note


def test_what_was_said_wins_over_the_country_of_a_cloud_region_without_a_figure():
    found = intensity_of(cloud_provider="aws", cloud_region="us-east-1", country_iso_code="FRA")
    assert found.zone == "FRA"


def test_d22_unknown_place_is_priced_with_the_world_average_and_says_so():
    found = get_intensity(Location())
    assert found.intensity_g_per_kwh == 475.0
    assert found.note == "unknown place, world average"
    assert "IEA" in found.source


def test_unknown_cloud_region_is_priced_with_the_world_average_and_says_so():
    found = intensity_of(cloud_provider="foo", cloud_region="bar")
    assert found.intensity_g_per_kwh == 475.0
    assert found.note == "no figure for foo:bar; unknown place, world average"


@pytest.mark.parametrize(("code", "named"), [("XXX", "XXX"), ("LIE", "Liechtenstein")])
def test_country_without_a_figure_is_named(code, named):
    found = intensity_of(country_iso_code=code)
    assert found.intensity_g_per_kwh == 475.0
    assert named in found.note
    assert "world average" in found.note


@pytest.mark.parametrize(("country", "region", "zone"), [("USA", "atlantis", "USA"), ("SWE", "Uppsala County", "SWE")])
def test_unknown_region_is_priced_as_its_country_and_named(country, region, zone):
    found = intensity_of(country_iso_code=country, region=region)
    assert found.zone == zone
    assert region.lower() in found.note


def test_region_of_a_country_without_regional_figures_is_no_matter():
    found = intensity_of(country_iso_code="FRA", region="ile-de-france")
    assert found.zone == "FRA"
    assert found.note == ""


def test_note_of_the_country_survives_the_note_of_the_cloud():
    found = get_intensity(Location(country_iso_code="CAF", cloud_provider="foo", cloud_region="bar"))
    assert found.note.startswith("no figure for foo:bar; mean of the generation mix")


@pytest.mark.parametrize("forced", [0.0, 0, 123.4])
def test_forced_value_replaces_every_table(forced):
    place = find_place(GivenPlace(cloud_provider="gcp", cloud_region="europe-west1"))
    found = get_intensity(place, force_g_per_kwh=forced)
    assert found.intensity_g_per_kwh == forced
    assert found.source == "set by the user"
    assert found.year is None


def test_check_country_returns_the_name():
    assert check_country("USA") == check_country("usa") == "United States"
    assert check_country("LIE") == "Liechtenstein"


@pytest.mark.parametrize("code", ["XYZ", "", "United States"])
def test_check_country_refuses_what_is_no_code(code):
    with pytest.raises(LocationError, match="Does not support country with ISO code"):
        check_country(code)


def test_check_country_says_what_to_write_instead_of_two_letters():
    with pytest.raises(LocationError, match=r"Does not support country.*France is FRA in ISO 3166-1 alpha-3"):
        check_country("FR")
