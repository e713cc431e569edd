"""Energy-Charts: measured or forecast, country by country, until it is deprecated."""

from __future__ import annotations

import logging

import pytest

from codecarbon.errors import NoIntensityData, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.intensity.energy_charts import EnergyCharts
from codecarbon.model import Location, TimeSpan
from codecarbon.transport import DiskCache
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, us_from_s
from tests.support.fakes.clock import NOON_S, FakeTime
from tests.support.fakes.energy_charts import FakeEnergyCharts
from tests.support.provider_cases import start_s, tampering

GERMANY = Location(country_iso_code="DEU")


@pytest.fixture
def time():
    return FakeTime(NOON_S + 7 * 60)


@pytest.fixture
def fake(time):
    with tampering(FakeEnergyCharts)(clock=time.clock) as server:
        yield server


@pytest.fixture
def provider(fake, time, tmp_path):
    cache = DiskCache(str(tmp_path / "cache.sqlite"), clock=time.clock)
    return EnergyCharts(base_url=fake.url, cache=cache, **time.arguments)


def ago(time, start_min, end_min):
    now_us = us_from_s(time.now_s)
    return TimeSpan(now_us - start_min * US_PER_MIN, now_us - end_min * US_PER_MIN)


@pytest.mark.parametrize(
    ("where", "zone"),
    [
        (Location(zone="de"), "de"),
        (Location(zone="EU"), "eu"),
        (Location(zone="uk"), "uk"),
        (Location(zones=(("energy_charts", "FR"),)), "fr"),
        (Location(country_iso_code="GBR"), "uk"),
        (Location(country_2letter_iso_code="pl", region="mazovia"), "pl"),
        (Location(cloud_provider="gcp", cloud_region="europe-west1"), "be"),
    ],
)
def test_a_place_in_europe_has_a_country(provider, where, zone):
    assert provider.zone_of(where) == zone


@pytest.mark.parametrize(
    "where",
    [
        Location(),
        Location(country_iso_code="USA"),
        Location(zone="DE-LU"),
        Location(latitude_deg=52.0, longitude_deg=13.0),
    ],
)
def test_a_place_elsewhere_has_none(provider, where):
    with pytest.raises(NoIntensityData):
        provider.zone_of(where)


def test_what_is_not_measured_yet_is_the_forecast_and_an_estimate(fake, time, provider):
    points = provider.observed(GERMANY, ago(time, 97, 0)).points
    assert [point.is_estimated for point in points] == [False] * 4 + [True] * 3
    for point in points:
        truth = fake.forecast if point.is_estimated else fake.value
        assert point.intensity_g_per_kwh == truth("de", start_s(point))


def test_what_the_values_count_is_not_claimed(time, provider):
    series = provider.observed(GERMANY, ago(time, 97, 0))
    assert series.basis == ""
    assert "co2eq" in series.note


def test_a_forecast_reaches_as_far_as_the_service_does(fake, time, provider):
    series = provider.forecast(GERMANY)
    assert start_s(series.points[0]) == NOON_S
    assert series.points[-1].end_us == us_from_s(NOON_S + 36 * 3600)
    assert series.points[0].intensity_g_per_kwh == fake.forecast("de", int(NOON_S))


def test_no_forecast_is_an_error(fake, provider):
    fake.null_s = set(range(int(NOON_S), int(NOON_S) + 3 * 86_400, 900))
    with pytest.raises(NoIntensityData):
        provider.forecast(GERMANY)


def test_one_call_serves_what_is_recent_and_what_comes(fake, time, provider):
    for start_min, end_min in ((5, 0), (90, 20), (0, 0), (24 * 60, 0)):
        assert provider.observed(GERMANY, ago(time, start_min, end_min)).points
    provider.forecast(GERMANY)
    assert fake.count() == 1
    assert fake.log[0].target == "/co2eq?country=de&start=2026-11-19T00%3A00Z&end=2026-11-23T00%3A00Z"
    time.pass_s(900)
    provider.forecast(GERMANY)
    assert fake.count() == 2


def test_settled_weeks_hold_for_a_month(time, provider):
    series = provider.observed(GERMANY, TimeSpan(*[at - 9 * US_PER_DAY for at in ago(time, 90, 20)]))
    assert series.valid_until_us == us_from_s(time.now_s + 30 * 86_400)


def test_points_are_as_long_as_the_service_has_them(fake, time, provider):
    fake.step_s = 3600
    points = provider.observed(GERMANY, ago(time, 97, 40)).points
    assert [point.duration_us for point in points] == [US_PER_HOUR, US_PER_HOUR]


def test_a_single_point_is_a_quarter_of_an_hour(fake, time, provider):
    def tamper(payload):
        at = payload["unix_seconds"].index(int(NOON_S) - 3600)
        return {name: values[at : at + 1] for name, values in payload.items() if name != "deprecated"}

    fake.tamper = tamper
    assert [point.duration_us for point in provider.observed(GERMANY, ago(time, 97, 40)).points] == [15 * US_PER_MIN]


@pytest.mark.parametrize("name", ["unix_seconds", "co2eq", "co2eq_forecast"])
def test_lists_that_do_not_fit_together_are_refused(fake, time, provider, name):
    fake.tamper = lambda payload: {**payload, name: payload[name][:-1]}
    with pytest.raises(ProviderDataError, match="do not fit together"):
        provider.observed(GERMANY, ago(time, 97, 40))


def test_a_deprecated_service_is_left_alone_with_a_warning(fake, time, provider, caplog):
    fake.is_deprecated = True
    with caplog.at_level(logging.WARNING), pytest.raises(ProviderDataError, match="deprecated"):
        provider.observed(GERMANY, ago(time, 97, 40))
    assert caplog.text.count("deprecated") == 1
    with pytest.raises(ProviderDataError, match="deprecated"):
        provider.forecast(GERMANY)
    assert fake.count() == 1


def test_a_country_that_it_does_not_have_is_told_with_its_status(fake, time, provider):
    with pytest.raises(ProviderRejected) as caught:
        provider.observed(Location(country_iso_code="LUX"), ago(time, 97, 40))
    assert caught.value.status == 404
    assert "No data for country lu" in caught.value.detail


def test_a_question_it_does_not_understand_is_told_with_its_status(fake, time, provider):
    fake.fail_next(1, status=422, body={"detail": [{"loc": ["query", "start"], "msg": "invalid datetime format"}]})
    with pytest.raises(ProviderRejected, match="invalid datetime format") as caught:
        provider.observed(GERMANY, ago(time, 97, 40))
    assert caught.value.status == 422


def test_the_services_limit_is_never_met(fake, time, provider):
    for country in ("DEU", "FRA"):
        provider.observed(Location(country_iso_code=country), ago(time, 97, 40))
    with pytest.raises(ProviderUnavailable, match="no more calls"):
        provider.observed(Location(country_iso_code="ITA"), ago(time, 97, 40))
    time.pass_s(30)
    assert provider.observed(Location(country_iso_code="ITA"), ago(time, 97, 40)).points
    assert time.naps_s == []
    assert fake.count() == 3
