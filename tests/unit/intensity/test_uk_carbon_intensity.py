"""Great Britain: its regions, its three shapes of answers, and the half hour that comes uncalled for."""

from __future__ import annotations

import pytest

from codecarbon.errors import NoIntensityData, ProviderDataError, ProviderRejected
from codecarbon.intensity.uk_carbon_intensity import UkCarbonIntensity
from codecarbon.model import Location, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, us_from_s
from tests.support.fakes.clock import NOON_S, FakeTime
from tests.support.fakes.uk_carbon_intensity import FakeUkCarbonIntensity
from tests.support.provider_cases import start_s, tampering

LONDON = Location(zone="GB-13")
BRITAIN = Location(zone="GB")


@pytest.fixture
def time():
    return FakeTime(NOON_S + 7 * 60)


@pytest.fixture
def fake(time):
    with tampering(FakeUkCarbonIntensity)(clock=time.clock) as server:
        yield server


@pytest.fixture
def provider(fake, time):
    return UkCarbonIntensity(base_url=fake.url, **time.arguments)


def before_noon(start_min, end_min):
    noon_us = us_from_s(NOON_S)
    return TimeSpan(noon_us - start_min * US_PER_MIN, noon_us - end_min * US_PER_MIN)


# --- where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "zone"),
    [
        (Location(zone="GB"), "GB"),
        (Location(zone="13"), "GB-13"),
        (Location(zone="gb-1"), "GB-1"),
        (Location(zone="London"), "GB-13"),
        (Location(zones=(("uk_carbon_intensity", "16"),)), "GB-16"),
        (Location(country_iso_code="GBR"), "GB"),
        (Location(country_2letter_iso_code="GB", region="wales"), "GB-17"),
        (Location(country_iso_code="GBR", region="surrey"), "GB"),
        (Location(cloud_provider="aws", cloud_region="eu-west-2"), "GB"),
        (Location(country_iso_code="GBR", latitude_deg=51.5, longitude_deg=-0.1), "GB"),
        (Location(country_iso_code="GBR", latitude_deg=57.2, longitude_deg=-6.2), "GB"),
    ],
)
def test_a_place_in_great_britain_has_a_zone(provider, where, zone):
    assert provider.zone_of(where) == zone


@pytest.mark.parametrize(
    "where",
    [
        Location(),
        Location(country_iso_code="IRL"),
        Location(country_iso_code="FRA", region="london"),
        Location(country_iso_code="GBR", region="Northern Ireland"),
        Location(country_iso_code="GBR", latitude_deg=54.6, longitude_deg=-5.93),
        Location(country_iso_code="GBR", latitude_deg=55.0, longitude_deg=-7.3),
        Location(latitude_deg=51.5, longitude_deg=-0.1),
        Location(zone="18"),
        Location(zone="0"),
        Location(zone="GB-NIR"),
        Location(zone="DE"),
        Location(cloud_provider="aws", cloud_region="eu-west-1"),
        Location(country_iso_code="GGY"),
    ],
)
def test_a_place_elsewhere_has_none(provider, where):
    with pytest.raises(NoIntensityData):
        provider.zone_of(where)


# --- what is asked, and what counts ---------------------------------------------------------------------------------


def test_the_begin_is_asked_a_minute_late_and_the_half_hour_before_is_left_out(fake, provider):
    assert [at % 1800 for at in fake._starts(NOON_S, NOON_S)] == [0, 0]  # the quirk is there
    points = provider.observed(BRITAIN, before_noon(60, 0)).points
    assert [start_s(point) for point in points] == [NOON_S - 3600, NOON_S - 1800]
    assert fake.log[0].path == "/intensity/2026-11-20T11:01Z/2026-11-20T12:00Z"


def test_a_measurement_counts_before_a_forecast_which_is_an_estimate(fake, provider):
    fake.measured_after_s = 1800
    points = provider.observed(BRITAIN, before_noon(90, -5)).points
    assert [point.is_estimated for point in points] == [False, False, True, True]
    assert points[0].intensity_g_per_kwh == fake.actual(start_s(points[0]))
    assert points[2].intensity_g_per_kwh == fake.forecast(start_s(points[2]))


def test_a_region_has_forecasts_only(fake, provider):
    points = provider.observed(LONDON, before_noon(90, 0)).points
    assert {point.is_estimated for point in points} == {True}
    assert [point.intensity_g_per_kwh for point in points] == [fake.forecast(start_s(point), 13) for point in points]
    assert fake.log[0].path == "/regional/intensity/2026-11-20T10:31Z/2026-11-20T12:00Z/regionid/13"


def test_a_forecast_is_forecast_to_its_end(fake, provider):
    series = provider.forecast(LONDON)
    assert fake.log[0].path == "/regional/intensity/2026-11-20T12:01Z/fw48h/regionid/13"
    assert len(series.points) == 97
    assert provider.forecast(BRITAIN).points[0].intensity_g_per_kwh == fake.forecast(int(NOON_S))
    assert "does not say when" in series.note


def test_no_forecast_is_an_error(fake, provider):
    fake.tamper = lambda payload: {"data": []}
    with pytest.raises(NoIntensityData):
        provider.forecast(BRITAIN)


def test_a_long_past_is_asked_for_a_fortnight_at_a_time(fake, time, provider):
    points = provider.observed(BRITAIN, before_noon(30 * 24 * 60, 0)).points
    assert len(points) == 30 * 48
    assert len(fake.log) == 3


def test_answers_hold_for_the_half_hour_and_old_ones_for_a_month(time, provider):
    assert provider.observed(BRITAIN, before_noon(60, 0)).valid_until_us == us_from_s(NOON_S + 1800)
    old = provider.observed(BRITAIN, TimeSpan(*[at - 3 * US_PER_DAY for at in before_noon(60, 0)]))
    assert old.valid_until_us == us_from_s(time.now_s + 30 * 86_400)
    assert provider.forecast(BRITAIN).valid_until_us == us_from_s(time.now_s + 1800)


# --- shapes -----------------------------------------------------------------------------------------------------------


def all_regions(fake, span_s):
    return {"data": [fake._all_regions(at) for at in span_s]}


@pytest.mark.parametrize("shape", ["window", "present", "all"])
def test_each_of_the_three_regional_shapes_is_read(fake, provider, shape):
    starts_s = [int(NOON_S) - 3600, int(NOON_S) - 1800]
    one = {**fake._names(13), "data": [fake._of(at, 13) for at in starts_s]}
    shapes = {"window": {"data": one}, "present": {"data": [one]}, "all": all_regions(fake, starts_s)}
    fake.tamper = lambda payload: shapes[shape]
    points = provider.observed(LONDON, before_noon(60, 0)).points
    assert [point.intensity_g_per_kwh for point in points] == [fake.forecast(at, 13) for at in starts_s]


@pytest.mark.parametrize("is_list", [False, True])
def test_another_region_than_the_one_asked_for_is_refused(fake, provider, is_list):
    fake.wrong_region = 7
    if is_list:
        fake.tamper = lambda payload: {"data": [payload["data"]]}
    with pytest.raises(ProviderDataError, match="asked for region 13, got 7"):
        provider.observed(LONDON, before_noon(60, 0))


def test_an_answer_about_all_regions_without_the_one_asked_for_is_empty(fake, provider):
    def tamper(payload):
        content = all_regions(fake, [int(NOON_S) - 3600])
        content["data"][0]["regions"].pop(12)
        return content

    fake.tamper = tamper
    assert provider.observed(LONDON, before_noon(60, 0)).points == ()


def test_a_period_that_is_not_half_an_hour_is_refused(fake, provider):
    def tamper(payload):
        payload["data"][0]["to"] = "2026-11-20T13:00Z"
        return payload

    fake.tamper = tamper
    with pytest.raises(ProviderDataError, match="not half an hour"):
        provider.observed(BRITAIN, before_noon(60, 0))


@pytest.mark.parametrize(("code", "status"), [("404 Not Found", 404), ("strange", 500)])
def test_an_error_with_a_good_status_is_an_error(fake, provider, code, status):
    fake.tamper = lambda payload: {"error": {"code": code, "message": "There is no such thing."}}
    with pytest.raises(ProviderRejected) as caught:
        provider.observed(BRITAIN, before_noon(60, 0))
    assert (caught.value.status, caught.value.detail) == (status, "There is no such thing.")


def test_what_the_service_says_of_a_bad_question_is_passed_on(fake, provider):
    fake.fail_next(1, status=400, body={"error": {"code": "400 Bad Request", "message": "Please be sensible."}})
    with pytest.raises(ProviderRejected, match="Please be sensible"):
        provider.observed(BRITAIN, before_noon(60, 0))


def test_an_hour_of_the_future_is_a_forecast_and_not_observed(fake, provider):
    later = TimeSpan(us_from_s(NOON_S) - US_PER_HOUR, us_from_s(NOON_S) + 5 * US_PER_HOUR)
    points = provider.observed(BRITAIN, later).points
    assert start_s(points[-1]) == NOON_S
