"""The numbered questions of cases.py, asked over a socket in both profiles."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest
import requests

from tests.web.blackbox.cases import EVERY_OPERATION, MIDNIGHT, PROFILES, TABLE, Answer, Case

VALUE_NAMES = ("rating", "value", "carbonIntensity")


def rows() -> list[object]:
    return [
        pytest.param(case, profile, id=f"{case.number}-{position}-{profile}")
        for position, case in enumerate(TABLE)
        for profile in PROFILES
    ]


@pytest.mark.parametrize(("case", "profile"), rows())
def test_numbered_case(case: Case, profile: str, ask) -> None:
    check(getattr(case, profile), ask(case, profile))


def check(expected: Answer, response: requests.Response) -> None:
    shown = f"{response.request.method} {response.request.url} -> {response.status_code} {response.text[:1000]}"
    assert response.status_code == expected.status, shown
    for name, text in expected.headers.items():
        assert text in response.headers[name], shown
    if expected.status == 204:
        assert response.content == b"", shown
        return
    is_json = "json" in response.headers.get("content-type", "")
    body = response.json() if is_json else response.text
    if is_json and expected.status < 400:
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert_times_are_as_promised(response.text)
    if is_json and expected.status >= 400:
        check_problem(expected, body, response, shown)
    if expected.keys is not None:
        assert len(body) == expected.keys, shown
    first = (body[0] if body else {}) if isinstance(body, list) else body
    for name, value in expected.members.items():
        assert first[name] == value, shown
    if expected.values is not None:
        everything = body if isinstance(body, list) else [body]
        found = [element[name] for element in everything for name in VALUE_NAMES if name in element]
        assert found == pytest.approx(expected.values, rel=1e-9), shown
    if expected.points is not None:
        assert pairs(first["forecastData"]) == [pytest.approx(point, rel=1e-9) for point in expected.points], shown
    if expected.optimal is not None:
        assert [minute for minute, _ in pairs(first["optimalDataPoints"])] == list(expected.optimal), shown


def check_problem(expected: Answer, body: dict[str, object], response: requests.Response, shown: str) -> None:
    """Every problem has the same members; those of the framework's shape alone have a type (case 66)."""
    assert body["status"] == response.status_code, shown
    assert isinstance(body["title"], str), shown
    assert isinstance(body["errors"], dict), shown
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", body["traceId"]), shown
    is_framework = body["title"] == "One or more validation errors occurred."
    assert ("type" in body) == is_framework, shown
    kind = "application/json" if is_framework else "application/problem+json"
    assert response.headers["content-type"] == f"{kind}; charset=utf-8", shown
    if expected.errors is not None:
        assert set(body["errors"]) == set(expected.errors), shown
        for name, text in expected.errors.items():
            assert any(text in message for message in body["errors"][name]), shown
    if expected.title is not None:
        assert body["title"] == expected.title, shown
    if expected.detail is not None:
        assert body["detail"].startswith(expected.detail), shown


def pairs(points: list[dict[str, object]]) -> list[tuple[float, float]]:
    """Minutes after the forecast's begin, and values."""
    starts = [datetime.fromisoformat(point["timestamp"]) for point in points]
    return [
        ((start - MIDNIGHT) / timedelta(minutes=1), point["value"]) for start, point in zip(starts, points, strict=True)
    ]


def assert_times_are_as_promised(text: str) -> None:
    """No answer writes a time with a Z, or without any offset."""
    for written in re.findall(r'"(\d{4}-\d\d-\d\dT[^"]*)"', text):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?[+-]\d\d:\d\d", written), written


@pytest.mark.parametrize("profile", PROFILES)
def test_case_01_body_of_health(server, profile):
    for site in ("J", "no sources"):
        assert requests.get(server(site, profile) + "/health", timeout=10).text == "Healthy"


@pytest.mark.parametrize("profile", PROFILES)
def test_case_06_document_names_every_operation(server, profile):
    base = server("J", profile)
    text = requests.get(base + "/api/v1/swagger.yaml", timeout=10).text
    assert [name for name in EVERY_OPERATION if f"operationId: {name}\n" in text] == list(EVERY_OPERATION)
    for path in ("/swagger/v1/swagger.json", "/openapi.json"):
        document = requests.get(base + path, timeout=10).json()
        found = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}
        assert set(EVERY_OPERATION) <= found


@pytest.mark.parametrize("profile", PROFILES)
def test_case_40_durations_are_whole_minutes(server, profile):
    base = server("F", profile)
    for window, minutes in ((None, 5), (10, 10)):
        query = {"location": "westus"} | ({} if window is None else {"windowSize": window})
        points = requests.get(base + "/emissions/forecasts/current", query, timeout=10).json()[0]["forecastData"]
        assert {json.dumps(point["duration"]) for point in points} == {str(minutes)}
