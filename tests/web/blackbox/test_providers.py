"""Cases 55 and 57 to 65: sources that are other people's services, played by servers on this machine."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta, timezone

import pytest
import requests

from tests.web.blackbox.cases import AVERAGE, CURRENT, HISTORY, PROFILES
from tests.web.blackbox.provider_sites import (
    ScriptedElectricityMaps,
    ScriptedWattTime,
    electricity_maps_site,
    moment,
    queries,
    watttime_site,
)

NOW = datetime(2022, 1, 1, 12, tzinfo=timezone.utc)
PERIOD = "&time=2022-01-01T10:00:00Z&toTime=2022-01-01T11:00:00Z"
EAST = "/emissions/bylocation?location=eastus"
REGION, HISTORICAL, LOGIN = "/v3/region-from-loc", "/v3/historical", "/login"


def point(text, value, **more):
    return {"point_time": f"2022-01-01T{text}:00+00:00", "value": value, **more}


@pytest.fixture(params=PROFILES)
def profile(request):
    return request.param


@pytest.fixture
def watttime(tmp_path, serve_site, profile):
    with ScriptedWattTime(clock=NOW.timestamp) as fake:
        fake.measured = [point("10:00", 10), point("10:05", 20)]
        yield fake, serve_site(watttime_site(tmp_path, fake, NOW), profile)


@pytest.fixture
def maps(tmp_path, serve_site, profile):
    with ScriptedElectricityMaps(clock=NOW.timestamp) as fake:
        yield fake, serve_site(electricity_maps_site(tmp_path, fake, NOW), profile)


def get(base, path):
    return requests.get(base + path, timeout=30)


def ratings(response):
    assert response.status_code == 200, response.text
    return [row["rating"] for row in response.json()]


def test_case_57_log_in_once_then_bear_the_token(watttime):
    fake, base = watttime
    assert ratings(get(base, EAST + PERIOD)) == pytest.approx([4.5359237, 9.0718474])
    assert [entry.path for entry in fake.log] == [LOGIN, REGION, HISTORICAL]
    assert [entry.headers["authorization"].split()[0] for entry in fake.log] == ["Basic", "Bearer", "Bearer"]


@pytest.mark.parametrize("status", [401, 403])
def test_case_57_a_refused_token_is_renewed_once(watttime, status):
    fake, base = watttime
    fake.fail_next(1, status=status, body=b"<html></html>", content_type="text/html", path=HISTORICAL)
    assert len(ratings(get(base, EAST + PERIOD))) == 2
    assert (fake.count(LOGIN), fake.count(HISTORICAL)) == (2, 2)


def test_case_57_a_second_refusal_is_passed_on(watttime):
    fake, base = watttime
    fake.fail_next(9, status=401, body=b"<html></html>", content_type="text/html", path=HISTORICAL)
    response = get(base, EAST + PERIOD)
    assert (response.status_code, response.json()["title"]) == (401, "WattTimeClientHttpException")
    assert response.json()["status"] == 401
    assert (fake.count(LOGIN), fake.count(HISTORICAL)) == (2, 2)
    assert "a password of theirs" not in response.text


def test_case_58_what_is_asked_of_watttime(watttime):
    fake, base = watttime
    get(base, EAST + PERIOD)
    get(base, EAST + "&time=2022-01-01T08:00:00Z&toTime=2022-01-01T09:00:00Z")
    first, _ = queries(fake, HISTORICAL)
    assert list(first) == ["region", "start", "end", "signal_type"]
    assert (first["region"], first["signal_type"]) == ("CAISO_NORTH", "co2_moer")
    assert moment(first["start"]) == datetime(2022, 1, 1, 8, tzinfo=timezone.utc)
    # The end belongs to the period, so the slot that starts there is asked for too.
    end = datetime(2022, 1, 1, 13, tzinfo=timezone.utc)
    assert end <= moment(first["end"]) <= end + timedelta(minutes=5)
    assert queries(fake, REGION) == [{"latitude": "37.3719", "longitude": "-79.8164", "signal_type": "co2_moer"}]


def test_case_59_length_of_points_comes_from_neighbours_where_it_is_not_said(watttime):
    fake, base = watttime
    fake.measured = [point("10:00", 10, frequency=None), point("10:05", 20, frequency=300)]
    rows = get(base, EAST + PERIOD).json()
    assert [(row["rating"], row["duration"]) for row in rows] == [
        (pytest.approx(4.5359237, rel=1e-6), "00:05:00"),
        (pytest.approx(9.0718474, rel=1e-6), "00:05:00"),
    ]


def test_case_60_forecast_in_force_at_a_moment(watttime, profile):
    fake, base = watttime
    fake.issues = {"2022-01-01T00:00:00+00:00": [10, 20], "2022-01-01T00:05:00+00:00": [30, 40]}
    for requested, made in (("00:07:00", "00:05:00"), ("00:03:20", "00:00:00"), ("00:00:00", "00:00:00")):
        body = [{"location": "eastus", "requestedAt": f"2022-01-01T{requested}Z"}]
        (answer,) = requests.post(base + HISTORY, json=body, timeout=30).json()
        assert answer["generatedAt"] == f"2022-01-01T{made}+00:00"
        assert answer["requestedAt"] == f"2022-01-01T{requested}+00:00"
        asked = queries(fake, "/v3/forecast/historical")[-1]
        if profile == "strict":
            assert moment(asked["start"]) == moment(asked["end"]) == moment(f"2022-01-01T{made}Z")


def test_case_60_no_forecast_in_force(watttime, profile):
    fake, base = watttime
    fake.issues = {"2022-01-01T00:00:00+00:00": [10, 20]}

    def ask(requested):
        return requests.post(base + HISTORY, json=[{"location": "eastus", "requestedAt": requested}], timeout=30)

    # Half an hour later: looked back for in one profile, not in the slot in the other.
    later = ask("2022-01-01T00:30:00Z")
    assert later.status_code == (200 if profile == "documented" else 400), later.text
    for requested in ("2022-01-01T01:30:00Z", "2021-12-31T23:00:00Z"):
        response = ask(requested)
        assert response.status_code == 400, response.text
        assert list(response.json()["errors"]) == ["$[0].requestedAt" if profile == "documented" else "Requested"]


@pytest.mark.parametrize(
    ("bounds_h", "path"),
    [
        ((-8, -7), "history"),
        ((-36, -35), "past-range"),
        ((-30, -18), "past-range"),
        ((-8, 1), "past-range"),
    ],
)
def test_case_61_history_or_range(tmp_path, serve_site, profile, bounds_h, path):
    start, end = (f"{NOW + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in bounds_h)
    with ScriptedElectricityMaps(clock=NOW.timestamp) as fake:
        base = serve_site(electricity_maps_site(tmp_path, fake, NOW, DisableEstimations="true"), profile)
        assert get(base, f"{EAST}&time={start}&toTime={end}").status_code in {200, 204}
        # The zone of the coordinates may be asked for before.
        asked = [entry for entry in fake.log if not entry.path.endswith("/latest")]
        assert [entry.path for entry in asked] == [f"/v3/carbon-intensity/{path}"]
        assert dict(asked[0].query)["disableEstimations"] == "true"
        assert get(base, CURRENT + "?location=eastus").status_code == 200
        assert fake.log[-1].path == "/v3/carbon-intensity/forecast"
        assert "disableEstimations" not in dict(fake.log[-1].query)


@pytest.mark.parametrize(
    ("start", "end", "points", "mean"),
    [
        ("01:00", "02:00", [101, 102], 101),
        ("01:30", "02:00", [101, 102], 101),
        ("01:30", "02:30", [101, 102], 101.5),
        ("01:30", "03:00", [101, 102, 103], 101 + 2 / 3),
    ],
)
def test_case_62_one_rule_of_overlap_for_every_source(maps, start, end, points, mean):
    _, base = maps
    times = [f"2022-01-01T{text}:00Z" for text in (start, end)]
    assert ratings(get(base, f"{EAST}&time={times[0]}&toTime={times[1]}")) == points
    answer = get(base, f"{AVERAGE}?location=eastus&startTime={times[0]}&endTime={times[1]}").json()
    assert answer["carbonIntensity"] == pytest.approx(mean)


def test_case_63_a_missing_value_is_left_out_and_never_best(maps):
    fake, base = maps
    fake.values = [100, None, 102]
    query = "?location=eastus&time=2022-01-01T00:00:00Z&toTime=2022-01-01T03:00:00Z"
    assert ratings(get(base, "/emissions/bylocations" + query)) == [100, 102]
    assert ratings(get(base, "/emissions/bylocations/best" + query)) == [100]


def test_case_55_electricity_maps_has_no_old_forecasts(maps):
    _, base = maps
    body = [{"location": "eastus", "requestedAt": "2022-01-01T00:00:00Z"}]
    response = requests.post(base + HISTORY, json=body, timeout=30)
    assert (response.status_code, response.json()["title"]) == (501, "NotImplementedException")


def test_case_64_too_many_requests(watttime):
    fake, base = watttime
    fake.fail_next(9, status=429, headers={"Retry-After": "77"}, path=HISTORICAL)
    for _ in range(2):  # the second time without asking
        response = get(base, EAST + PERIOD)
        assert (response.status_code, response.json()["title"]) == (429, "WattTimeClientHttpException")
        assert "Error requesting" in response.json()["detail"]
        assert 70 <= int(response.headers["Retry-After"]) <= 77
    assert fake.count(HISTORICAL) == 1


def test_case_64_provider_has_an_error(maps):
    fake, base = maps
    fake.fail_next(9, status=500, body={"error": "out of order"})
    for _ in range(2):
        response = get(base, EAST + PERIOD)
        assert (response.status_code, response.json()["title"]) == (500, "ElectricityMapsClientHttpException")
        assert "out of order" in response.json()["detail"]
    assert int(response.headers["Retry-After"]) <= 30


def test_case_64_provider_talks_nonsense(maps):
    fake, base = maps
    fake.send_next(9, b"{ no JSON")
    response = get(base, EAST + PERIOD)
    assert (response.status_code, response.json()["title"]) == (500, "InternalServerError")
    assert "detail" not in response.json()


@pytest.mark.parametrize("verbose", [False, True])
def test_case_64_provider_is_down(tmp_path, serve_site, profile, verbose):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"

    class Nobody:
        url = address

    site = electricity_maps_site(tmp_path, Nobody, NOW)
    site.settings["CarbonAwareVars"] = {"VerboseApi": verbose}
    response = get(serve_site(site, profile), EAST + PERIOD)
    assert response.status_code == 500
    body = response.json()
    if verbose:
        assert body["title"] != "InternalServerError"
        assert body["detail"]
        assert len(body["errors"]["stackTrace"]) == 1
    else:
        assert body["title"] == "InternalServerError"
        assert "detail" not in body


def test_case_65_coordinates_are_sent_with_points(maps):
    fake, base = maps
    get(base, EAST + PERIOD)
    query = dict(fake.log[0].query)
    assert (query["lat"], query["lon"]) == ("37.3719", "-79.8164")
