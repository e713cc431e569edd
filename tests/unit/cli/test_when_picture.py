"""The picture of a forecast, compared with what a person would see."""

from __future__ import annotations

import re
import time

import pytest

from codecarbon.carbon_aware.results import EmissionsRow
from codecarbon.cli.picture import Bin, bins, draw, tell
from codecarbon.model import TimeSpan
from codecarbon.units import US_PER_HOUR, US_PER_MIN, us_from_iso

START_US = us_from_iso("2030-05-17T22:00Z")


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def rows(*values, step_us=US_PER_HOUR, start_us=START_US):
    return [EmissionsRow("here", start_us + at * step_us, float(value), step_us) for at, value in enumerate(values)]


def test_a_short_forecast_is_drawn_by_the_half_hour():
    found = bins(rows(100, 200), [])
    assert [(row.start_us - START_US) // US_PER_MIN for row in found] == [0, 30, 60, 90]
    assert [row.intensity_g_per_kwh for row in found] == [100, 100, 200, 200]


def test_rows_hold_the_mean_of_their_points():
    found = bins(rows(*range(12), step_us=5 * US_PER_MIN), [])
    assert [row.intensity_g_per_kwh for row in found] == [2.5, 8.5]


@pytest.mark.parametrize(
    ("hours", "step_min", "count"), [(13, 30, 26), (24, 60, 24), (26, 60, 26), (48, 120, 24), (72, 180, 24)]
)
def test_a_long_forecast_fits_a_screen(hours, step_min, count):
    found = bins(rows(*[100] * hours, start_us=us_from_iso("2030-05-17T00:00Z")), [])
    assert found[0].end_us - found[0].start_us == step_min * US_PER_MIN
    assert len(found) == count


def test_a_row_is_chosen_when_the_run_goes_on_in_it():
    span = TimeSpan(START_US + 45 * US_PER_MIN, START_US + 60 * US_PER_MIN)
    assert [row.is_chosen for row in bins(rows(100, 200), [span])] == [False, True, False, False]


def test_a_gap_is_no_zero():
    points = [*rows(100), *rows(300, start_us=START_US + 2 * US_PER_HOUR)]
    assert [row.intensity_g_per_kwh for row in bins(points, [])] == [100, 100, None, None, 300, 300]


def test_points_without_length_draw_nothing():
    assert bins([EmissionsRow("here", START_US, 100.0, 0)], []) == []


PICTURE = [
    Bin(START_US, START_US + US_PER_HOUR, 400.0, is_chosen=False),
    Bin(START_US + US_PER_HOUR, START_US + 2 * US_PER_HOUR, 300.0, is_chosen=False),
    Bin(START_US + 2 * US_PER_HOUR, START_US + 3 * US_PER_HOUR, 100.0, is_chosen=True),
    Bin(START_US + 3 * US_PER_HOUR, START_US + 4 * US_PER_HOUR, None, is_chosen=False),
]


def test_plain_picture():
    assert tell(PICTURE) == (
        "from (UTC)          g/kWh\n"
        "Fri 17 May 22:00      400\n"
        "           23:00      300\n"
        "Sat 18 May 00:00      100  <\n"
        "           01:00  no data\n"
    )


def seen(monkeypatch, **env):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "FORCE_COLOR": "1", **env}.items():
        monkeypatch.setenv(name, value)
    return draw(PICTURE, columns=50)


def test_drawn_picture(monkeypatch):
    plain = re.sub("\x1b\\[[0-9;]*m", "", seen(monkeypatch))
    assert [line.rstrip() for line in plain.splitlines()] == [
        "from (UTC)          g/kWh",
        "Fri 17 May 22:00      400  ████████████████████",
        "           23:00      300  ███████████████",
        "Sat 18 May 00:00      100  █████                 <",
        "           01:00  no data",
    ]


def test_chosen_rows_are_green(monkeypatch):
    green = [line for line in seen(monkeypatch).splitlines() if re.search("\x1b\\[(1;)?32m", line)]
    assert len(green) == 1
    assert "00:00" in green[0]


def test_no_color_takes_the_colour_and_leaves_the_mark(monkeypatch):
    picture = seen(monkeypatch, NO_COLOR="1")
    assert not re.search("\x1b\\[[0-9;]*3[0-9]m", picture)
    assert "<" in picture
