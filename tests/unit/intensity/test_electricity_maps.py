"""Electricity Maps: whose zone an answer is for, what a key may do, and which hours are asked for how."""

from __future__ import annotations

import locale
from contextlib import suppress

import pytest
import requests

from codecarbon.errors import ConfigError, NoIntensityData, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.intensity.electricity_maps import ElectricityMaps
from codecarbon.intensity.electricity_maps_place import check_auth, find_place
from codecarbon.model import Location, TimeSpan
from codecarbon.transport import DiskCache
from codecarbon.units import US_PER_HOUR, US_PER_MIN, iso_from_us, us_from_iso, us_from_s
from tests.support.fakes.clock import NOON_S, FakeTime
from tests.support.fakes.electricity_maps import FakeElectricityMaps
from tests.support.provider_cases import start_s, tampering

FakeTampering = tampering(FakeElectricityMaps)
TOKEN_BASE = "https://api.electricitymaps.com/v3/"
OLD_TOKEN_BASE = "https://api.electricitymap.org/v3"
TRIAL_BASE = "https://api-access.electricitymaps.com/"
PARIS = Location(latitude_deg=48.86, longitude_deg=2.35)
SARGASSO_SEA = Location(latitude_deg=28.0, longitude_deg=-60.0)
HISTORY, RANGE = "/v3/carbon-intensity/history", "/v3/carbon-intensity/past-range"
FORECAST, LATEST = "/v3/carbon-intensity/forecast", "/v3/carbon-intensity/latest"


@pytest.fixture
def time():
    return FakeTime(NOON_S + 7 * 60)


@pytest.fixture
def fake(time):
    with FakeTampering(clock=time.clock) as server:
        yield server


@pytest.fixture
def make(fake, time):
    def make(token=None, **options):
        return ElectricityMaps(token or fake.token, **{"base_url": fake.url + "/v3", **time.arguments, **options})

    return make


def ago(time, start_h, end_h):
    now_us = us_from_s(time.now_s)
    return TimeSpan(now_us - round(start_h * US_PER_HOUR), now_us - round(end_h * US_PER_HOUR))


# --- address, header and key -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "header", "token"),
    [
        (TOKEN_BASE, "auth-token", "k"),
        (OLD_TOKEN_BASE, "Auth-Token", "k"),
        (TRIAL_BASE, "X-BLOBR-KEY", "k"),
        (TRIAL_BASE + "my-own-path/", "X-Anything", "k"),
        ("https://proxy.example/em", "X-Anything", "k"),
    ],
)
def test_header_and_address_that_go_together_are_accepted(base_url, header, token):
    check_auth(base_url, header, token)


@pytest.mark.parametrize(
    ("base_url", "header", "token", "field"),
    [
        (TOKEN_BASE, "X-BLOBR-KEY", "sesame-key", "APITokenHeader"),
        (OLD_TOKEN_BASE, "X-BLOBR-KEY", "sesame-key", "APITokenHeader"),
        (TRIAL_BASE, "auth-token", "sesame-key", "APITokenHeader"),
        (TRIAL_BASE.rstrip("/"), "auth-token", "sesame-key", "APITokenHeader"),
        (TOKEN_BASE, "", "sesame-key", "APITokenHeader"),
        (TOKEN_BASE, "auth-token", "  ", "APIToken"),
        ("api.electricitymaps.com/v3", "auth-token", "sesame-key", "BaseUrl"),
        ("/v3/", "auth-token", "sesame-key", "BaseUrl"),
        ("", "auth-token", "sesame-key", "BaseUrl"),
    ],
)
def test_header_and_address_that_do_not_are_refused_at_construction(base_url, header, token, field):
    with pytest.raises(ConfigError) as caught:
        ElectricityMaps(token, header=header, base_url=base_url)
    assert caught.value.field == field
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("options", [{"emission_factor_type": "marginal"}, {"horizon_h": 5}])
def test_an_option_with_a_bad_value_is_refused_at_construction(options):
    with pytest.raises(ConfigError):
        ElectricityMaps("key", **options)


def test_the_key_goes_over_no_network_in_the_clear():
    with pytest.raises(ConfigError):
        ElectricityMaps("key", base_url="http://proxy.example/v3")


# --- where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "params"),
    [
        (Location(zone="DK-DK1", latitude_deg=1.0, longitude_deg=1.0), {"zone": "DK-DK1"}),
        (Location(zones=(("watttime", "X"), ("electricity_maps", "SE-SE4")), key="malmo"), {"zone": "SE-SE4"}),
        (Location(zones=(("electricity_maps", "SE-SE4"),), zone="SE4"), {"zone": "SE-SE4"}),
        (
            Location(cloud_provider="AWS", cloud_region="EU-west-3"),
            {"dataCenterProvider": "aws", "dataCenterRegion": "eu-west-3"},
        ),
        (Location(latitude_deg=48.86, longitude_deg=2.0, key="x"), {"lat": "48.86", "lon": "2"}),
        (Location(latitude_deg=0.0, longitude_deg=-0.00001), {"lat": "0", "lon": "-0.00001"}),
        (Location(latitude_deg=40.712776, longitude_deg=-100.0), {"lat": "40.712776", "lon": "-100"}),
        (Location(country_iso_code="FRA", region="ile-de-france"), {"zone": "FR"}),
        (Location(country_2letter_iso_code="de"), {"zone": "DE"}),
        (Location(country_iso_code="DNK", region="dk2"), {"zone": "DK-DK2"}),
        (Location(country_iso_code="CAN", region="quebec"), {"zone": "CA-QC"}),
        (Location(country_iso_code="USA"), {"zone": "US"}),
        (Location(key="NL"), {"zone": "NL"}),
    ],
)
def test_a_place_is_asked_for_by_what_is_known_best(where, params):
    assert dict(find_place(where, "electricity_maps").params) == params


@pytest.mark.parametrize(
    "where",
    [
        Location(),
        Location(country_iso_code="USA", region="california"),
        Location(country_iso_code="CAN", region="yukon"),
        Location(latitude_deg=91.0, longitude_deg=0.0),
        Location(latitude_deg=48.0),
    ],
)
def test_a_place_that_nothing_tells_is_refused(where):
    with pytest.raises(NoIntensityData):
        find_place(where, "electricity_maps")


def test_coordinates_have_a_point_in_every_locale():
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"):
        with suppress(locale.Error):  # not every machine has them
            locale.setlocale(locale.LC_NUMERIC, name)
    try:
        assert dict(find_place(PARIS, "electricity_maps").params) == {"lat": "48.86", "lon": "2.35"}
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


# --- never the caller's own zone -------------------------------------------------------------------------------------

KNOWN_SWITCHES = [
    {"disableCallerLookup", "shouldUseFallbackCallerLookup"},
    {"disableCallerLookup"},
    {"shouldUseFallbackCallerLookup"},
    set(),
]


def test_every_question_switches_the_callers_zone_off_under_both_names(fake, time, make):
    provider = make()
    for where in (Location(zone="FR"), PARIS, Location(cloud_provider="aws", cloud_region="eu-west-3")):
        provider.observed(where, ago(time, 2, 1))
        provider.observed(where, ago(time, 40, 39))
        provider.forecast(where)
    assert {entry.path for entry in fake.log} == {HISTORY, RANGE, FORECAST, LATEST}
    for entry in fake.log:
        assert dict(entry.query)["disableCallerLookup"] == "true"
        assert dict(entry.query)["shouldUseFallbackCallerLookup"] == "false"


@pytest.mark.parametrize("switches", KNOWN_SWITCHES, ids=len)
@pytest.mark.parametrize(
    "where",
    [
        Location(zone="eastus"),
        Location(key="atlantis"),
        Location(cloud_provider="azure", cloud_region="francesouth"),
        Location(cloud_provider="aws", cloud_region="eu-north-99"),
        SARGASSO_SEA,
        Location(latitude_deg=28.0, longitude_deg=-60.0, country_iso_code="BMU"),
    ],
    ids=lambda where: where.label,
)
def test_the_callers_zone_is_never_taken_for_the_place(fake, time, make, switches, where):
    fake.switches = switches
    provider = make()
    questions = [
        lambda: provider.observed(where, ago(time, 2, 1)),
        lambda: provider.observed(where, ago(time, 40, 39)),
        lambda: provider.forecast(where),
    ]
    for question in questions:
        with pytest.raises((ProviderDataError, ProviderRejected)):
            question()
    if not where.zone and not where.key:
        with pytest.raises((ProviderDataError, ProviderRejected)):
            provider.zone_of(where)


def test_coordinates_in_the_callers_own_zone_are_answered_where_the_service_does_not_guess(fake, time, make):
    berlin = Location(latitude_deg=52.5, longitude_deg=13.4)
    assert make().observed(berlin, ago(time, 2, 1)).zone == "DE"
    fake.switches = set()
    with pytest.raises(ProviderDataError, match="open sea"):
        make().observed(berlin, ago(time, 2, 1))
    in_germany = Location(latitude_deg=52.5, longitude_deg=13.4, country_iso_code="DEU")
    assert make().observed(in_germany, ago(time, 2, 1)).zone == "DE"
    assert make().observed(PARIS, ago(time, 2, 1)).zone == "FR"


def test_whether_the_service_guesses_is_asked_once_a_day(fake, time, make):
    provider = make()
    for _ in range(3):
        provider.observed(PARIS, ago(time, 2, 1))
    madeira = Location(latitude_deg=40.0, longitude_deg=-8.0)
    provider.observed(madeira, ago(time, 2, 1))
    assert fake.counts == {HISTORY: 4, LATEST: 1}
    time.pass_s(86_500)
    provider.observed(PARIS, ago(time, 2, 1))
    assert fake.count(LATEST) == 2


def test_no_number_is_given_while_it_is_not_known_whether_the_service_guesses(fake, time, make):
    fake.fail_next(3, status=503, path=LATEST)
    with pytest.raises(ProviderRejected):
        make().observed(PARIS, ago(time, 2, 1))


def test_coordinates_are_compared_with_the_country(fake, time, make):
    with pytest.raises(ProviderDataError, match="which is in ES, got FR"):
        make().observed(Location(latitude_deg=48.86, longitude_deg=2.35, country_iso_code="ESP"), ago(time, 2, 1))


def test_a_cloud_region_is_compared_with_its_country(fake, time, make):
    where = Location(cloud_provider="aws", cloud_region="us-east-1")
    assert make().observed(where, ago(time, 2, 1)).zone == "US-MIDA-PJM"
    fake.tamper = lambda payload: {**payload, "zone": "CA-ON", "history": []}
    with pytest.raises(ProviderDataError, match="which is in US, got CA-ON"):
        make().observed(where, ago(time, 2, 1))


def test_a_cloud_region_that_the_service_does_not_know_is_asked_for_by_its_coordinates(fake, time, make):
    where = Location(
        cloud_provider="azure",
        cloud_region="eastus",
        country_iso_code="USA",
        latitude_deg=37.4,
        longitude_deg=-79.8,
    )
    provider = make()
    for _ in range(2):
        assert provider.observed(where, ago(time, 2, 1)).zone == "US-MIDA-PJM"
    assert provider.zone_of(where) == "US-MIDA-PJM"
    assert [entry.query[0][0] for entry in fake.log] == ["dataCenterProvider", "lat", "lat"]


def test_a_full_zone_key_is_compared_and_not_its_beginning(fake, time, make):
    fake.tamper = lambda payload: {**payload, "zone": "DK-DK2", "history": []}
    with pytest.raises(ProviderDataError, match="asked for DK-DK1, got DK-DK2"):
        make().observed(Location(zone="DK-DK1"), ago(time, 2, 1))


def without_zones(payload):
    rows = [{name: value for name, value in row.items() if name != "zone"} for row in payload["history"]]
    return {"history": rows, "temporalGranularity": "hourly"}


@pytest.mark.parametrize("where", [Location(zone="FR"), PARIS])
def test_an_answer_that_names_no_zone_is_refused(fake, time, make, where):
    fake.tamper = without_zones
    with pytest.raises(ProviderDataError, match="does not say which zone"):
        make().observed(where, ago(time, 2, 1))


def test_rows_of_several_zones_are_refused(fake, time, make):
    def tamper(payload):
        payload["history"][3]["zone"] = "DE"
        return payload

    fake.tamper = tamper
    with pytest.raises(ProviderDataError, match="several zones"):
        make().observed(Location(zone="FR"), ago(time, 2, 1))


def test_the_zone_of_coordinates_is_asked_once_a_day(fake, time, make):
    provider = make()
    assert {provider.zone_of(PARIS) for _ in range(3)} == {"FR"}
    assert fake.counts == {LATEST: 2}  # the place, and the open sea
    assert make().zone_of(Location(zone="DK-DK1")) == "DK-DK1"
    time.pass_s(86_500)
    provider.zone_of(PARIS)
    assert fake.counts == {LATEST: 4}


# --- which hours, and how --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start_h", "end_h", "path"),
    [(8, 7, HISTORY), (36, 35, RANGE), (30, 18, RANGE), (8, -3, RANGE), (8, -0.05, HISTORY), (8, 8, HISTORY)],
)
def test_the_last_day_is_history_and_the_rest_a_range(fake, time, make, *, start_h, end_h, path):
    make().observed(Location(zone="FR"), ago(time, start_h, end_h))
    assert fake.counts == {path: 1}


def test_what_is_left_out_and_what_is_counted_is_said_for_the_past_only(fake, time, make):
    provider = make(emission_factor_type="direct", disable_estimations=True, horizon_h=48)
    series = provider.observed(Location(zone="FR"), ago(time, 4, 0))
    assert series.basis == "direct"
    assert [point.is_estimated for point in series.points] == [False, False, False]
    assert series.points[0].intensity_g_per_kwh == fake.value("FR", start_s(series.points[0]), "direct")
    provider.observed(Location(zone="FR"), ago(time, 40, 39))
    forecast = provider.forecast(Location(zone="FR"))
    assert forecast.basis == "lifecycle"
    assert len(forecast.points) == 49
    for path in (HISTORY, RANGE):
        query = dict(fake.seen(path)[0].query)
        assert (query["emissionFactorType"], query["disableEstimations"]) == ("direct", "true")
    query = dict(fake.seen(FORECAST)[0].query)
    assert "emissionFactorType" not in query
    assert "disableEstimations" not in query
    assert query["horizonHours"] == "48"


def test_estimates_that_come_all_the_same_are_left_out(fake, time, make):
    def tamper(payload):
        for row in payload["history"]:
            row["isEstimated"], row["carbonIntensity"] = True, 100
        return payload

    fake.tamper = tamper
    assert make(disable_estimations=True).observed(Location(zone="FR"), ago(time, 4, 0)).points == ()
    assert make(disable_estimations=False).observed(Location(zone="FR"), ago(time, 4, 1)).points != ()
    assert dict(fake.log[-1].query)["disableEstimations"] == "false"


def test_values_that_count_something_else_are_refused(fake, time, make):
    def tamper(payload):
        for row in payload["history"]:
            row["emissionFactorType"] = "lifecycle"
        return payload

    fake.tamper = tamper
    with pytest.raises(ProviderDataError, match="asked for FR, direct, got FR, lifecycle"):
        make(emission_factor_type="direct").observed(Location(zone="FR"), ago(time, 4, 1))


@pytest.mark.parametrize("kind", ["direct", "marginal"])
def test_rows_of_several_or_unknown_kinds_are_refused(fake, time, make, kind):
    def tamper(payload):
        for row in payload["history"][2 if kind == "direct" else 0 :]:
            row["emissionFactorType"] = kind
        return payload

    fake.tamper = tamper
    with pytest.raises(ProviderDataError, match="emissionFactorType"):
        make().observed(Location(zone="FR"), ago(time, 4, 1))


def test_a_long_past_is_asked_for_ten_days_at_a_time(fake, time, make):
    series = make().observed(Location(zone="FR"), ago(time, 25 * 24, 0))
    assert len(series.points) == 25 * 24 + 1
    bounds = [[us_from_iso(value) for _, value in entry.query[1:3]] for entry in fake.seen(RANGE)]
    assert [(end_us - start_us) // US_PER_HOUR for start_us, end_us in bounds] == [240, 240, 121]
    assert bounds[0][1] == bounds[1][0]
    assert dict(fake.log[0].query)["start"] == iso_from_us(bounds[0][0]) == "2026-10-26T12:00:00Z"


def test_points_are_as_long_as_the_service_says(fake, time, make):
    fake.granularity = "5_minutes"
    series = make().observed(Location(zone="FR"), ago(time, 0.25, 0))
    assert [point.duration_us for point in series.points] == [5 * US_PER_MIN] * 4
    assert series.valid_until_us == us_from_s(time.now_s + 300)


def test_points_are_as_long_as_they_lie_apart_where_the_service_does_not_say(fake, time, make):
    fake.says_granularity = False
    fake.missing_s = {int(NOON_S) - 22 * 3600}  # right behind the first
    series = make().observed(Location(zone="FR"), ago(time, 3, 1))
    assert {point.duration_us for point in series.points} == {US_PER_HOUR}


def test_a_length_that_nobody_knows_is_refused(fake, time, make):
    fake.tamper = lambda payload: {**payload, "temporalGranularity": "fortnightly"}
    with pytest.raises(ProviderDataError, match="temporalGranularity"):
        make().observed(Location(zone="FR"), ago(time, 3, 1))


def test_newer_answers_have_their_rows_under_another_name(fake, time, make):
    fake.rows_name = "data"
    assert len(make().observed(Location(zone="FR"), ago(time, 3, 2)).points) == 2


def test_a_forecast_that_does_not_say_when_it_was_made_is_refused(fake, make):
    fake.tamper = lambda payload: {**payload, "updatedAt": None}
    with pytest.raises(ProviderDataError, match="when it was made"):
        make().forecast(Location(zone="FR"))


def test_an_empty_forecast_is_no_forecast(fake, make):
    fake.tamper = lambda payload: {**payload, "forecast": []}
    with pytest.raises(NoIntensityData):
        make().forecast(Location(zone="FR"))


# --- how long answers hold -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minute", "is_estimated", "after_s"),
    [(7, True, 900), (50, True, 900), (7, False, 53 * 60 + 300), (57, True, 480)],
)
def test_recent_hours_hold_until_the_next_one_or_a_quarter_of_an_hour_if_estimated(
    fake, time, make, *, minute, is_estimated, after_s
):
    time.now_s = NOON_S + minute * 60

    def tamper(payload):
        payload["history"][-1]["isEstimated"] = is_estimated
        return payload

    fake.tamper = tamper
    assert make().observed(Location(zone="FR"), ago(time, 3, 1)).valid_until_us == us_from_s(time.now_s + after_s)


def test_old_hours_hold_for_a_month_and_a_forecast_for_an_hour(time, make):
    old = make().observed(Location(zone="FR"), ago(time, 240, 239))
    assert old.valid_until_us == us_from_s(time.now_s + 30 * 86_400)
    assert make().forecast(Location(zone="FR")).valid_until_us == us_from_s(time.now_s + 3600)


def test_another_key_does_not_get_kept_answers(fake, time, make, tmp_path):
    cache = DiskCache(str(tmp_path / "cache.sqlite"), clock=time.clock)
    make(cache=cache).observed(Location(zone="FR"), ago(time, 3, 1))
    with pytest.raises(ProviderRejected):
        make("another-key-of-somebody", cache=cache).observed(Location(zone="FR"), ago(time, 3, 1))


# --- what a key may do -----------------------------------------------------------------------------------------------


def refusal(provider, where, span):
    with pytest.raises(ProviderRejected) as caught:
        provider.observed(where, span)
    assert caught.value.status == 401
    return str(caught.value)


def test_a_wrong_key_is_told_from_a_small_plan(fake, time, make):
    wrong = make("not-the-key-at-all")
    assert "not accepted at all" in refusal(wrong, Location(zone="FR"), ago(time, 2, 1))
    del fake.plan["PT"]
    fake.plan["DK-DK1"] = ["carbon-intensity/latest", "carbon-intensity/history"]
    right = make()
    assert "does not have the zone PT" in refusal(right, Location(zone="PT"), ago(time, 2, 1))
    message = refusal(right, Location(zone="DK-DK1"), ago(time, 80, 70))
    assert "does not have carbon-intensity/past-range for DK-DK1" in message
    assert "Request unauthorized for zoneKey" in refusal_detail(right, Location(zone="PT"), ago(time, 2, 1))


def refusal_detail(provider, where, span):
    with pytest.raises(ProviderRejected) as caught:
        provider.observed(where, span)
    return caught.value.detail


def test_the_zones_of_a_key_are_asked_for_once_a_day(fake, time, make):
    del fake.plan["PT"]
    provider = make()
    for _ in range(3):
        refusal(provider, Location(zone="PT"), ago(time, 2, 1))
    assert fake.count("/v3/zones") == 1
    time.pass_s(86_500)
    refusal(provider, Location(zone="PT"), ago(time, 2, 1))
    assert fake.count("/v3/zones") == 2


def test_a_refusal_that_the_plan_does_not_explain_is_said_to_be_one(fake, time, make):
    fake.fail_next(1, status=401, path=HISTORY)
    assert "and yet it was refused" in refusal(make(), Location(zone="FR"), ago(time, 2, 1))


def test_coordinates_outside_of_the_plan_are_refused_with_a_reason(fake, time, make):
    fake.plan = {"GB": ["*"], "DE": ["*"]}
    message = refusal(make(), PARIS, ago(time, 2, 1))
    assert "for this place (it has 2 zones)" in message


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_only_a_401_asks_for_the_zones(fake, time, make, status):
    fake.fail_next(3, status=status, path=HISTORY)
    with pytest.raises(ProviderRejected):
        make().observed(Location(zone="FR"), ago(time, 2, 1))
    assert fake.count("/v3/zones") == 0


def test_a_zone_without_recent_data_is_told_with_its_status(fake, time, make):
    fake.without_data = {"FR"}
    with pytest.raises(ProviderRejected, match="No recent data") as caught:
        make().observed(Location(zone="FR"), ago(time, 2, 1))
    assert caught.value.status == 404


def test_defect_10_a_failed_zones_call_is_skipped_and_tried_again(fake, time, make):
    del fake.plan["PT"]
    provider = make()
    fake.fail_next(3, status=500, path="/v3/zones")
    assert "cannot be told" in refusal(provider, Location(zone="PT"), ago(time, 2, 1))
    # Zone names go on working in the same process...
    time.pass_s(60)
    assert provider.observed(Location(zone="FR"), ago(time, 2, 1)).zone == "FR"
    # ... and the next refusal learns the reason.
    assert "does not have the zone PT" in refusal(provider, Location(zone="PT"), ago(time, 2, 1))


def test_a_plan_with_the_last_day_only_answers_with_that_and_says_so(fake, time, make):
    fake.plan = {"FR": ["carbon-intensity/latest", "carbon-intensity/history"]}
    provider = make()
    series = provider.observed(Location(zone="FR"), ago(time, 30, 0))
    assert series.note == "the plan of the key has the last 24 hours only"
    assert len(series.points) == 24
    provider.observed(Location(zone="FR"), ago(time, 30, 0))
    assert fake.count(RANGE) == 1
    assert provider.observed(Location(zone="FR"), ago(time, 2, 0)).note == ""
    assert "past-range" in refusal(provider, Location(zone="FR"), ago(time, 80, 70))


def test_no_more_calls_are_made_than_the_service_allows(fake, time, make):
    provider = make(longest_wait_s=0.5)
    fake.calls_per_min = 10_000
    for _ in range(50):
        provider.observed(Location(zone="FR"), ago(time, 2, 1))
    with pytest.raises(ProviderUnavailable, match="no more calls"):
        provider.observed(Location(zone="FR"), ago(time, 2, 1))
    assert fake.count() == 50


# --- defects of the original -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("01:00", "02:00", ["01"]),
        ("01:30", "02:00", ["01"]),
        ("01:30", "02:30", ["01", "02"]),
        ("01:30", "03:00", ["01", "02"]),
        ("02:00", "02:00", ["02"]),
        ("01:59", "01:59", ["01"]),
    ],
)
@pytest.mark.parametrize("day", ["2026-11-20", "2026-11-02"])
def test_defect_09_one_overlap_rule_loses_no_point(make, day, start, end, hours):
    span = TimeSpan(us_from_iso(f"{day}T{start}Z"), us_from_iso(f"{day}T{end}Z"))
    points = make().observed(Location(zone="FR"), span).points
    assert [iso_from_us(point.start_us)[11:13] for point in points] == hours


def test_defect_09_null_is_left_out_and_never_the_lowest_value(fake, time, make):
    fake.null_s = {int(NOON_S) - 3600}
    points = make().observed(Location(zone="FR"), ago(time, 3, 0)).points
    assert len(points) == 3
    assert min(point.intensity_g_per_kwh for point in points) > 0


@pytest.mark.parametrize("value", [41, 41.5])
def test_defect_09_whole_and_decimal_numbers_are_values(fake, time, make, value):
    def tamper(payload):
        payload["history"][-1]["carbonIntensity"] = value
        return payload

    fake.tamper = tamper
    assert make().observed(Location(zone="FR"), ago(time, 0, 0)).points[0].intensity_g_per_kwh == value


def test_defect_09_latitude_alone_is_not_sent(fake, time, make):
    make().observed(Location(latitude_deg=48.0, key="FR"), ago(time, 2, 1))
    assert fake.log[0].query[0] == ("zone", "FR")


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-03T00:00:00Z", 400),
        ("0001-01-01T00:00:00+14:00", "0001-01-03T00:00:00Z", 400),
        ("0001-01-10T00:00:00Z", "0001-01-11T00:00:00Z", 200),
    ],
)
def test_the_fake_answers_for_the_first_days_of_the_calendar(fake, start, end, status):
    question = {"zone": "FR", "start": start, "end": end}
    answer = requests.get(fake.url + RANGE, params=question, headers={fake.header: fake.token}, timeout=30)
    assert answer.status_code == status
