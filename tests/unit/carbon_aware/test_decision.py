"""When to start, and the reason in one line, from answers made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codecarbon.carbon_aware.decision import SLACK_RATIO, Planner, Wish, latest_end_us
from codecarbon.carbon_aware.results import (
    EmissionsRow,
    ForecastAnswer,
    LocationSchedule,
    Meta,
    Moment,
    ScheduleAnswer,
    ScheduleOption,
)
from codecarbon.errors import ConfigError, InvalidParameters, NotConfigured, ProviderUnavailable
from codecarbon.model import TimeSpan
from codecarbon.units import US_PER_HOUR, us_from_iso, us_from_s

NOW_US = us_from_iso("2030-05-17T22:00Z")
HOURS_G = (400.0, 390.0, 100.0, 100.0, 100.0, 300.0)


def option(start_h: int, value: float, *, location: str = "here", saving_ratio: float | None = 0.75) -> ScheduleOption:
    span = TimeSpan(NOW_US + start_h * US_PER_HOUR, NOW_US + (start_h + 1) * US_PER_HOUR)
    now = None if saving_ratio is None else 400.0
    return ScheduleOption(location, (span,), value, now, saving_ratio)


class FakeOperations:
    """Answers as it was told, and keeps what it was asked."""

    def __init__(self, *options: ScheduleOption, reason: str = "", error: Exception | None = None, **meta: object):
        self.options = options
        self.reason = reason
        self.error = error
        self.meta = Meta(**{"sources": ("watttime",), "signal": "marginal", **meta})
        self.requests = []

    def schedule(self, request):
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        schedule = LocationSchedule("here", NOW_US, self.options, self.reason)
        return ScheduleAnswer(self.options[0] if self.options else None, (schedule,), self.meta)

    def forecasts(self, locations, start, end, window_min):
        assert (locations, start, end, window_min) == (("here",), None, None, None)
        points = tuple(
            EmissionsRow("here", NOW_US + hour * US_PER_HOUR, value, US_PER_HOUR) for hour, value in enumerate(HOURS_G)
        )
        bounds = Moment(NOW_US), Moment(NOW_US + len(HOURS_G) * US_PER_HOUR)
        return (ForecastAnswer(NOW_US, None, "here", *bounds, 60, (), points, self.meta),)


def decide(operations: FakeOperations, **wish: object):
    planner = Planner(lambda: operations, clock=lambda: NOW_US / 1e6)
    kept_us = wish.pop("kept_us", None)
    facts = {"duration_s": 3600.0, "latest_end_us": NOW_US + 6 * US_PER_HOUR, "locations": ("here",), **wish}
    return planner.decide(Wish(**facts), kept_us=kept_us)


def test_the_best_start_is_taken_and_explained_in_one_line():
    decision = decide(FakeOperations(option(2, 100.0), option(3, 100.0)), alternatives=2)
    assert (decision.start_us, decision.is_now) == (NOW_US + 2 * US_PER_HOUR, False)
    assert decision.because == ("the marginal intensity is 100 g/kWh then and 400 now, 75 % less (here, watttime)")
    assert [way.spans[0].start_us for way in decision.alternatives] == [
        NOW_US + 2 * US_PER_HOUR,
        NOW_US + 3 * US_PER_HOUR,
    ]
    assert len(decision.points) == len(HOURS_G)
    assert decision.generated_us == NOW_US


def test_the_request_has_now_and_the_deadline_in_it():
    operations = FakeOperations(option(2, 100.0))
    decide(operations, power_w=300.0, pieces=2, resume_cost_s=60.0, alternatives=4, locations=("here", "there"))
    (request,) = operations.requests
    assert (request.earliest, request.deadline) == (Moment(NOW_US), Moment(NOW_US + 6 * US_PER_HOUR))
    assert request.locations == ("here", "there")
    assert request.home == "here"
    assert (request.power_w, request.pieces, request.resume_cost_s, request.alternatives) == (300.0, 2, 60.0, 4)


def test_a_start_that_is_best_now_is_not_put_off():
    decision = decide(FakeOperations(option(0, 400.0, saving_ratio=0.0)))
    assert decision.is_now
    assert decision.because == (
        "the marginal intensity is 400 g/kWh now and not lower before the deadline (here, watttime)"
    )


def test_what_is_not_known_of_now_is_said():
    decision = decide(FakeOperations(option(2, 100.0, saving_ratio=None)))
    assert "what it is now is not known" in decision.because


def test_another_place_is_compared_with_now_at_home():
    class Two(FakeOperations):
        def schedule(self, request):
            home = LocationSchedule("home", NOW_US, (option(1, 390.0, location="home"),))
            there = LocationSchedule("here", NOW_US, (option(2, 100.0, saving_ratio=0.1),))
            return ScheduleAnswer(there.options[0], (home, there), self.meta)

    decision = decide(Two(), locations=("home", "here"), alternatives=2)
    assert decision.because == (
        "the marginal intensity is 100 g/kWh then and 400 now in home, 75 % less (here, watttime)"
    )
    assert [(way.location, way.saving_ratio) for way in decision.alternatives] == [
        ("here", pytest.approx(0.75)),
        ("home", pytest.approx(0.025)),
    ]


def test_a_wish_that_no_schedule_takes_is_told_in_words():
    error = InvalidParameters((("pieces", "{pieces} must be from 1 to 100"),))
    assert decide(FakeOperations(error=error)).because == "pieces must be from 1 to 100"


def test_stale_data_are_called_stale():
    assert "(here, watttime, stale)" in decide(FakeOperations(option(2, 100.0), is_stale=True)).because


def test_made_up_data_put_nothing_off_unless_asked_for():
    operations = FakeOperations(option(2, 100.0), is_synthetic=True, sources=("sample",), signal="average")
    decision = decide(operations)
    assert decision.is_now
    assert "made-up" in decision.because
    asked = decide(operations, allows_synthetic=True)
    assert (asked.is_now, asked.is_synthetic) == (False, True)


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        (FakeOperations(error=NotConfigured("ForecastDataSource")), "ForecastDataSource is not configured"),
        (FakeOperations(error=ProviderUnavailable("no answer\n within 15 s", "watttime")), "no answer within 15 s"),
        (FakeOperations(error=PermissionError(13, "not yours")), "not yours"),
        (FakeOperations(reason="the run takes longer than the data last"), "longer than the data last"),
        (FakeOperations(), "no window"),
    ],
)
def test_missing_data_mean_run_now_and_say_why(operations, words):
    decision = decide(operations)
    assert (decision.start_us, decision.is_now, decision.option) == (NOW_US, True, None)
    assert words in decision.because
    assert "\n" not in decision.because


def test_operations_that_cannot_be_made_mean_run_now():
    def make():
        raise NotConfigured("ForecastDataSource")

    planner = Planner(make, clock=lambda: NOW_US / 1e6)
    assert planner.decide(Wish(3600.0, NOW_US + 6 * US_PER_HOUR, ("here",))).is_now


def test_a_defect_is_not_taken_for_missing_data():
    with pytest.raises(ZeroDivisionError):
        decide(FakeOperations(error=ZeroDivisionError()))


def test_a_deadline_without_slack_asks_nobody():
    operations = FakeOperations(option(2, 100.0))
    decision = decide(operations, latest_end_us=NOW_US + US_PER_HOUR)
    assert decision.is_now
    assert decision.because == "the deadline leaves no time to wait"
    assert not operations.requests


def test_an_unknown_place_asks_nobody():
    operations = FakeOperations(option(2, 100.0))
    decision = decide(operations, locations=())
    assert decision.is_now
    assert "name a location" in decision.because
    assert not operations.requests


def test_this_machines_place_stands_in_for_a_location():
    operations = FakeOperations(option(2, 100.0))
    planner = Planner(lambda: operations, clock=lambda: NOW_US / 1e6, home=lambda: "FRA")
    assert not planner.decide(Wish(3600.0, NOW_US + 6 * US_PER_HOUR)).is_now
    assert operations.requests[0].locations == ("FRA",)


def test_a_bad_setting_of_the_place_means_run_now():
    def find_home():
        raise ConfigError("pue", "x", "environment", "a number")

    planner = Planner(FakeOperations, clock=lambda: NOW_US / 1e6, home=find_home)
    decision = planner.decide(Wish(3600.0, NOW_US + 6 * US_PER_HOUR))
    assert decision.is_now
    assert "pue='x'" in decision.because


def test_starts_are_spread_where_that_costs_next_to_nothing():
    # Cheap from hour 2 to hour 5; the run takes one of them.
    starts = {decide(FakeOperations(option(2, 100.0)), seed=str(seed)).start_us for seed in range(40)}
    assert len(starts) > 30
    slack_us = US_PER_HOUR * SLACK_RATIO
    assert min(starts) >= NOW_US + 2 * US_PER_HOUR - slack_us
    assert max(starts) <= NOW_US + 4 * US_PER_HOUR + slack_us
    assert max(starts) - min(starts) > US_PER_HOUR


def test_a_spread_start_is_told_with_its_own_mean():
    # The half hour before the cheap hours and the one after are too dear; between them the mean is that of the hours.
    for seed in range(20):
        decision = decide(FakeOperations(option(2, 100.0)), seed=str(seed))
        (span,) = decision.option.spans
        assert decision.start_us == span.start_us
        assert span.end_us - span.start_us == US_PER_HOUR
        early_us = max(0, NOW_US + 2 * US_PER_HOUR - span.start_us)
        late_us = max(0, span.end_us - (NOW_US + 5 * US_PER_HOUR))
        mean = 100.0 + (290.0 * early_us + 200.0 * late_us) / US_PER_HOUR
        assert decision.option.intensity_g_per_kwh == pytest.approx(mean)
        assert decision.option.saving_ratio == pytest.approx(1 - mean / 400.0)


@pytest.mark.parametrize(("kept_h", "is_kept"), [(2.0, True), (4.0, True), (1.999, True), (0.5, False), (4.5, False)])
def test_an_earlier_start_is_kept_while_hardly_any_is_better(kept_h, is_kept):
    kept_us = NOW_US + int(kept_h * US_PER_HOUR)
    decision = decide(FakeOperations(option(2, 100.0)), seed="job 7", kept_us=kept_us)
    assert (decision.start_us == kept_us) is is_kept


@pytest.mark.parametrize("kept_h", [-1, 5.5, 7])
def test_a_start_that_cannot_be_kept_is_not(kept_h):
    kept_us = NOW_US + int(kept_h * US_PER_HOUR)
    decision = decide(FakeOperations(option(2, 100.0)), kept_us=kept_us, latest_end_us=NOW_US + 30 * US_PER_HOUR)
    assert decision.start_us == NOW_US + 2 * US_PER_HOUR


def test_spreading_never_eats_what_waiting_saves():
    class Flat(FakeOperations):
        def forecasts(self, locations, start, end, window_min):
            values = (100.9, 100.9, 100.0, 100.8, 100.8, 100.8)
            points = tuple(
                EmissionsRow("here", NOW_US + hour * US_PER_HOUR, value, US_PER_HOUR)
                for hour, value in enumerate(values)
            )
            bounds = Moment(NOW_US), Moment(NOW_US + 6 * US_PER_HOUR)
            return (ForecastAnswer(NOW_US, None, "here", *bounds, 60, (), points, self.meta),)

    span = TimeSpan(NOW_US + 2 * US_PER_HOUR, NOW_US + 3 * US_PER_HOUR)
    best = ScheduleOption("here", (span,), 100.0, 100.9, 1 - 100 / 100.9)
    decisions = [decide(Flat(best), seed=str(seed), min_saving_ratio=0.0) for seed in range(40)]
    assert len({decision.start_us for decision in decisions}) > 30
    assert max(decision.option.intensity_g_per_kwh for decision in decisions) <= 100.45 + 1e-9


def test_a_seed_always_gives_the_same_start():
    first, second = (decide(FakeOperations(option(2, 100.0)), seed="job 7").start_us for _ in range(2))
    assert first == second


def test_a_spread_start_still_meets_the_deadline():
    end_us = NOW_US + 3 * US_PER_HOUR + 1
    starts = {
        decide(FakeOperations(option(2, 100.0)), seed=str(seed), latest_end_us=end_us).start_us for seed in range(40)
    }
    assert max(starts) <= end_us - US_PER_HOUR


@pytest.mark.parametrize(
    ("deadline_h", "within_h", "end_h"),
    [(None, None, 27), (8, None, 8), (72, None, 72), (None, 5, 8), (6, 5, 6), (72, 5, 8)],
)
def test_the_latest_end_keeps_both_promises(deadline_h, within_h, end_h):
    end_us = latest_end_us(
        NOW_US,
        3 * 3600.0,
        deadline_us=None if deadline_h is None else NOW_US + deadline_h * US_PER_HOUR,
        within_s=None if within_h is None else within_h * 3600.0,
    )
    assert end_us == NOW_US + us_from_s(end_h * 3600.0)


def test_a_job_that_is_best_begun_at_once_is_not_told_as_put_off_since_asking_took_time():
    times = iter((NOW_US / 1e6, NOW_US / 1e6 + 0.25))
    span = TimeSpan(NOW_US + us_from_s(0.1), NOW_US + us_from_s(0.1) + US_PER_HOUR)
    operations = FakeOperations(ScheduleOption("here", (span,), 400.0, 400.0, 0.0))
    wish = Wish(3600.0, NOW_US + 6 * US_PER_HOUR, ("here",), seed="any")
    decision = Planner(lambda: operations, clock=lambda: next(times)).decide(wish)
    assert decision.is_now
    assert (
        decision.because == "the marginal intensity is 400 g/kWh now and not lower before the deadline (here, watttime)"
    )


def test_a_saving_below_one_percent_is_not_told_as_none():
    decision = decide(FakeOperations(option(2, 399.0)), min_saving_ratio=0.0)
    assert "400 now, < 1 % less" in decision.because


def test_waiting_that_saves_next_to_nothing_is_not_worth_it():
    decision = decide(FakeOperations(option(2, 398.4)), power_w=500.0)
    assert (decision.start_us, decision.is_now) == (NOW_US, True)
    assert decision.because == (
        "the marginal intensity is 400 g/kWh now, and waiting would save only 0.4 % (here, watttime)"
    )
    assert decision.option.spans == (TimeSpan(NOW_US, NOW_US + US_PER_HOUR),)
    assert (decision.option.intensity_g_per_kwh, decision.option.saving_ratio) == (400.0, 0.0)
    assert decision.option.emissions_g == pytest.approx(200.0), "half a kilowatt for an hour"
    assert [way.intensity_g_per_kwh for way in decision.alternatives] == [398.4], "what was passed over is still told"


@pytest.mark.parametrize(
    ("value", "min_saving_ratio", "is_now"),
    [(396.0, 0.01, False), (396.1, 0.01, True), (396.0, 0.011, True), (399.9, 0.0, False), (100.0, 0.8, True)],
)
def test_what_waiting_must_save_can_be_set(value, min_saving_ratio, is_now):
    assert decide(FakeOperations(option(2, value)), min_saving_ratio=min_saving_ratio).is_now is is_now


def test_a_run_in_pieces_that_saves_next_to_nothing_is_left_in_one():
    first, second = option(0, 398.0), option(3, 398.0)
    split = replace(first, spans=(first.spans[0], second.spans[0]))
    decision = decide(FakeOperations(split), pieces=2)
    assert decision.is_now
    assert decision.option.spans == (TimeSpan(NOW_US, NOW_US + US_PER_HOUR),)
    assert "waiting would save only 0.5 %" in decision.because


def test_pieces_that_begin_now_are_told_with_what_they_save():
    first, second = option(0, 100.0), option(3, 100.0)
    split = replace(first, spans=(first.spans[0], second.spans[0]))
    decision = decide(FakeOperations(split), pieces=2)
    assert (decision.is_now, decision.option.spans) == (True, split.spans)
    assert "100 g/kWh then and 400 now, 75 % less" in decision.because


class Places(FakeOperations):
    """Knows two places, each with its best way to run and what a run now would be."""

    def __init__(self, home: tuple[int, float, float], away: tuple[int, float, float]):
        super().__init__()
        self.ways = [
            replace(option(start_h, value, location=location), now_intensity_g_per_kwh=now)
            for location, (start_h, value, now) in (("home", home), ("here", away))
        ]

    def schedule(self, request):
        places = tuple(LocationSchedule(way.location, NOW_US, (way,)) for way in self.ways)
        return ScheduleAnswer(min(self.ways, key=lambda way: way.intensity_g_per_kwh), places, self.meta)

    def forecasts(self, locations, start, end, window_min):
        return super().forecasts(("here",), start, end, window_min)


@pytest.mark.parametrize(
    ("home", "away", "expected"),
    [
        ((3, 300.0, 400.0), (3, 100.0, 400.0), ("here", 3, "75 % less (here, watttime)")),
        ((3, 398.0, 400.0), (3, 99.5, 100.0), ("here", 0, "now, and waiting would save only 0.5 % (here, watttime)")),
        ((0, 400.0, 400.0), (0, 398.0, 398.0), ("home", 0, "running in here would save only 0.5 % (home, watttime)")),
        ((0, 400.0, 400.0), (0, 100.0, 100.0), ("here", 0, "100 g/kWh then and 400 now in home, 75 % less")),
        ((2, 392.0, 400.0), (3, 399.0, 399.5), ("home", 2, "2 % less (home, watttime)")),
    ],
)
def test_waiting_is_judged_against_the_best_place_for_a_run_now(home, away, expected):
    location, start_h, words = expected
    decision = decide(Places(home, away), locations=("home", "here"))
    assert (decision.option.location, decision.start_us) == (location, NOW_US + start_h * US_PER_HOUR)
    assert words in decision.because


def test_where_now_is_not_known_a_start_is_waited_for():
    assert not decide(FakeOperations(option(2, 399.0, saving_ratio=None)), min_saving_ratio=0.9).is_now


def test_no_start_is_drawn_that_saves_less_than_asked_for():
    # The cheap hours save 75 %; a start beside them would save a little less.
    starts = [decide(FakeOperations(option(2, 100.0)), seed=str(seed), min_saving_ratio=0.75) for seed in range(40)]
    assert len({decision.start_us for decision in starts}) > 30
    assert {round(decision.option.intensity_g_per_kwh, 9) for decision in starts} == {100.0}


def test_an_earlier_start_that_saves_less_than_asked_for_is_not_kept():
    kept_us = NOW_US + int(1.999 * US_PER_HOUR)
    loose, strict = (
        decide(FakeOperations(option(2, 100.0)), kept_us=kept_us, min_saving_ratio=least) for least in (0.74, 0.75)
    )
    assert loose.start_us == kept_us
    assert strict.start_us == NOW_US + 2 * US_PER_HOUR


def test_a_start_that_a_newer_forecast_makes_worthless_is_given_up():
    decision = decide(FakeOperations(option(2, 398.0)), kept_us=NOW_US + 2 * US_PER_HOUR)
    assert decision.is_now


def test_the_reason_of_a_place_stands_behind_because_in_one_sentence():
    decision = decide(FakeOperations(reason="The run takes longer than the data."))
    assert decision.because == "the run takes longer than the data"
