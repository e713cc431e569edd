"""Routes over a real socket: shapes, numbers, names of paths, and what the wire promises besides."""

from __future__ import annotations

import asyncio
import dataclasses
import re

import pytest
import requests
from fastapi import FastAPI

from codecarbon.carbon_aware.options import Options
from codecarbon.carbon_aware.web import create_app
from tests.support.fake_intensity import NOON_US, FakeSource, context, points

STRICT = Options(profile="strict")
FORECAST = {"eastus": points(10, 20, 30, 40)}
JUST_NOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?\+00:00")


def eastus(profile="documented", **options):
    observed = {"eastus": points(10, 20.5, 30, start_us=NOON_US - 900_000_000)}
    return context(FakeSource(observed, FORECAST), Options(profile=profile, **options))


def test_emissions_have_four_members_and_whole_numbers_no_point(serve):
    url = serve(eastus())
    answer = requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T11:45Z")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text == '[{"location":"eastus","time":"2022-01-01T11:45:00+00:00","rating":10,"duration":"00:05:00"}]'


def test_fractions_of_seconds_lose_their_zeros(serve):
    observed = {"eastus": points(1, start_us=NOON_US + 500_000)}
    url = serve(context(FakeSource(observed)))
    (row,) = requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T12:00:01Z").json()
    assert row["time"] == "2022-01-01T12:00:00.5+00:00"


def test_nothing_found_is_204_without_a_body_and_a_type(serve):
    url = serve(eastus())
    answer = requests.get(f"{url}/emissions/bylocation?location=eastus&time=2021-01-01")
    assert answer.status_code == 204
    assert answer.content == b""
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_forecasts_carry_the_single_optimum_only_as_documented(serve, profile):
    url = serve(eastus(profile))
    (answer,) = requests.get(f"{url}/emissions/forecasts/current?location=eastus&windowSize=10").json()
    assert ("optimalDataPoint" in answer) == (profile == "documented")
    assert answer["optimalDataPoints"] == [
        {"location": "eastus", "timestamp": "2022-01-01T12:00:00+00:00", "duration": 10, "value": 15}
    ]
    assert [point["value"] for point in answer["forecastData"]] == [15, 25, 35]
    assert list(answer)[:3] == ["generatedAt", "requestedAt", "location"]


def test_echoes_keep_the_offset_they_were_sent_with(serve):
    url = serve(eastus())
    query = {"location": "eastus", "dataStartAt": "2022-01-01T18:00:00+06:00", "dataEndAt": "2022-01-01T07:10:00-05:00"}
    (answer,) = requests.get(f"{url}/emissions/forecasts/current", query).json()
    assert answer["dataStartAt"] == "2022-01-01T18:00:00+06:00"
    assert answer["dataEndAt"] == "2022-01-01T07:10:00-05:00"


def test_an_average_answers_in_utc(serve):
    url = serve(eastus())
    query = "location=eastus&startTime=2022-01-01T17:45%2B06:00&endTime=2022-01-01T17:50%2B06:00"
    answer = requests.get(f"{url}/emissions/average-carbon-intensity?{query}").json()
    assert answer == {
        "location": "eastus",
        "startTime": "2022-01-01T11:45:00+00:00",
        "endTime": "2022-01-01T11:50:00+00:00",
        "carbonIntensity": 10,
    }


@pytest.mark.parametrize(
    "path",
    [
        "/Emissions/ByLocation",
        "/emissions/bylocation/",
        "/API/Carbon/emissions/bylocation",
        "/api/carbon/emissions/bylocation/",
    ],
)
def test_paths_match_without_case_with_a_slash_and_below_the_prefix(serve, path):
    url = serve(eastus(route_prefix="/api/carbon"))
    assert requests.get(f"{url}{path}?location=eastus&time=2022-01-01T11:45Z").status_code == 200


@pytest.mark.parametrize("path", ["/api/carbonx/locations", "/api/locations", "/nothing", "/", "/emissions"])
def test_an_unknown_path_is_404_without_a_body(serve, path):
    url = serve(eastus(route_prefix="/api/carbon"))
    answer = requests.get(f"{url}{path}")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/locations", {"GET"}),
        ("POST", "/emissions/bylocation", {"GET"}),
        ("GET", "/emissions/forecasts/batch", {"POST"}),
        ("PUT", "/schedule", {"GET", "POST"}),
    ],
)
def test_a_wrong_method_is_405_without_a_body_and_names_the_right_ones(serve, method, path, allowed):
    answer = requests.request(method, f"{serve(eastus())}{path}")
    assert (answer.status_code, answer.content) == (405, b"")
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_unknown_names_are_told_in_a_warning_as_documented(serve):
    url = serve(eastus())
    query = "location=eastus&time=2022-01-01T11:45Z&durationMinutes=5&a%22b%0d%0aX=1"
    answer = requests.get(f"{url}/emissions/bylocation?{query}")
    assert answer.status_code == 200
    assert answer.headers["warning"] == (
        '299 carbon-aware "ignored query parameter: durationMinutes", '
        '299 carbon-aware "ignored query parameter: a%22b%0D%0AX"'
    )


def test_of_many_unknown_names_eight_are_told_forty_characters_each(serve):
    url = serve(eastus())
    names = "&".join(f"{'x' * 60}{number}=1" for number in range(20))
    warning = requests.get(f"{url}/emissions/bylocation?location=eastus&{names}").headers["warning"]
    told = re.findall(r'parameter: (\w+)"', warning)
    assert [len(name) for name in told] == [40] * 8


def test_strict_ignores_unknown_names_in_silence(serve):
    url = serve(eastus("strict"))
    answer = requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T11:45Z&foo=1")
    assert answer.status_code == 200
    assert "warning" not in answer.headers


@pytest.mark.parametrize("profile", ["documented", "strict"])
def test_defect_23_unknown_names_are_errors_where_that_is_asked_for(serve, profile):
    url = serve(eastus(profile, reject_unknown=True))
    answer = requests.get(f"{url}/emissions/bylocation?location=eastus&foo=1")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["foo"]


def test_lists_come_as_csv_to_who_prefers_it(serve):
    url = serve(eastus())
    csv = {"accept": "text/csv"}
    emissions = requests.get(f"{url}/emissions/bylocation?location=eastus&time=2022-01-01T11:45Z", headers=csv)
    assert emissions.headers["content-type"] == "text/csv; charset=utf-8"
    assert emissions.text.splitlines() == [
        "location,time,rating,duration",
        "eastus,2022-01-01T11:45:00+00:00,10,00:05:00",
    ]
    forecasts = requests.get(f"{url}/emissions/forecasts/current?location=eastus", headers=csv).text.splitlines()
    assert forecasts[1] == "eastus,2022-01-01T12:00:00+00:00,eastus,2022-01-01T12:00:00+00:00,5,10,true"
    assert forecasts[2].endswith(",5,20,false")
    assert requests.get(f"{url}/locations", headers=csv).text.splitlines()[1] == "eastus,eastus,37.3719,-79.8164"
    batch = [{"location": "eastus", "startTime": "2022-01-01T11:45Z", "endTime": "2022-01-01T11:50Z"}]
    averages = requests.post(f"{url}/emissions/average-carbon-intensity/batch", json=batch, headers=csv)
    assert averages.text.splitlines()[1] == "eastus,2022-01-01T11:45:00+00:00,2022-01-01T11:50:00+00:00,10"


def test_a_single_object_is_never_csv(serve):
    query = "location=eastus&startTime=2022-01-01T11:45Z&endTime=2022-01-01T11:50Z"
    url = f"{serve(eastus())}/emissions/average-carbon-intensity?{query}"
    assert requests.get(url, headers={"accept": "text/csv"}).json()["carbonIntensity"] == 10


def test_further_members_come_only_to_who_asks_for_them(serve):
    url = f"{serve(eastus())}/emissions/bylocation?location=eastus&time=2022-01-01T11:45Z"
    (plain,) = requests.get(url).json()
    (detailed,) = requests.get(f"{url}&detail=true").json()
    typed = requests.get(url, headers={"accept": "application/vnd.codecarbon.detail+json"})
    assert list(plain) == ["location", "time", "rating", "duration"]
    assert detailed["unit"] == "gCO2e/kWh"
    assert detailed["sources"] == ["electricity_maps"]
    assert detailed["signalType"] == "marginal"
    assert typed.json() == [detailed]
    assert typed.headers["content-type"].startswith("application/vnd.codecarbon.detail+json")


def test_what_the_body_cannot_say_stands_in_headers(serve):
    source = FakeSource({"eastus": points(1)})
    source.is_synthetic = source.is_stale = True
    source.note = "made up:\r\nnot measured"
    answer = requests.get(f"{serve(context(source))}/emissions/bylocation?location=eastus&time=2022-01-01T12:00Z")
    assert answer.headers["x-carbon-aware-synthetic"] == "true"
    assert answer.headers["x-carbon-aware-stale"] == "true"
    assert answer.headers["x-carbon-aware-source"] == "electricity_maps"
    assert answer.headers["x-carbon-aware-notice"] == "made up: not measured"


def test_measured_data_carry_no_such_label(serve):
    answer = requests.get(f"{serve(eastus())}/emissions/bylocation?location=eastus&time=2022-01-01T11:45Z")
    assert not {"x-carbon-aware-synthetic", "x-carbon-aware-stale"} & {name.lower() for name in answer.headers}


def test_locations_have_three_members_and_one_has_more(serve):
    url = serve(eastus())
    assert requests.get(f"{url}/locations").json()["eastus"] == {
        "latitude": 37.3719,
        "longitude": -79.8164,
        "name": "eastus",
    }
    assert requests.get(f"{url}/locations/EASTUS").json()["zones"] == {}
    assert requests.get(f"{url}/locations/zone:DE").status_code == 200
    unknown = requests.get(f"{url}/locations/Nowhere")
    assert unknown.status_code == 400
    assert "'Nowhere'" in unknown.json()["detail"]


def test_no_locations_are_204(serve):
    answer = requests.get(f"{serve(context(FakeSource(), keys=()))}/locations")
    assert (answer.status_code, answer.content) == (204, b"")


def test_batches_answer_in_order_and_keep_the_moment_they_were_asked_for(serve):
    url = serve(eastus("strict"))
    items = [
        {"requestedAt": "2022-01-01T18:01:00+06:00", "location": "eastus", "windowSize": 5},
        {"REQUESTEDAT": "2022-01-01T12:00:00Z", "location": "eastus", "windowSize": 10},
    ]
    answer = requests.post(f"{url}/emissions/forecasts/batch", json=items)
    assert answer.status_code == 200, answer.text
    first, second = answer.json()
    assert first["requestedAt"] == "2022-01-01T18:01:00+06:00"
    assert [first["windowSize"], second["windowSize"]] == [5, 10]
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-cache"


def test_an_empty_batch_is_an_empty_list(serve):
    answer = requests.post(f"{serve(eastus())}/emissions/average-carbon-intensity/batch", json=[])
    assert (answer.status_code, answer.text) == (200, "[]")


def test_a_batch_item_that_is_null_is_400(serve):
    answer = requests.post(f"{serve(eastus())}/emissions/forecasts/batch", json=[None])
    assert answer.status_code == 400
    assert "$[0]" in answer.json()["errors"]


def test_a_batch_of_another_type_is_415(serve):
    answer = requests.post(
        f"{serve(eastus())}/emissions/forecasts/batch", data="[]", headers={"content-type": "text/plain"}
    )
    body = answer.json()
    assert (answer.status_code, body["status"], body["title"]) == (415, 415, "Unsupported Media Type")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert body["type"].endswith("15.5.16")
    (told,) = body["errors"]["Content-Type"]
    assert all(name in told for name in ("application/json", "text/json", "application/*+json"))
    assert "detail" not in body


def test_the_newest_forecast_says_when_it_was_asked_for(serve):
    times = iter(range(1_641_038_400, 1_641_040_000))
    source = FakeSource(forecast=FORECAST, valid_until_us=NOON_US * 2)
    url = f"{serve(context(source, clock=lambda: next(times) + 0.25))}/emissions/forecasts/current?location=eastus"
    stamps = [requests.get(url).json()[0]["requestedAt"] for _ in range(3)]
    assert len(set(stamps)) == 3
    assert all(JUST_NOW.fullmatch(stamp) and ".25+" in stamp for stamp in stamps)
    assert source.calls == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_schedule_names_the_best_start(serve, method):
    source = FakeSource(forecast={"eastus": points(30, 10, 20, 40), "westus": points(30, 30, 30, 5)})
    url = f"{serve(context(source))}/schedule"
    if method == "GET":
        answer = requests.get(url, {"location": ["eastus", "westus"], "duration": 5, "power": 1000})
    else:
        answer = requests.post(url, json={"location": ["eastus", "westus"], "DURATION": 5, "power": 1000})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["best"]["location"] == "westus"
    assert document["best"]["start"] == "2022-01-01T12:15:00+00:00"
    assert document["best"]["intensity"] == 5
    assert [each["location"] for each in document["locations"]] == ["eastus", "westus"]
    assert document["unit"] == "gCO2e/kWh"


@pytest.mark.parametrize(
    "named",
    [
        {"locations": ["eastus", "westus"]},
        {"LOCATION": "eastus", "Locations": "westus"},
        {"location": ["eastus"], "locations": ["EASTUS", "westus"]},
    ],
)
def test_a_job_may_name_its_places_under_either_name_or_both(serve, named):
    source = FakeSource(forecast={"eastus": points(30, 10), "westus": points(30, 5)})
    answer = requests.post(f"{serve(context(source))}/schedule", json={**named, "duration": 5})
    assert answer.status_code == 200, answer.text
    assert [each["location"] for each in answer.json()["locations"]] == ["eastus", "westus"]


def test_a_place_of_a_job_that_is_no_text_is_told_by_the_name_it_came_under(serve):
    answer = requests.post(f"{serve(eastus())}/schedule", json={"location": "eastus", "locations": [3], "duration": 5})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["$.locations"])


def test_strict_jobs_have_one_name_for_places(serve):
    url = f"{serve(context(FakeSource(forecast=FORECAST), Options(profile='strict')))}/schedule"
    answer = requests.post(url, json={"locations": ["eastus"], "duration": 5})
    assert answer.status_code == 400, answer.text
    assert requests.post(url, json={"location": ["eastus"], "duration": 5}).status_code == 200


def test_a_schedule_needs_a_duration(serve):
    answer = requests.get(f"{serve(eastus())}/schedule?location=eastus")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["duration"]


def test_options_are_not_changed_by_serving(serve):
    options = Options()
    serve(dataclasses.replace(eastus(), options=options))
    assert options == Options()


def test_the_application_can_be_mounted_into_another_one():
    other = FastAPI()
    other.mount("/Carbon", create_app(eastus(route_prefix="/api")))

    async def ask(path):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": ""}
        scope |= {"query_string": b"location=eastus&time=2022-01-01T11:45Z", "headers": [], "http_version": "1.1"}
        await other(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    for path in ("/Carbon/emissions/bylocation", "/Carbon/api/emissions/byLocation/"):
        status, body = asyncio.run(ask(path))
        assert status == 200
        assert body.startswith(b'[{"location":"eastus"')
    assert asyncio.run(ask("/emissions/bylocation"))[0] == 404
