"""Times as services write them, and spans of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon import units
from codecarbon.model import TimeSpan

NOON_US = 1_609_502_400 * units.US_PER_S  # 2021-01-01T12:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2021-01-01T12:00:00Z",
        "2021-01-01T12:00Z",
        "2021-01-01T12:00:00+00:00",
        "2021-01-01T12:00:00.0000000+00:00",
        "2021-01-01t13:00:00.000+0100",
        "2021-01-01 12:00:00",
        "2021-01-01T6:30-05:30",
        "2021-01-01T11:00:00-01",
    ],
)
def test_one_instant_has_many_spellings(text):
    assert units.us_from_iso(text) == NOON_US


def test_six_decimals_count():
    assert units.us_from_iso("2021-01-01T12:00:00.1234569Z") == NOON_US + 123_456
    assert units.us_from_iso("2021-01-01T12:00:00.5Z") == NOON_US + 500_000
    assert units.us_from_iso("2021-01-01") == NOON_US - 12 * units.US_PER_HOUR


@pytest.mark.parametrize(
    "text", ["", "now", "2021-1-1", "2021-02-30", "2021-01-01T25:00Z", "2021-01-01T12", "2021-01-01T12:00:00+99:00"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is no"):
        units.us_from_iso(text)


@given(st.integers(0, 7_000_000_000 * units.US_PER_S))
def test_a_time_survives_the_round_trip(unix_us):
    assert units.us_from_iso(units.iso_from_us(unix_us)) == unix_us


def test_neighbours_do_not_overlap():
    span = TimeSpan(10, 20)
    assert not span.overlaps(0, 10)
    assert not span.overlaps(20, 30)
    assert span.overlaps(0, 11)
    assert span.overlaps(19, 30)
    assert span.overlaps(0, 30)


def test_an_instant_belongs_to_what_begins_with_it():
    instant = TimeSpan(10, 10)
    assert instant.overlaps(10, 20)
    assert not instant.overlaps(0, 10)
    assert not instant.overlaps(10, 10)


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59.999999, "59.999999 s"),
        (90, "1 min 30 s"),
        (360_000, "100 h"),
        (86_327.8, "23 h 58 min 47.8 s"),
        (86_400, "24 h"),
    ],
)
def test_durations_for_people(duration_s, words):
    assert units.words_from_us(round(duration_s * 1e6)) == words
