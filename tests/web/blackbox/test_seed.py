"""The examples of the WebApi's documentation, asked in profile `documented` and compared by shape.

Values differ, since the data are ours; members, types and what follows from the question alone do not. Two things are
decided otherwise than the examples show: every name is camelCase, and every time ends in its offset, never in ``Z``.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
import requests

from tests.web.blackbox.sites import SWEDEN, L, Site

NOW = datetime(2022, 7, 19, 13, 37, 49, tzinfo=timezone.utc)
EMISSIONS = [{"location": "eastus", "time": "2022-05-17T20:45:11.5092741+00:00", "rating": 70}]
POINT = {"location": "IE", "timestamp": "2022-07-19T18:45:00+00:00", "duration": 10, "value": 448.4451043375}
FORECAST = {
    "requestedAt": "2022-07-19T13:37:49+00:00",
    "generatedAt": "2022-07-19T13:35:00+00:00",
    "location": "northeurope",
    "dataStartAt": "2022-07-19T14:00:00Z",
    "dataEndAt": "2022-07-20T04:38:00Z",
    "windowSize": 10,
    "optimalDataPoint": POINT,
    "forecastData": [POINT],
}
AVERAGE = {
    "location": "eastus",
    "startTime": "2022-07-19T14:00:00Z",
    "endTime": "2022-07-19T18:00:00Z",
    "carbonIntensity": 345.434,
}
FORECAST_BATCH = [
    {
        "location": "eastus",
        "dataStartAt": "2022-06-01T14:00:00Z",
        "dataEndAt": "2022-06-01T18:00:00Z",
        "windowSize": 30,
        "requestedAt": "2022-06-01T12:01:00Z",
    },
    {
        "location": "westus",
        "dataStartAt": "2022-06-13T08:00:00Z",
        "dataEndAt": "2022-06-13T10:00:00Z",
        "windowSize": 30,
        "requestedAt": "2022-06-13T6:05:00Z",
    },
]
AVERAGE_BATCH = [
    {"location": "eastus", "startTime": f"2022-{month}-01T14:00:00", "endTime": f"2022-{month}-01T18:00:00"}
    for month in ("05", "06", "07")
]
PLACE = {"latitude": 37.3719, "longitude": -79.8164, "name": "eastus"}


def shape(value):
    """What kind of thing a JSON value is, all the way down; a list is known by its first element."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    if isinstance(value, str) and len(value) > 10 and value[10] == "T":
        return "time"
    return type(value).__name__


def assert_has_shape(answer, example):
    """The answer has every member of the example, of the same kind."""
    if isinstance(example, dict):
        assert example.keys() <= answer.keys()
        for name, member in example.items():
            assert_has_shape(answer[name], member)
    elif isinstance(example, list):
        assert answer
        for element in answer:
            assert_has_shape(element, example[0])
    else:
        assert shape(answer) == shape(example)


def series(start, hours, minutes, location, **more):
    """Points of a sawtooth, so that optima are single."""
    length = timedelta(minutes=minutes)
    count = hours * 60 // minutes
    return [
        {
            "Location": location,
            "Time": (start + step * length).isoformat(),
            "Rating": 300 + 7 * (step * 37 % 101) / 10,
            "Duration": f"{minutes // 60:02d}:{minutes % 60:02d}:00",
            **more,
        }
        for step in range(count)
    ]


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def base(tmp_path_factory, serve_site):
    site = Site(tmp_path_factory.mktemp("seed"), NOW)
    site.locate("places", {**L, "useast": {**L["eastus"]}})
    observed = [
        row
        for location in ("useast", "eastus", "westus")
        for start in ("2022-05-01T14:00:00", "2022-05-16T20:45:11.509274", "2022-06-01T14:00:00", "2022-07-01T14:00:00")
        for row in series(utc(start), 4, 60, location)
    ]
    observed += series(utc("2022-07-19T12:00:00"), 8, 5, "eastus")
    made = [
        ("northeurope", "2022-07-19T13:35:00"),
        ("eastus", "2022-06-01T12:00:00"),
        ("westus", "2022-06-13T06:05:00"),
    ]
    forecasts = [
        {"Location": location, "GeneratedAt": utc(start).isoformat(), "Points": series(utc(start), 24, 5, location)}
        for location, start in made
    ]
    site.source("Emissions", {"Emissions": observed})
    site.source("Forecast", {"Emissions": [], "Forecasts": forecasts})
    return serve_site(site, "documented")


def get(base, path):
    response = requests.get(base + path, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


def post(base, path, body):
    response = requests.post(base + path, json=body, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


def test_example_of_one_location(base):
    answer = get(base, "/emissions/bylocation?location=useast&time=2022-01-01&toTime=2022-05-17")
    assert_has_shape(answer, EMISSIONS)


@pytest.mark.parametrize("path", ["/emissions/bylocations", "/emissions/bylocations/best"])
def test_examples_of_several_locations(base, path):
    answer = get(base, path + "?locations=eastus&locations=westus&time=2022-01-01&toTime=2022-05-17")
    assert_has_shape(answer, EMISSIONS)
    assert {row["location"] for row in answer} <= {"eastus", "westus"}
    if path.endswith("best"):
        assert {row["rating"] for row in answer} == {300}
    else:
        assert {row["location"] for row in answer} == {"eastus", "westus"}


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/emissions/bylocation?location=eastus", 16 + 20),
        ("/emissions/bylocations?locations=eastus&locations=westus", 16 + 20 + 16),
    ],
)
def test_without_a_time_period_all_data_until_now_come(base, path, count):
    answer = get(base, path)
    assert len(answer) == count
    assert max(datetime.fromisoformat(row["time"]) for row in answer) <= NOW


def test_example_of_a_current_forecast(base):
    (answer,) = get(
        base,
        "/emissions/forecasts/current?location=northeurope&dataStartAt=2022-07-19T14:00:00Z"
        "&dataEndAt=2022-07-20T04:38:00Z&windowSize=10",
    )
    assert_has_shape(answer, FORECAST)
    for name in ("requestedAt", "generatedAt", "location", "windowSize"):
        assert answer[name] == FORECAST[name]
    assert (answer["dataStartAt"], answer["dataEndAt"]) == ("2022-07-19T14:00:00+00:00", "2022-07-20T04:38:00+00:00")
    points = answer["forecastData"]
    assert (points[0]["timestamp"], points[-1]["timestamp"]) == (
        "2022-07-19T14:00:00+00:00",
        "2022-07-20T04:25:00+00:00",
    )
    assert answer["optimalDataPoint"] == min(points, key=lambda point: point["value"])
    assert answer["optimalDataPoints"][0] == answer["optimalDataPoint"]


def test_window_defaults_to_the_length_of_a_point(base):
    (answer,) = get(base, "/emissions/forecasts/current?location=northeurope")
    assert (answer["windowSize"], answer["dataStartAt"]) == (5, "2022-07-19T13:35:00+00:00")
    assert (answer["dataEndAt"], len(answer["forecastData"])) == ("2022-07-20T13:35:00+00:00", 288)


def test_example_of_a_batch_of_forecasts(base):
    answers = post(base, "/emissions/forecasts/batch", FORECAST_BATCH)
    assert_has_shape(answers, [FORECAST])
    assert [answer["generatedAt"] for answer in answers] == ["2022-06-01T12:00:00+00:00", "2022-06-13T06:05:00+00:00"]
    assert [answer["requestedAt"] for answer in answers] == ["2022-06-01T12:01:00+00:00", "2022-06-13T06:05:00+00:00"]
    for answer, item in zip(answers, FORECAST_BATCH, strict=True):
        assert answer["location"] == item["location"]
        assert answer["windowSize"] == 30
        assert answer["dataStartAt"] == item["dataStartAt"].replace("Z", "+00:00")
        assert answer["dataEndAt"] == item["dataEndAt"].replace("Z", "+00:00")
        assert {point["duration"] for point in answer["forecastData"]} == {30}


def test_example_of_an_average(base):
    answer = get(
        base,
        "/emissions/average-carbon-intensity?location=eastus&startTime=2022-07-19T14:00:00Z&endTime=2022-07-19T18:00:00Z",
    )
    assert_has_shape(answer, AVERAGE)
    assert answer.keys() == AVERAGE.keys()
    assert 300 < answer["carbonIntensity"] < 371


def test_example_of_a_batch_of_averages(base):
    answers = post(base, "/emissions/average-carbon-intensity/batch", AVERAGE_BATCH)
    assert_has_shape(answers, [AVERAGE])
    assert [answer["startTime"] for answer in answers] == [item["startTime"] + "+00:00" for item in AVERAGE_BATCH]
    assert [answer["endTime"] for answer in answers] == [item["endTime"] + "+00:00" for item in AVERAGE_BATCH]
    expected = sum(300 + 7 * (step * 37 % 101) / 10 for step in range(4)) / 4
    assert [answer["carbonIntensity"] for answer in answers] == pytest.approx([expected] * 3)


def test_batch_of_averages_over_two_locations_is_an_error(base):
    body = [AVERAGE_BATCH[0], {**AVERAGE_BATCH[0], "location": "westus"}]
    response = requests.post(base + "/emissions/average-carbon-intensity/batch", json=body, timeout=30)
    assert (response.status_code, list(response.json()["errors"])) == (400, ["location"])


def test_example_of_the_locations(base):
    answer = get(base, "/locations")
    assert answer["eastus"] == PLACE
    for place in answer.values():
        assert place.keys() == PLACE.keys()


def test_example_of_a_key_that_two_files_have(tmp_path, serve_site, caplog):
    site = Site(tmp_path, NOW).source("Emissions", {"Emissions": []})
    for number in ("one", "two", "three"):
        site.locate(number, {"swedencentral": SWEDEN[number]})
    answer = get(serve_site(site, "documented"), "/locations")
    assert answer["swedencentral"] == {"latitude": 60.67488, "longitude": 17.14127, "name": "swedencentral"}
    assert answer["swedencentral_1"] == {"latitude": None, "longitude": None, "name": "SE"}
    assert answer["swedencentral_2"]["name"] == "third"
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "Location key swedencentral from " in text
    assert " already exists. Creating new key." in text
    assert "New key swedencentral_1 generated from swedencentral" in text


def test_every_error_has_one_shape(base):
    questions = (
        "/emissions/bylocation",
        "/emissions/bylocation?location=eastus&time=x",
        "/emissions/bylocation?location=a,b",
    )
    for question in questions:
        response = requests.get(base + question, timeout=30)
        body = json.loads(response.content)
        assert response.status_code == body["status"] == 400
        assert body.keys() >= {"title", "status", "errors", "traceId"}
        assert all(isinstance(messages, list) for messages in body["errors"].values())
