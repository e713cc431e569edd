"""How queries, bodies and wishes for a form are read."""

from __future__ import annotations

import pytest

from codecarbon.carbon_aware.results import AverageRequest, ForecastRequest, Moment
from codecarbon.carbon_aware.web import bodies, parameters
from codecarbon.carbon_aware.web.negotiate import DETAIL_TYPE, form_of
from codecarbon.carbon_aware.web.parameters import bind
from codecarbon.errors import RequestRejected

NEW_YEAR_US = 1_640_995_200_000_000  # 2022-01-01T00:00:00Z


def emissions(query, profile="documented"):
    return bind(parameters.EMISSIONS_MANY, query.encode(), profile)


def test_names_match_without_case_and_values_keep_theirs():
    assert emissions("LOCATION=EastUS").values["location"] == ("EastUS",)


def test_of_a_scalar_given_twice_the_first_counts():
    bound = emissions("time=2022-01-01&time=2023-01-01")
    assert bound.values["time"] == Moment(NEW_YEAR_US)


def test_an_empty_value_is_as_none():
    assert emissions("location=&location=a&time=").values == {
        "location": ("a",),
        "time": None,
        "toTime": None,
        "detail": None,
    }


def test_indices_make_a_list_in_their_order():
    assert emissions("location[1]=b&location[0]=a").values["location"] == ("a", "b")
    assert emissions("location%5B10%5D=b&location%5B9%5D=a").values["location"] == ("a", "b")


@pytest.mark.parametrize("query", ["location=Köln", "location=K%C3%B6ln"])
def test_letters_that_a_client_did_not_encode_are_read_as_utf_8(query):
    assert emissions(query).values["location"] == ("Köln",)


def test_a_comma_separates_nothing():
    assert emissions("location=a,b").values["location"] == ("a,b",)


def test_documented_gathers_the_alias_after_the_name():
    assert emissions("locations=b&location=a").values["location"] == ("a", "b")


def test_strict_knows_no_alias():
    bound = emissions("locations=b&startTime=2022-01-01", "strict")
    assert bound.values["location"] == ()
    assert bound.values["time"] is None
    assert bound.unknown == ("locations", "startTime")


def test_aliases_of_a_time_must_agree():
    assert emissions("startTime=2022-01-01&time=2022-01-01T02:00%2B02:00").values["time"].unix_us == NEW_YEAR_US
    with pytest.raises(RequestRejected) as caught:
        emissions("startTime=2022-01-01&time=2022-01-02")
    assert dict(caught.value.errors).keys() == {"time"}


def test_average_accepts_the_names_of_the_other_routes():
    bound = bind(parameters.AVERAGE, b"location=a&time=2022-01-01&toTime=2022-01-02", "documented")
    assert bound.values["startTime"] == Moment(NEW_YEAR_US)
    assert not bound.unknown


@pytest.mark.parametrize(
    ("text", "offset_min"),
    [("2022-01-01T00:00:00.0000000Z", 0), ("2022-01-01T06:00:00+06:00", 360), ("2022-01-01T06:00:00%2B06:00", 360)],
)
def test_a_plus_sign_may_come_unescaped(text, offset_min):
    assert emissions(f"time={text}").values["time"] == Moment(NEW_YEAR_US, offset_min)


@pytest.mark.parametrize("text", ["abc", "2022-13-01", "2022-01-01T25:00", "0001-01-01T00:00%2B06:00", "١٢"])
def test_a_bad_time_is_named_with_its_value(text):
    with pytest.raises(RequestRejected) as caught:
        emissions(f"time={text}")
    ((name, message),) = caught.value.errors
    assert name == "time"
    assert message.startswith("The value '")
    assert message.endswith("is not valid for time.")


def test_all_bad_values_are_told_at_once():
    with pytest.raises(RequestRejected) as caught:
        emissions("time=a&toTime=b")
    assert [name for name, _ in caught.value.errors] == ["time", "toTime"]


@pytest.mark.parametrize("text", ["abc", "1.5", "2147483648", "-2147483649", "1_0", "1e3", "٣"])
def test_what_is_no_whole_number_of_32_bits_is_refused(text):
    with pytest.raises(RequestRejected):
        bind(parameters.FORECAST, f"windowSize={text}".encode(), "documented")


@pytest.mark.parametrize(("text", "number"), [("-5", -5), (" 10 ", 10), ("+7", 7), ("2147483647", 2147483647)])
def test_whole_numbers_of_32_bits_are_read(text, number):
    query = f"windowSize={text.replace('+', '%2B')}".encode()
    assert bind(parameters.FORECAST, query, "documented").values["windowSize"] == number


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "1e10", "1_0", "x"])
def test_a_number_has_a_size_that_makes_sense(text):
    with pytest.raises(RequestRejected):
        bind(parameters.SCHEDULE, f"duration={text}".encode(), "documented")


def test_too_many_values_are_refused():
    with pytest.raises(RequestRejected):
        emissions("&".join(["location=a"] * 2001))


def test_unknown_names_are_told_as_they_were_spelled():
    assert emissions("location=a&durationMinutes=5&Foo[3]=1").unknown == ("durationMinutes", "Foo")


@pytest.mark.parametrize(
    ("accept", "has_csv", "form"),
    [
        (None, True, "json"),
        ("*/*", True, "json"),
        ("text/csv", True, "csv"),
        ("text/csv", False, "json"),
        ("text/csv;q=0.5, application/json", True, "json"),
        ("application/json;q=0.5, text/csv", True, "csv"),
        ("text/html", True, "json"),
        (DETAIL_TYPE, False, "detail"),
        ("text/csv;q=x", True, "json"),
        ("text/csv;q=0", True, "json"),
    ],
)
def test_the_form_is_what_the_client_likes_best(accept, has_csv, form):
    assert form_of(accept.encode() if accept else None, has_csv=has_csv) == form


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_members_match_without_case_and_unknown_ones_are_ignored():
    body = b'[{"LOCATION": "a", "starttime": "2022-01-01T00:00:00Z", "endTime": null, "x": 1}]'
    assert bodies.read_averages(body, "strict") == (AverageRequest("a", Moment(NEW_YEAR_US), None),)


def test_an_empty_array_and_a_byte_order_mark_are_fine():
    assert bodies.read_averages(b"\xef\xbb\xbf[]", "strict") == ()


def test_a_forecast_item_is_read_whole():
    body = b'[{"requestedAt":"2022-01-01T06:00:00+06:00","location":"a","windowSize":"30"}]'
    assert bodies.read_forecasts(body, "strict") == (ForecastRequest("a", Moment(NEW_YEAR_US, 360), None, None, 30),)


@pytest.mark.parametrize("text", ["2022-3-1T15:30:00Z", "2022-06-13T6:05:00Z", "2022-06-13 06:05:00Z"])
def test_strict_wants_whole_iso_times_in_bodies_and_documented_does_not(text):
    body = b'[{"startTime":"%s"}]' % text.encode()
    with pytest.raises(RequestRejected) as caught:
        bodies.read_averages(body, "strict")
    assert "$[0].startTime" in dict(caught.value.errors)
    assert bodies.read_averages(body, "documented")[0].start is not None


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b"", ""),
        (b"  ", ""),
        (b"null", ""),
        (b"{}", "$"),
        (b"1", "$"),
        (b"[", "$"),
        (b"\xff", "$"),
        (b"[null]", "$[0]"),
        (b'[{}, {"location": 5}]', "$[1].location"),
        (b'[{"startTime": 5}]', "$[0].startTime"),
        (b"[" * 5000 + b"]" * 5000, "$"),
    ],
)
def test_a_body_of_another_shape_is_refused_where_it_differs(body, key):
    with pytest.raises(RequestRejected) as caught:
        bodies.read_averages(body, "documented")
    assert key in dict(caught.value.errors)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", ["1.5", "true", '"x"', "[]", "99999999999"])
def test_a_window_in_a_body_is_a_whole_number(value):
    with pytest.raises(RequestRejected):
        bodies.read_forecasts(b'[{"windowSize": %s}]' % value.encode(), "documented")


@pytest.mark.parametrize(
    ("content_type", "is_accepted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/json", True),
        ("application/vnd.x+json", True),
        ("text/plain", False),
        ("application/xml", False),
        (None, False),
    ],
)
def test_only_json_is_taken(content_type, is_accepted):
    if is_accepted:
        bodies.check_media_type(content_type, is_empty=False)
    else:
        with pytest.raises(RequestRejected) as caught:
            bodies.check_media_type(content_type, is_empty=False)
        assert caught.value.status == 415


def test_no_body_needs_no_type():
    bodies.check_media_type(None, is_empty=True)
