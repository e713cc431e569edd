"""The best start for one run, ranked alternatives, plans of many runs, and starts spread around a choice."""

from __future__ import annotations

import math
import random
from array import array

import pytest

from codecarbon.errors import DiscontinuousData, InvalidParameters, WindowInfeasible
from codecarbon.forecast import Job, WindowChoice, best_window, plan, prepare, rank_windows, spread_start
from codecarbon.model.series import IntensityPoint, IntensitySeries

MIN = 60_000_000
T0 = 1_640_995_200_000_000


def series(values, step=60, start=0):
    return [IntensityPoint(T0 + (start + i * step) * MIN, step * MIN, float(value)) for i, value in enumerate(values)]


def start_min(choice):
    return (choice.start_us - T0) / MIN


HOURS = series([300, 200, 100, 150, 400, 100])


def test_the_best_start_may_lie_between_the_edges():
    # 90 minutes: all of the 100 and half of the 150 that follows, rather than of the 200 before.
    choice = best_window(HOURS, 90 * 60)
    assert start_min(choice) == 120
    assert choice.intensity_g_per_kwh == pytest.approx((100 * 60 + 150 * 30) / 90)
    # With the dear hour behind it, the window ends on the edge and starts inside the hour before.
    choice = best_window(series([300, 200, 100, 250]), 90 * 60)
    assert start_min(choice) == 90
    assert choice.intensity_g_per_kwh == pytest.approx((200 * 30 + 100 * 60) / 90)


def test_the_saving_is_against_starting_now():
    choice = best_window(HOURS, 3600, now_us=T0)
    assert choice == WindowChoice(T0 + 120 * MIN, T0 + 180 * MIN, 100.0, T0, 300.0)
    assert choice.saving_g_per_kwh == 200.0
    assert choice.saving_ratio == pytest.approx(2 / 3)


def test_without_a_present_the_saving_is_against_the_first_instant_allowed():
    assert best_window(HOURS, 3600).now_us == T0
    assert best_window(HOURS, 3600, earliest_us=T0 + 60 * MIN).now_intensity_g_per_kwh == 200.0
    assert best_window(HOURS, 3600, earliest_us=T0 - 60 * MIN).now_us == T0


def test_a_present_that_the_data_do_not_cover_has_no_saving():
    choice = best_window(HOURS, 3600, now_us=T0 - 30 * MIN)
    assert choice.now_us == T0 - 30 * MIN
    assert choice.now_intensity_g_per_kwh is choice.saving_g_per_kwh is choice.saving_ratio is None


def test_no_start_lies_before_the_present_or_the_earliest():
    assert start_min(best_window(HOURS, 3600, now_us=T0 + 150 * MIN)) == 300
    late = best_window(HOURS, 3600, now_us=T0, earliest_us=T0 + 150 * MIN)
    assert (start_min(late), late.now_us) == (300, T0)
    assert start_min(best_window(HOURS, 3600, now_us=T0 + 150 * MIN, earliest_us=T0)) == 300


def test_the_run_has_ended_by_the_deadline():
    assert start_min(best_window(HOURS, 3600, deadline_us=T0 + 179 * MIN)) == 119
    assert start_min(best_window(HOURS, 3600, deadline_us=T0 + 180 * MIN)) == 120
    assert best_window(HOURS, 3600, deadline_us=T0 + 60 * MIN).end_us == T0 + 60 * MIN


def test_nothing_to_save_is_zero_and_a_share_of_zero_is_none():
    assert best_window(series([7, 7]), 3600, now_us=T0).saving_ratio == 0.0
    assert best_window(series([0, 0]), 3600, now_us=T0).saving_ratio == 0.0
    assert WindowChoice(0, 1, 5.0, 0, 0.0).saving_ratio is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration_s": 7 * 3600}, "takes 7 h, and the data that may be used cover 6 h without"),
        ({"duration_s": 3600, "deadline_us": T0 + 59 * MIN}, "cover 59 min without"),
        ({"duration_s": 3600, "earliest_us": T0 + 301 * MIN}, "cover 59 min without"),
        ({"duration_s": 3600, "earliest_us": T0, "deadline_us": T0 + 30 * MIN}, "from 2022-01-01T00:00:00Z to"),
        ({"duration_s": 3600, "now_us": T0 + 9999 * MIN}, "cover 0 s"),
    ],
)
def test_a_run_that_fits_nowhere_says_why(options, message):
    with pytest.raises(WindowInfeasible, match=message):
        best_window(HOURS, **options)
    with pytest.raises(WindowInfeasible, match=message):
        rank_windows(HOURS, count=2, **options)


def test_no_data_is_no_window():
    for empty in ([], [IntensityPoint(T0, 0, 1.0)], IntensitySeries((), zone="z", source="s")):
        with pytest.raises(WindowInfeasible, match="no data"):
            best_window(empty, 60, now_us=T0)


def test_windows_never_cover_a_gap():
    gap = [*series([100, 900]), *series([100, 200], start=180)]
    choice = best_window(gap, 2 * 3600)
    assert (start_min(choice), choice.intensity_g_per_kwh) == (180, 150.0)
    with pytest.raises(WindowInfeasible, match="cover 2 h without a gap"):
        best_window(gap, 2.5 * 3600)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_is_more_than_nothing(duration_s):
    with pytest.raises(InvalidParameters, match="duration"):
        best_window(HOURS, duration_s)


def test_a_duration_longer_than_time_itself_fits_nowhere():
    with pytest.raises(WindowInfeasible):
        best_window(HOURS, 1e15)


def test_overlaps_are_errors():
    with pytest.raises(DiscontinuousData, match="point 1 begins before the one before it ends"):
        best_window([HOURS[0], HOURS[0]], 60)


def test_a_series_its_points_and_steps_are_all_the_same():
    whole = IntensitySeries(tuple(HOURS), zone="z", source="s")
    steps = prepare(whole)
    assert prepare(steps) is steps
    assert best_window(whole, 5400) == best_window(HOURS, 5400) == best_window(steps, 5400)


def test_ranked_windows_do_not_overlap_and_get_worse():
    ranked = rank_windows(HOURS, 3600, 9, now_us=T0)
    assert [(start_min(choice), choice.intensity_g_per_kwh) for choice in ranked] == [
        (120, 100.0),
        (300, 100.0),
        (180, 150.0),
        (60, 200.0),
        (0, 300.0),
        (240, 400.0),
    ]
    assert ranked[0] == best_window(HOURS, 3600, now_us=T0)
    assert {choice.now_intensity_g_per_kwh for choice in ranked} == {300.0}
    assert rank_windows(HOURS, 3600, 2) == rank_windows(HOURS, 3600, 9)[:2]


def test_ranked_windows_may_lie_closer():
    close = rank_windows(HOURS, 3600, 3, apart_s=600)
    assert [start_min(choice) for choice in close] == [120, 300, 130]
    assert close[2].intensity_g_per_kwh == pytest.approx((100 * 50 + 150 * 10) / 60)


def test_ranks_need_a_count_and_a_distance():
    with pytest.raises(InvalidParameters, match="count"):
        rank_windows(HOURS, 3600, 0)
    with pytest.raises(InvalidParameters, match="apart"):
        rank_windows(HOURS, 3600, 2, apart_s=0.0)


def test_a_plan_is_the_best_window_of_each_job():
    jobs = [
        Job(3600),
        Job(5400, T0 + 60 * MIN),
        Job(3600, None, T0 + 119 * MIN),
        Job(36_000),
        Job(3600, T0 + 400 * MIN),
    ]
    planned = plan(jobs, HOURS, now_us=T0)
    for job, choice in zip(jobs[:3], planned, strict=False):
        alone = best_window(HOURS, job.duration_s, earliest_us=job.earliest_us, deadline_us=job.deadline_us, now_us=T0)
        assert choice == alone
    assert planned[3:] == (None, None)
    assert plan([], HOURS) == ()
    with pytest.raises(InvalidParameters, match="duration"):
        plan([Job(0)], HOURS)
    with pytest.raises(WindowInfeasible, match="no data"):
        best_window([], 60)
    assert plan([Job(60)], []) == (None,)


def test_starts_are_spread_within_the_slack_and_always_alike():
    flat = series([300, 100, 100, 100, 300])
    choice = best_window(flat, 3600, now_us=T0)
    starts = [spread_start(choice, flat, seed=f"host-{i}/job", tolerance_ratio=0.0) for i in range(200)]
    assert all(T0 + 60 * MIN <= start <= T0 + 180 * MIN for start in starts)
    assert len(set(starts)) == 200
    quarters = [sum((start - T0 - 60 * MIN) // (30 * MIN) == quarter for start in starts) for quarter in range(4)]
    assert min(quarters) > 25  # even, as far as 200 draws can be
    assert starts[7] == spread_start(choice, flat, seed="host-7/job", tolerance_ratio=0.0)


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.5])
def test_spreading_never_costs_more_than_the_tolerance(tolerance):
    rng = random.Random(3)
    data = series([rng.uniform(100, 400) for _ in range(48)], step=30)
    steps = prepare(data)
    choice = best_window(data, 5000, now_us=T0)
    for i in range(100):
        start = spread_start(choice, data, seed=str(i), tolerance_ratio=tolerance)
        mean = steps.mean(start, start + choice.end_us - choice.start_us)
        assert mean <= choice.intensity_g_per_kwh * (1 + tolerance) * (1 + 1e-11)


def test_spreading_respects_the_present_and_the_deadline():
    flat = series([100] * 10)
    choice = best_window(flat, 3600, now_us=T0 + 30 * MIN)
    for i in range(50):
        start = spread_start(choice, flat, seed=str(i), deadline_us=T0 + 100 * MIN)
        assert T0 + 30 * MIN <= start <= T0 + 40 * MIN
        assert spread_start(choice, flat, seed=str(i), earliest_us=T0 + 20 * MIN) >= T0 + 20 * MIN
    exact = best_window(flat, 3600, now_us=T0, deadline_us=T0 + 60 * MIN)
    assert spread_start(exact, flat, seed="any", deadline_us=T0 + 60 * MIN) == T0
    for options in ({"earliest_us": T0 + 35 * MIN}, {"deadline_us": T0 + 89 * MIN}):
        with pytest.raises(WindowInfeasible, match="choose again"):
            spread_start(choice, flat, seed="s", **options)


def test_a_choice_that_the_series_does_not_bear_out_stays_where_it_is():
    choice = WindowChoice(T0 + 9000 * MIN, T0 + 9060 * MIN, 5.0, T0, None)
    assert spread_start(choice, HOURS, seed="s") == choice.start_us
    with pytest.raises(InvalidParameters, match="tolerance"):
        spread_start(choice, HOURS, seed="s", tolerance_ratio=-0.1)


def test_a_million_points_keep_nine_digits():
    rng = random.Random(5)
    values = array("d", (rng.uniform(0, 1000) for _ in range(1_000_000)))
    from codecarbon._sensors import Steps

    steps = Steps.from_grid(0, MIN, values)
    for count in (1_000_000, 999_999, 500_000):
        choice = best_window(steps, 60.0 * count)
        first = choice.start_us // MIN
        exact = math.fsum(values[first : first + count]) / count
        assert choice.intensity_g_per_kwh == pytest.approx(exact, rel=1e-15)
        others = (math.fsum(values[at : at + count]) / count for at in range(0, 1_000_001 - count, 99_991))
        assert choice.intensity_g_per_kwh <= min(others) * (1 + 1e-9)
