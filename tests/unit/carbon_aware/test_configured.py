"""The configuration as the command line and the decorator read it, and where this machine is."""

from __future__ import annotations

import json

import pytest

from codecarbon.carbon_aware.configured import find_home, get_options, make_planner
from codecarbon.carbon_aware.context import build_context
from codecarbon.carbon_aware.decision import Wish
from codecarbon.units import US_PER_HOUR, us_from_s


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_settings(folder, **entries):
    configurations = {name: {"Type": kind} for name, kind in entries.items()}
    first = next(iter(entries))
    sources = {"EmissionsDataSource": first, "ForecastDataSource": first, "Configurations": configurations}
    path = folder / "appsettings.json"
    path.write_text(json.dumps({"DataSources": sources}))
    return path


def test_without_files_the_sample_answers():
    assert get_options().is_embedded_default


def test_a_kind_of_source_needs_no_entry():
    options = get_options(source="sample")
    assert (options.emissions.type, options.forecast.type) == ("sample", "sample")
    assert not options.problems


def test_an_entry_wins_over_a_kind(folder):
    write_settings(folder, First="Static", Second="Sample")
    options = get_options(source="Second")
    assert (options.emissions.name, options.emissions.type) == ("Second", "Sample")


def test_a_file_that_is_named_stands_in_for_those_found(folder):
    write_settings(folder, First="Static")
    other = folder / "other.json"
    other.write_text(json.dumps({"CarbonAwareVars": {"Profile": "strict"}}))
    assert get_options(config=str(other)).profile == "strict"
    assert get_options(config="other.json").is_embedded_default


def test_a_profile_is_taken_from_the_argument(folder):
    assert get_options(profile="strict").profile == "strict"


@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_the_built_in_locations_are_kept_with_a_source_given_by_name(profile):
    table = build_context(get_options(source="sample", profile=profile)).locations
    assert table.find("eastus") is not None


def test_this_machine_is_where_the_settings_say(monkeypatch):
    monkeypatch.setenv("CODECARBON_COUNTRY_ISO_CODE", "USA")
    monkeypatch.setenv("CODECARBON_REGION", "california")
    assert find_home() == "USA/california"
    monkeypatch.setenv("CODECARBON_CLOUD_PROVIDER", "gcp")
    monkeypatch.setenv("CODECARBON_CLOUD_REGION", "europe-west1")
    assert find_home() == "gcp:europe-west1"


def test_a_planner_reads_the_configuration_when_it_decides(folder, monkeypatch):
    monkeypatch.setenv("CODECARBON_COUNTRY_ISO_CODE", "DEU")
    now_s = 1_900_000_000.0
    planner = make_planner(source="sample", clock=lambda: now_s)
    decision = planner.decide(Wish(3600.0, us_from_s(now_s) + 20 * US_PER_HOUR, allows_synthetic=True))
    assert decision.option is not None
    assert decision.option.location == "DEU"
    assert (decision.is_synthetic, decision.sources) == (True, ("sample",))


@pytest.mark.parametrize(
    ("text", "iso3", "region"),
    [
        ("DE", "DEU", None),
        ("deu", "DEU", None),
        ("USA/California", "USA", "california"),
        ("CA/quebec", "CAN", "quebec"),
    ],
)
def test_a_country_is_a_location(text, iso3, region):
    where = build_context(get_options()).locations.find(text)
    assert where is not None
    assert (where.country_iso_code, where.region, where.key) == (iso3, region, text)


@pytest.mark.parametrize("text", ["XX", "ZZZ", "USA/atlantis", "/", "germany", ""])
def test_what_is_no_country_is_no_location(text):
    assert build_context(get_options()).locations.find(text) is None
