"""WattTime when it works: what is asked, and what is made of the answers."""

from __future__ import annotations

import locale
import threading

import pytest

from codecarbon.errors import ConfigError, NoIntensityData, ProviderDataError
from codecarbon.intensity.registry import get_provider_class
from codecarbon.intensity.watttime import WattTime
from codecarbon.model import Location, TimeSpan
from codecarbon.transport import DiskCache
from tests.support.watttime_rig import NAMED, SAN_FRANCISCO, Rig, expected, found, span, us

DAY_US = 86_400_000_000
HOUR = span("2026-11-20T09:00:00", "2026-11-20T10:00:00")


@pytest.fixture
def rig():
    with Rig() as rig:
        yield rig


@pytest.fixture
def provider(rig):
    return rig.provider()


def starts(series):
    return [point.start_us for point in series.points]


def test_it_is_in_the_registry():
    assert get_provider_class("watttime") is WattTime
    assert WattTime.name == "watttime"
    assert WattTime.capabilities == {"observed", "forecast", "historical_forecast"}


def test_measured_points_come_in_grams(rig, provider):
    series = provider.observed(SAN_FRANCISCO, HOUR)
    assert len(series.points) == 12
    assert not any(point.is_estimated for point in series.points)
    assert found(series) == pytest.approx(expected(series))
    assert (series.zone, series.source, series.signal, series.note) == ("CAISO_NORTH", "watttime", "marginal", "")
    assert not series.is_stale
    assert not series.is_synthetic


def test_case_58_the_questions_are_exact(rig, provider):
    asked = span("2022-04-22T02:00:00", "2022-04-22T03:00:00")
    including_the_end = TimeSpan(asked.start_us, asked.end_us + 1)
    provider.observed(SAN_FRANCISCO, including_the_end)
    provider.observed(SAN_FRANCISCO, including_the_end)
    provider.forecast(SAN_FRANCISCO)
    times = "start=2022-04-22T00%3A00%3A00.0000000%2B00%3A00&end=2022-04-22T05%3A00%3A00.0000000%2B00%3A00"
    measured = f"/v3/historical?region=CAISO_NORTH&{times}&signal_type=co2_moer"
    assert [entry.target for entry in rig.fake.log] == [
        "/login",
        "/v3/region-from-loc?latitude=37.7749&longitude=-122.4194&signal_type=co2_moer",
        measured,
        measured,
        "/v3/forecast?region=CAISO_NORTH&signal_type=co2_moer",
    ]


def test_case_57_basic_at_login_and_bearer_after_it(rig, provider):
    provider.forecast(NAMED)
    provider.forecast(NAMED)
    assert [entry.headers["authorization"].split()[0] for entry in rig.fake.log] == ["Basic", "Bearer", "Bearer"]


@pytest.mark.parametrize(
    ("start", "end"),
    [("09:00:00", "10:05:00"), ("09:04:59", "10:00:01"), ("09:00:00.000001", "10:04:59"), ("09:01:00", "10:03:00")],
)
def test_questions_that_touch_the_same_slots_are_one_on_the_wire(rig, provider, start, end):
    provider.observed(NAMED, span(f"2026-11-20T{start}", f"2026-11-20T{end}"))
    query = dict(rig.fake.log[-1].query)
    assert query["start"] == "2026-11-20T07:00:00.0000000+00:00"
    assert query["end"] == "2026-11-20T12:00:00.0000000+00:00"


def test_an_instant_is_asked_for_with_the_same_margins(rig, provider):
    provider.observed(NAMED, TimeSpan(HOUR.start_us, HOUR.start_us))
    query = dict(rig.fake.log[-1].query)
    assert query["start"] == "2026-11-20T07:00:00.0000000+00:00"
    assert query["end"] == "2026-11-20T11:00:00.0000000+00:00"


def test_an_end_a_moment_later_includes_the_last_point(provider):
    series = provider.observed(NAMED, TimeSpan(HOUR.start_us, HOUR.end_us + 1))
    assert starts(series)[-1] == HOUR.end_us


def test_one_instant_gets_the_point_that_covers_it(provider):
    moment = us("2026-11-20T09:07:30+00:00")
    assert starts(provider.observed(NAMED, TimeSpan(moment, moment))) == [us("2026-11-20T09:05:00+00:00")]


def test_values_are_64_bit(rig, provider):
    rig.fake.edits.points = lambda points: [{**point, "value": 999.99} for point in points]
    for point in provider.observed(NAMED, HOUR).points:
        assert point.intensity_g_per_kwh == pytest.approx(453.58783407630006, rel=1e-15)  # 32-bit: 453.5878296…


def test_the_average_signal_is_named_average(rig):
    series = rig.provider(signal_type="co2_aoer").observed(SAN_FRANCISCO, HOUR)
    assert (series.signal, series.zone) == ("average", "CAISO")
    assert found(series) == pytest.approx(expected(series, "co2_aoer"))


@pytest.mark.parametrize("signal_type", ["health_damage", "co2", "CO2_MOER", ""])
def test_other_signals_are_refused(signal_type):
    with pytest.raises(ConfigError, match="co2_moer or co2_aoer"):
        WattTime("user", "password", signal_type=signal_type)


@pytest.mark.parametrize(("username", "password"), [("", "x"), (" ", "x"), ("x", ""), ("x", "  ")])
def test_a_credential_is_needed(username, password):
    with pytest.raises(ConfigError, match="required for WattTime"):
        WattTime(username, password)


@pytest.mark.parametrize(
    "url", ["https://api2.watttime.org/v2/", "https://api.watttime.org/v2", "https://api2.watttime.org"]
)
def test_version_2_is_told_apart(url):
    with pytest.raises(ConfigError, match="version 2 of the WattTime API was shut down"):
        WattTime("user", "password", base_url=url)
    with pytest.raises(ConfigError, match="version 2"):
        WattTime("user", "password", login_url=url)


def test_a_password_does_not_cross_a_network_in_the_clear():
    with pytest.raises(ConfigError, match="in the clear"):
        WattTime("user", "password", base_url="http://example.org/v3")


def test_defect_15_a_base_without_a_slash_still_finds_data_and_login(rig):
    rig.provider(base_url=f"{rig.fake.url}/v3", login_url=rig.fake.url).forecast(NAMED)
    assert rig.fake.counts == {"/login": 1, "/v3/forecast": 1}


def test_the_repr_tells_no_password(provider):
    assert "secret" not in repr(provider) + repr(provider._transport) + repr(provider._transport._login)


# --- regions -------------------------------------------------------------------------------------------------------


def test_a_region_is_asked_for_once_and_again_when_its_time_is_over(rig):
    provider = rig.provider(region_ttl_s=100)
    for _ in range(3):
        assert provider.zone_of(SAN_FRANCISCO) == "CAISO_NORTH"
    assert rig.fake.count("/v3/region-from-loc") == 1
    rig.time.pass_s(100)
    provider.zone_of(SAN_FRANCISCO)
    assert rig.fake.count("/v3/region-from-loc") == 2


def test_defect_12_a_region_ttl_of_0_means_no_cache(rig, tmp_path):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=rig.time.clock)
    provider = rig.provider(region_ttl_s=0, cache=cache)
    for _ in range(3):
        assert provider.zone_of(SAN_FRANCISCO) == "CAISO_NORTH"
    assert rig.fake.count("/v3/region-from-loc") == 3


@pytest.mark.parametrize("ttl_s", [-1, float("nan"), float("inf")])
def test_a_ttl_that_is_none_is_refused(ttl_s):
    with pytest.raises(ConfigError, match="RegionCacheTTL"):
        WattTime("user", "password", region_ttl_s=ttl_s)


def test_regions_are_kept_by_signal_and_shared_on_disk(rig, tmp_path):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=rig.time.clock)
    for _ in range(2):  # the second pair stands for another process
        assert rig.provider(cache=cache).zone_of(SAN_FRANCISCO) == "CAISO_NORTH"
        assert rig.provider(cache=cache, signal_type="co2_aoer").zone_of(SAN_FRANCISCO) == "CAISO"
    assert rig.fake.count("/v3/region-from-loc") == 2


def test_a_region_on_disk_does_not_outlive_a_shorter_ttl(rig, tmp_path):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=rig.time.clock)
    rig.provider(cache=cache).zone_of(SAN_FRANCISCO)
    rig.time.pass_s(100)
    rig.provider(cache=cache, region_ttl_s=99).zone_of(SAN_FRANCISCO)
    assert rig.fake.count("/v3/region-from-loc") == 2


def test_equal_questions_for_a_region_are_asked_once(rig, provider):
    rig.fake.latency_s = 0.05
    names, barrier = [], threading.Barrier(8)

    def ask():
        barrier.wait()
        names.append(provider.zone_of(SAN_FRANCISCO))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["CAISO_NORTH"] * 8
    assert rig.fake.counts == {"/login": 1, "/v3/region-from-loc": 1}


def test_a_place_without_coverage_is_asked_about_once_a_day(rig, provider):
    ocean = Location(key="ocean", latitude_deg=0.0, longitude_deg=0.0)
    for _ in range(3):
        with pytest.raises(NoIntensityData, match="ocean") as caught:
            provider.zone_of(ocean)
    assert caught.value.location == "ocean"
    assert rig.fake.count("/v3/region-from-loc") == 1
    rig.time.pass_s(86_400)
    with pytest.raises(NoIntensityData):
        provider.observed(ocean, HOUR)
    assert rig.fake.count("/v3/region-from-loc") == 2


def test_a_gateways_404_is_not_taken_for_missing_coverage(rig):
    provider = rig.provider(base_url=f"{rig.fake.url}/wrong/v3", login_url=rig.fake.url)
    for _ in range(2):
        with pytest.raises(Exception, match="404") as caught:
            provider.zone_of(SAN_FRANCISCO)
        assert caught.type.__name__ == "ProviderRejected"
    assert rig.fake.count("/wrong/v3/region-from-loc") == 2


@pytest.mark.parametrize(
    "where",
    [
        Location(key="a"),
        Location(key="a", latitude_deg=1.0),
        Location(key="a", longitude_deg=1.0),
        Location(key="a", latitude_deg=91.0, longitude_deg=1.0),
        Location(key="a", latitude_deg=float("nan"), longitude_deg=1.0),
        Location(key="a", country_iso_code="USA"),
    ],
)
def test_a_place_without_coordinates_has_no_region(rig, provider, where):
    with pytest.raises(NoIntensityData):
        provider.zone_of(where)
    assert rig.fake.count() == 0


@pytest.mark.parametrize(
    ("where", "zone"),
    [
        (NAMED, "CAISO_NORTH"),
        (Location(zone="PJM_DC"), "PJM_DC"),
        (Location(zone="PJM_DC", latitude_deg=37.7, longitude_deg=-122.4), "PJM_DC"),
    ],
)
def test_a_region_that_was_named_is_not_asked_for(rig, provider, where, zone):
    assert provider.zone_of(where) == zone
    assert rig.fake.count() == 0


@pytest.mark.parametrize(
    ("degrees", "text"),
    [(37.783, "37.783"), (37.0, "37"), (-0.00001, "-0.00001"), (12.345678901234, "12.345678901234"), (0.1, "0.1")],
)
def test_case_65_coordinates_have_all_their_digits_and_a_point(rig, provider, degrees, text):
    with pytest.raises(NoIntensityData):
        provider.zone_of(Location(latitude_deg=degrees - degrees, longitude_deg=degrees))
    assert dict(rig.fake.log[-1].query)["longitude"] == text


def test_case_65_in_a_locale_with_decimal_commas(rig, provider):
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    try:
        provider.zone_of(SAN_FRANCISCO)
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
    assert rig.fake.log[-1].target.startswith("/v3/region-from-loc?latitude=37.7749&longitude=-122.4194&")


# --- measured values -----------------------------------------------------------------------------------------------


def test_long_ranges_are_asked_for_in_parts_of_30_days(rig, provider):
    asked = span("2026-08-01T00:00:00", "2026-10-15T00:00:00")
    series = provider.observed(NAMED, asked)
    questions = [dict(entry.query) for entry in rig.fake.seen("/v3/historical")]
    assert [(item["start"][:13], item["end"][:13]) for item in questions] == [
        ("2026-07-31T22", "2026-08-30T22"),
        ("2026-08-30T22", "2026-09-29T22"),
        ("2026-09-29T22", "2026-10-15T01"),
    ]
    assert len(series.points) == 75 * 288
    assert starts(series) == list(range(asked.start_us, asked.end_us, 300_000_000))


def test_what_has_not_come_yet_is_not_asked_for(rig, provider):
    series = provider.observed(NAMED, span("2027-03-01T00:00:00", "2029-03-01T00:00:00"))
    assert series.points == ()
    assert series.valid_until_us == us("2026-11-20T12:05:30+00:00")
    provider.observed(NAMED, span("2026-11-20T11:00:00", "2029-03-01T00:00:00"))
    assert rig.fake.count("/v3/historical") == 1


def test_points_longer_than_the_margin_are_not_lost(rig, provider):
    def half_days(points):
        every = [point for point in points if point["point_time"][11:16] in ("00:00", "12:00")]
        return [{**point, "frequency": 43_200} for point in every]

    rig.fake.edits.points = half_days
    series = provider.observed(NAMED, span("2026-11-10T10:00:00", "2026-11-10T13:00:00"))
    assert starts(series) == [us("2026-11-10T00:00:00+00:00"), us("2026-11-10T12:00:00+00:00")]
    assert {point.duration_us for point in series.points} == {DAY_US // 2}


def test_nothing_measured_is_an_empty_series(rig, provider):
    rig.fake.edits.missing = lambda _: True
    series = provider.observed(NAMED, HOUR)
    assert series.points == ()
    assert series.zone == "CAISO_NORTH"


@pytest.mark.parametrize(
    ("asked", "valid_until"),
    [
        (HOUR, "2026-11-20T12:05:30+00:00"),
        (span("2026-11-01T00:00:00", "2026-11-02T00:00:00"), "2026-11-27T12:00:00+00:00"),
    ],
)
def test_an_answer_says_until_when_it_holds(provider, asked, valid_until):
    assert provider.observed(NAMED, asked).valid_until_us == us(valid_until)


def test_answers_are_shared_on_disk_until_then(rig, tmp_path):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=rig.time.clock)
    for _ in range(2):
        rig.provider(cache=cache).observed(NAMED, HOUR)
        rig.provider(cache=cache).forecast(NAMED)
    assert (rig.fake.count("/v3/historical"), rig.fake.count("/v3/forecast")) == (1, 1)
    rig.time.pass_s(331)
    rig.provider(cache=cache).observed(NAMED, HOUR)
    assert rig.fake.count("/v3/historical") == 2


# --- forecasts -----------------------------------------------------------------------------------------------------


def test_the_newest_forecast(rig, provider):
    rig.time.pass_s(100)
    series = provider.forecast(SAN_FRANCISCO)
    assert len(series.points) == 288
    assert found(series) == pytest.approx(expected(series))
    assert all(point.is_estimated for point in series.points)
    assert series.generated_us == us("2026-11-20T12:00:00+00:00")
    assert series.valid_until_us == us("2026-11-20T12:05:30+00:00")


@pytest.mark.parametrize(
    ("requested", "slot"),
    [("00:07:00", "00:05:00"), ("00:03:20", "00:00:00"), ("00:00:00", "00:00:00"), ("00:04:59.999999", "00:00:00")],
)
def test_case_60_a_forecast_of_the_past_is_asked_for_by_its_slot(rig, provider, requested, slot):
    series = provider.forecast_at(NAMED, us(f"2026-11-19T{requested}+00:00"))
    moment = f"2026-11-19T{slot}.0000000+00:00"
    assert rig.fake.log[-1].query == (
        ("region", "CAISO_NORTH"), ("start", moment), ("end", moment), ("signal_type", "co2_moer")
    )  # fmt: skip
    assert series.generated_us == us(f"2026-11-19T{slot}+00:00")
    assert starts(series)[0] == series.generated_us
    assert found(series) == pytest.approx(expected(series))


def test_defect_11_without_a_forecast_in_the_slot_the_latest_before_it_counts(rig, provider):
    missing = {us(f"2026-11-19T00:{minute}:00+00:00") / 1e6 for minute in (25, 30)}
    rig.fake.empty_slots = missing.__contains__
    series = provider.forecast_at(NAMED, us("2026-11-19T00:33:00+00:00"), look_back_us=3_600_000_000)
    assert series.generated_us == us("2026-11-19T00:20:00+00:00")
    _, second = rig.fake.seen("/v3/forecast/historical")
    assert dict(second.query)["start"] == "2026-11-18T23:30:00.0000000+00:00"
    assert dict(second.query)["end"] == "2026-11-19T00:25:00.0000000+00:00"


def test_defect_11_no_forecast_within_the_time_is_said(rig, provider):
    rig.fake.empty_slots = lambda _: True
    with pytest.raises(NoIntensityData, match="no forecast"):
        provider.forecast_at(NAMED, us("2026-11-19T00:33:00+00:00"), look_back_us=3_600_000_000)
    assert rig.fake.count("/v3/forecast/historical") == 2


def test_without_looking_back_the_slot_alone_counts(rig, provider):
    rig.fake.empty_slots = {us("2026-11-19T00:30:00+00:00") / 1e6}.__contains__
    with pytest.raises(NoIntensityData):
        provider.forecast_at(NAMED, us("2026-11-19T00:33:00+00:00"))
    assert rig.fake.count("/v3/forecast/historical") == 1


def test_looking_back_far_is_asked_for_day_by_day(rig, provider):
    rig.fake.empty_slots = lambda issued_s: issued_s > us("2026-11-15T18:00:00+00:00") / 1e6
    series = provider.forecast_at(NAMED, us("2026-11-19T00:00:00+00:00"), look_back_us=5 * DAY_US)
    assert series.generated_us == us("2026-11-15T18:00:00+00:00")
    assert rig.fake.count("/v3/forecast/historical") == 5
    assert all(entry.path for entry in rig.fake.log)


def test_an_empty_forecast_of_the_past_is_passed_over(rig, provider):
    def empty_at_half(points):
        return [] if points and points[0]["point_time"].startswith("2026-11-19T00:30") else points

    rig.fake.edits.points = empty_at_half
    series = provider.forecast_at(NAMED, us("2026-11-19T00:30:00+00:00"), look_back_us=3_600_000_000)
    assert series.generated_us == us("2026-11-19T00:25:00+00:00")


def test_a_forecast_made_after_the_moment_does_not_count(rig, provider):
    answer = {
        "data": [{"generated_at": "2026-11-19T00:33:30+00:00", "forecast": []}],
        "meta": {"region": "CAISO_NORTH"},
    }
    answer["data"][0]["forecast"] = [
        {"point_time": f"2026-11-19T00:{minute}:00Z", "value": 1.0} for minute in (35, 40, 45)
    ]
    rig.fake.send_next(1, answer, path="/v3/forecast/historical")
    with pytest.raises(NoIntensityData):
        provider.forecast_at(NAMED, us("2026-11-19T00:33:00+00:00"))


def test_an_empty_forecast_is_said(rig, provider):
    rig.fake.edits.missing = lambda _: True
    with pytest.raises(NoIntensityData, match="empty"):
        provider.forecast(NAMED)


# --- lengths, units ------------------------------------------------------------------------------------------------


def history(values, **meta):
    """An answer with points five minutes apart; a value may be a whole row."""
    rows = [value if isinstance(value, dict) else {"value": value} for value in values]
    data = [{"point_time": f"2026-11-20T09:{5 * at:02d}:00+00:00", **row} for at, row in enumerate(rows)]
    return {"data": data, "meta": {"region": "CAISO_NORTH", "signal_type": "co2_moer", **meta}}


def read(rig, provider, answer):
    rig.fake.send_next(1, answer, path="/v3/historical")
    return provider.observed(NAMED, HOUR)


def lengths_s(series):
    return [point.duration_us / 1e6 for point in series.points]


def test_case_59_value_10(rig, provider):
    series = read(rig, provider, history([10, 10], units="lbs_co2_per_mwh"))
    assert [point.intensity_g_per_kwh for point in series.points] == pytest.approx([4.5359237] * 2)


def test_case_59_frequency_null_on_some_points(rig, provider):
    rows = [{"value": 1, "frequency": None}, {"value": 2, "frequency": 300}, {"value": 3}]
    assert lengths_s(read(rig, provider, history(rows))) == [300, 300, 300]


def test_case_59_one_point_of_unknown_length_matches_nothing_at_its_instant(rig, provider):
    rig.fake.send_next(2, history([10]), path="/v3/historical")
    assert provider.observed(NAMED, TimeSpan(HOUR.start_us, HOUR.start_us)).points == ()


def test_defect_12_the_period_in_meta_is_read(rig, provider):
    assert lengths_s(read(rig, provider, history([10], data_point_period_seconds=300))) == [300]


def test_frequency_wins_over_the_period_in_meta(rig, provider):
    series = read(rig, provider, history([{"value": 1, "frequency": 60}], data_point_period_seconds=300))
    assert lengths_s(series) == [60]


def test_a_gap_behind_the_first_point_does_not_make_points_longer(rig, provider):
    answer = history([1, 2, 3, 4])
    del answer["data"][1]
    assert lengths_s(read(rig, provider, answer)) == [300, 300, 300]


def test_an_answer_without_a_unit_says_so(rig, provider):
    series = read(rig, provider, history([10, 20]))
    assert "lb/MWh" in series.note
    assert provider.observed(NAMED, HOUR).note == ""


@pytest.mark.parametrize("unit", ["usd_per_mwh", "g_co2_per_kwh", "LBS", 5])
def test_an_unknown_unit_is_refused(rig, provider, unit):
    with pytest.raises(ProviderDataError, match="unit"):
        read(rig, provider, history([10, 20], units=unit))


def test_health_damage_in_an_answer_is_refused(rig, provider):
    with pytest.raises(ProviderDataError, match="health_damage"):
        read(rig, provider, history([10, 20], signal_type="health_damage"))
