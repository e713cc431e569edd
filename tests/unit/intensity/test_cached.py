"""Answers that are kept: by zone and slot, complete, bounded, and asked for once."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.errors import CapabilityError, NoIntensityData, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.intensity import Cached
from codecarbon.intensity.flights import Flights
from codecarbon.model import Location, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_MIN, US_PER_S
from tests.support.fake_provider import STEP_US, FakeProvider

HERE = Location(key="eastus")
NOW_US = 1_795_165_200 * US_PER_S  # a whole hour
OLD_US = NOW_US - 30 * US_PER_DAY


class Rig:
    def __init__(self, **options):
        self.now_us = NOW_US
        self.provider = FakeProvider(lambda start_us: float(start_us // US_PER_MIN % 1000), **options)
        self.cached = Cached(self.provider, clock=lambda: self.now_us / US_PER_S)

    def observed(self, start_us, end_us, where=HERE):
        return self.cached.observed(where, TimeSpan(start_us, end_us))


@pytest.fixture
def rig():
    return Rig()


# --- defects of the cache that this one replaces ---------------------------------------------------------------------


def test_defect_13_a_repeated_query_keeps_the_point_that_overlaps_its_start(rig):
    # Points at 00:00 and 00:05 of five minutes each, asked for from 00:02 to 00:08, twice.
    first = rig.observed(OLD_US + 2 * US_PER_MIN, OLD_US + 8 * US_PER_MIN)
    second = rig.observed(OLD_US + 2 * US_PER_MIN, OLD_US + 8 * US_PER_MIN)
    assert [point.start_us for point in first.points] == [OLD_US, OLD_US + STEP_US]
    assert second == first
    assert len(rig.provider.calls) == 1


def test_defect_13_a_wider_query_fetches_what_is_missing(rig):
    rig.observed(OLD_US + US_PER_HOUR, OLD_US + 2 * US_PER_HOUR)
    wide = rig.observed(OLD_US + US_PER_HOUR, OLD_US + 3 * US_PER_HOUR)
    assert len(wide.points) == 24
    assert rig.provider.spans[1] == (OLD_US + 2 * US_PER_HOUR, OLD_US + 3 * US_PER_HOUR)


def test_defect_13_an_instant_is_answered_from_what_is_kept(rig):
    instant_us = OLD_US + 3 * US_PER_MIN
    first, second = (rig.observed(instant_us, instant_us) for _ in range(2))
    assert [point.start_us for point in first.points] == [OLD_US]
    assert second == first
    assert len(rig.provider.calls) == 1


def test_defect_13_two_names_of_one_zone_share_an_answer(rig):
    rig.provider.zone_of = lambda where: "CAISO_NORTH"
    rig.observed(OLD_US, OLD_US + US_PER_HOUR, Location(key="westus"))
    rig.observed(OLD_US, OLD_US + US_PER_HOUR, Location(key="us-west-1"))
    assert len(rig.provider.calls) == 1
    rig.provider.zone_of = lambda where: "SE"
    rig.observed(OLD_US, OLD_US + US_PER_HOUR, Location(key="westus"))
    assert len(rig.provider.calls) == 2


def test_a_point_longer_than_a_slot_is_found_from_each(rig):
    rig.provider.step_us = US_PER_HOUR
    whole = rig.observed(OLD_US, OLD_US + US_PER_HOUR)
    late = rig.observed(OLD_US + 50 * US_PER_MIN, OLD_US + 51 * US_PER_MIN)
    assert whole.points == late.points
    assert len(rig.provider.calls) == 1


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=8))
def test_whatever_was_asked_before_the_answer_is_the_sources_own(spans):
    rig = Rig()
    rig.provider.step_us = 3 * US_PER_MIN  # not the cache's own grid
    bare = FakeProvider(rig.provider.value_of, step_us=3 * US_PER_MIN)
    for start_min, length_min in spans:
        start_us = OLD_US + start_min * US_PER_MIN
        span = TimeSpan(start_us, start_us + length_min * US_PER_MIN)
        assert rig.observed(*span).points == bare.observed(HERE, span).points


# --- together --------------------------------------------------------------------------------------------------------


def all_at_once(count, ask):
    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(lambda _: ask(), range(count)))


@pytest.mark.parametrize("kind", ["observed", "forecast", "forecast_at"])
def test_a_thousand_equal_questions_are_one(rig, kind):
    ask = {
        "observed": lambda: rig.observed(OLD_US, OLD_US + US_PER_HOUR),
        "forecast": lambda: rig.cached.forecast(HERE),
        "forecast_at": lambda: rig.cached.forecast_at(HERE, OLD_US),
    }[kind]
    rig.provider.gate.clear()
    opener = threading.Timer(0.05, rig.provider.gate.set)
    opener.start()
    answers = all_at_once(1000, ask)
    opener.join()
    assert len(rig.provider.calls) == 1
    assert len(set(answers)) == 1


def test_a_failure_is_shared_by_those_who_waited():
    flights = Flights()
    first, is_first = flights.find("question")
    second, is_second_first = flights.find("question")
    assert (is_first, is_second_first) == (True, False)

    def fail():
        raise ProviderUnavailable("away", "fake", "here", 7.0)

    with pytest.raises(ProviderUnavailable):
        first.fly(fail)
    with pytest.raises(ProviderUnavailable, match="away") as caught:
        second.wait()
    assert caught.value.retry_after_s == 7.0
    assert caught.value is not first.error


def test_a_question_that_was_broken_off_leaves_nobody_waiting():
    flight, _ = Flights().find("question")

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flight.fly(interrupt)
    with pytest.raises(ProviderUnavailable, match="broken off"):
        flight.wait()


def test_a_failure_is_not_kept(rig):
    rig.provider.error = ProviderUnavailable("away")
    for ask in (lambda: rig.observed(OLD_US, OLD_US + US_PER_HOUR), lambda: rig.cached.forecast(HERE)):
        with pytest.raises(ProviderUnavailable):
            ask()
    rig.provider.error = None
    assert len(rig.observed(OLD_US, OLD_US + US_PER_HOUR).points) == 12
    assert len(rig.cached.forecast(HERE).points) == 288


def test_other_zones_do_not_wait(rig):
    rig.provider.gate.clear()
    slow = threading.Thread(target=lambda: rig.observed(OLD_US, OLD_US + 1, Location(key="slow")))
    slow.start()
    assert rig.provider.arrived.wait(10)
    assert rig.cached.zone_of(Location(key="other")) == "zone of other"
    rig.provider.gate.set()
    slow.join(10)
    assert not slow.is_alive()


# --- time ------------------------------------------------------------------------------------------------------------


def test_the_past_is_asked_for_once(rig):
    rig.observed(OLD_US, OLD_US + US_PER_HOUR)
    rig.now_us += 300 * US_PER_DAY
    assert rig.observed(OLD_US, OLD_US + US_PER_HOUR).valid_until_us is None
    assert len(rig.provider.calls) == 1


def test_what_is_recent_is_asked_for_again(rig):
    series = rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    assert series.valid_until_us == NOW_US + 5 * US_PER_MIN
    rig.now_us += 5 * US_PER_MIN
    rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    assert len(rig.provider.calls) == 2


def test_the_source_says_how_long_its_answer_holds(rig):
    rig.provider.changes["valid_until_us"] = NOW_US + US_PER_HOUR
    rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    rig.now_us += 59 * US_PER_MIN
    rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    assert len(rig.provider.calls) == 1


def test_a_slot_without_a_value_is_asked_for_soon(rig):
    rig.provider.changes["valid_until_us"] = NOW_US + US_PER_HOUR
    rig.provider.value_of = lambda start_us: 1.0 if start_us < NOW_US - 10 * US_PER_MIN else None
    assert len(rig.observed(NOW_US - US_PER_HOUR, NOW_US).points) == 10
    rig.now_us += 5 * US_PER_MIN
    rig.provider.value_of = lambda _start_us: 2.0
    assert len(rig.observed(NOW_US - US_PER_HOUR, NOW_US).points) == 12
    assert rig.provider.spans[1] == (NOW_US - 10 * US_PER_MIN, NOW_US)


def test_a_source_that_may_change_at_any_moment_is_always_asked(rig):
    rig.provider.changes["valid_until_us"] = NOW_US
    rig.observed(OLD_US, OLD_US + 1)
    rig.observed(OLD_US, OLD_US + 1)
    assert len(rig.provider.calls) == 2


def test_a_clock_that_was_put_back_costs_a_question_only(rig):
    rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    rig.now_us -= US_PER_DAY
    assert len(rig.observed(NOW_US - US_PER_HOUR, NOW_US).points) == 12
    assert len(rig.provider.calls) == 2


def test_a_grid_that_changed_is_asked_for_as_a_whole(rig):
    rig.provider.step_us = US_PER_HOUR
    rig.observed(NOW_US - US_PER_HOUR, NOW_US - 30 * US_PER_MIN)
    rig.provider.step_us = 5 * US_PER_MIN
    series = rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    assert len(series.points) == 12
    assert rig.provider.spans[-1] == (NOW_US - US_PER_HOUR, NOW_US)


def test_the_newer_of_two_answers_for_one_stretch_counts(rig):
    rig.provider.step_us = US_PER_HOUR
    rig.provider.value_of = lambda _start_us: 1.0
    rig.observed(NOW_US - US_PER_HOUR, NOW_US - 30 * US_PER_MIN)
    rig.now_us += US_PER_MIN
    rig.provider.value_of = lambda _start_us: 2.0
    series = rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    assert [point.intensity_g_per_kwh for point in series.points] == [2.0]


# --- failure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [ProviderUnavailable("away"), ProviderDataError("nonsense"), ProviderRejected("busy", status=429)],
    ids=["away", "nonsense", "busy"],
)
@pytest.mark.parametrize("kind", ["observed", "forecast"])
def test_an_answer_that_ran_out_stands_in_and_says_so(rig, error, kind):
    rig.provider.changes["valid_until_us"] = NOW_US + STEP_US

    def ask():
        return rig.cached.forecast(HERE) if kind == "forecast" else rig.observed(NOW_US - US_PER_HOUR, NOW_US)

    fresh = ask()
    rig.provider.error = error
    rig.now_us += US_PER_HOUR
    stale = ask()
    assert stale.points == fresh.points
    assert stale.is_stale
    assert not fresh.is_stale
    rig.now_us += US_PER_HOUR + STEP_US  # two hours and more after it ran out
    with pytest.raises(type(error)):
        ask()


@pytest.mark.parametrize(
    "error",
    [ProviderRejected("who are you", status=401), CapabilityError("never"), NoIntensityData("not there")],
    ids=["401", "incapable", "nothing"],
)
def test_a_refusal_is_not_covered_up(rig, error):
    rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    rig.provider.error = error
    rig.now_us += US_PER_HOUR
    with pytest.raises(type(error)):
        rig.observed(NOW_US - US_PER_HOUR, NOW_US)


def test_a_gap_is_not_covered_up_by_a_part(rig):
    rig.observed(NOW_US - US_PER_HOUR, NOW_US)
    rig.provider.error = ProviderUnavailable("away")
    rig.now_us += US_PER_HOUR
    with pytest.raises(ProviderUnavailable):
        rig.observed(NOW_US - 2 * US_PER_HOUR, NOW_US)


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_memory_is_bounded():
    provider = FakeProvider()
    cached = Cached(provider, clock=lambda: NOW_US / US_PER_S, max_slots=24, max_forecasts=2)
    for hour in range(10):
        start_us = OLD_US + hour * US_PER_HOUR
        cached.observed(HERE, TimeSpan(start_us, start_us + US_PER_HOUR))
        cached.forecast_at(HERE, start_us)
    assert len(cached._slots) == 24
    assert len(cached._forecasts) == 2
    asked = len(provider.calls)
    cached.observed(HERE, TimeSpan(start_us, start_us + US_PER_HOUR))
    assert len(provider.calls) == asked
    cached.observed(HERE, TimeSpan(OLD_US, OLD_US + US_PER_HOUR))
    assert len(provider.calls) == asked + 1


def test_more_than_fits_is_asked_for_as_it_is():
    provider = FakeProvider()
    cached = Cached(provider, clock=lambda: NOW_US / US_PER_S, max_slots=24)
    span = TimeSpan(OLD_US + 7, OLD_US + US_PER_DAY)
    assert cached.observed(HERE, span) == provider.observed(HERE, span)
    assert provider.spans[0] == span
    assert len(cached._slots) == 0


# --- forecasts -------------------------------------------------------------------------------------------------------


def test_a_forecast_is_kept_until_the_next_one_is_due(rig):
    rig.provider.changes["valid_until_us"] = NOW_US + US_PER_HOUR
    first = rig.cached.forecast(HERE)
    rig.now_us += US_PER_HOUR - 1
    assert rig.cached.forecast(HERE) == first
    assert len(rig.provider.calls) == 1
    rig.now_us += 1
    rig.cached.forecast(HERE)
    assert len(rig.provider.calls) == 2


def test_old_forecasts_are_kept_by_the_moment_that_was_asked_for(rig):
    assert rig.cached.forecast_at(HERE, OLD_US) == rig.cached.forecast_at(HERE, OLD_US)
    rig.now_us += 100 * US_PER_DAY
    rig.cached.forecast_at(HERE, OLD_US)
    assert len(rig.provider.calls) == 1
    rig.cached.forecast_at(HERE, OLD_US + 1)
    rig.cached.forecast_at(HERE, OLD_US, look_back_us=US_PER_HOUR)
    assert len(rig.provider.calls) == 3


def test_a_young_old_forecast_may_get_a_successor(rig):
    rig.cached.forecast_at(HERE, NOW_US - US_PER_MIN)
    rig.now_us += 5 * US_PER_MIN
    rig.cached.forecast_at(HERE, NOW_US - US_PER_MIN)
    assert len(rig.provider.calls) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, in a process with threads
def test_a_forked_child_does_not_wait_for_an_answer_to_its_parents_question(rig):
    rig.provider.gate.clear()
    asking = threading.Thread(target=rig.observed, args=(OLD_US, OLD_US + STEP_US))
    asking.start()
    assert rig.provider.arrived.wait(20.0)
    child = os.fork()
    if not child:
        signal.alarm(10)  # ends a child that waits for ever
        rig.provider.gate = threading.Event()
        rig.provider.gate.set()
        os._exit(len(rig.observed(OLD_US, OLD_US + STEP_US).points) != 1)
    rig.provider.gate.set()
    asking.join()
    assert os.waitpid(child, 0)[1] == 0


def test_it_looks_like_its_source(rig):
    assert (rig.cached.name, rig.cached.signal) == ("fake", "average")
    assert rig.cached.capabilities == rig.provider.capabilities
