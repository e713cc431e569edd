"""What ``carbon-aware`` prints for answers made by hand."""

from __future__ import annotations

import csv
import io
import json

import pytest

from codecarbon.carbon_aware.results import AverageAnswer, EmissionsRow, ForecastAnswer, Meta, Moment
from codecarbon.cli import wire
from codecarbon.model import Location
from codecarbon.units import US_PER_HOUR, US_PER_MIN, us_from_iso

T_US = us_from_iso("2021-11-17T00:00Z")
ROWS = [EmissionsRow("westus", T_US, 10.0, 8 * US_PER_HOUR), EmissionsRow("eastus", T_US + 1, 60.5, 24 * US_PER_HOUR)]
FORECAST = ForecastAnswer(
    generated_us=T_US,
    requested=None,
    location="westus",
    data_start=Moment(T_US, 330),
    data_end=Moment(T_US + US_PER_HOUR),
    window_size_min=5,
    optimal=(ROWS[0],),
    points=tuple(ROWS),
    meta=Meta(),
)


def printed(sheet: wire.Sheet, form: str = "json") -> str:
    return wire.write(sheet, form)


def test_emissions_are_one_line_of_compact_json():
    assert printed(wire.emissions_sheet(ROWS)) == (
        '[{"Location":"westus","Time":"2021-11-17T00:00:00+00:00","Rating":10,"Duration":"08:00:00"},'
        '{"Location":"eastus","Time":"2021-11-17T00:00:00.000001+00:00","Rating":60.5,"Duration":"1.00:00:00"}]\n'
    )


def test_nothing_is_an_empty_list():
    assert printed(wire.emissions_sheet([])) == "[]\n"


def test_case_69_an_average_has_the_begin_and_length_of_its_period():
    answer = AverageAnswer("eastus", Moment(T_US, 360), Moment(T_US + 90 * US_PER_MIN), 70.25, Meta())
    assert json.loads(printed(wire.average_sheet([answer]))) == [
        {"Location": "eastus", "Time": "2021-11-17T06:00:00+06:00", "Rating": 70.25, "Duration": "01:30:00"}
    ]


def test_a_forecast_has_the_points_of_emissions():
    (forecast,) = json.loads(printed(wire.forecast_sheet([FORECAST], now_us=T_US + US_PER_MIN)))
    assert list(forecast) == [
        *("GeneratedAt", "RequestedAt", "Location", "DataStartAt", "DataEndAt", "WindowSize"),
        *("OptimalDataPoints", "ForecastData"),
    ]
    assert forecast["RequestedAt"] == "2021-11-17T00:01:00+00:00", "the newest forecast was requested just now"
    assert forecast["DataStartAt"] == "2021-11-17T05:30:00+05:30"
    assert (forecast["WindowSize"], len(forecast["ForecastData"])) == (5, 2)
    assert forecast["OptimalDataPoints"] == [
        {"Location": "westus", "Time": "2021-11-17T00:00:00+00:00", "Rating": 10, "Duration": "08:00:00"}
    ]


def test_locations_have_nulls_for_what_is_not_known():
    places = {
        "eastus": Location(key="eastus", name="eastus", latitude_deg=37.3719, longitude_deg=-79.8164),
        "zone.nl": Location(key="zone.nl", name="NL"),
    }
    assert printed(wire.location_sheet(places)) == (
        '{"eastus":{"Latitude":37.3719,"Longitude":-79.8164,"Name":"eastus"},'
        '"zone.nl":{"Latitude":null,"Longitude":null,"Name":"NL"}}\n'
    )
    assert printed(wire.location_sheet(places), "csv") == (
        "location,latitude,longitude,name\neastus,37.3719,-79.8164,eastus\nzone.nl,,,NL\n"
    )


def test_defect_26_csv_has_a_header_and_iso_durations():
    assert printed(wire.emissions_sheet(ROWS), "csv") == (
        "location,time,rating,duration\n"
        "westus,2021-11-17T00:00:00+00:00,10,PT8H\n"
        "eastus,2021-11-17T00:00:00.000001+00:00,60.5,PT24H\n"
    )


def test_forecast_csv_marks_the_optimum():
    lines = list(csv.DictReader(io.StringIO(printed(wire.forecast_sheet([FORECAST], now_us=T_US), "csv"))))
    assert [(line["location"], line["is_optimal"]) for line in lines] == [("westus", "yes"), ("eastus", "no")]


def test_a_table_is_plain_text_in_a_pipe():
    lines = printed(wire.emissions_sheet(ROWS), "table").splitlines()
    assert lines[0].split() == ["location", "time", "rating", "duration"]
    assert lines[1].split() == ["westus", "2021-11-17T00:00:00+00:00", "10", "PT8H"]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (0, "PT0S"),
        (5 * US_PER_MIN, "PT5M"),
        (90 * US_PER_MIN, "PT1H30M"),
        (1_500_000, "PT1.5S"),
        (-US_PER_HOUR, "-PT1H"),
        (25 * US_PER_HOUR, "PT25H"),
    ],
)
def test_iso_durations(duration_us, text):
    assert wire.iso_duration(duration_us) == text
