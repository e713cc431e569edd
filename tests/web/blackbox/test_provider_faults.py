"""A provider that breaks in some way, behind a server that has just started: a right status and never a number."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
import requests

from tests.support.fakes.base import FakeServer, Reply
from tests.web.blackbox.cases import AVERAGE, CURRENT
from tests.web.blackbox.provider_sites import ScriptedWattTime, watttime_site

NOW = datetime(2022, 1, 1, 12, tzinfo=timezone.utc)
ALL = 99
LOGIN, REGION, HISTORICAL, FORECAST = "/login", "/v3/region-from-loc", "/v3/historical", "/v3/forecast"
OBSERVED = "/emissions/bylocation?location=eastus&time=2022-01-01T10:00:00Z&toTime=2022-01-01T11:00:00Z"
MEAN = f"{AVERAGE}?location=eastus&startTime=2022-01-01T10:00:00Z&endTime=2022-01-01T10:10:00Z"
NEWEST = f"{CURRENT}?location=eastus"
QUESTIONS = ((OBSERVED, HISTORICAL), (MEAN, HISTORICAL), (NEWEST, FORECAST), (OBSERVED, LOGIN), (OBSERVED, REGION))
CASES = (("strict", *QUESTIONS[0]), *(("documented", *question) for question in QUESTIONS))
SECRETS = ("a password of theirs", "c29tZWJvZHk6", "Bearer", "Basic")
PROVIDER, INTERNAL = "WattTimeClientHttpException", "InternalServerError"


class Elsewhere(FakeServer):
    """Where a provider sends callers who follow it; gives them a number."""

    name = "elsewhere"

    def answer(self, request: object) -> Reply:
        del request
        point = {"point_time": "2022-01-01T10:00:00+00:00", "value": 1}
        return Reply({"token": "theirs", "region": "CAISO_NORTH", "data": [point], "meta": {"region": "CAISO_NORTH"}})


def broken(fake: FakeServer, path: str, elsewhere: FakeServer) -> None:
    fake.fail_next(ALL, status=500, body={"error": "out of order"}, path=path)


def redirecting(fake: FakeServer, path: str, elsewhere: FakeServer) -> None:
    fake.fail_next(ALL, status=302, headers={"Location": elsewhere.url + path}, path=path)


def halved(fake: FakeServer, path: str, elsewhere: FakeServer) -> None:
    fake.halve_next(ALL, path=path)


def a_page(fake: FakeServer, path: str, elsewhere: FakeServer) -> None:
    fake.html_next(ALL, path=path)


FAULTS: tuple[tuple[Callable[[FakeServer, str, FakeServer], None], int, str], ...] = (
    (broken, 500, PROVIDER),
    (redirecting, 502, PROVIDER),
    (halved, 500, INTERNAL),
    (a_page, 500, INTERNAL),
)


@pytest.fixture
def watttime(tmp_path, serve_site, profile):
    with ScriptedWattTime(clock=NOW.timestamp) as fake:
        fake.measured = [
            {"point_time": f"2022-01-01T10:0{minute}:00+00:00", "value": value} for minute, value in ((0, 10), (5, 20))
        ]
        fake.issues = {"2022-01-01T12:00:00+00:00": [10, 20]}
        yield fake, serve_site(watttime_site(tmp_path, fake, NOW), profile)


def refusal(base: str, question: str, status: int, title: str) -> requests.Response:
    response = requests.get(base + question, timeout=30)
    document = response.json()
    assert (response.status_code, document["status"], document["title"]) == (status, status, title), response.text
    assert not {"rating", "carbonIntensity", "forecastData"} & set(document)
    told = response.text + json.dumps(dict(response.headers))
    assert not [secret for secret in SECRETS if secret in told]
    return response


@pytest.mark.parametrize(("profile", "question", "path"), CASES)
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case[0].__name__)
def test_a_fault_of_the_provider_is_an_error_with_the_right_status(watttime, question, path, case):
    fake, base = watttime
    fault, status, title = case
    with Elsewhere() as elsewhere:
        fault(fake, path, elsewhere)
        refusal(base, question, status, title)
        assert fake.count(path) >= 1
        assert elsewhere.count() == 0, "nobody else is asked, and nobody else sees what proves who asks"


def with_second_value(path: str, value: str) -> bytes:
    """An answer whose second value is written in some way."""
    hour = 10 if path == HISTORICAL else 12
    points = ",".join(
        f'{{"point_time":"2022-01-01T{hour}:0{minute}:00+00:00","value":{text}}}'
        for minute, text in ((0, "10"), (5, value))
    )
    meta = {
        "region": "CAISO_NORTH",
        "signal_type": "co2_moer",
        "units": "lbs_co2_per_mwh",
        "data_point_period_seconds": 300,
        "generated_at": "2022-01-01T12:00:00+00:00",
    }
    return f'{{"data":[{points}],"meta":{json.dumps(meta)}}}'.encode()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "-1", '"10"'])
@pytest.mark.parametrize(("profile", "question", "path"), CASES[:4])
def test_a_value_that_is_no_intensity_spoils_the_answer(watttime, question, path, value):
    fake, base = watttime
    fake.send_next(ALL, with_second_value(path, value), path=path)
    refusal(base, question, 500, INTERNAL)


@pytest.mark.parametrize(("profile", "question", "path"), CASES[:4])
def test_the_same_answers_are_taken_when_nothing_is_wrong_with_them(watttime, question, path):
    fake, base = watttime
    fake.send_next(ALL, with_second_value(path, "20"), path=path)
    response = requests.get(base + question, timeout=30)
    assert response.status_code == 200, response.text
    assert fake.count(path) == 1
