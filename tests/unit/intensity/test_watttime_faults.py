"""WattTime when it fails, lies or is late: requests counted at the fake, and never a wrong number."""

from __future__ import annotations

import os
import pickle
import threading

import pytest

from codecarbon.errors import ConfigError, IntensityError, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.model import Location
from codecarbon.transport import DiskCache
from tests.support.fakes.base import html_page
from tests.support.fakes.watttime import PASSWORD, value_lb_per_mwh
from tests.support.watttime_rig import NAMED, SAN_FRANCISCO, Rig, expected, found, span, us

HOUR = span("2026-11-20T09:00:00", "2026-11-20T10:00:00")
HISTORY, FORECAST, OLD = "/v3/historical", "/v3/forecast", "/v3/forecast/historical"


@pytest.fixture
def rig():
    with Rig() as rig:
        yield rig


@pytest.fixture
def provider(rig):
    return rig.provider()


CALLS = {
    HISTORY: lambda provider: provider.observed(NAMED, HOUR),
    FORECAST: lambda provider: provider.forecast(NAMED),
    OLD: lambda provider: provider.forecast_at(NAMED, us("2026-11-19T00:05:00+00:00")),
    "/v3/region-from-loc": lambda provider: provider.zone_of(SAN_FRANCISCO),
}
each_call = pytest.mark.parametrize("path", list(CALLS))


def html(status):
    return {"status": status, "body": html_page(status, "Forbidden").body, "content_type": "text/html"}


# --- credentials ---------------------------------------------------------------------------------------------------


@each_call
@pytest.mark.parametrize("status", [401, 403])
def test_case_57_a_token_that_ran_out_is_renewed_once_and_the_call_repeated_once(rig, provider, path, status):
    provider.forecast(Location(zone="PJM_DC"))
    rig.fake.log.clear()
    rig.fake.fail_next(1, path=path, **html(status))
    CALLS[path](provider)
    assert [entry.path for entry in rig.fake.log] == [path, "/login", path]
    tokens = {entry.headers["authorization"] for entry in rig.fake.seen(path)}
    assert len(tokens) == 2


@each_call
@pytest.mark.parametrize("status", [401, 403])
def test_case_57_a_second_refusal_is_passed_on(rig, provider, path, status):
    rig.fake.fail_next(9, path=path, **html(status))
    with pytest.raises(ProviderRejected) as caught:
        CALLS[path](provider)
    assert caught.value.status == status
    assert caught.value.detail.startswith(f"Error requesting {path[4:]}?")
    assert rig.fake.counts == {path: 2, "/login": 2}


def test_defect_12_a_token_is_renewed_before_it_runs_out(rig, provider):
    provider.forecast(NAMED)
    rig.time.pass_s(25 * 60 - 1)
    provider.forecast(NAMED)
    assert rig.fake.logins == 1
    rig.time.pass_s(1)
    provider.forecast(NAMED)
    assert rig.fake.logins == 2
    assert rig.fake.count() == 5, "no call was refused in between"


def test_a_token_that_the_service_forgot_is_renewed(rig, provider):
    provider.forecast(NAMED)
    rig.fake.expire_tokens()
    provider.forecast(NAMED)
    assert rig.fake.counts == {"/login": 2, FORECAST: 3}


@each_call
def test_a_plan_without_it_is_no_reason_to_log_in_again(rig, provider, path):
    body = {"error": "Invalid query parameters", "message": "Invalid scope. Not in your plan."}
    rig.fake.fail_next(1, status=403, body=body, path=path)
    with pytest.raises(ProviderRejected, match=r"plan of this account does not include it\..*Invalid scope") as caught:
        CALLS[path](provider)
    assert caught.value.status == 403
    assert rig.fake.counts == {path: 1, "/login": 1}


def test_the_fake_refuses_what_is_not_in_the_plan(rig, provider):
    rig.fake.plan = {"CAISO_NORTH"}
    provider.forecast(NAMED)
    with pytest.raises(ProviderRejected, match="does not include PJM_DC"):
        provider.forecast(Location(zone="PJM_DC"))
    assert rig.fake.logins == 1


@pytest.mark.parametrize("options", [{"password": "wrong-password"}, {"username": "nobody"}])
def test_a_wrong_password_is_said_and_not_tried_again_and_again(rig, options):
    provider = rig.provider(**options)
    for _ in range(3):
        with pytest.raises(ProviderRejected) as caught:
            provider.forecast(NAMED)
        assert caught.value.status == 403
        assert caught.value.detail == f"Login failed for user: '{options.get('username', 'ada')}'"
        assert "wrong-password" not in str(caught.value) + repr(caught.value.__dict__)
        assert caught.value.location == "named"
    assert rig.fake.counts == {"/login": 1}
    rig.time.pass_s(60)
    with pytest.raises(ProviderRejected):
        provider.forecast(NAMED)
    assert rig.fake.counts == {"/login": 2}


@pytest.mark.parametrize(
    "body", [{"token": ""}, {"token": None}, {"token": 5}, {}, [], {"token": "a\nb"}, {"token": "ä"}, b'{"token": "abc']
)
def test_a_login_without_a_token_is_no_login(rig, provider, body):
    rig.fake.send_next(1, body, path="/login")
    with pytest.raises(ProviderDataError):
        provider.forecast(NAMED)
    assert rig.fake.counts == {"/login": 1}


def test_a_login_that_fails_for_now_is_tried_again(rig, provider):
    rig.fake.fail_next(2, status=503, path="/login")
    provider.forecast(NAMED)
    assert rig.fake.counts == {"/login": 3, FORECAST: 1}


def test_threads_and_providers_share_one_token(rig):
    rig.fake.latency_s = 0.05
    providers = [rig.provider(), rig.provider(signal_type="co2_aoer")]
    barrier, series = threading.Barrier(8), []

    def ask(number):
        barrier.wait()
        series.append(providers[number % 2].forecast(NAMED))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(series) == 8
    assert rig.fake.counts == {"/login": 1, FORECAST: 8}


def test_threads_whose_token_ran_out_renew_it_once(rig, provider):
    provider.forecast(NAMED)
    rig.fake.expire_tokens()
    rig.fake.latency_s = 0.05
    barrier = threading.Barrier(6)

    def ask():
        barrier.wait()
        provider.forecast(NAMED)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rig.fake.logins == 2


def test_other_credentials_have_another_token(rig):
    rig.provider().forecast(NAMED)
    with pytest.raises(ProviderRejected):
        rig.provider(password="another").forecast(NAMED)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, in a process with threads
def test_a_forked_child_uses_the_token_and_its_own_connection(rig, provider):
    provider.forecast(NAMED)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if len(provider.forecast(NAMED).points) == 288 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    provider.forecast(NAMED)
    assert rig.fake.logins == 1
    connections = [entry.connection for entry in rig.fake.seen(FORECAST)]
    assert connections[0] == connections[2] != connections[1]


@pytest.mark.parametrize("fault", ["closed", "status", "half", "html"])
@pytest.mark.parametrize("path", ["/login", FORECAST])
def test_no_error_tells_the_password_or_the_token(rig, provider, path, fault, caplog):
    caplog.set_level("DEBUG")
    if fault == "closed":
        rig.fake.close_next(9, path=path)
    elif fault == "half":
        rig.fake.halve_next(9, path=path)
    elif fault == "html":
        rig.fake.html_next(9, path=path)
    else:
        sent = PASSWORD if path == "/login" else f"{PASSWORD} fake.jwt.token-number-0001"
        rig.fake.fail_next(9, status=500, body={"error": f"what is {sent}?"}, path=path)
    with pytest.raises(IntensityError) as caught:
        provider.forecast(NAMED)
    shown, error = caplog.text, caught.value
    while error is not None:
        shown += str(error) + repr(error) + repr(error.__dict__)
        error = error.__cause__ or error.__context__
    assert PASSWORD not in shown
    assert "number-0001" not in shown
    assert "YWRhOmwwdmVsYWNlLXNlY3JldA" not in shown
    assert pickle.loads(pickle.dumps(caught.value)).location == "named"


# --- no answer, error statuses -------------------------------------------------------------------------------------


@each_call
def test_a_time_out(rig, path):
    provider = rig.provider(timeout_s=(1.0, 0.1))
    provider.forecast(Location(zone="PJM_DC"))
    rig.fake.log.clear()
    rig.fake.latency_s = 10.0
    with pytest.raises(ProviderUnavailable, match="no data in time"):
        CALLS[path](provider)
    assert rig.fake.counts == {path: 3}


@each_call
def test_a_closed_connection(rig, provider, path):
    rig.fake.close_next(1, path=path)
    rig.fake.close_next(1, path=path, after_request=True)
    CALLS[path](provider)
    assert rig.fake.counts == {path: 3, "/login": 1}


@each_call
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_that_passes(rig, provider, path, status):
    rig.fake.fail_next(2, status=status, path=path)
    CALLS[path](provider)
    assert rig.fake.counts == {path: 3, "/login": 1}
    assert rig.time.naps_s == [1.0, 2.0]


@each_call
def test_case_64_a_server_error_that_stays(rig, provider, path):
    rig.fake.fail_next(9, status=500, body={"error": "DB", "message": "out of order"}, path=path)
    with pytest.raises(ProviderRejected, match="DB: out of order") as caught:
        CALLS[path](provider)
    assert caught.value.status == 500
    assert rig.fake.counts == {path: 3, "/login": 1}
    with pytest.raises(ProviderRejected, match="DB: out of order"):
        CALLS[path](provider)
    assert rig.fake.counts == {path: 3, "/login": 1}, "it is left alone for a while"


@each_call
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_429_with_retry_after_is_waited_for(rig, provider, path, form):
    text = "20" if form == "seconds" else rig.fake.retry_after_date(20)
    rig.fake.fail_next(1, status=429, headers={"Retry-After": text}, path=path)
    CALLS[path](provider)
    assert rig.fake.counts == {path: 2, "/login": 1}
    assert rig.time.naps_s == [20.0]


@each_call
def test_defect_14_a_429_is_passed_on_with_its_retry_after_and_its_text(rig, provider, path):
    rig.fake.fail_next(1, status=429, body={"error": "TOO_MANY"}, headers={"Retry-After": "120"}, path=path)
    with pytest.raises(ProviderRejected, match="TOO_MANY") as caught:
        CALLS[path](provider)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 120)
    assert rig.fake.counts == {path: 1, "/login": 1}
    assert rig.time.naps_s == []


@each_call
def test_a_429_without_retry_after_means_a_minute(rig, provider, path):
    rig.fake.fail_next(1, status=429, path=path)
    with pytest.raises(ProviderRejected) as caught:
        CALLS[path](provider)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 60)
    rig.time.pass_s(59)
    with pytest.raises(ProviderRejected) as later:
        CALLS[path](provider)
    assert (later.value.status, later.value.retry_after_s) == (429, pytest.approx(1, abs=0.01))
    rig.time.pass_s(2)
    CALLS[path](provider)
    assert rig.fake.counts == {path: 2, "/login": 1}


@pytest.mark.parametrize("path", [HISTORY, FORECAST, OLD])
@pytest.mark.parametrize("status", [400, 404])
def test_defect_14_other_refusals_are_passed_on_with_their_text(rig, provider, path, status):
    body = {"error": "MISSING_REGION", "message": "region is required", "docs": "https://docs"}
    rig.fake.fail_next(1, status=status, body=body, path=path)
    with pytest.raises(ProviderRejected) as caught:
        CALLS[path](provider)
    assert caught.value.status == status
    assert caught.value.detail.startswith(f"Error requesting {path[4:]}?region=CAISO_NORTH&")
    assert caught.value.detail.endswith(": MISSING_REGION: region is required")
    assert rig.fake.counts == {path: 1, "/login": 1}


def test_an_old_answer_stands_in_for_two_hours_and_says_so(rig, tmp_path):
    cache = DiskCache(str(tmp_path / "c.sqlite"), clock=rig.time.clock)
    provider = rig.provider(cache=cache)
    fresh = provider.forecast(NAMED)
    rig.fake.fail_next(99, status=503)
    rig.time.pass_s(330 + 7199)
    stale = rig.provider(cache=cache).forecast(NAMED)
    assert stale.is_stale
    assert stale.points == fresh.points
    rig.time.pass_s(1)
    with pytest.raises(IntensityError):
        rig.provider(cache=cache).forecast(NAMED)


def test_calls_keep_within_what_the_service_allows(rig, provider):
    bucket = provider._transport._rate
    assert bucket._capacity + bucket._per_s * 300 == 3000
    login_bucket = provider._transport._login._transport._rate
    assert login_bucket._capacity + login_bucket._per_s * 300 == 100


# --- answers that cannot be used -----------------------------------------------------------------------------------


@each_call
def test_half_an_answer(rig, provider, path):
    rig.fake.halve_next(1, path=path)
    with pytest.raises(ProviderDataError):
        CALLS[path](provider)


@each_call
def test_a_page_in_place_of_data(rig, provider, path):
    rig.fake.html_next(1, path=path)
    with pytest.raises(ProviderDataError, match="HTML"):
        CALLS[path](provider)
    assert rig.fake.counts == {path: 1, "/login": 1}


@each_call
def test_another_content_type(rig, provider, path):
    rig.fake.retype_next(1, "text/csv", path=path)
    with pytest.raises(ProviderDataError, match="text/csv"):
        CALLS[path](provider)


@each_call
@pytest.mark.parametrize("body", [b'{"data": [', b"", b"\xff\xfe", {"something": "else"}, [], None, 5, "text"])
def test_an_answer_of_another_shape(rig, provider, path, body):
    rig.fake.send_next(1, body, path=path)
    with pytest.raises(ProviderDataError) as caught:
        CALLS[path](provider)
    assert caught.value.provider == "watttime"


@each_call
def test_nothing_broken_is_kept(rig, tmp_path, path):
    provider = rig.provider(cache=DiskCache(str(tmp_path / "c.sqlite"), clock=rig.time.clock))
    rig.fake.send_next(1, {"data": [{"point_time": "x"}], "meta": {}}, path=path)
    with pytest.raises(ProviderDataError):
        CALLS[path](provider)
    CALLS[path](provider)
    assert rig.fake.count(path) == 2


@pytest.mark.parametrize("path", [HISTORY, FORECAST, OLD])
def test_an_answer_for_another_region(rig, provider, path):
    rig.fake.edits.meta = {"region": "PJM_DC"}
    with pytest.raises(ProviderDataError, match="asked for region CAISO_NORTH, and the answer is for PJM_DC"):
        CALLS[path](provider)


def test_a_region_of_another_signal(rig, provider):
    rig.fake.send_next(1, {"region": "CAISO", "signal_type": "co2_aoer"}, path="/v3/region-from-loc")
    with pytest.raises(ProviderDataError, match="co2_aoer"):
        provider.zone_of(SAN_FRANCISCO)


@pytest.mark.parametrize("path", [HISTORY, FORECAST, OLD])
@pytest.mark.parametrize("value", [True, "12", -1, -0.001, 6615.0, 1e300, 10**400, [], {}])
def test_a_value_beyond_belief(rig, provider, path, value):
    rig.fake.edits.points = lambda points: [*points[:-1], {**points[-1], "value": value}]
    with pytest.raises(ProviderDataError):
        CALLS[path](provider)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_a_value_that_is_no_number(rig, provider, text):
    body = f'{{"data": [{{"point_time": "2026-11-20T09:00:00Z", "value": {text}}}], "meta": {{}}}}'
    rig.fake.send_next(1, body.encode(), path=HISTORY)
    with pytest.raises(ProviderDataError):
        provider.observed(NAMED, HOUR)


def test_a_row_without_a_value_is_not_taken_for_null(rig, provider):
    rig.fake.edits.points = lambda points: [{"point_time": point["point_time"]} for point in points]
    with pytest.raises(ProviderDataError, match="value is missing"):
        provider.observed(NAMED, HOUR)


def test_null_is_no_data_and_never_zero(rig, provider):
    rig.fake.edits.null = lambda moment: moment % 600 == 0
    series = provider.observed(NAMED, HOUR)
    assert len(series.points) == 6
    assert found(series) == pytest.approx(expected(series))


def test_all_null_is_an_empty_series(rig, provider):
    rig.fake.edits.null = lambda _: True
    assert provider.observed(NAMED, HOUR).points == ()


def test_gaps_stay_gaps(rig, provider):
    gap = range(us("2026-11-20T09:10:00+00:00"), us("2026-11-20T09:30:00+00:00"), 1)
    rig.fake.edits.missing = lambda moment: int(moment * 1e6) in gap
    series = provider.observed(NAMED, HOUR)
    assert len(series.points) == 8
    assert found(series) == pytest.approx(expected(series))


@pytest.mark.parametrize("length_s", [301, 600, 3600])
def test_overlapping_points_are_refused(rig, provider, length_s):
    rig.fake.edits.points = lambda points: [{**point, "frequency": length_s} for point in points]
    for path in (HISTORY, FORECAST, OLD):
        with pytest.raises(ProviderDataError, match="overlap"):
            CALLS[path](provider)


@pytest.mark.parametrize("length_s", [0, -300, True, "300", 86_401, 1e300, 10**400])
def test_a_length_that_is_none_is_refused(rig, provider, length_s):
    rig.fake.edits.points = lambda points: [{**point, "frequency": length_s} for point in points]
    with pytest.raises(ProviderDataError, match="frequency"):
        provider.observed(NAMED, HOUR)


def test_a_point_that_comes_twice_counts_once(rig, provider):
    rig.fake.edits.points = lambda points: [*points, *points[:5]]
    series = provider.observed(NAMED, HOUR)
    assert len(series.points) == 12


def test_points_that_contradict_each_other_are_refused(rig, provider):
    rig.fake.edits.points = lambda points: [*points, {**points[3], "value": 1.0}]
    with pytest.raises(ProviderDataError, match="contradict"):
        provider.observed(NAMED, HOUR)


def test_points_in_falling_order_are_the_same(rig, provider):
    rising = provider.observed(NAMED, HOUR)
    rig.fake.edits.points = lambda points: points[::-1]
    assert provider.observed(NAMED, HOUR) == rising


def test_a_revision_between_two_parts_of_a_range_counts(rig, provider):
    asked = span("2026-09-01T00:00:00", "2026-10-15T00:00:00")
    at = "2026-09-30T22:00:00+00:00"  # where the parts meet, in both answers

    def revise(points):
        return [
            {**point, "value": 1.0} if point["point_time"] == at and points[0] is point else point for point in points
        ]

    rig.fake.edits.points = revise
    series = provider.observed(NAMED, asked)
    [point] = [point for point in series.points if point.start_us == us(at)]
    assert point.intensity_g_per_kwh == pytest.approx(0.45359237)
    assert len(series.points) == 44 * 288


@pytest.mark.parametrize(
    "meta", [{"generated_at": None}, {"generated_at": "soon"}, {"generated_at": 5}, {"generated_at": "2026-13-01"}]
)
def test_a_forecast_must_say_when_it_was_made(rig, provider, meta):
    rig.fake.edits.meta = meta
    with pytest.raises(ProviderDataError, match="generated_at"):
        provider.forecast(NAMED)


def test_a_forecast_must_tell_how_long_its_points_are(rig, provider):
    rig.fake.edits.meta = {"data_point_period_seconds": None}
    rig.fake.edits.points = lambda points: points[:1]
    with pytest.raises(ProviderDataError, match="how long"):
        provider.forecast(NAMED)


# --- clocks --------------------------------------------------------------------------------------------------------


def local(points):
    """The same times as a wall clock in California shows them: summer time ends on 1 November 2026 at 09:00 UTC."""
    from datetime import datetime, timedelta, timezone

    shown = []
    for point in points:
        moment = datetime.fromisoformat(point["point_time"])
        hours = -7 if moment < datetime(2026, 11, 1, 9, tzinfo=timezone.utc) else -8
        shown.append({**point, "point_time": moment.astimezone(timezone(timedelta(hours=hours))).isoformat()})
    return shown


def test_a_change_of_summer_time_neither_doubles_nor_loses_an_hour(rig, provider):
    rig.fake.edits.points = local
    series = provider.observed(NAMED, span("2026-11-01T07:00:00", "2026-11-01T11:00:00"))
    assert len(series.points) == 48
    assert found(series) == pytest.approx(expected(series))


@pytest.mark.parametrize("skew_s", [-3600, 3600])
def test_a_service_whose_clock_is_off(rig, provider, skew_s):
    rig.fake.skew_s = skew_s
    forecast = provider.forecast(NAMED)
    assert forecast.generated_us == us("2026-11-20T12:00:00+00:00") + skew_s * 1_000_000
    assert forecast.valid_until_us == us("2026-11-20T12:05:30+00:00"), "by the clock that will judge it"
    rig.time.pass_s(24 * 60)
    provider.forecast(NAMED)
    assert rig.fake.logins == 1


def test_what_has_not_begun_by_our_clock_is_not_observed(rig, provider):
    rig.fake.skew_s = 7200
    series = provider.observed(NAMED, span("2026-11-20T11:00:00", "2026-11-20T13:00:00"))
    assert series.points[-1].start_us == us("2026-11-20T12:00:00+00:00")


def test_a_wall_clock_that_jumps_does_not_keep_a_token_alive(rig):
    monotonic_s = [100.0]
    provider = rig.provider(monotonic=lambda: monotonic_s[0])
    provider.forecast(NAMED)
    rig.time.pass_s(-7200)
    monotonic_s[0] += 25 * 60
    provider.forecast(NAMED)
    assert rig.fake.logins == 2


def test_values_that_come_late_are_found_by_the_margin(rig, provider):
    rig.fake.edits.lag_s = 3600
    series = provider.observed(NAMED, span("2026-11-20T10:30:00", "2026-11-20T12:00:00"))
    assert series.points[-1].start_us == us("2026-11-20T11:00:00+00:00")


def test_the_fakes_values_are_what_its_formula_says():
    values = {value_lb_per_mwh("CAISO_NORTH", "co2_moer", 300 * step) for step in range(288)}
    assert min(values) == 630.0
    assert max(values) == 1170.0
    assert value_lb_per_mwh("CAISO", "co2_aoer", 0) == 450.0


def test_a_proxy_without_an_address_is_refused(rig):
    from codecarbon.transport import Proxy

    with pytest.raises(ConfigError, match="Proxy Url is not configured"):
        rig.provider(proxy=Proxy(use_proxy=True))
