"""What every live source of carbon intensity keeps to: a right number, or an error that says why; never a wrong one."""

from __future__ import annotations

import contextlib
import logging
import math
import pickle
import threading

import pytest

from codecarbon.errors import (
    CapabilityError,
    IntensityError,
    NoIntensityData,
    ProviderDataError,
    ProviderRejected,
    ProviderUnavailable,
)
from codecarbon.model import Location, TimeSpan
from codecarbon.transport import DiskCache
from codecarbon.units import US_PER_HOUR, US_PER_MIN, US_PER_S, us_from_iso, us_from_s
from tests.support.fakes.clock import NOON_S, FakeTime
from tests.support.provider_cases import CASES, start_s, tampering

# Seven minutes into an hour, a half hour and a quarter, two into five minutes.
NOW_S = NOON_S + 7 * 60.0
DAY_US = 24 * US_PER_HOUR


class Rig:
    """A provider, the fake of its service, and a clock."""

    def __init__(self, case, folder, *, now_s=NOW_S):
        self.case = case
        self.time = FakeTime(now_s)
        self.fake = tampering(case.fake)(clock=self.time.clock)
        self.path = case.data_path
        self.cache_path = str(folder / "cache.sqlite")

    @property
    def now_us(self):
        return us_from_s(self.time.now_s)

    @property
    def span(self):
        """Begins and ends inside points, and every source has data for it."""
        if self.case.is_latest_only:
            return TimeSpan(self.now_us - 60 * US_PER_S, self.now_us)
        return TimeSpan(self.now_us - 97 * US_PER_MIN, self.now_us - 31 * US_PER_MIN)

    def make(self, **options):
        return self.case.make(self.fake, self.time, cache=self.new_cache(), **options)

    def new_cache(self):
        return DiskCache(self.cache_path, clock=self.time.clock)

    def ask(self, provider=None, span=None):
        return (provider or self.make()).observed(self.case.place, span or self.span)

    def check(self, series, span):
        """Every point is one that the service has, lies in the span, and is in its order."""
        case = self.case
        assert series.source == case.name
        assert series.signal == case.signal
        assert series.basis == case.basis
        assert not series.is_synthetic
        for point in series.points:
            assert type(point.intensity_g_per_kwh) is float
            assert point.intensity_g_per_kwh == pytest.approx(case.observed(self.fake, point), rel=1e-6)
            assert point.duration_us == case.step_s * US_PER_S
            assert span.overlaps(point.start_us, point.end_us)
            assert point.start_us <= self.now_us
        starts = [point.start_us for point in series.points]
        assert starts == sorted(set(starts))


def label(case):
    return f"{case.name} {case.place.key or case.place.zone or case.place.label}"


@pytest.fixture(params=CASES, ids=label)
def rig(request, tmp_path):
    rig = Rig(request.param, tmp_path)
    with rig.fake:
        yield rig


def only(choose):
    """Run a test for the cases that it is about."""
    return pytest.mark.parametrize("rig", [case for case in CASES if choose(case)], indirect=True, ids=label)


with_rows = only(lambda case: not case.is_latest_only)


def wanted_starts_s(rig, span):
    step_s = rig.case.step_s
    first_s = span.start_us // US_PER_S // step_s * step_s
    return list(range(first_s, math.ceil(span.end_us / US_PER_S), step_s))


# --- right numbers ---------------------------------------------------------------------------------------------------


def test_it_says_what_it_is(rig):
    provider = rig.make()
    assert provider.name == rig.case.name
    assert provider.signal == rig.case.signal
    assert provider.capabilities <= {"observed", "forecast", "historical_forecast"}
    assert "observed" in provider.capabilities
    assert ("forecast" in provider.capabilities) == (rig.case.expected is not None)


def test_a_span_gets_every_point_that_overlaps_it_uncut(rig):
    series = rig.ask()
    rig.check(series, rig.span)
    assert [start_s(point) for point in series.points] == wanted_starts_s(rig, rig.span)
    assert series.zone == rig.make().zone_of(rig.case.place)
    assert series.valid_until_us > rig.now_us
    assert not series.is_stale


def test_an_instant_gets_the_point_that_covers_it(rig):
    moment_us = rig.span.start_us
    series = rig.ask(span=TimeSpan(moment_us, moment_us))
    assert len(series.points) == 1
    assert series.points[0].start_us <= moment_us < series.points[0].end_us
    rig.check(series, TimeSpan(moment_us, moment_us))


def test_a_point_that_ends_where_a_span_begins_is_left_out(rig):
    first = rig.ask().points[0]
    rig.time.pass_s(130)
    series = rig.ask(span=TimeSpan(first.end_us, first.end_us + 1))
    assert first not in series.points


def test_what_has_not_begun_is_not_observed(rig):
    span = TimeSpan(rig.now_us + US_PER_HOUR, rig.now_us + 3 * US_PER_HOUR)
    assert rig.ask(span=span).points == ()


def test_a_span_into_the_future_ends_with_the_present_point(rig):
    span = TimeSpan(rig.span.start_us, rig.now_us + 3 * US_PER_HOUR)
    series = rig.ask(span=span)
    rig.check(series, span)
    assert series.points[-1].start_us <= rig.now_us < series.points[-1].end_us


@with_rows
def test_a_long_span_is_complete(rig):
    span = TimeSpan(rig.now_us - 33 * DAY_US, rig.now_us - DAY_US)
    series = rig.ask(span=span)
    rig.check(series, span)
    assert [start_s(point) for point in series.points] == wanted_starts_s(rig, span)


@with_rows
@pytest.mark.parametrize("change", ["2026-10-25T01:00Z", "2027-03-28T01:00Z"])
def test_a_change_of_daylight_saving_time_loses_and_repeats_nothing(rig, change):
    change_us = us_from_iso(change)
    rig.time.now_s = change_us / US_PER_S + 4 * 3600
    span = TimeSpan(change_us - 3 * US_PER_HOUR, change_us + 3 * US_PER_HOUR)
    series = rig.ask(span=span)
    rig.check(series, span)
    assert [start_s(point) for point in series.points] == wanted_starts_s(rig, span)


def test_a_forecast_says_when_it_was_made_and_covers_what_comes(rig):
    if rig.case.expected is None:
        with pytest.raises(CapabilityError) as caught:
            rig.make().forecast(rig.case.place)
        assert caught.value.capability == "forecast"
        return
    series = rig.make().forecast(rig.case.place)
    assert series.generated_us <= rig.now_us
    assert bool(series.note) or rig.case.tells_issue
    assert series.points[0].start_us <= rig.now_us < series.points[0].end_us
    assert series.points[-1].end_us >= rig.now_us + 11 * US_PER_HOUR
    for point, after in zip(series.points, series.points[1:], strict=False):
        assert point.end_us == after.start_us
    for point in series.points:
        assert point.intensity_g_per_kwh == pytest.approx(rig.case.expected(rig.fake, point), rel=1e-6)


@only(lambda case: not case.has_old_forecasts)
def test_a_forecast_of_the_past_is_refused_by_who_has_none(rig):
    provider = rig.make()
    with pytest.raises(CapabilityError) as caught:
        provider.forecast_at(rig.case.place, rig.now_us - DAY_US, look_back_us=US_PER_HOUR)
    assert caught.value.capability == "historical_forecast"
    assert rig.fake.count() == 0


def test_a_place_outside_is_refused_without_a_call(rig):
    with pytest.raises(NoIntensityData) as caught:
        rig.make().observed(rig.case.outside, rig.span)
    assert caught.value.provider == rig.case.name
    assert rig.fake.count() == 0


@pytest.mark.parametrize("ending", ["", "/"])
def test_defect_15_a_base_address_needs_no_slash_at_its_end(rig, ending):
    rig.check(rig.ask(rig.make(ending=ending)), rig.span)


# --- what is not there, and what cannot be ---------------------------------------------------------------------------


def middle_s(rig):
    starts_s = wanted_starts_s(rig, rig.span)
    return starts_s[len(starts_s) // 2]


@with_rows
@pytest.mark.parametrize("hole", ["null_s", "missing_s"])
def test_a_hole_stays_a_hole(rig, hole):
    whole = wanted_starts_s(rig, rig.span)
    setattr(rig.fake, hole, {middle_s(rig)})
    series = rig.ask()
    rig.check(series, rig.span)
    assert [start_s(point) for point in series.points] == [at for at in whole if at != middle_s(rig)]


def test_all_null_is_an_empty_series(rig):
    rig.fake.null_s = set(range(int(NOW_S) - 3 * 86_400, int(NOW_S) + 3 * 86_400))
    rig.fake.null_s = {at for at in rig.fake.null_s if at % 300 == 0}
    assert rig.ask().points == ()


BAD_VALUES = [True, False, "148", "", [], {}, -0.1, -1, 1e5, 1e300]


@pytest.mark.parametrize("value", BAD_VALUES, ids=repr)
def test_a_value_beyond_belief_is_an_error(rig, value):
    rig.fake.tamper = lambda payload: rig.case.rows.set_value(payload, value)
    with pytest.raises(ProviderDataError) as caught:
        rig.ask()
    assert rig.case.name in str(caught.value)


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_json_does_not_know_is_an_error(rig, text):
    def tamper(payload):
        import json

        return json.dumps(rig.case.rows.set_value(payload, -77.5)).encode().replace(b"-77.5", text)

    rig.fake.tamper = tamper
    with pytest.raises(ProviderDataError):
        rig.ask()


@pytest.mark.parametrize("value", [0, 0.0, 3000, 12.75, 12])
def test_a_whole_number_a_decimal_one_and_zero_are_values(rig, value):
    span = TimeSpan(rig.span.start_us, rig.now_us)
    rig.fake.tamper = lambda payload: rig.case.rows.set_value(payload, value)
    rig.ask(span=span)


def test_a_row_without_its_value_is_an_error(rig):
    rig.fake.tamper = rig.case.rows.drop_value
    with pytest.raises(ProviderDataError):
        rig.ask()


@pytest.mark.parametrize("value", [None, "soon", True, 1.5, "2026-13-01T00:00:00Z", []], ids=repr)
def test_a_time_that_is_none_is_an_error(rig, value):
    rig.fake.tamper = lambda payload: rig.case.rows.set_time(payload, value)
    with pytest.raises(ProviderDataError):
        rig.ask()


@with_rows
def test_points_that_overlap_are_an_error(rig):
    rig.fake.tamper = lambda payload: rig.case.rows.overlap(payload, rig.case.step_s / 2)
    with pytest.raises(ProviderDataError):
        rig.ask()


@with_rows
def test_points_that_contradict_each_other_are_an_error(rig):
    rig.fake.tamper = rig.case.rows.contradict
    with pytest.raises(ProviderDataError):
        rig.ask()


@with_rows
@pytest.mark.parametrize("harmless", ["repeat", "reverse"])
def test_neither_order_nor_repetition_changes_the_answer(rig, harmless):
    whole = rig.ask().points
    rig.time.pass_s(7200)
    rig.fake.tamper = getattr(rig.case.rows, harmless)
    span = TimeSpan(rig.span.start_us - 2 * US_PER_HOUR, rig.span.end_us - 2 * US_PER_HOUR)
    again = rig.ask(span=span).points
    assert [point[:2] for point in again] == [point[:2] for point in whole]
    rig.check(rig.ask(span=span), span)


@only(lambda case: case.elsewhere is not None)  # the others' answers do not name a zone
def test_an_answer_for_another_zone_is_an_error(rig):
    rig.fake.tamper = rig.case.elsewhere
    with pytest.raises(ProviderDataError) as caught:
        rig.ask()
    assert "asked for" in str(caught.value)


@pytest.mark.parametrize("payload", [None, [], {}, "text", 7, [[]], {"data": {}}, {"data": "x"}, {"records": None}])
def test_an_answer_of_another_shape_is_an_error(rig, payload):
    rig.fake.tamper = lambda _: payload
    with pytest.raises(ProviderDataError):
        rig.ask()


# --- faults of the service and of the way to it ----------------------------------------------------------------------


FAULTS = {
    "reset": (lambda fake, path: fake.close_next(3, path=path), ProviderUnavailable),
    "closed": (lambda fake, path: fake.close_next(3, after_request=True, path=path), ProviderUnavailable),
    "half": (lambda fake, path: fake.halve_next(3, path=path), (ProviderDataError, ProviderUnavailable)),
    "page": (lambda fake, path: fake.html_next(3, path=path), ProviderDataError),
    "text": (lambda fake, path: fake.retype_next(3, "text/plain", path=path), ProviderDataError),
    "broken": (lambda fake, path: fake.send_next(3, b'{"data": [', path=path), ProviderDataError),
    "empty": (lambda fake, path: fake.send_next(3, b"", path=path), ProviderDataError),
}
STATUSES = [400, 401, 403, 404, 422, 429, 500, 502, 503, 504]


def check_it_passes(rig, provider, error):
    """The error survives a process boundary, and the fault leaves nothing behind."""
    assert pickle.loads(pickle.dumps(error)).args == error.args
    rig.fake._faults.clear()
    rig.time.pass_s(24 * 3600)
    rig.check(rig.ask(provider), rig.span)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_an_error_and_passes(rig, kind):
    provider = rig.make()
    cause, error = FAULTS[kind]
    cause(rig.fake, rig.path)
    with pytest.raises(error) as caught:
        rig.ask(provider)
    check_it_passes(rig, provider, caught.value)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_passed_on_with_what_the_service_said(rig, status):
    provider = rig.make()
    rig.fake.fail_next(3, status=status, body={"error": "told so"}, path=rig.path)
    with pytest.raises(ProviderRejected) as caught:
        rig.ask(provider)
    assert caught.value.status == status
    assert "told so" in caught.value.detail
    assert (caught.value.provider, caught.value.location) == (rig.case.name, rig.case.place.label)
    check_it_passes(rig, provider, caught.value)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("is_date", [False, True])
def test_defect_14_when_to_come_back_and_what_was_said_is_passed_on(rig, status, is_date):
    provider = rig.make()
    wait = rig.fake.retry_after_date(300) if is_date else "300"
    rig.fake.fail_next(3, status=status, headers={"Retry-After": wait}, body={"message": "slow down"}, path=rig.path)
    with pytest.raises(ProviderRejected) as caught:
        rig.ask(provider)
    assert caught.value.status == status
    assert caught.value.retry_after_s == pytest.approx(300, abs=1)
    assert "slow down" in caught.value.detail
    assert rig.fake.count(rig.path) == 1
    # The service is left alone until then.
    rig.time.pass_s(200)
    with pytest.raises(ProviderRejected) as later:
        rig.ask(provider)
    assert (later.value.status, later.value.detail) == (status, caught.value.detail)
    assert later.value.retry_after_s == pytest.approx(100, abs=1)
    assert rig.fake.count(rig.path) == 1
    check_it_passes(rig, provider, caught.value)


def test_a_service_that_does_not_answer_in_time_is_unavailable(rig):
    provider = rig.make(timeout_s=(0.2, 0.2), tries=1)
    rig.fake.latency_s = 5.0
    with pytest.raises(ProviderUnavailable):
        rig.ask(provider)
    assert rig.time.naps_s == []


def test_a_service_that_is_gone_is_unavailable(rig):
    provider = rig.make(tries=1)
    rig.fake.stop()
    with pytest.raises(ProviderUnavailable):
        rig.ask(provider)


@only(lambda case: case.has_retries)
def test_one_bad_try_is_forgiven(rig):
    rig.fake.fail_next(1, status=503, path=rig.path)
    rig.check(rig.ask(), rig.span)


@pytest.mark.parametrize("skew_s", [-86_400, -5400, -1, 1, 5400, 86_400])
def test_a_clock_that_is_wrong_on_either_side_yields_no_wrong_number(rig, skew_s):
    rig.fake.skew_s = skew_s
    with contextlib.suppress(IntensityError):
        rig.check(rig.ask(), rig.span)


@with_rows
def test_a_service_whose_clock_is_ahead_does_not_observe_the_future(rig):
    rig.time.now_s = NOON_S + 58 * 60
    rig.fake.skew_s = 3600
    span = TimeSpan(rig.now_us - 30 * US_PER_MIN, rig.now_us + 4 * US_PER_MIN)
    series = rig.ask(span=span)
    rig.check(series, span)
    assert series.points


def test_secrets_appear_nowhere(rig, caplog):
    caplog.set_level(logging.DEBUG)
    repeated = rig.case.repeated(rig.fake)
    provider = rig.make()
    texts = [repr(provider)]
    for kind in ("401", "500", "broken", "closed"):
        if kind in FAULTS:
            FAULTS[kind][0](rig.fake, rig.path)
        else:
            rig.fake.fail_next(3, status=int(kind), body={"error": f"no good: {repeated}"}, path=rig.path)
        with pytest.raises(IntensityError) as caught:
            rig.ask(provider)
        texts += [str(caught.value), repr(caught.value.args), repr(caught.value.__cause__)]
        rig.fake._faults.clear()
        rig.time.pass_s(8000)
    texts += [entry.target for entry in rig.fake.log]
    for secret in rig.case.secrets(rig.fake):
        assert not any(secret in text for text in [*texts, caplog.text])


# --- answers that are kept -------------------------------------------------------------------------------------------


def test_an_equal_question_is_asked_once_by_all_processes(rig):
    first = rig.ask()
    calls = rig.fake.count()
    assert rig.ask() == first
    assert rig.fake.count() == calls


def test_what_has_run_out_is_asked_for_again(rig):
    series = rig.ask()
    calls, span = rig.fake.count(), rig.span
    rig.time.now_s = series.valid_until_us / US_PER_S
    rig.ask(span=span)
    assert rig.fake.count() > calls


def test_an_answer_that_has_run_out_stands_in_for_two_hours_and_says_so(rig):
    series, span = rig.ask(), rig.span
    rig.fake.fail_next(99, status=503, path=rig.path)
    rig.time.now_s = series.valid_until_us / US_PER_S + 7000
    stale = rig.ask(span=span)
    assert stale.points == series.points
    assert stale.is_stale
    rig.time.pass_s(4000)
    with pytest.raises(IntensityError):
        rig.ask(span=span)


def test_a_refusal_is_not_covered_up_by_an_old_answer(rig):
    series, span = rig.ask(), rig.span
    rig.time.now_s = series.valid_until_us / US_PER_S + 60
    rig.fake.fail_next(9, status=403, path=rig.path)
    with pytest.raises(ProviderRejected):
        rig.ask(span=span)


def test_a_bad_answer_is_not_kept(rig):
    rig.fake.tamper = lambda payload: rig.case.rows.set_value(payload, -5)
    with pytest.raises(ProviderDataError):
        rig.ask()
    rig.fake.tamper = None
    rig.time.pass_s(130)
    rig.check(rig.ask(), rig.span)


def test_equal_questions_at_once_are_one_call(rig):
    provider = rig.make()
    found, errors = [], []

    def ask():
        try:
            found.append(rig.ask(provider))
        except IntensityError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(found)) == 1
    assert max(rig.fake.counts.values()) == 1


def test_nobody_is_nowhere(rig):
    with pytest.raises(NoIntensityData):
        rig.make().zone_of(Location())
