"""Cases 4, 13, 14 and 71 to 74: what configurations do, good ones and bad ones."""

from __future__ import annotations

import json

import pytest
import requests

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import build_context
from codecarbon.errors import ConfigError
from tests.web.blackbox.cases import AVERAGE, DAYS_17_TO_18, PROFILES, WEST
from tests.web.blackbox.provider_sites import NOW, ScriptedWattTime, provider_site, watttime_site
from tests.web.blackbox.sites import J, Site, emissions, make_site

EAST = "/emissions/bylocation?location=eastus"
DEFAULT_BASE = "https://api.electricitymap.org/v3/"
TRIAL_BASE = "https://api-access.electricitymaps.com/"
JSON_FROM_ENVIRONMENT = {
    "DataSources__EmissionsDataSource": "Json",
    "DataSources__Configurations__Json__Type": "JSON",
}


@pytest.fixture(params=PROFILES)
def profile(request):
    return request.param


def faults(files=(), environ=None):
    """What is wrong with a configuration, in one text."""
    context = build_context(load_options(files, environ or {}))
    return "\n".join(f"{one.key}: {one.message}" for one in context.problems if not one.is_warning)


@pytest.mark.parametrize("prefix", ["x", "mydepartment/myapp"])
def test_case_04_prefix_without_a_slash_fails_at_start(prefix):
    with pytest.raises(ConfigError, match="WebApiRoutePrefix"):
        load_options([], {"CarbonAwareVars__WebApiRoutePrefix": prefix})


@pytest.mark.parametrize(
    ("entry", "is_good"),
    [
        ({"Name": "somewhere"}, True),
        ({"Name": "somewhere", "Latitude": "1.5"}, True),
        ({"Latitude": "1.5", "Longitude": "2.5"}, True),
        ({"Latitude": 1.5, "Longitude": 2.5}, True),
        ({"Longitude": "2.5"}, False),
        ({}, False),
        ({"Name": "  "}, False),
    ],
)
def test_case_13_an_entry_needs_a_name_or_both_coordinates(tmp_path, entry, is_good):
    site = Site(tmp_path).locate("places", {"here": entry})
    found = faults([site.write("documented")])
    assert ("here" in found) is not is_good, found


@pytest.mark.parametrize(
    ("path", "is_refused"),
    [("../x.json", True), ("~/x.json", True), ("/nowhere/x.json", False), ("new-dir 123/Sub_Dir/x.json", False)],
)
def test_case_14_paths_of_data_files(path, is_refused):
    environ = {**JSON_FROM_ENVIRONMENT, "DataSources__Configurations__Json__DataFileLocation": path}
    assert ("contains not supported characters" in faults(environ=environ)) is is_refused


def test_case_14_path_of_a_data_file_may_not_be_missing():
    assert "DataFileLocation" in faults(environ={**JSON_FROM_ENVIRONMENT})


def test_case_71_environment_alone_configures_a_source(tmp_path, serve_environment):
    data = tmp_path / "data.json"
    data.write_text(json.dumps(emissions(J)), encoding="utf-8")
    environ = {**JSON_FROM_ENVIRONMENT, "DataSources__Configurations__Json__DataFileLocation": str(data)}
    base = serve_environment(environ)
    assert [row["rating"] for row in requests.get(base + WEST + DAYS_17_TO_18, timeout=30).json()] == [10, 20, 30]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DataSources__EmissionsDataSource": "Nobody"}, "'Nobody'"),
        ({"DataSources__EmissionsDataSource": "json", "DataSources__Configurations__Json__Type": "JSON"}, "'json'"),
        ({**JSON_FROM_ENVIRONMENT, "DataSources__Configurations__Json__Type": "Teapot"}, "Teapot"),
        ({"DataSources__ForecastDataSource": "Nobody"}, "'Nobody'"),
        ({"DataSources__EmissionsDataSource": ""}, "No data sources are configured"),
    ],
)
def test_case_71_configuration_errors_are_clear_and_the_server_starts(environ, message, serve_environment):
    assert message in faults(environ=environ)
    base = serve_environment(environ)
    assert requests.get(base + "/health", timeout=30).text == "Healthy"
    assert requests.get(base + "/locations", timeout=30).status_code == 200
    response = requests.get(base + WEST, timeout=30)
    assert (response.status_code, response.json()["detail"]) == (400, "EmissionsDataSource is not configured")


def test_case_71_a_file_without_forecasts_gives_none(tmp_path):
    site = Site(tmp_path).source("Forecast", emissions(J))
    assert "JSON data source is not supported for forecast data" in faults([site.write("documented")])


@pytest.mark.parametrize(
    ("base", "header", "token", "is_good"),
    [
        (DEFAULT_BASE, "auth-token", "secret", True),
        (DEFAULT_BASE, "X-BLOBR-KEY", "secret", False),
        (TRIAL_BASE, "X-BLOBR-KEY", "secret", True),
        (TRIAL_BASE, "auth-token", "secret", False),
        ("https://proxy.invalid/", "anything", "secret", True),
        (DEFAULT_BASE, "auth-token", "", False),
        (DEFAULT_BASE, "", "secret", False),
        ("not an address", "auth-token", "secret", False),
    ],
)
def test_case_72_header_rules_of_electricity_maps(tmp_path, base, header, token, is_good):
    configuration = {"Type": "ElectricityMaps", "BaseUrl": base, "APITokenHeader": header, "APIToken": token}
    found = faults([provider_site(tmp_path, NOW, configuration).write("documented")])
    assert (found == "") is is_good, found
    assert "secret" not in found


@pytest.mark.parametrize("kind", ["WattTime", "ElectricityMaps", "ElectricityMapsFree"])
def test_case_72_a_proxy_needs_an_address(tmp_path, kind):
    keys = {"Username": "u", "Password": "p", "APITokenHeader": "auth-token", "APIToken": "t", "Token": "t"}
    site = provider_site(tmp_path, NOW, {"Type": kind, **keys})
    site.settings["DataSources"].pop("ForecastDataSource")
    site.settings["DataSources"]["Configurations"]["provider"]["Proxy"] = {"UseProxy": True}
    assert "Proxy Url is not configured." in faults([site.write("documented")])


@pytest.mark.parametrize("is_cached", [True, False])
def test_case_73_a_changed_data_file(tmp_path, serve_site, profile, is_cached):
    site = make_site("J", tmp_path)
    site.settings["DataSources"]["Configurations"]["Emissions"]["CacheJsonData"] = is_cached
    base = serve_site(site, profile)

    def ratings():
        return [row["rating"] for row in requests.get(base + WEST + DAYS_17_TO_18, timeout=30).json()]

    assert ratings() == [10, 20, 30]
    changed = [(place, time, 5 * value, length) for place, time, value, length in J]
    site.source("Emissions", emissions(changed))
    assert ratings() == ([10, 20, 30] if is_cached else [50, 100, 150])


@pytest.mark.parametrize(
    "path",
    [
        EAST + "&time=2022-01-01T10:02:00Z&toTime=2022-01-01T10:08:00Z",
        EAST + "&time=2022-01-01T10:02:00Z",
        AVERAGE + "?location=eastus&startTime=2022-01-01T10:02:00Z&endTime=2022-01-01T10:08:00Z",
    ],
)
def test_case_74_the_same_question_twice_is_one_call(tmp_path, serve_site, profile, path):
    with ScriptedWattTime(clock=NOW.timestamp) as fake:
        fake.measured = [{"point_time": f"2022-01-01T10:0{minute}:00+00:00", "value": 10 + minute} for minute in (0, 5)]
        site = watttime_site(tmp_path, fake, NOW)
        site.settings["EmissionsDataCache"] = {"Enabled": True, "ExpirationMin": 60}
        base = serve_site(site, profile)
        answers = [requests.get(base + path, timeout=30) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3, answers[0].text
        assert answers[0].json() == answers[1].json() == answers[2].json()
        assert fake.count("/v3/historical") == 1


def test_case_74_a_cache_without_a_time_is_an_error():
    found = faults(environ={"EmissionsDataCache__Enabled": "true"})
    assert "Expiration period for data cache value must be greater than 0." in found
