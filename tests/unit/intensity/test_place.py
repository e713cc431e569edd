"""Places that were given."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codecarbon.intensity import GivenPlace, find_place, place_problems

EVERYTHING_ELSE = {"TZ": "Asia/Tokyo", "AWS_EXECUTION_ENV": "x", "AWS_REGION": "eu-west-3"}


def test_given_country_is_no_guess_and_names_who_said_so():
    given = GivenPlace("fra", "Bretagne", origins={"country_iso_code": "CODECARBON_COUNTRY_ISO_CODE"})
    place = find_place(given, environ=EVERYTHING_ELSE)
    assert (place.country_iso_code, place.country_name, place.region) == ("FRA", "France", "bretagne")
    assert place.country_2letter_iso_code == "FR"
    assert not place.is_guess
    assert place.origin == "CODECARBON_COUNTRY_ISO_CODE, constructor"


def test_two_letters_are_enough_for_a_country():
    place = find_place(GivenPlace(country_2letter_iso_code="us"), environ=EVERYTHING_ELSE)
    assert (place.country_iso_code, place.country_name) == ("USA", "United States")


def test_two_letters_in_the_place_of_three_are_taken_for_the_country_and_named():
    given = GivenPlace(country_iso_code="fr")
    place = find_place(given, environ=EVERYTHING_ELSE)
    assert (place.country_iso_code, place.country_2letter_iso_code) == ("FRA", "FR")
    assert place_problems(given) == ("country_iso_code='fr' has two letters: it is taken for FRA (France)",)


def test_unknown_country_keeps_its_code_and_has_no_name():
    place = find_place(GivenPlace("XYZ"), environ=EVERYTHING_ELSE)
    assert (place.country_iso_code, place.country_name, place.is_guess) == ("XYZ", None, False)


def test_given_cloud_region_sets_country_and_region():
    place = find_place(GivenPlace(cloud_provider="GCP", cloud_region="us-west2"), environ=EVERYTHING_ELSE)
    assert (place.cloud_provider, place.cloud_region) == ("gcp", "us-west2")
    assert (place.country_iso_code, place.region, place.is_guess) == ("USA", "california", False)


def test_d23_region_of_a_cloud_region_without_a_state_is_its_city():
    place = find_place(GivenPlace(cloud_provider="gcp", cloud_region="europe-west1"))
    assert place.region == "st. ghislain"


def test_given_cloud_region_without_a_figure_stays_a_cloud_place():
    place = find_place(GivenPlace(cloud_provider="aws", cloud_region="eu-west-3"))
    assert (place.cloud_provider, place.cloud_region, place.country_iso_code) == ("aws", "eu-west-3", "FRA")


@pytest.mark.parametrize("given", [{"cloud_provider": "gcp"}, {"cloud_region": "us-west2"}])
def test_half_a_cloud_region_is_not_used_and_named(given):
    place = find_place(GivenPlace(**given), may_guess=False)
    assert (place.cloud_provider, place.cloud_region, place.country_iso_code) == ("", "", None)
    assert len(place_problems(GivenPlace(**given))) == 1


def test_nothing_given_and_no_guessing_is_an_unknown_place():
    place = find_place(environ=EVERYTHING_ELSE, may_guess=False)
    assert (place.label, place.origin, place.is_guess) == ("unknown place", "unknown", False)


def test_known_place_has_no_problems():
    assert place_problems(GivenPlace()) == ()
    assert place_problems(GivenPlace("FRA", "x")) == ()
    assert place_problems(GivenPlace(cloud_provider="gcp", cloud_region="us-west2")) == ()


def test_problems_name_what_is_wrong():
    (country,) = place_problems(GivenPlace("XYZ"))
    assert "Does not support country" in country
    (pair,) = place_problems(GivenPlace(cloud_provider="foo", cloud_region="bar"))
    assert "foo:bar" in pair
    (figure,) = place_problems(GivenPlace(cloud_provider="aws", cloud_region="eu-west-3"))
    assert "no figure is published for the cloud region aws:eu-west-3" in figure


def test_finding_and_pricing_a_place_loads_nothing_heavy():
    code = (
        "import sys; from codecarbon.intensity import GivenPlace, find_place, get_intensity;"
        "get_intensity(find_place(GivenPlace('FRA'))); get_intensity(find_place(environ={}));"
        "from codecarbon.data import find_tdp_w; find_tdp_w('Intel');"
        "heavy = {'numpy', 'requests', 'psutil', 'csv', 'importlib.resources', 'importlib.metadata', 'pathlib',"
        "'subprocess', 'logging', 'zoneinfo', 'pandas', 'socket'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
