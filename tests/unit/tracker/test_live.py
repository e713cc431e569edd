"""Pricing over time: sources that are late, fail, recover or hang, and what each slot of a run then costs."""

from __future__ import annotations

import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.errors import ConfigError, NoIntensityData, ProviderUnavailable
from codecarbon.model import Intensity, Location
from codecarbon.tracker.live import (
    DELAY_S,
    GIVE_UP_S,
    LATE_S,
    LONGEST_RETRY_AFTER_S,
    SLOT_S,
    SPREAD_S,
    LiveIntensity,
    _noted,
)
from codecarbon.tracker.pricing import Pricer
from codecarbon.units import US_PER_S
from tests.support.fake_provider import FakeProvider
from tests.support.fake_session import EPOCH_UNIX_S

BEGIN_S = EPOCH_UNIX_S
MEAN = Intensity(400.0, "tables", 2023, "DEU")
AWAY = ProviderUnavailable("away", "fake")


def by_slot(values):
    """A function that gives the values of consecutive slots from the begin on, and None after that."""

    def value_of(start_us):
        at = (start_us // US_PER_S - BEGIN_S) // SLOT_S
        return float(values[at]) if 0 <= at < len(values) else None

    return value_of


class Rig:
    """A live intensity whose thread is the test, on a clock that the test moves."""

    def __init__(self, *providers, signal="average", make=None):
        self.now_s = BEGIN_S + 1.0
        self.set_back_s = 0.0
        self.spawned = []
        self.live = LiveIntensity(
            make or (lambda: providers),
            Location(country_iso_code="DEU"),
            MEAN,
            signal=signal,
            clock=lambda: self.now_s - self.set_back_s,
            monotonic=lambda: self.now_s,
            spawn=self.spawned.append,
        )
        self.live.begin()

    def go(self, *seconds):
        """Let time pass, with a question after each step."""
        for step in seconds or (0,):
            self.now_s += step
            self.live.ask()

    def values(self, count):
        prices = self.live.prices([BEGIN_S + at * SLOT_S for at in range(count)])
        return [price.intensity_g_per_kwh for price in prices.values()]

    def sources(self, count):
        prices = self.live.prices([BEGIN_S + at * SLOT_S for at in range(count)])
        return [price.source for price in prices.values()]

    def note(self, at=0):
        slot_s = BEGIN_S + at * SLOT_S
        return self.live.prices([slot_s])[slot_s].note


def test_each_slot_gets_the_value_of_its_own_time():
    rig = Rig(FakeProvider(by_slot([100, 200, 300])))
    rig.go(0, SLOT_S, SLOT_S)
    assert rig.values(3) == [100.0, 200.0, 300.0]
    assert rig.live.are_final([BEGIN_S, BEGIN_S + SLOT_S])
    slot = rig.live.prices([BEGIN_S])[BEGIN_S]
    assert (slot.source, slot.zone, slot.signal, slot.year) == ("fake", "zone of DEU", "average", None)


def test_values_of_an_hour_price_the_slots_that_follow_without_a_question():
    provider = FakeProvider(lambda _start_us: 70.0, step_us=3600 * US_PER_S)
    rig = Rig(provider)
    rig.go()
    rig.now_s += SLOT_S
    assert rig.values(2) == [70.0, 70.0]
    assert len(provider.calls) == 1


def test_values_finer_than_a_slot_are_weighted_by_time():
    rig = Rig(FakeProvider(lambda start_us: max(0.0, start_us // US_PER_S - BEGIN_S), step_us=60 * US_PER_S))
    rig.go(SLOT_S - 2)
    assert rig.values(1) == [pytest.approx((0 + 60 + 120 + 180 + 240) / 5)]


@pytest.mark.parametrize(("covered_s", "is_enough"), [(149, False), (150, True)])
def test_a_value_for_less_than_half_of_a_slot_does_not_price_it(covered_s, is_enough):
    # One long point that ends inside of the first slot, and nothing after it.
    step_s = BEGIN_S + covered_s
    provider = FakeProvider(lambda start_us: 50.0 if start_us == 0 else None, step_us=step_s * US_PER_S)
    rig = Rig(provider)
    rig.go(0)
    assert rig.live.are_final([BEGIN_S]) is is_enough


def test_a_question_never_reaches_into_the_future():
    provider = FakeProvider()
    rig = Rig(provider)
    rig.go(6)
    assert provider.spans[-1].end_us == (BEGIN_S + 7) * US_PER_S


# --- late and failing sources ----------------------------------------------------------------------------------------


def test_a_slot_that_failed_stays_pending_and_is_priced_later():
    provider = FakeProvider(by_slot([100, 200, 300]))
    rig = Rig(provider)
    rig.go(0)
    provider.error = AWAY
    rig.go(SLOT_S)
    assert rig.sources(2) == ["fake", "tables"]
    assert not rig.live.are_final([BEGIN_S + SLOT_S])
    provider.error = None
    rig.go(SLOT_S)
    assert rig.values(3) == [100.0, 200.0, 300.0]


def test_a_slot_that_failed_until_the_end_gets_the_yearly_average_and_says_so():
    provider = FakeProvider(by_slot([100, 200, 300]))
    rig = Rig(provider)
    rig.go(0)
    provider.error = AWAY
    rig.go(SLOT_S)
    rig.live.end()
    assert rig.values(2) == [100.0, 400.0]
    assert rig.note(1) == "no live value"
    assert rig.live.notes == ("fake: away",)
    assert rig.live.are_final([BEGIN_S, BEGIN_S + SLOT_S])


@pytest.mark.parametrize(
    ("changes", "value", "reason"),
    [
        ({"signal": "marginal"}, 100.0, "marginal values in place of average ones"),
        ({"is_synthetic": True}, 100.0, "made-up values"),
        ({}, float("nan"), "no number"),
        ({}, float("inf"), "no number"),
        ({}, -1.0, "negative"),
    ],
)
def test_an_answer_that_cannot_price_a_run_is_a_failure(changes, value, reason):
    provider = FakeProvider(lambda _start_us: value)
    provider.changes = changes
    rig = Rig(provider)
    rig.go(0)
    rig.live.end()
    assert (rig.values(1), rig.sources(1)) == ([400.0], ["tables"])
    assert reason in rig.live.notes[0]


def test_the_next_source_prices_what_the_first_one_failed_to():
    first, second = FakeProvider(by_slot([100] * 9), name="first"), FakeProvider(by_slot([7] * 9), name="second")
    rig = Rig(first, second)
    rig.go(0)
    first.error = AWAY
    rig.go(SLOT_S)
    first.error = None
    rig.go(SLOT_S)
    assert rig.sources(3) == ["first", "second", "first"]
    assert rig.values(3) == [100.0, 7.0, 100.0]


def test_no_source_has_anything():
    first, second = FakeProvider(name="first"), FakeProvider(name="second")
    first.error, second.error = AWAY, NoIntensityData("outside its area", "second")
    rig = Rig(first, second)
    rig.go(0, SLOT_S)
    rig.live.end()
    assert rig.sources(2) == ["tables", "tables"]
    assert rig.live.notes == ("first: away", "second: outside its area")


def test_a_source_that_is_late_is_waited_for_and_its_newest_value_stands_in():
    provider = FakeProvider(lambda start_us: 60.0 if start_us < (BEGIN_S - 600) * US_PER_S else None)
    rig = Rig(provider)
    rig.go(0)
    assert rig.values(1) == [60.0]
    assert "newest value" in rig.note()
    assert not rig.live.are_final([BEGIN_S])
    provider.value_of = lambda _start_us: 90.0
    rig.go(SLOT_S)
    assert rig.values(2) == [90.0, 90.0]
    assert rig.note() == ""


def test_a_late_source_does_not_hand_over_to_the_next_one_at_once():
    late = FakeProvider(lambda start_us: 60.0 if start_us < (BEGIN_S - 600) * US_PER_S else None, name="late")
    other = FakeProvider(name="other")
    rig = Rig(late, other)
    rig.go(0)
    assert other.calls == []
    rig.now_s += LATE_S
    rig.live.ask()
    assert rig.sources(1) == ["other"]


def test_a_newest_value_that_is_too_old_does_not_stand_in():
    rig = Rig(FakeProvider(lambda start_us: 60.0 if start_us < (BEGIN_S - LATE_S) * US_PER_S else None))
    rig.go(0)
    rig.go(1200)
    rig.live.end()
    assert rig.sources(5)[-1] == "tables"


def test_what_cannot_be_had_for_days_is_given_up():
    provider = FakeProvider()
    provider.error = AWAY
    rig = Rig(provider)
    rig.go(0)
    provider.calls.clear()
    rig.go(GIVE_UP_S + SLOT_S)
    assert provider.spans[0].start_us > (BEGIN_S + SLOT_S) * US_PER_S


def test_a_failing_source_is_asked_less_and_less_and_honours_retry_after():
    provider = FakeProvider()
    provider.error = ProviderUnavailable("busy", "fake", retry_after_s=600.0)
    rig = Rig(provider)
    rig.go(0, 300, 299)
    assert len(provider.calls) == 1
    rig.go(1)
    assert len(provider.calls) == 2
    provider.error = AWAY
    rig.go(601)
    assert len(provider.calls) == 3
    rig.go(119)
    assert len(provider.calls) == 3
    rig.go(1)
    assert len(provider.calls) == 4


def test_a_clock_that_is_set_back_does_not_put_off_the_next_question():
    provider = FakeProvider()
    provider.error = AWAY
    rig = Rig(provider)
    rig.go(0)
    rig.set_back_s = 3 * SLOT_S
    rig.go(31)
    assert len(provider.calls) == 2


@pytest.mark.parametrize("wished_s", [400 * 86_400.0, float("inf")])
def test_nobody_makes_a_run_wait_for_longer_than_a_day(wished_s):
    provider = FakeProvider()
    provider.error = ProviderUnavailable("busy", "fake", retry_after_s=wished_s)
    rig = Rig(provider)
    rig.go(0, LONGEST_RETRY_AFTER_S - 1)
    assert len(provider.calls) == 1
    rig.go(1)
    assert len(provider.calls) == 2


def test_a_failure_is_told_once_until_it_is_over(log):
    provider = FakeProvider()
    provider.error = AWAY
    rig = Rig(provider)
    rig.go(0, 300, 300, 300)
    provider.error = None
    rig.go(300)
    texts = [record.getMessage() for record in log.records if "fake" in record.getMessage()]
    assert [text.split(":")[0] for text in texts] == [
        "No carbon intensity from fake for now, it is asked again",
        "Carbon intensity comes from fake again",
    ]


def test_sources_that_cannot_be_made_leave_the_yearly_average(log):
    def make():
        raise ConfigError("intensity_urls", "x", "constructor", "an address")

    rig = Rig(make=make)
    rig.go(0, SLOT_S)
    assert rig.sources(2) == ["tables", "tables"]
    assert "intensity_urls" in rig.live.notes[0]
    assert [record.levelno for record in log.records] == [logging.ERROR]


def test_a_source_that_breaks_its_rules_is_logged_and_the_next_one_is_asked(log):
    broken, other = FakeProvider(name="broken"), FakeProvider(name="other")
    broken.observed = lambda *_: 1 / 0
    rig = Rig(broken, other)
    rig.go(0)
    assert rig.sources(1) == ["other"]
    assert any("ZeroDivisionError" in record.getMessage() for record in log.records)
    assert rig.live.notes == ("broken: it failed in a way that it should not, see the log",)


class Pauses:
    """Stands for the event that ends the thread: lets the pauses pass on the test's clock, and then ends it."""

    def __init__(self, rig, count):
        self.rig = rig
        self.left = count
        self.lengths = []

    def is_set(self):
        return not self.left

    def wait(self, seconds):
        self.lengths.append(seconds)
        self.rig.now_s += seconds
        self.left -= 1


def test_the_thread_asks_soon_after_each_slot_has_begun():
    provider = FakeProvider()
    rig = Rig(provider)
    pauses = Pauses(rig, 5)
    rig.live._run(pauses)
    asked_s = [span.end_us / US_PER_S for span in provider.spans]
    assert len(asked_s) == 5
    offsets_s = {at_s % SLOT_S for at_s in asked_s[1:]}
    assert len(offsets_s) == 1
    assert DELAY_S <= offsets_s.pop() < DELAY_S + SPREAD_S
    assert rig.sources(5) == ["fake"] * 5


def test_the_thread_comes_back_earlier_to_a_source_that_failed():
    provider = FakeProvider()
    provider.error = AWAY
    rig = Rig(provider)
    pauses = Pauses(rig, 3)
    rig.live._run(pauses)
    assert pauses.lengths == [30.0, 60.0, 120.0]
    assert len(provider.calls) == 3


# --- the end ---------------------------------------------------------------------------------------------------------


def test_an_answer_after_the_end_changes_nothing():
    provider = FakeProvider()
    rig = Rig(provider)
    provider.gate.clear()
    asking = threading.Thread(target=rig.live.ask)
    asking.start()
    assert provider.arrived.wait(10)
    rig.live.end()
    before = rig.values(1)
    provider.gate.set()
    asking.join(10)
    assert rig.values(1) == before == [400.0]
    # Not even for a slot that is looked up for the first time now.
    assert rig.live.prices([BEGIN_S - SLOT_S])[BEGIN_S - SLOT_S] == _noted(MEAN, "no live value")


def test_a_slot_that_is_looked_up_after_the_end_is_settled_then():
    rig = Rig(FakeProvider())
    rig.go(0)
    rig.live.end()
    assert rig.sources(3) == ["fake", "tables", "tables"]
    assert rig.live.are_final([BEGIN_S + 2 * SLOT_S])


def test_another_start_asks_again_and_keeps_what_was_settled():
    provider = FakeProvider(by_slot([100, 200, 300]))
    provider.error = AWAY
    rig = Rig(provider)
    rig.go(0)
    rig.live.end()
    provider.error = None
    rig.now_s += SLOT_S
    rig.live.begin()
    rig.go(SLOT_S)
    assert len(rig.spawned) == 2
    assert rig.values(3) == [400.0, 200.0, 300.0]


def test_a_second_end_and_a_second_begin_do_nothing():
    rig = Rig(FakeProvider())
    rig.live.begin()
    assert len(rig.spawned) == 1
    rig.live.end()
    rig.live.end()
    rig.go(0)
    assert rig.sources(1) == ["tables"]


# --- marginal --------------------------------------------------------------------------------------------------------


def test_marginal_and_average_are_never_added_up():
    provider = FakeProvider(by_slot([900, 800, 700]), signal="marginal")
    rig = Rig(provider, signal="marginal")
    # Until there is a marginal value everything is an average; from then on nothing is.
    assert rig.sources(2) == ["tables", "tables"]
    rig.go(0)
    provider.error = AWAY
    rig.go(SLOT_S)
    assert rig.values(2) == [900.0, 900.0]
    assert "nearest value" in rig.note(1)
    rig.live.end()
    prices = rig.live.prices([BEGIN_S + at * SLOT_S for at in range(5)]).values()
    assert {price.signal for price in prices} == {"marginal"}


def test_a_late_marginal_source_prices_a_run_with_what_it_has():
    late = FakeProvider(lambda start_us: 900.0 if start_us < (BEGIN_S - 600) * US_PER_S else None, signal="marginal")
    rig = Rig(late, signal="marginal")
    rig.go(0)
    rig.live.end()
    slots_s = [BEGIN_S - 86_400, BEGIN_S, BEGIN_S + 86_400]
    assert {price.signal for price in rig.live.prices(slots_s).values()} == {"marginal"}
    assert rig.values(1) == [900.0]
    assert rig.live.notes == ()


def test_no_sum_holds_both_signals_while_the_first_answer_comes_in():
    """What a source said may be there before any slot was priced with it."""
    rig = Rig(FakeProvider(by_slot([900, 800]), signal="marginal"), signal="marginal")
    rig.go(0)
    rig.live._prices.clear()
    assert rig.note() == ""
    prices = rig.live.prices([BEGIN_S - SLOT_S, BEGIN_S]).values()
    assert {price.signal for price in prices} == {"marginal"}


EVENTS = st.lists(st.sampled_from(["answer", "fail", "late", "look", "end", "begin", "hour", "slot"]), max_size=25)


@given(EVENTS, st.sampled_from([300, 3600, 60]))
def test_whatever_happens_a_sum_has_one_signal_and_what_is_final_stays(events, step_s):
    provider = FakeProvider(signal="marginal", step_us=step_s * US_PER_S)
    provider.error = AWAY
    rig = Rig(provider, signal="marginal")
    final = {}
    for event in events:
        now_s = rig.now_s
        if event in {"answer", "late"}:
            newest_us = (now_s - (900 if event == "late" else 0)) * US_PER_S
            provider.value_of = lambda start_us, newest_us=newest_us: 500.0 if start_us <= newest_us else None
        provider.error = {"answer": None, "late": None, "fail": AWAY}.get(event, provider.error)
        if event in {"answer", "late", "fail"}:
            rig.live.ask()
        rig.now_s += {"hour": 3600, "slot": 300}.get(event, 0)
        if event == "end":
            rig.live.end()
        if event == "begin":
            rig.live.begin()
        slots_s = range(BEGIN_S - SLOT_S, int(rig.now_s), SLOT_S)
        prices = rig.live.prices(slots_s)
        assert len({price.signal for price in prices.values()}) == 1
        assert all(prices[slot_s] == price for slot_s, price in final.items())
        final.update((slot_s, price) for slot_s, price in prices.items() if rig.live.are_final([slot_s]))


def test_a_price_that_is_asked_for_before_the_begin_is_not_settled():
    live = LiveIntensity(tuple, Location(), MEAN, signal="marginal", clock=lambda: BEGIN_S)
    assert live.prices([BEGIN_S])[BEGIN_S] == MEAN
    assert not live.are_final([BEGIN_S])


def test_what_is_held_prices_a_slot_that_nobody_asked_for_before_the_end():
    rig = Rig(FakeProvider(lambda _start_us: 70.0, step_us=3600 * US_PER_S, signal="marginal"), signal="marginal")
    rig.go(0)
    rig.live._pending.add(BEGIN_S + SLOT_S)
    rig.live.end()
    assert rig.note(1) == ""


def test_a_run_without_any_marginal_value_is_priced_by_averages_as_a_whole():
    provider = FakeProvider(signal="marginal")
    provider.error = AWAY
    rig = Rig(provider, signal="marginal")
    rig.go(0, SLOT_S)
    rig.live.end()
    assert rig.sources(2) == ["tables", "tables"]
    assert "cannot be added" in rig.live.notes[-1]
    # Also after another start, when the source would answer.
    provider.error = None
    rig.live.begin()
    rig.go(SLOT_S)
    assert set(rig.sources(5)) == {"tables"}
    assert rig.note(4) == ""


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_step_of_the_clock_only_changes_which_slots_are_asked_for():
    rig = Rig(FakeProvider(lambda start_us: 10_800.0 + start_us // US_PER_S - BEGIN_S))
    rig.go(0, 86_400, -90_000)
    slots_s = [BEGIN_S, BEGIN_S + 86_400, BEGIN_S - 3600]
    assert rig.live.are_final(slots_s)
    assert [price.intensity_g_per_kwh for price in rig.live.prices(slots_s).values()] == [10_800.0, 97_200.0, 7_200.0]


@pytest.fixture
def paced(rig):
    """A tracker on the fake session, with a source on the session's clock."""

    class Paced:
        def __init__(self):
            self.provider = FakeProvider(by_slot([100, 200, 300]))
            self.live = None

        def pricer(self, _settings, *, offline):
            del offline
            place = Location(country_iso_code="DEU")
            self.live = LiveIntensity(
                lambda: [self.provider],
                place,
                MEAN,
                clock=lambda: rig.session.anchors.unix_ns(rig.session.clock.t_ns) / 1e9 + 1,
                spawn=lambda _run: None,
            )
            pricer = Pricer(place)
            pricer.live = self.live
            return pricer

        def tracker(self, **options):
            rig.session.clock.t_ns = 0
            return rig.tracker(_pricer_factory=self.pricer, force_carbon_intensity_g_co2e_kwh=None, **options)

        def pass_s(self, seconds):
            rig.pass_s(seconds)
            self.live.ask()

    return Paced()


def test_a_run_over_a_change_of_intensity(paced, rig):
    tracker = paced.tracker()
    rig.session.power_w = {"cpu": 3.6e6 / 300, "ram": 0.0, "gpu": None}  # 1 kWh in each slot
    tracker.start()
    paced.live.ask()
    for _ in range(3):
        paced.pass_s(300)
    assert tracker.stop() == pytest.approx(0.1 + 0.2 + 0.3)
    shares = tracker.final_record.sources
    assert (shares[0].source, shares[0].slot_count) == ("fake", 3)
    assert shares[0].emissions_g == pytest.approx(600.0)
    assert shares[0].energy_j == pytest.approx(3 * 3.6e6)
    assert shares[0].intensity_g_per_kwh == pytest.approx(200.0)
    assert (shares[0].lowest_g_per_kwh, shares[0].highest_g_per_kwh) == (100.0, 300.0)


def test_a_source_that_fails_in_the_middle_of_a_run(paced, rig):
    tracker = paced.tracker()
    rig.session.power_w = {"cpu": 3.6e6 / 300, "ram": 0.0, "gpu": None}
    tracker.start()
    paced.live.ask()
    paced.provider.error = AWAY
    paced.pass_s(300)
    paced.pass_s(299)
    assert tracker.stop() == pytest.approx(0.1 + 0.4 * 299 / 300)
    by_source = {share.source: share.energy_j for share in tracker.final_record.sources}
    assert by_source == {"fake": pytest.approx(3.6e6), "tables": pytest.approx(3.6e6 * 299 / 300)}
    assert tracker.final_record.pricing_notes == ("fake: away",)


def test_tasks_are_priced_like_the_run_and_settle_with_it(paced, rig):
    tracker = paced.tracker()
    rig.session.power_w = {"cpu": 3.6e6 / 300, "ram": 0.0, "gpu": None}
    tracker.start()
    tracker.flush()  # loads are known, so that a brief task is not provisional for want of them
    tracker.start_task("long")
    rig.pass_s(300)
    tracker.stop_task("long")
    tracker.start_task("brief")
    rig.pass_s(0.05)
    first = tracker.stop_task("brief")
    # Nobody has answered yet: the yearly average stands in.
    assert first.emissions == pytest.approx(0.4 * 0.05 / 300)
    paced.live.ask()
    assert tracker.stop_task("brief").emissions == pytest.approx(0.2 * 0.05 / 300)
    assert tracker.task_record("long").emissions_g == pytest.approx(100.0)
    tracker.stop()
    (tasks, _name) = rig.handler.tasks[-1]
    assert [task.emissions for task in tasks] == [pytest.approx(0.1), pytest.approx(0.2 * 0.05 / 300)]


def test_a_window_settles_when_its_price_does(paced, rig):
    tracker = paced.tracker()
    tracker.start()
    with tracker.window("block") as block:
        rig.pass_s(10)
    assert block.record.sources[0].source == "tables"
    paced.live.ask()
    assert block.record.sources[0].source == "fake"


def test_the_row_keeps_its_38_columns(paced, rig):
    tracker = paced.tracker()
    tracker.start()
    paced.pass_s(10)
    tracker.stop()
    (row, _delta) = rig.handler.outs[-1]
    assert len(row.values) == 38
