"""Values, times and points of answers: believed or refused, in one place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.errors import ProviderDataError
from codecarbon.intensity.answers import (
    AnswerReader,
    Row,
    begun,
    ceil_us,
    floor_us,
    overlapping,
    shown,
    still_to_come,
    whole_days,
)
from codecarbon.model import IntensityPoint, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, us_from_iso

READER = AnswerReader("somebody", "somewhere")
HOUR = US_PER_HOUR
HOURS = tuple(IntensityPoint(hour * HOUR, HOUR, 10.0 * hour) for hour in range(5))


@pytest.mark.parametrize(("value", "expected"), [(0, 0.0), (0.5, 0.5), (3000, 3000.0), (41, 41.0), (None, None)])
def test_a_value_within_belief_is_taken(value, expected):
    assert READER.intensity(value, "value") == expected


@pytest.mark.parametrize(
    "value", [True, False, "41", "", -0.001, 3000.001, math.nan, math.inf, -math.inf, 10**400, [], {}], ids=repr
)
def test_a_value_beyond_belief_is_refused_by_name(value):
    with pytest.raises(ProviderDataError, match="somebody: price: ") as caught:
        READER.intensity(value, "price")
    assert (caught.value.provider, caught.value.location) == ("somebody", "somewhere")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T09:00Z",
        "2026-11-20T09:00:00Z",
        "2026-11-20T09:00:00.000Z",
        "2026-11-20T09:00:00.0000000+00:00",
        "2026-11-20T10:00:00+01:00",
        "2026-11-20T09:00:00",
    ],
)
def test_all_spellings_of_a_time_are_one(text):
    assert READER.time_us(text, "datetime") == us_from_iso("2026-11-20T09:00Z")


def test_rows_are_put_in_order_and_nulls_are_left_out():
    rows = [Row(2 * HOUR, 20.0), Row(0, 0.0), Row(HOUR, None), Row(3 * HOUR, 30.0, is_estimated=True), Row(0, 0.0)]
    points = READER.points(rows, usual_step_us=1)
    assert [point.start_us for point in points] == [0, 2 * HOUR, 3 * HOUR]
    assert {point.duration_us for point in points} == {HOUR}
    assert [point.is_estimated for point in points] == [False, False, True]


def test_a_length_that_is_told_counts_before_the_distance_of_rows():
    (point,) = READER.points([Row(0, 1.0), Row(4 * HOUR, None)], step_us=HOUR, usual_step_us=1)
    assert point.duration_us == HOUR


def test_a_single_row_has_the_usual_length():
    assert READER.points([Row(0, 1.0)], usual_step_us=HOUR)[0].duration_us == HOUR


@pytest.mark.parametrize("second", [Row(0, 2.0), Row(0, 1.0, is_estimated=True), Row(HOUR // 2, 1.0)])
def test_rows_that_contradict_or_overlap_are_refused(second):
    with pytest.raises(ProviderDataError, match=r"contradict|overlap"):
        READER.points([Row(0, 1.0), second], step_us=HOUR, usual_step_us=HOUR)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (1.0, 2.0, [1]),
        (1.5, 2.0, [1]),
        (1.5, 2.5, [1, 2]),
        (1.0, 1.0, [1]),
        (1.99, 1.99, [1]),
        (4.9, 9.0, [4]),
        (5.0, 9.0, []),
        (-2.0, 0.0, []),
    ],
)
def test_points_that_overlap_a_span_are_chosen_uncut(start, end, hours):
    span = TimeSpan(round(start * HOUR), round(end * HOUR))
    assert overlapping(HOURS, span) == tuple(HOURS[hour] for hour in hours)


def test_a_point_of_no_length_never_matches_its_own_instant():
    assert overlapping([IntensityPoint(HOUR, 0, 1.0)], TimeSpan(HOUR, HOUR)) == ()


def test_the_present_point_is_both_begun_and_still_to_come():
    now_us = 2 * HOUR + 1
    assert begun(HOURS, now_us)[-1] == still_to_come(HOURS, now_us)[0] == HOURS[2]
    assert begun(HOURS, 2 * HOUR)[-1] == still_to_come(HOURS, 2 * HOUR)[0] == HOURS[2]


@given(st.integers(-(10**15), 10**16), st.integers(1, 10**11))
def test_rounding_stays_within_a_step(unix_us, step_us):
    assert unix_us - step_us < floor_us(unix_us, step_us) <= unix_us <= ceil_us(unix_us, step_us) < unix_us + step_us
    assert floor_us(unix_us, step_us) % step_us == ceil_us(unix_us, step_us) % step_us == 0


@given(
    st.integers(0, 400 * US_PER_DAY),
    st.integers(0, 400 * US_PER_DAY),
    st.integers(0, 401 * US_PER_DAY),
    st.integers(0, 3),
)
def test_whole_days_hold_the_part_of_a_span_that_has_begun(start_us, length_us, now_us, ahead_days):
    span = TimeSpan(start_us, start_us + length_us)
    days = whole_days(span, now_us, ahead_days=ahead_days)
    if start_us > now_us:
        assert days.start_us == days.end_us
        return
    assert days.start_us <= start_us
    assert days.end_us > min(span.end_us - 1, now_us) or length_us == 0
    assert days.end_us > start_us
    assert days.start_us % US_PER_DAY == days.end_us % US_PER_DAY == 0
    assert days.end_us <= floor_us(now_us, US_PER_DAY) + (1 + ahead_days) * US_PER_DAY


def test_a_long_value_is_cut_in_a_message():
    assert shown(None) == "nothing"
    assert len(shown("x" * 500)) == 60


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: READER.an_object([]), "expected an object"),
        (lambda: READER.a_list({}, "rows"), "rows: expected a list, found nothing"),
        (lambda: READER.objects({"rows": [1]}, "rows"), r"rows\[0\]: expected an object"),
        (lambda: READER.text({"zone": 1}, "zone"), "zone: expected a text"),
        (lambda: READER.is_true({"flag": 1}, "flag"), "flag: expected true or false"),
        (lambda: READER.member({}, "value"), "value is missing"),
        (lambda: READER.time_us(None, "from"), "from: expected a time"),
        (lambda: READER.time_us("yesterday", "from"), "from: 'yesterday'"),
    ],
)
def test_a_complaint_names_the_member(call, what):
    with pytest.raises(ProviderDataError, match=what):
        call()


def test_what_may_be_missing_has_a_default():
    assert READER.text({"zone": None}, "zone") == READER.text({}, "zone") == ""
    assert not READER.is_true({"flag": None}, "flag")
    assert READER.member({"value": None}, "value") is None
