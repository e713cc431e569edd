"""Liveness, readiness and the exporter."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import build_context
from codecarbon.carbon_aware.locations import FILES_KEY
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.options import ConfigProblem, Options
from codecarbon.carbon_aware.web.counts import Counts
from codecarbon.carbon_aware.web.metrics import Exporter
from codecarbon.carbon_aware.web.serving import Address, describe
from codecarbon.errors import ProviderUnavailable
from codecarbon.intensity import Cached, Chain
from tests.support.fake_intensity import NOON_US, FakeSource, context, points
from tests.support.web_server import running

EXPORTING = Options(has_exporter=True)


def test_health_is_plain_text_with_and_without_a_source(serve):
    for source in (FakeSource(), None):
        answer = requests.get(f"{serve(context(source))}/health")
        assert (answer.status_code, answer.text) == (200, "Healthy")
        assert answer.headers["content-type"] == "text/plain"
        assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_probes_may_ask_for_the_head_alone(serve, path):
    url = serve(context(FakeSource()))
    head, full = requests.head(f"{url}{path}"), requests.get(f"{url}{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(full.content))
    assert set(requests.post(f"{url}{path}").headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_server_with_working_sources_is_healthy_and_names_them(serve):
    url = serve(context(FakeSource({"eastus": points(1)}, name="watttime")))
    requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T12:00Z")
    answer = requests.get(f"{url}/health/ready")
    document = answer.json()
    assert answer.status_code == 200
    assert document["status"] == "healthy"
    assert [(one["role"], one["name"]) for one in document["sources"]] == [
        ("emissions", "watttime"),
        ("forecast", "watttime"),
    ]
    assert document["sources"][0]["lastSuccess"] == "2022-01-01T12:00:00+00:00"
    assert document["problems"] == []


def test_the_sample_is_degraded(serve):
    answer = requests.get(f"{serve(load_options([], {}))}/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert all(one["isSynthetic"] for one in answer.json()["sources"])


@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_a_source_without_any_place_to_ask_about_is_degraded_and_told_at_the_start(serve, tmp_path, profile):
    places = tmp_path / "places.json"

    def readiness(text, **environ):
        places.write_text(text, encoding="utf-8")
        settings = {
            "CarbonAwareVars__Profile": profile,
            "LocationDataSourcesConfiguration__LocationSourceFiles__0__DataFileLocation": str(places),
            **environ,
        }
        made = build_context(load_options([], settings))
        return requests.get(f"{serve(made)}/health/ready"), describe(made, Address("127.0.0.1", 8080))

    static = {
        "DataSources__EmissionsDataSource": "tables",
        "DataSources__Configurations__tables__Type": "Static",
    }
    answer, lines = readiness("{}", **static)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    (problem,) = answer.json()["problems"]
    assert (problem["key"], problem["isWarning"]) == (FILES_KEY, True)
    assert "no location is known" in problem["message"]
    assert any("no location is known" in line for line in lines)
    answer, lines = readiness('{"here": {"Name": "here"}}', **static)
    assert answer.json()["problems"] == []
    assert not any("no location" in line for line in lines)


def test_defect_16_what_is_wrong_with_the_settings_is_told_by_readiness_and_the_server_starts(serve):
    problem = ConfigProblem("DataSources:EmissionsDataSource", "there is no source of this name", "environment")
    url = serve(dataclasses.replace(context(None), problems=(problem,)))
    answer = requests.get(f"{url}/health/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["problems"] == [
        {
            "key": "DataSources:EmissionsDataSource",
            "message": "there is no source of this name",
            "origin": "environment",
            "isWarning": False,
        }
    ]
    assert requests.get(f"{url}/health").status_code == 200
    assert requests.get(f"{url}/locations").status_code == 200


def test_a_source_that_fails_degrades_until_it_answers(serve):
    source = FakeSource({"eastus": points(1)})
    source.error = ProviderUnavailable("time-out", source.name, "eastus")
    url = serve(context(source))
    ask = f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T12:00Z"
    requests.get(ask)
    (one, _) = requests.get(f"{url}/health/ready").json()["sources"]
    assert (one["status"], one["detail"]) == ("degraded", "ProviderUnavailable")
    source.error = None
    requests.get(ask)
    assert requests.get(f"{url}/health/ready").json()["status"] == "healthy"


def test_the_members_of_a_chain_are_told_apart(serve):
    first, second = FakeSource(name="electricity_maps"), FakeSource({"eastus": points(1)}, name="energy_charts")
    first.error = ProviderUnavailable("time-out", first.name, "eastus")
    url = serve(context(Chain([first, second])))
    answer = requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T12:00Z")
    assert answer.headers["x-carbon-aware-source"] == "energy_charts"
    sources = requests.get(f"{url}/health/ready").json()["sources"]
    assert [one["name"] for one in sources[:2]] == ["electricity_maps", "energy_charts"]
    assert sources[0]["lastSuccess"] is None
    assert sources[1]["lastSuccess"] is not None


def samples(text):
    return {
        (sample.name, tuple(sample.labels.values())): (sample.value, sample.timestamp)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_without_the_exporter_there_are_no_metrics(serve):
    assert requests.get(f"{serve(context(FakeSource()))}/metrics").status_code == 404


def test_defect_21_a_scrape_asks_nobody_and_a_place_without_a_value_has_no_series(serve):
    source = FakeSource({"eastus": points(10, 20, start_us=NOON_US - 600_000_000)})
    url = serve(context(source, EXPORTING))
    first = requests.get(f"{url}/metrics")
    assert first.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(first.text)
    assert found["carbon_aware_intensity", ("eastus",)] == (20, (NOON_US - 300_000_000) / 1e6)
    assert ("carbon_aware_intensity", ("westus",)) not in found
    calls = source.calls
    for _ in range(3):
        requests.get(f"{url}/metrics")
    assert source.calls == calls == 2


def test_defect_21_failures_are_counted_and_leave_their_series_out(serve):
    source = FakeSource({"eastus": points(10)})
    source.error = ProviderUnavailable("time-out", source.name, "eastus")
    found = samples(requests.get(f"{serve(context(source, EXPORTING))}/metrics").text)
    assert found["carbon_aware_exporter_errors_total", ("eastus",)][0] == 1
    assert found["carbon_aware_source_failures_total", ("ProviderUnavailable", source.name)][0] == 2
    assert not [name for name, _ in found if name == "carbon_aware_intensity"]


def test_an_old_value_is_forgotten_when_a_new_one_cannot_be_had():
    source = FakeSource({"eastus": points(10, start_us=NOON_US - 600_000_000)})
    operations = Operations(context(source, EXPORTING, keys=("eastus",)))

    async def renew_twice():
        exporter = Exporter(operations, Counts())
        await exporter.renew()
        before = (await exporter.scrape(None)).body.decode()
        source.error = ProviderUnavailable("time-out", source.name, "eastus")
        await exporter.renew()
        return before, (await exporter.scrape(None)).body.decode()

    before, after = asyncio.run(renew_twice())
    assert ("carbon_aware_intensity", ("eastus",)) in samples(before)
    assert ("carbon_aware_intensity", ("eastus",)) not in samples(after)


def test_an_exporter_that_breaks_shows_no_values_and_says_so(caplog):
    source = FakeSource({"eastus": points(10)})
    source.error = KeyError("nobody thought of it")
    with running(context(source, EXPORTING)) as url:
        found = samples(requests.get(f"{url}/metrics").text)
    assert not [name for name, _ in found if name == "carbon_aware_intensity"]
    assert "The exporter ended" in caplog.text


def test_the_places_of_the_exporter_can_be_chosen(serve):
    source = FakeSource({"eastus": points(10), "westus": points(20)})
    options = load_options([], {"CarbonAwareVars__EnableCarbonExporter": "true", "CarbonExporter__Locations": "westus"})
    found = samples(requests.get(f"{serve(context(source, options))}/metrics").text)
    assert [labels for name, labels in found if name == "carbon_aware_intensity"] == [("westus",)]


def test_answers_are_counted_by_where_they_came_from(serve):
    source = FakeSource({"eastus": points(10)})
    url = serve(context(source, EXPORTING, keys=("eastus",)))
    for _ in range(3):
        requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T12:00Z")
    found = samples(requests.get(f"{url}/metrics").text)
    assert found["carbon_aware_answers_total", ("memory",)][0] == 2
    assert found["carbon_aware_answers_total", ("sources",)][0] == 1
    assert found["carbon_aware_source_answers_total", (source.name,)][0] == 1


def test_questions_that_went_to_a_service_are_counted_apart(serve):
    cached = Cached(FakeSource({"eastus": points(10, 20, start_us=NOON_US - 600_000_000)}), clock=lambda: NOON_US / 1e6)
    url = serve(context(cached, EXPORTING, keys=("eastus",)))
    for minute in (50, 51, 55):
        requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T11:{minute}Z")
    found = samples(requests.get(f"{url}/metrics").text)
    asked = found["carbon_aware_source_calls_total", ("emissions", cached.name)][0]
    assert asked == cached.calls
    assert 1 <= asked < 4


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_metrics_and_health_answer_below_the_prefix_too(serve, prefix):
    url = serve(context(FakeSource(), Options(has_exporter=True, route_prefix="/api")))
    for path in ("/health", "/health/ready", "/metrics", "/swagger/v1/swagger.json"):
        assert requests.get(f"{url}{prefix}{path}").status_code == 200
