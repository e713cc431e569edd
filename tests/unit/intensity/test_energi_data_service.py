"""Denmark: two price areas in one call, once in five minutes, in UTC."""

from __future__ import annotations

import pytest

from codecarbon.errors import NoIntensityData, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.intensity.energi_data_service import EnergiDataService
from codecarbon.model import Location, TimeSpan
from codecarbon.transport import DiskCache
from codecarbon.units import US_PER_DAY, US_PER_MIN, us_from_iso, us_from_s
from tests.support.fakes.clock import NOON_S, FakeTime
from tests.support.fakes.energi_data_service import FakeEnergiDataService, danish_offset_s
from tests.support.provider_cases import start_s, tampering

OBSERVED, FORECAST = "/dataset/CO2Emis", "/dataset/CO2EmisProg"
WEST, EAST = Location(zone="DK1"), Location(zone="DK2")


@pytest.fixture
def time():
    return FakeTime(NOON_S + 7 * 60)


@pytest.fixture
def fake(time):
    with tampering(FakeEnergiDataService)(clock=time.clock) as server:
        yield server


@pytest.fixture
def make(fake, time, tmp_path):
    def make(**options):
        cache = DiskCache(str(tmp_path / "cache.sqlite"), clock=time.clock)
        return EnergiDataService(base_url=fake.url + "/dataset", cache=cache, **{**time.arguments, **options})

    return make


def ago(time, start_min, end_min):
    now_us = us_from_s(time.now_s)
    return TimeSpan(now_us - start_min * US_PER_MIN, now_us - end_min * US_PER_MIN)


@pytest.mark.parametrize(
    ("where", "zone"),
    [
        (Location(zone="dk-dk1"), "DK1"),
        (Location(zones=(("energi_data_service", "DK2"),)), "DK2"),
        (Location(zones=(("electricity_maps", "DK-DK2"),)), "DK2"),
        (Location(country_iso_code="DNK", region="dk1"), "DK1"),
        (Location(country_iso_code="DNK", latitude_deg=55.68, longitude_deg=12.57), "DK2"),  # Copenhagen
        (Location(country_iso_code="DNK", latitude_deg=56.16, longitude_deg=10.2), "DK1"),  # Aarhus
        (Location(country_iso_code="DNK", latitude_deg=55.4, longitude_deg=10.39), "DK1"),  # Odense
        (Location(country_iso_code="DNK", latitude_deg=55.1, longitude_deg=14.7), "DK2"),  # Bornholm
        (Location(country_iso_code="DNK", latitude_deg=57.27, longitude_deg=11.0), "DK1"),  # Laesoe
        (Location(country_iso_code="DNK", latitude_deg=56.71, longitude_deg=11.57), "DK1"),  # Anholt
    ],
)
def test_a_place_in_denmark_has_an_area(make, where, zone):
    assert make().zone_of(where) == zone


@pytest.mark.parametrize(
    "where",
    [
        Location(),
        Location(country_iso_code="DNK"),
        Location(country_iso_code="SWE", latitude_deg=55.6, longitude_deg=13.0),
        Location(latitude_deg=55.68, longitude_deg=12.57),
        Location(zone="DK3"),
        Location(zone="SE4"),
    ],
)
def test_a_place_elsewhere_or_nowhere_has_none(make, where):
    with pytest.raises(NoIntensityData):
        make().zone_of(where)


def test_one_call_serves_both_areas_all_processes_and_every_recent_span(fake, time, make):
    for provider in (make(), make()):
        for where in (WEST, EAST):
            for start_min, end_min in ((5, 0), (90, 20), (0, 0), (24 * 60, 0)):
                series = provider.observed(where, ago(time, start_min, end_min))
                assert series.points
                for point in series.points:
                    assert point.intensity_g_per_kwh == fake.value(series.zone, start_s(point))
    assert fake.count() == 1
    query = dict(fake.log[0].query)
    assert query["timezone"] == "UTC"
    assert query["filter"] == '{"PriceArea":["DK1","DK2"]}'
    assert (query["start"], query["end"]) == ("2026-11-19T00:00", "2026-11-21T00:00")


def test_it_is_asked_again_after_five_minutes(fake, time, make):
    provider = make()
    assert provider.observed(WEST, ago(time, 5, 0)).valid_until_us == us_from_s(time.now_s + 300)
    time.pass_s(299)
    provider.observed(WEST, ago(time, 5, 0))
    assert fake.count() == 1
    time.pass_s(1)
    provider.observed(WEST, ago(time, 5, 0))
    assert fake.count() == 2


def test_settled_days_hold_for_a_month(time, make):
    series = make().observed(WEST, TimeSpan(*[at - 5 * US_PER_DAY for at in ago(time, 90, 20)]))
    assert series.valid_until_us == us_from_s(time.now_s + 30 * 86_400)


def test_a_second_question_within_a_minute_is_not_sent_and_nobody_waits(fake, time, make):
    provider = make()
    provider.observed(WEST, ago(time, 5, 0))
    with pytest.raises(ProviderUnavailable) as caught:
        provider.observed(WEST, ago(time, 9 * 1440, 8 * 1440))
    assert 0 < caught.value.retry_after_s <= 60
    assert fake.count() == 1
    assert time.naps_s == []
    provider.forecast(WEST)  # the other dataset has its own minute
    time.pass_s(61)
    assert provider.observed(WEST, ago(time, 9 * 1440, 8 * 1440)).points


def test_a_minute_used_up_by_somebody_else_is_an_error_or_an_older_answer(fake, time, make):
    provider = make()
    span = ago(time, 20, 10)
    points = provider.observed(EAST, span).points
    time.pass_s(400)
    fake._calls_s["CO2Emis"] = [time.now_s - 5]
    stale = provider.observed(EAST, span)
    assert stale.points == points
    assert stale.is_stale
    time.pass_s(9000)
    fake._calls_s["CO2Emis"] = [time.now_s - 5]
    with pytest.raises(ProviderRejected) as caught:
        provider.observed(EAST, span)
    assert caught.value.status == 429
    assert 50 < caught.value.retry_after_s < 60


def test_times_are_read_in_utc_where_danish_time_repeats_an_hour(fake, time, make):
    change_us = us_from_iso("2026-10-25T01:00Z")
    time.now_s = change_us / 1e6 + 5 * 3600
    series = make().observed(WEST, TimeSpan(change_us - 60 * US_PER_MIN, change_us + 60 * US_PER_MIN))
    assert danish_offset_s(change_us / 1e6 - 1) - danish_offset_s(change_us / 1e6) == 3600
    assert len(series.points) == 24
    for point in series.points:
        assert point.intensity_g_per_kwh == fake.value("DK1", start_s(point))


def test_a_forecast_starts_at_present_and_is_another_dataset(fake, time, make):
    series = make().forecast(WEST)
    assert fake.counts == {FORECAST: 1}
    assert start_s(series.points[0]) == NOON_S + 300
    assert start_s(series.points[-1]) == NOON_S + 12 * 3600 + 86_400 - 300
    assert "does not say when" in series.note


def test_no_forecast_is_an_error(fake, make):
    fake.forecast_until_s = 0
    with pytest.raises(NoIntensityData):
        make().forecast(WEST)


def test_an_area_nobody_asked_for_is_refused(fake, time, make):
    def tamper(payload):
        payload["records"][0]["PriceArea"] = "NO2"
        return payload

    fake.tamper = tamper
    with pytest.raises(ProviderDataError, match="asked for DK1 and DK2, got 'NO2'"):
        make().observed(WEST, ago(time, 20, 10))


def test_without_a_cache_of_ones_own_the_users_is_shared(fake, time, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        EnergiDataService(base_url=fake.url + "/dataset", **time.arguments).observed(WEST, ago(time, 20, 10))
    assert fake.counts == {OBSERVED: 1}
    assert list(tmp_path.rglob("*.sqlite"))
