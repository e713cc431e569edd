"""Durations, deadlines and powers as people write them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from codecarbon.carbon_aware.arguments import (
    parse_duration_s,
    parse_keys,
    parse_percent_ratio,
    parse_power_w,
    parse_time_us,
)
from codecarbon.units import us_from_iso


@pytest.fixture
def in_paris(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("90m", 5400),
        ("3h", 10800),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1.5h", 5400),
        ("45s", 45),
        ("30min", 1800),
        ("PT3H", 10800),
        ("PT1H30M", 5400),
        ("P1DT2H", 93600),
        ("P1W", 604800),
        (" 3H ", 10800),
        (90, 90),
        (0.5, 0.5),
        (timedelta(hours=3), 10800),
    ],
)
def test_a_duration_is_read(text, duration_s):
    assert parse_duration_s(text) == duration_s


@pytest.mark.parametrize(
    "text",
    ["", "3", "3x", "h", "P", "PT", "P1M2", "-3h", "0h", "1h30", "30m1h", "400d", 0, -1, float("nan"), True, None],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="a duration above 0"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2030-05-17T08:00Z", "2030-05-17T08:00:00Z"),
        ("2030-05-17T08:00+02:00", "2030-05-17T06:00:00Z"),
        ("2030-05-17 08:00 -0130", "2030-05-17T09:30:00Z"),
        ("2030-05-17T08:00", "2030-05-17T06:00:00Z"),
        ("2030-01-17T08:00", "2030-01-17T07:00:00Z"),
        ("2030-05-17", "2030-05-16T22:00:00Z"),
    ],
)
def test_a_time_without_offset_is_local(in_paris, text, utc):
    assert parse_time_us(text) == us_from_iso(utc)


# The clocks of Paris went forward at 2 and back at 3 o'clock.
@pytest.mark.parametrize("text", ["2026-03-29T02:30", "2026-10-25T02:30"])
def test_a_local_time_that_is_no_single_moment_is_refused(in_paris, text):
    with pytest.raises(ValueError, match="add an offset"):
        parse_time_us(text)


def test_an_aware_datetime_is_a_time():
    when = datetime(2030, 5, 17, 8, tzinfo=timezone(timedelta(hours=2)))
    assert parse_time_us(when) == us_from_iso("2030-05-17T06:00Z")


@pytest.mark.parametrize("when", [datetime(2030, 5, 17, 8), 5, None])  # noqa: DTZ001
def test_a_naive_datetime_is_refused(when):
    with pytest.raises(ValueError, match="nor a datetime with a time zone"):
        parse_time_us(when)


@pytest.mark.parametrize("text", ["tomorrow", "2030-13-01", "08:00", ""])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is not a time such as"):
        parse_time_us(text)


@pytest.mark.parametrize(
    ("text", "power_w"), [("300W", 300), ("0.3kW", 300), ("300", 300), (300, 300), ("1.2 kw", 1200)]
)
def test_a_power_is_read(text, power_w):
    assert parse_power_w(text) == pytest.approx(power_w)


@pytest.mark.parametrize("text", ["", "0", "-3W", "300 J", "1e999", True, "infW"])
def test_what_is_no_power_is_refused(text):
    with pytest.raises(ValueError, match="a power above 0"):
        parse_power_w(text)


@pytest.mark.parametrize(
    ("text", "ratio"), [("5", 0.05), ("2.5%", 0.025), (" 0 % ", 0), ("100", 1), (1, 0.01), (1e-5, 1e-7), (0.5, 0.005)]
)
def test_a_percentage_is_read_as_a_ratio(text, ratio):
    assert parse_percent_ratio(text) == pytest.approx(ratio)


@pytest.mark.parametrize("text", ["", "-1", "101", "a few", "1e1", True, -0.1, 100.1, float("nan"), float("inf")])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(ValueError, match="a percentage from 0 to 100"):
        parse_percent_ratio(text)


def test_keys_are_separated_at_commas_and_named_once():
    assert parse_keys(" eastus, westus,,eastus") == ("eastus", "westus")
    assert parse_keys(["eastus", "westus,uksouth"]) == ("eastus", "westus", "uksouth")
