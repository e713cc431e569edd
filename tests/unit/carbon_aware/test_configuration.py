"""Settings from files, environment and arguments, and the sources that they make."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields
from pathlib import Path

import pytest

from codecarbon.carbon_aware.appsettings import is_secret, load_options
from codecarbon.carbon_aware.context import build_context
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.option_rules import KNOWN
from codecarbon.carbon_aware.sources import TYPES
from codecarbon.carbon_aware.tolerant_json import read_tolerant_json
from codecarbon.carbon_aware.web_settings import WebSettings
from codecarbon.errors import (
    ConfigError,
    DiscontinuousData,
    InvalidParameters,
    NotConfigured,
    NotCovered,
    UnknownLocation,
)
from tests.support.carbon_aware import Clock, document_f, document_j, moment, settings, write_json

JSON_ENTRY = {"Type": "JSON", "DataFileLocation": "j.json"}


def options_of(arguments=None, environ=None, files=(), folder="."):
    return load_options(files, environ or {}, arguments or {}, folder=folder)


def problems_of(sources, folder=".", **more):
    context = build_context(options_of({"DataSources": sources, **more}, folder=folder))
    return [(problem.key, problem.message) for problem in context.problems if not problem.is_warning]


# --- where settings come from ---


def test_later_sources_win_key_by_key(tmp_path):
    write_json(tmp_path / "appsettings.json", {"CarbonAwareVars": {"LookbackHours": 1, "VerboseApi": True}})
    write_json(tmp_path / "appsettings.Staging.json", {"carbonawarevars": {"lookbackhours": 2, "Profile": "strict"}})
    environ = {"ASPNETCORE_ENVIRONMENT": "Staging"}
    assert load_options(None, environ, folder=tmp_path).lookback_h == 2
    environ["CarbonAwareVars__LookbackHours"] = "3"
    assert load_options(None, environ, folder=tmp_path).lookback_h == 3
    options = load_options(None, environ, {"CarbonAwareVars:LookbackHours": 4}, folder=tmp_path)
    assert (options.lookback_h, options.is_verbose, options.profile) == (4, True, "strict")


def test_environment_is_production_unless_it_is_named(tmp_path):
    write_json(tmp_path / "appsettings.Production.json", {"CarbonAwareVars": {"LookbackHours": 7}})
    assert load_options(None, {}, folder=tmp_path).lookback_h == 7
    assert load_options(None, {"ASPNETCORE_ENVIRONMENT": "Development"}, folder=tmp_path).lookback_h == 24


def test_arrays_by_index_and_keys_in_any_case():
    environ = {
        "LOCATIONDATASOURCESCONFIGURATION__LocationSourceFiles__1__DataFileLocation": "b.json",
        "LocationDataSourcesConfiguration__LocationSourceFiles__0__DATAFILELOCATION": "a.json",
        "LocationDataSourcesConfiguration__LocationSourceFiles__0__Prefix": "p",
        "LocationDataSourcesConfiguration__LocationSourceFiles__0__Delimiter": "-",
        "PATH": "/bin",
    }
    files = options_of(environ=environ).location_files
    assert files == (("a.json", "p", "-"), ("b.json", "", ""))


def test_file_may_have_comments_and_trailing_commas(tmp_path):
    text = '{ // why\n "CarbonAwareVars": {"Profile": "strict", /* more */ "CorsOrigins": ["http://a//b",],},\n}'
    (tmp_path / "x.json").write_text("\ufeff" + text, encoding="utf-8")
    options = options_of(files=["x.json"], folder=tmp_path)
    assert (options.profile, options.cors_origins, options.problems) == ("strict", ("http://a//b",), ())


@pytest.mark.parametrize(
    "value",
    ["a // b", 'say \\"//\\" twice', "trailing ,]", "/* no comment */", "ends with \\\\", ",}"],
)
def test_strings_are_left_alone(value):
    assert read_tolerant_json(f'{{"key": "{value}", "other": [1, 2, // x\n],}}') == {
        "key": json.loads(f'"{value}"'),
        "other": [1, 2],
    }


@pytest.mark.parametrize("text", ["{,}", "[1,,]", "{'a': 1}", '{"a": 1 "b": 2}', '"open', "{a: 1}", "/* open"])
def test_what_is_not_even_that_is_refused(text):
    with pytest.raises(ValueError):
        read_tolerant_json(text)


def test_complaint_points_to_the_right_place():
    with pytest.raises(ValueError, match="line 3 column 3"):
        read_tolerant_json('{ // one\n /* two */ "a": 1,\n  b: 2}')


def test_broken_or_missing_file_is_a_problem(tmp_path):
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    options = options_of(files=["bad.json", "list.json", "none.json"], folder=tmp_path)
    assert [problem.key for problem in options.problems] == ["bad.json", "list.json", "none.json"]


# --- case 71 and decision about what is not configured ---


def test_case_71_environment_alone_configures_a_source(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", document_j())
    environ = {
        "DataSources__EmissionsDataSource": "Json",
        "DataSources__Configurations__Json__Type": "JSON",
        "DataSources__Configurations__Json__DataFileLocation": "j.json",
    }
    context = build_context(options_of(environ=environ, folder=tmp_path))
    assert context.problems == ()
    answer = Operations(context).emissions(["westus"], moment("2021-11-17T04:00Z"))
    assert [row.rating_g_per_kwh for row in answer.rows] == [10]
    assert context.forecast is None


@pytest.mark.parametrize(
    ("sources", "key", "message"),
    [
        (
            {"EmissionsDataSource": "X"},
            "DataSources:EmissionsDataSource",
            "Emissions data source value 'X' was not found",
        ),
        ({"ForecastDataSource": "X"}, "DataSources:ForecastDataSource", "Forecast data source value 'X' was not found"),
        (
            {"EmissionsDataSource": "J", "Configurations": {"J": {"Type": "Coal"}}},
            "DataSources:Configurations:J:Type",
            "Unknown data source type: Coal",
        ),
        ({"EmissionsDataSource": "J", "Configurations": {"J": {}}}, "DataSources:Configurations:J:Type", "no type"),
        ({"EmissionsDataSource": "j", "Configurations": {"J": JSON_ENTRY}}, "DataSources:EmissionsDataSource", "'j'"),
        ({}, "DataSources:EmissionsDataSource", "No data sources are configured"),
        ({"Configurations": {}}, "DataSources:EmissionsDataSource", "No data sources are configured"),
        (
            {"EmissionsDataSource": "J", "Configurations": {"J": {"Type": "JSON"}}},
            "DataSources:Configurations:J",
            "contains not supported characters",
        ),
        (
            {"EmissionsDataSource": "J", "Configurations": {"J": JSON_ENTRY}},
            "DataSources:Configurations:J",
            "a file that exists",
        ),
    ],
)
def test_defect_16_configuration_errors_are_told_and_end_nothing(tmp_path, sources, key, message):
    told = problems_of(sources, tmp_path)
    assert [found for found, _ in told if found == key]
    assert any(message in text for _, text in told), told


def test_defect_16_bad_source_of_forecasts_leaves_observed_values_alone(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", document_j())
    sources = {
        "EmissionsDataSource": "J",
        "ForecastDataSource": "W",
        "Configurations": {"J": JSON_ENTRY, "W": {"Type": "WattTime"}},
    }
    context = build_context(options_of({"DataSources": sources}, folder=tmp_path))
    assert any("WattTimeClient:Username is required" in problem.message for problem in context.problems)
    operations = Operations(context)
    assert operations.emissions(["westus"], moment("2021-11-17T04:00Z")).rows
    with pytest.raises(NotConfigured, match="ForecastDataSource"):
        operations.forecasts(["westus"])


def test_without_any_data_source_the_sample_answers():
    options = options_of()
    assert options.is_embedded_default
    operations = Operations(build_context(options, clock=Clock()))
    answer = operations.emissions(["eastus"])
    assert answer.meta.is_synthetic
    assert {"eastus", "us-east-1", "us-east4"} <= set(operations.locations())
    assert len(operations.forecasts(["eastus"])[0].points) == 288


def test_made_up_values_do_not_stand_in_for_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "appsettings.json").write_text('{"DataSources": {')
    options = load_options(None, {}, folder=tmp_path)
    assert not options.is_embedded_default
    context = build_context(options, clock=Clock())
    assert any("cannot be read" in problem.message for problem in context.problems)
    with pytest.raises(NotConfigured, match="EmissionsDataSource"):
        Operations(context).emissions(["eastus"])


def test_json_without_forecasts_cannot_forecast(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", document_j())
    sources = {"ForecastDataSource": "J", "Configurations": {"J": JSON_ENTRY}}
    assert problems_of(sources, tmp_path) == [
        (
            "DataSources:ForecastDataSource",
            "JSON data source is not supported for forecast data: the file has no Forecasts",
        )
    ]
    write_json(tmp_path / "data-sources/json/j.json", document_f())
    assert problems_of(sources, tmp_path) == []


def test_defect_19_sample_files_that_cannot_be_loaded_are_told_at_start(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", [{"Location": "eastus"}])
    told = problems_of({"EmissionsDataSource": "J", "Configurations": {"J": JSON_ENTRY}}, tmp_path)
    assert [key for key, _ in told] == ["DataSources:Configurations:J:DataFileLocation"]
    assert "bare list" in told[0][1]


def test_defect_17_two_entries_of_one_type_keep_their_own_settings(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", document_j())
    write_json(tmp_path / "data-sources/json/f.json", document_f())
    sources = {
        "EmissionsDataSource": "J",
        "ForecastDataSource": "F",
        "Configurations": {"J": JSON_ENTRY, "F": {"Type": "JSON", "DataFileLocation": "f.json"}},
    }
    operations = Operations(build_context(options_of({"DataSources": sources}, folder=tmp_path), clock=Clock()))
    assert operations.emissions(["eastus"], moment("2021-11-18T01:00Z")).rows
    assert operations.forecasts(["westus"])[0].points


def test_one_entry_for_both_roles_is_one_source(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", {**document_j(), **document_f()})
    sources = {"EmissionsDataSource": "J", "ForecastDataSource": "J", "Configurations": {"J": JSON_ENTRY}}
    context = build_context(options_of({"DataSources": sources}, folder=tmp_path))
    assert context.emissions is context.forecast


# --- types of sources ---


def source(kind, **values):
    return {"EmissionsDataSource": "S", "Configurations": {"S": {"Type": kind, **values}}}


@pytest.mark.parametrize(
    ("kind", "values", "name"),
    [
        ("watttime", {"Username": "u", "Password": "p"}, "watttime"),
        ("WattTime", {"username": "u", "PASSWORD": "p", "SignalType": "co2_aoer", "RegionCacheTTL": 0}, "watttime"),
        ("WATTTIME", {"Username": "u", "Password": "p", "BalancingAuthorityCacheTTL": 60}, "watttime"),
        ("ElectricityMaps", {"APITokenHeader": "auth-token", "APIToken": "t"}, "electricity_maps"),
        ("ElectricityMapsFree", {"Token": "t"}, "electricity_maps_free"),
        ("UKCarbonIntensity", {}, "uk_carbon_intensity"),
        ("EnergiDataService", {}, "energi_data_service"),
        ("EnergyCharts", {}, "energy_charts"),
        ("Sample", {}, "sample"),
        ("Static", {}, "static"),
    ],
)
def test_types_of_sources(kind, values, name):
    context = build_context(options_of({"DataSources": source(kind, **values)}))
    assert context.problems == ()
    assert context.emissions.name == name


WATTTIME = {"Username": "u", "Password": "p"}
TRIAL = "https://api-access.electricitymaps.com/"


@pytest.mark.parametrize(
    ("kind", "values", "part"),
    [
        ("WattTime", {"Password": "p"}, "WattTimeClient:Username is required for WattTime."),
        ("WattTime", {"Username": "u", "Password": " "}, "WattTimeClient:Password is required for WattTime."),
        ("WattTime", {**WATTTIME, "SignalType": "co2"}, "co2_moer or co2_aoer"),
        ("WattTime", {**WATTTIME, "RegionCacheTTL": "soon"}, "whole number"),
        ("WattTime", {**WATTTIME, "BaseUrl": "api.watttime.org"}, "absolute http"),
        ("WattTime", {**WATTTIME, "Proxy": {"UseProxy": True}}, "Proxy Url is not configured."),
        ("WattTime", {**WATTTIME, "Proxy": {"UseProxy": "maybe"}}, "true or false"),
        ("ElectricityMaps", {"APIToken": "t"}, "must set both APITokenHeader and APIToken."),
        ("ElectricityMaps", {"APITokenHeader": "auth-token"}, "must set both APITokenHeader and APIToken."),
        ("ElectricityMaps", {"APITokenHeader": "X-BLOBR-KEY", "APIToken": "t"}, "auth-token"),
        ("ElectricityMaps", {"APITokenHeader": "auth-token", "APIToken": "t", "BaseUrl": TRIAL}, "X-BLOBR-KEY"),
        ("ElectricityMapsFree", {}, "free token"),
    ],
)
def test_case_72_bad_sources_are_told_at_start(kind, values, part):
    told = problems_of(source(kind, **values))
    assert len(told) == 1
    assert part in told[0][1]


@pytest.mark.parametrize(
    "values",
    [
        {"APITokenHeader": "X-BLOBR-KEY", "APIToken": "t", "BaseUrl": TRIAL},
        {"APITokenHeader": "any", "APIToken": "t", "BaseUrl": "https://maps.example/v3"},
    ],
)
def test_case_72_good_headers(values):
    assert problems_of(source("ElectricityMaps", **values)) == []


@pytest.mark.parametrize("key", ["BaseUrl", "AuthenticationBaseUrl"])
def test_old_address_of_watttime_is_warned_of_and_not_asked(key):
    context = build_context(
        options_of({"DataSources": source("WattTime", **WATTTIME, **{key: "https://api2.watttime.org/v2/"})})
    )
    assert [(problem.is_warning, problem.key) for problem in context.problems] == [
        (True, f"DataSources:Configurations:S:{key}")
    ]
    assert context.emissions is not None


def test_keys_that_a_source_does_not_take_are_told():
    told = problems_of(source("constant", Colour="red"))
    assert told[0][0] == "DataSources:Configurations:S"
    assert "colour" in told[0][1]


def test_fallbacks_make_a_chain(tmp_path):
    write_json(tmp_path / "data-sources/json/j.json", document_j())
    entries = {
        "J": {**JSON_ENTRY, "Fallback": ["S"]},
        "S": {"Type": "Sample"},
        "W": {"Type": "WattTime", "Username": "u", "Password": "p"},
    }
    given = {"DataSources": {"EmissionsDataSource": "J", "Configurations": entries}}
    context = build_context(options_of(given, folder=tmp_path), clock=Clock())
    assert context.problems == ()
    assert context.emissions.name == "chain"
    answer = Operations(context).emissions(["eastus"], moment("2021-12-31T23:50:00Z"))
    assert answer.meta.sources == ("sample",)
    entries["J"]["Fallback"] = ["W"]
    assert "one signal" in problems_of(given["DataSources"], tmp_path)[0][1]
    entries["J"]["Fallback"] = "nobody, S"
    assert problems_of(given["DataSources"], tmp_path)[0][0] == "DataSources:Configurations:J:Fallback"


def test_case_73_changed_file_shows_only_without_cache(tmp_path):
    path = tmp_path / "data-sources/json/j.json"
    for cache, expected in ((False, [11]), (True, [10])):
        write_json(path, document_j())
        given = {"DataSources": source("JSON", DataFileLocation="j.json", CacheJsonData=cache)}
        operations = Operations(build_context(options_of(given, folder=tmp_path)))
        query = (["westus"], moment("2021-11-17T04:00Z"))
        assert operations.emissions(*query).rows[0].rating_g_per_kwh == 10
        changed = document_j()
        changed["Emissions"][0]["Rating"] = 11
        write_json(path, {"Note": "another size", **changed})
        assert [row.rating_g_per_kwh for row in operations.emissions(*query).rows] == expected


# --- case 74: the emissions cache ---


def cached_operations(clock, minutes):
    from codecarbon.carbon_aware.context import Context
    from codecarbon.carbon_aware.sources import LongerValid
    from codecarbon.intensity import Cached
    from codecarbon.units import us_from_iso
    from tests.support.carbon_aware import FakeProvider, series

    values = series([10, 20], "2022-01-01T00:00:00Z", valid_until_us=us_from_iso("2022-01-01T00:06:00Z"))
    provider = FakeProvider(values)
    options = options_of()
    locations = build_context(options).locations
    kept = Cached(LongerValid(provider, minutes, clock), clock=clock)
    return provider, Operations(Context(options, locations, kept, None, clock))


def test_defect_13_cache_gives_the_same_answer_for_one_question():
    clock = Clock("2022-01-01T00:05:30Z")
    provider, operations = cached_operations(clock, minutes=5)
    period = (moment("2022-01-01T00:02Z"), moment("2022-01-01T00:08Z"))
    first = operations.average("eastus", *period)
    assert first.intensity_g_per_kwh == pytest.approx(15)
    assert operations.average("eastus", *period) == first
    instant = operations.emissions(["eastus"], moment("2022-01-01T00:02Z"))
    assert operations.emissions(["eastus"], moment("2022-01-01T00:02Z")) == instant
    assert len(provider.asked) == 1
    clock.set("2022-01-01T00:10:29Z")
    operations.average("eastus", *period)
    assert len(provider.asked) == 1
    clock.set("2022-01-01T00:10:31Z")
    operations.average("eastus", *period)
    assert len(provider.asked) == 2


def test_cache_needs_a_period():
    told = options_of({"EmissionsDataCache": {"Enabled": True}}).problems
    assert told[0].message == "Expiration period for data cache value must be greater than 0."
    options = options_of({"EmissionsDataCache": {"Enabled": True, "ExpirationMin": 5}})
    assert (options.has_emissions_cache, options.emissions_cache_min, options.problems) == (True, 5, ())


# --- other settings ---


def test_all_settings_of_the_service():
    options = options_of(
        {
            "CarbonAwareVars": {
                "Profile": "STRICT",
                "WebApiRoutePrefix": "/mydepartment/myapp/",
                "VerboseApi": "true",
                "EnableCarbonExporter": True,
                "LookbackHours": 12,
                "RejectUnknown": True,
                "MapProviderAuthErrors": True,
                "ApiKeys": ["a", "b"],
                "CorsOrigins": "https://a.example, https://b.example",
                "MaxBatchItems": 10,
                "MaxLocations": 11,
                "MaxRangeDays": 12,
                "MaxConcurrentFetches": 13,
                "TelemetryProvider": "NotProvided",
                "EnableTelemetryLogging": False,
            },
            "CarbonExporter": {"PeriodInHours": 48},
            "AllowedHosts": "a;b",
            "Logging": {"LogLevel": {"Default": "Debug"}},
            "urls": "http://127.0.0.1:1;http://127.0.0.1:2",
        }
    )
    assert options.problems == ()
    assert (options.profile, options.route_prefix, options.lookback_h) == ("strict", "/mydepartment/myapp", 12)
    assert options.is_verbose
    assert options.has_exporter
    assert options.reject_unknown
    assert options.maps_provider_auth_errors
    assert (options.api_keys, options.cors_origins) == (("a", "b"), ("https://a.example", "https://b.example"))
    limits = options.limits
    assert (limits.max_batch_items, limits.max_locations, limits.max_range_days) == (10, 11, 12)
    assert (limits.max_concurrent_fetches, options.exporter_period_h) == (13, 48)
    assert (options.allowed_hosts, options.log_level) == (("a", "b"), "Debug")
    assert options.urls == ("http://127.0.0.1:1", "http://127.0.0.1:2")


def test_where_the_server_listens():
    assert options_of(environ={"ASPNETCORE_HTTP_PORTS": "8080;8081"}).urls == ("http://*:8080", "http://*:8081")
    both = {"ASPNETCORE_HTTP_PORTS": "1", "ASPNETCORE_URLS": "http://127.0.0.1:2"}
    assert options_of(environ=both).urls == ("http://127.0.0.1:2",)
    assert options_of({"urls": "http://127.0.0.1:3"}, both).urls == ("http://127.0.0.1:3",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CarbonAwareVars:Profile", "loose"),
        ("CarbonAwareVars:VerboseApi", "perhaps"),
        ("CarbonAwareVars:LookbackHours", "0"),
        ("CarbonAwareVars:MaxBatchItems", "-1"),
        ("CarbonExporter:PeriodInHours", "0"),
        ("CarbonExporter:PeriodInHours", "\u0663"),
    ],
)
def test_bad_value_is_told_and_the_default_holds(key, value):
    options = options_of({key: value})
    assert [(problem.key, problem.origin, problem.is_warning) for problem in options.problems] == [
        (key, "arguments", False)
    ]
    usual = options_of()
    assert (options.profile, options.lookback_h, options.limits) == (usual.profile, usual.lookback_h, usual.limits)


def test_misspelt_setting_is_warned_of():
    told = options_of({"CarbonAwareVars": {"Profil": "strict", "EmissionsDataSource": "x"}}).problems
    assert all(problem.is_warning for problem in told)
    assert sorted(problem.key for problem in told) == ["CarbonAwareVars:EmissionsDataSource", "CarbonAwareVars:Profil"]


def test_telemetry_that_is_not_sent_is_warned_of():
    told = options_of(
        {"CarbonAwareVars": {"TelemetryProvider": "ApplicationInsights", "EnableTelemetryLogging": True}}
    ).problems
    assert [problem.is_warning for problem in told] == [True, True]
    assert "nothing is sent" in told[0].message


def test_defect_20_telemetry_is_off_whatever_else_is_set():
    assert options_of().problems == ()
    assert options_of({"CarbonAwareVars": {"VerboseApi": True}}).problems == ()


def test_the_bounds_of_the_server_are_settings():
    given = {
        "WorkerThreads": 3,
        "MaxWaitingQuestions": 0,
        "AnswerMemoryBytes": 5_000_000_000,
        "MaxBodyBytes": "2048",
        "MaxEventClients": 7,
        "HeartbeatSeconds": 5,
        "EventPeriodSeconds": 30,
        "ShutdownSeconds": 2,
    }
    options = options_of({"CarbonAwareVars": given})
    assert options.web == WebSettings(
        threads=3,
        max_waiting=0,
        store_bytes=5_000_000_000,
        max_body_bytes=2048,
        max_event_clients=7,
        heartbeat_s=5.0,
        event_period_s=30.0,
        shutdown_s=2.0,
    )
    assert options.problems == ()
    assert len(given) == len(fields(WebSettings)), "every bound has a key"
    assert options_of({}).web == WebSettings()


@pytest.mark.parametrize(("key", "value"), [("WorkerThreads", "0"), ("WorkerThreads", "many"), ("MaxBodyBytes", "-1")])
def test_a_bound_that_cannot_be_is_told_and_the_usual_one_holds(key, value):
    options = options_of({"CarbonAwareVars": {key: value}})
    assert options.web == WebSettings()
    assert [problem.key for problem in options.problems] == [f"CarbonAwareVars:{key}"]


def test_every_key_is_documented():
    text = (Path(__file__).parents[3] / "docs/how-to/carbon-aware-configure.md").read_text(encoding="utf-8").casefold()
    assert {key for key in KNOWN if f"`{key}`" not in text and f"`carbonawarevars:{key}`" not in text} == set()
    assert {kind for kind in TYPES if f"`{kind}`" not in text} == set()


def test_case_04_prefix_without_a_slash_ends_the_start():
    with pytest.raises(ConfigError, match="begins with /"):
        options_of({"CarbonAwareVars": {"WebApiRoutePrefix": "x"}})


def test_secrets_are_shown_nowhere():
    secret = "s3cr3t"
    given = {
        "DataSources": {
            "EmissionsDataSource": "W",
            "Configurations": {
                "W": {
                    "Type": "WattTime",
                    "Username": "u",
                    "Password": secret,
                    "BaseUrl": f"https://watttime.example/v3/?token={secret}",
                    "Proxy": {"UseProxy": True, "Url": f"http://u:{secret}@proxy.example", "Password": secret},
                },
                "E": {"Type": "ElectricityMaps", "APITokenHeader": "auth-token", "APIToken": secret},
            },
        },
        "CarbonAwareVars": {"ApiKeys": [secret]},
    }
    options = options_of(given)
    shown = {key: value for key, value, _ in options.effective}
    assert shown["DataSources:Configurations:W:Password"] == "***"
    assert shown["DataSources:Configurations:W:Proxy:Url"] == "http://***@proxy.example"
    assert shown["DataSources:Configurations:W:BaseUrl"] == "https://watttime.example/v3/?***"
    assert shown["DataSources:Configurations:E:APITokenHeader"] == "auth-token"
    assert shown["DataSources:Configurations:W:Username"] == "u"
    context = build_context(options)
    for text in (repr(options), str(options.effective), repr(options.emissions), str(context.problems), repr(context)):
        assert secret not in text


def test_which_settings_are_secret():
    assert is_secret("ApplicationInsights_Connection_String")
    assert is_secret("CarbonAwareVars:ApiKeys:0")
    assert not is_secret("CarbonAwareVars:Profile")


def test_errors_survive_pickling():
    error = InvalidParameters((("start", "{start} is odd"),), "No")
    again = pickle.loads(pickle.dumps(error))
    assert (again.problems, again.detail, str(again)) == (error.problems, error.detail, str(error))


@pytest.mark.parametrize(
    "error",
    [
        InvalidParameters((("start", "odd"),)),
        UnknownLocation("here", "why"),
        NotConfigured("EmissionsDataSource"),
        NotCovered("no"),
        DiscontinuousData("a gap"),
    ],
)
@pytest.mark.parametrize("index", [None, 3])
def test_pickling_keeps_the_item_that_an_error_is_about(error, index):
    error.item_index = index
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.item_index) == (type(error), str(error), index)


def test_settings_of_the_tests_are_complete(tmp_path):
    assert settings(tmp_path, data=document_j())["DataSources"]["EmissionsDataSource"] == "Observed"
