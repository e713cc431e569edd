"""How answers become bytes."""

from __future__ import annotations

import json

import pytest

from codecarbon.carbon_aware.results import EmissionsAnswer, EmissionsRow, ForecastAnswer, Meta, Moment
from codecarbon.carbon_aware.web import render, tables
from codecarbon.carbon_aware.web.entry import Entry

NOON_US = 1_641_038_400_000_000  # 2022-01-01T12:00:00Z


def forecast(location="eastus", requested=None):
    rows = (EmissionsRow(location, NOON_US, 10.0, 330_000_000), EmissionsRow(location, NOON_US + 1, 12.5, 0))
    start, end = Moment(NOON_US, 360), Moment(NOON_US + 500_000)
    return ForecastAnswer(NOON_US, requested, location, start, end, 5, rows[:1], rows, Meta())


@pytest.mark.parametrize(
    ("value", "text"),
    [(10.0, b"10"), (0.0, b"0"), (12.5, b"12.5"), (1 / 3, b"0.3333333333333333"), (1e17, b"1e+17"), (-3.0, b"-3")],
)
def test_numbers_are_as_short_as_they_can_be_and_lose_nothing(value, text):
    (body,) = render.dump(render.number(value))
    assert body == text
    assert float(body) == value


def test_minutes_of_a_point_are_cut_and_times_keep_their_fraction():
    document = render.forecast(forecast(), "documented")
    body = json.loads(b"".join(render.dump(document["forecastData"])))
    assert [point["duration"] for point in body] == [5, 0]
    assert body[1]["timestamp"] == "2022-01-01T12:00:00.000001+00:00"
    assert document["dataStartAt"] == "2022-01-01T18:00:00+06:00"
    assert document["dataEndAt"] == "2022-01-01T12:00:00.5+00:00"


def test_the_moment_of_answering_is_filled_in_everywhere_and_nowhere_else():
    odd = '","requestedAt":"\\u0000now"\x00now'
    documents = [
        render.forecast(forecast(), "strict"),
        render.forecast(forecast(odd), "documented"),
        render.forecast(forecast(requested=Moment(NOON_US - 60_000_000)), "strict"),
    ]
    entry = Entry(200, render.dump(documents), (), b"", 0, 0)
    first, second, third = json.loads(entry.body(NOON_US + 250_000))
    assert first["requestedAt"] == second["requestedAt"] == "2022-01-01T12:00:00.25+00:00"
    assert third["requestedAt"] == "2022-01-01T11:59:00+00:00"
    assert second["location"] == odd


def test_durations_of_days_are_written_with_their_days():
    row = EmissionsRow("a", NOON_US, 1.0, 90_000_000_000)
    (document,) = render.emissions(EmissionsAnswer((row,), Meta()), is_detailed=False)
    assert document["duration"] == "1.01:00:00"


def test_csv_quotes_what_would_break_its_lines():
    row = EmissionsRow('a,"b"\nc', NOON_US, 1.0, 0)
    text = tables.emissions(render.emissions(EmissionsAnswer((row,), Meta()), is_detailed=False)).decode()
    assert text == 'location,time,rating,duration\r\n"a,""b""\nc",2022-01-01T12:00:00+00:00,1,00:00:00\r\n'


def test_the_parts_of_an_answer_hold_as_long_as_the_shortest():
    parts = [
        Meta("a", 30, ("x",), "average"),
        Meta("b", None, ("y", "x"), "average", is_stale=True, notices=("n",)),
        Meta("c", 20, is_synthetic=True),
    ]
    joined = render.origin_of(parts)
    assert joined == Meta("a+b+c", 20, ("x", "y"), "average", is_synthetic=True, is_stale=True, notices=("n",))
    assert render.origin_of([]).valid_until_us is None
