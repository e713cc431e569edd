"""Cases 67 to 70: the program `carbon-aware`, as a process, in both profiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.blackbox.cases import PROFILES
from tests.web.blackbox.provider_sites import NOW, ScriptedWattTime, watttime_site
from tests.web.blackbox.sites import HOURS_8, J, Site, emissions, forecast, make_site

PROGRAMS = Path(sys.executable).parent
BOTH = [
    (location, f"2021-11-17T{hour:02d}:00:00Z", hour + 10, HOURS_8)
    for location in ("eastus", "westus")
    for hour in (0, 8)
]
DAY = ("-s", "2021-11-17T00:00:00Z", "-e", "2021-11-18T00:00:00Z")


@pytest.fixture(params=PROFILES)
def profile(request):
    return request.param


def caw(*arguments, program="carbon-aware", **env):
    return subprocess.run(
        [PROGRAMS / program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )


@pytest.fixture
def configured(tmp_path, profile):
    """Run the program on a site of the black box."""

    def run(site, command, *arguments):
        return caw(command, "--config", str(site.write(profile)), "--profile", profile, *arguments)

    return run


def printed(done):
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, "one line"
    return json.loads(done.stdout)


def folded(text):
    return " ".join(text.split())


def test_case_67_emissions_are_printed_in_pascal_case(tmp_path, configured):
    rows = printed(configured(make_site("J", tmp_path), "emissions", "-l", "westus", *DAY))
    assert [row["Rating"] for row in rows] == [10, 20, 30]
    assert rows[0] == {
        "Location": "westus",
        "Time": "2021-11-17T00:00:00+00:00",
        "Rating": 10,
        "Duration": "08:00:00",
    }


@pytest.mark.parametrize("program", ["carbon-aware", "caw"])
def test_case_67_without_any_configuration(program, tmp_path):
    rows = printed(caw("emissions", "-l", "eastus", program=program))
    assert rows
    assert set(rows[0]) == {"Location", "Time", "Rating", "Duration"}


def test_case_67_an_end_before_its_begin(tmp_path, configured):
    site = make_site("J", tmp_path)
    done = configured(site, "emissions", "-l", "eastus", "-s", "2021-11-18T00:00:00Z", "-e", "2021-11-17T00:00:00Z")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Invalid parameters Start: Start must be before End" in folded(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--location"),
        (("-l", "eastus", "-a", "-b"), "Options --average and --best cannot be used together"),
        (("-l", "eastus", "--no-such-option"), "--no-such-option"),
        (("-l", "eastus", "-s", "soon"), "soon"),
    ],
)
def test_case_68_wrong_usage(arguments, message):
    done = caw("emissions", *arguments)
    assert done.returncode == 1
    assert message in done.stderr


def test_case_68_error_of_a_provider(tmp_path, configured):
    with ScriptedWattTime(clock=NOW.timestamp) as fake:
        fake.fail_next(9, status=404, body={"error": "nothing here"}, path="/v3/historical")
        done = configured(watttime_site(tmp_path, fake, NOW), "emissions", "-l", "eastus", *DAY)
    assert (done.returncode, done.stdout) == (3, "")
    lines = done.stderr.splitlines()
    assert lines[:2] == ["WattTimeClientHttpException", "404"]
    assert len(lines) == 3


def test_case_69_averages(tmp_path, configured):
    site = Site(tmp_path).source("Emissions", emissions(BOTH))
    period = ("-s", "2021-11-17T00:00:00Z", "-e", "2021-11-17T16:00:00Z")
    rows = printed(configured(site, "emissions", "-l", "eastus", "-l", "westus", *period, "-a"))
    assert rows == [
        {"Location": location, "Time": "2021-11-17T00:00:00+00:00", "Rating": 14, "Duration": "16:00:00"}
        for location in ("eastus", "westus")
    ]


def test_case_69_nothing_to_average(tmp_path, configured, profile):
    site = make_site("J", tmp_path)
    period = ("-s", "2021-11-19T00:00:00Z", "-e", "2021-11-20T00:00:00Z")
    done = configured(site, "emissions", "-l", "eastus", *period, "-a")
    if profile == "strict":
        assert [row["Rating"] for row in printed(done)] == [0]
    else:
        assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("minutes", ["abc", "1_0", "2147483648"])
def test_window_size_of_the_command_line_is_the_whole_number_of_the_interface(minutes):
    done = caw("emissions-forecasts", "--source", "sample", "-l", "eastus", "-w", minutes)
    assert done.returncode == 1
    assert "--window-size" in done.stderr
    assert minutes in done.stderr
    assert "int()" not in done.stderr


def test_case_70_forecast_of_a_past_moment(tmp_path, configured):
    site = Site(tmp_path).source("Forecast", forecast((10, 20, 30, 40), "eastus"))
    (answer,) = printed(configured(site, "emissions-forecasts", "-l", "eastus", "-r", "2022-01-01", "-w", "10"))
    assert answer["GeneratedAt"] == "2022-01-01T00:00:00+00:00"
    assert answer["RequestedAt"] == "2022-01-01T00:00:00+00:00"
    assert [(point["Rating"], point["Duration"]) for point in answer["ForecastData"]] == [
        (15, "00:10:00"),
        (25, "00:10:00"),
        (35, "00:10:00"),
    ]
    assert [point["Time"] for point in answer["OptimalDataPoints"]] == ["2022-01-01T00:00:00+00:00"]
    assert set(answer) == {
        "GeneratedAt",
        "RequestedAt",
        "Location",
        "DataStartAt",
        "DataEndAt",
        "WindowSize",
        "OptimalDataPoints",
        "ForecastData",
    }


def test_case_70_help_names_every_option():
    done = caw("emissions-forecasts", "--help")
    assert done.returncode == 0
    options = "-l --location -s --data-start-at -e --data-end-at -r --requested-at -w --window-size"
    assert [option for option in options.split() if option not in done.stdout] == []


def test_case_70_locations(tmp_path, configured):
    places = printed(configured(make_site("L", tmp_path), "locations"))
    assert len(places) == 55
    assert places["eastus"] == {"Latitude": 37.3719, "Longitude": -79.8164, "Name": "eastus"}
    assert "northeurope" in places


def test_case_70_locations_without_any_configuration():
    assert {"eastus", "northeurope"} <= printed(caw("locations")).keys()


def test_rows_are_the_same_as_on_the_wire(tmp_path, configured, profile, serve_site):
    import requests

    site = make_site("J", tmp_path)
    rows = printed(configured(site, "emissions", "-l", "westus", *DAY))
    wire = requests.get(
        serve_site(site, profile) + f"/emissions/bylocation?location=westus&time={DAY[1]}&toTime={DAY[3]}", timeout=30
    ).json()
    assert [{name.lower(): value for name, value in row.items()} for row in rows] == wire
    assert len(rows) == len(J) - 2
