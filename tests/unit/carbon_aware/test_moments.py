"""Times and durations as the Carbon Aware interfaces spell them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from codecarbon.carbon_aware.moments import (
    datetime_of,
    moment_of,
    read_moment,
    write_duration,
    write_moment,
    write_time,
)
from codecarbon.carbon_aware.results import Moment
from codecarbon.units import US_PER_DAY, US_PER_HOUR, us_from_iso


@pytest.mark.parametrize(
    ("text", "same", "offset_min"),
    [
        ("2022-01-01", "2022-01-01T00:00:00Z", 0),
        ("2022-1-1T04:05:06Z", "2022-01-01T04:05:06Z", 0),
        ("2022-08-23T14:00", "2022-08-23T14:00:00Z", 0),
        ("2022-03-01T15:30:00.123+06:00", "2022-03-01T09:30:00.123Z", 360),
        ("2022-03-01T15:30:00 06:00", "2022-03-01T09:30:00Z", 360),
        ("2022-06-13T6:05:00Z", "2022-06-13T06:05:00Z", 0),
        ("2022-06-13T06:05:00-0330", "2022-06-13T09:35:00Z", -210),
        ("2022-06-13T06:05:00.1234567Z", "2022-06-13T06:05:00.123456Z", 0),
        (" 2022-06-13 06:05 ", "2022-06-13T06:05:00Z", 0),
    ],
)
def test_case_28_lenient_times(text, same, offset_min):
    assert read_moment(text) == Moment(us_from_iso(same), offset_min)


@pytest.mark.parametrize(("offset", "offset_min"), [("+14:00", 840), ("-14:00", -840), ("+05:45", 345)])
def test_offsets_up_to_fourteen_hours_are_times(offset, offset_min):
    assert read_moment(f"2022-01-01T12:00:00{offset}", is_lenient=False).offset_min == offset_min


@pytest.mark.parametrize("is_lenient", [True, False])
def test_defect_22_naive_times_are_utc_wherever_the_server_stands(monkeypatch, is_lenient):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = read_moment("2022-01-01T09:00:00", is_lenient=is_lenient)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == Moment(us_from_iso("2022-01-01T09:00:00Z"))


@pytest.mark.parametrize("text", ["2022-03-01T15:30:00Z", "2022-03-01T15:30:00.1234567+06:00", "2022-03-01T15:30"])
def test_strict_times(text):
    assert read_moment(text, is_lenient=False) == read_moment(text)


@pytest.mark.parametrize("text", ["2022-3-1T15:30:00Z", "2022-06-13T6:05:00Z", " 2022-03-01", "2022-03-01 15:30"])
def test_case_38_strict_times_refuse(text):
    read_moment(text)
    with pytest.raises(ValueError, match="ISO 8601"):
        read_moment(text, is_lenient=False)


@pytest.mark.parametrize(
    "text",
    [
        *("2022-01-01T00:00+14:01", "2022-01-01T00:00-14:01", "2022-01-01T00:00+23:59", "2022-01-01T00:00-23:00"),
        *("", "abc", "2022", "2022-02-30", "2022-01-01T25:00", "2022-01-01T00:00+25:00", "2022-01-01T00:00+05:60"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "0000-01-01", "2022-01-01T00:00:00Z\n2"),
        *("\u0662\u0660\u0662\u0662-01-01", "2022-01-01T00:00:00+", "1641000000"),
    ],
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError):
        read_moment(text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (Moment(0), "1970-01-01T00:00:00+00:00"),
        (Moment(us_from_iso("2022-03-01T09:30:00.5Z"), 360), "2022-03-01T15:30:00.5+06:00"),
        (Moment(us_from_iso("2022-03-01T09:30:00Z"), -210), "2022-03-01T06:00:00-03:30"),
        (Moment(us_from_iso("0001-01-01T00:00:00Z")), "0001-01-01T00:00:00+00:00"),
    ],
)
def test_how_times_are_written(moment, text):
    assert write_moment(moment) == text
    assert read_moment(text) == moment


def test_times_of_data_are_in_utc():
    assert write_time(us_from_iso("2022-03-01T09:30:00+06:00")) == "2022-03-01T03:30:00+00:00"


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (8 * US_PER_HOUR, "08:00:00"),
        (US_PER_DAY, "1.00:00:00"),
        (0, "00:00:00"),
        (US_PER_DAY + 61_500_000, "1.00:01:01.5"),
        (-US_PER_HOUR, "-01:00:00"),
    ],
)
def test_how_durations_are_written(duration_us, text):
    assert write_duration(duration_us) == text


def test_datetimes_must_know_their_zone():
    with pytest.raises(ValueError, match="time zone"):
        moment_of(datetime(2022, 1, 1))  # noqa: DTZ001
    local = datetime(2022, 1, 1, 6, tzinfo=timezone(timedelta(hours=6)))
    assert moment_of(local) == Moment(us_from_iso("2022-01-01T00:00:00Z"), 360)
    assert datetime_of(moment_of(local).unix_us) == local
