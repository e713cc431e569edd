"""Who may ask, from where, and how much."""

from __future__ import annotations

import pytest
import requests

from codecarbon.carbon_aware.options import Limits, Options
from codecarbon.carbon_aware.web import WebSettings
from tests.support.fake_intensity import FakeSource, context, points

KEY = "open sesame"


def guarded(**options):
    return context(FakeSource({"eastus": points(1)}, {"eastus": points(1)}), Options(**options))


@pytest.fixture
def locked(serve):
    return serve(guarded(api_keys=(KEY, "another"), route_prefix="/api", has_exporter=True))


@pytest.mark.parametrize(
    "path",
    [
        "/locations",
        "/LOCATIONS/",
        "/api/locations",
        "/emissions/bylocation?location=eastus",
        "/metrics",
        "/swagger/v1/swagger.json",
        "/swagger/index.html",
        "/events?location=eastus",
        "/nothing",
        "/health/readyx",
    ],
)
def test_without_a_key_everything_is_closed(locked, path):
    requests.get(f"{locked}{path}", headers={"x-api-key": KEY}, stream=True).close()  # also from memory
    answer = requests.get(f"{locked}{path}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == 401
    assert KEY not in answer.text


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"X-Api-Key": "another"}])
def test_a_key_opens(locked, headers):
    assert requests.get(f"{locked}/locations", headers=headers).status_code == 200


def test_no_cache_between_keeps_what_needs_a_key(locked, serve):
    answer = requests.get(f"{locked}/locations", headers={"x-api-key": KEY})
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert requests.get(f"{serve(guarded())}/locations").headers["cache-control"] == "max-age=3600"


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY[:-1]}, {"Authorization": KEY}, {"X-API-Key": ""}])
def test_what_is_no_key_does_not_open(locked, headers):
    assert requests.get(f"{locked}/locations", headers=headers).status_code == 401


def test_health_is_open_and_says_no_more_than_that(locked):
    for prefix in ("", "/api"):
        assert requests.get(f"{locked}{prefix}/health").text == "Healthy"
        assert set(requests.get(f"{locked}{prefix}/health/ready").json()) == {"status"}
    assert "sources" in requests.get(f"{locked}/health/ready", headers={"x-api-key": KEY}).json()


def test_keys_stand_in_no_log(serve, caplog):
    caplog.set_level(0)
    url = serve(guarded(api_keys=(KEY,)))
    requests.get(f"{url}/locations", headers={"x-api-key": KEY})
    requests.get(f"{url}/locations", headers={"x-api-key": "wrong one"})
    assert not [record for record in caplog.records if KEY in record.getMessage() or "wrong one" in record.getMessage()]


def test_browsers_may_ask_from_the_origins_of_the_settings(serve):
    url = serve(guarded(cors_origins=("https://a.example",), api_keys=(KEY,)))
    preflight = {"origin": "https://a.example", "access-control-request-method": "GET"}
    preflight["access-control-request-headers"] = "x-api-key"
    assert (
        requests.options(f"{url}/locations", headers=preflight).headers["access-control-allow-origin"]
        == "https://a.example"
    )
    asked = requests.get(f"{url}/locations", headers={"origin": "https://a.example", "x-api-key": KEY})
    assert asked.headers["access-control-allow-origin"] == "https://a.example"
    assert "ETag" in asked.headers["access-control-expose-headers"]
    other = requests.get(f"{url}/locations", headers={"origin": "https://b.example", "x-api-key": KEY})
    assert "access-control-allow-origin" not in other.headers


def test_without_origins_in_the_settings_browsers_are_told_nothing(serve):
    answer = requests.get(f"{serve(guarded())}/locations", headers={"origin": "https://a.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_only_the_hosts_of_the_settings_are_answered(serve):
    url = serve(guarded(allowed_hosts=("a.example",)))
    assert requests.get(f"{url}/health", headers={"host": "a.example"}).status_code == 200
    assert requests.get(f"{url}/health").status_code == 400


def test_a_body_that_is_too_long_is_413(serve):
    url = serve(guarded(web=WebSettings(max_body_bytes=100)))
    path = f"{url}/emissions/average-carbon-intensity/batch"
    assert requests.post(path, json=[], headers={"x": "y" * 1000}).status_code == 200
    answer = requests.post(path, data=b"[" + b" " * 100 + b"]", headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["title"] == "Content Too Large"


def test_a_batch_with_too_many_items_and_a_range_that_is_too_long_are_400(serve):
    url = serve(guarded(limits=Limits(max_batch_items=2, max_range_days=10, max_locations=2)))
    item = {"location": "eastus", "startTime": "2022-01-01T12:00Z", "endTime": "2022-01-01T12:05Z"}
    path = f"{url}/emissions/average-carbon-intensity/batch"
    assert requests.post(path, json=[item] * 2).status_code == 200
    assert requests.post(path, json=[item] * 3).status_code == 400
    long = "time=2022-01-01&toTime=2022-01-12"
    assert requests.get(f"{url}/emissions/bylocation?location=eastus&{long}").status_code == 400
    many = "&".join(f"location={name}" for name in "abc")
    assert requests.get(f"{url}/emissions/bylocations?{many}").status_code == 400
