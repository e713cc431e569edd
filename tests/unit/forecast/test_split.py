"""Runs in pieces: what they cost, and when it is not worth it."""

from __future__ import annotations

import pytest

from codecarbon.errors import InvalidParameters, WindowInfeasible
from codecarbon.forecast import best_window, split_window
from codecarbon.model.series import IntensityPoint, TimeSpan

MIN = 60_000_000
T0 = 1_640_995_200_000_000


def series(values, step=60, start=0):
    return [IntensityPoint(T0 + (start + i * step) * MIN, step * MIN, float(value)) for i, value in enumerate(values)]


def spans(choice):
    return [((begin - T0) / MIN, (end - T0) / MIN) for begin, end in choice.pieces]


VALLEYS = series([300, 100, 400, 120, 500, 90, 300])


def test_pieces_go_into_the_valleys():
    assert spans(split_window(VALLEYS, 3 * 3600, 3)) == [(60, 120), (180, 240), (300, 360)]
    choice = split_window(VALLEYS, 3 * 3600, 3, now_us=T0)
    assert choice.intensity_g_per_kwh == pytest.approx((100 + 120 + 90) / 3)
    assert choice.now_intensity_g_per_kwh == pytest.approx((300 + 100 + 400) / 3)
    assert choice.saving_ratio == pytest.approx(1 - 310 / 800)
    assert (choice.start_us, choice.end_us) == (T0 + 60 * MIN, T0 + 360 * MIN)
    assert all(type(piece) is TimeSpan for piece in choice.pieces)


def test_one_piece_is_the_best_window():
    for duration_s in (1800, 3600, 5000, 9000, 7 * 3600):
        one, best = split_window(VALLEYS, duration_s, 1), best_window(VALLEYS, duration_s)
        assert one.pieces == ((best.start_us, best.end_us),)
        assert one.intensity_g_per_kwh == pytest.approx(best.intensity_g_per_kwh, rel=1e-14)


def test_one_end_may_lie_inside_a_step():
    choice = split_window(VALLEYS, 1.5 * 3600, 2)
    assert spans(choice) == [(60, 90), (300, 360)]
    assert choice.intensity_g_per_kwh == pytest.approx((90 * 60 + 100 * 30) / 90)


def test_more_pieces_never_cost_more():
    costs = [split_window(VALLEYS, 2.5 * 3600, pieces).intensity_g_per_kwh for pieces in range(1, 6)]
    assert costs == sorted(costs, reverse=True)


def test_a_run_is_not_interrupted_for_nothing():
    assert spans(split_window(series([100] * 6), 3 * 3600, 4)) == [(0, 180)]
    assert spans(split_window(series([1, 5, 1, 1]), 2 * 3600, 2)) == [(120, 240)]


def test_resuming_takes_time_at_the_power_of_the_run():
    # 6 minutes more in the second valley: its 54 minutes of work, and the rest of the hour beside the first.
    data = series([300, 100, 300, 100, 300])
    free = split_window(data, 2 * 3600, 2)
    assert spans(free) == [(60, 120), (180, 240)]
    slow = split_window(data, 2 * 3600, 2, resume_cost_s=360)
    assert sum(end - begin for begin, end in spans(slow)) == 126
    assert slow.intensity_g_per_kwh == pytest.approx((100 * 120 + 300 * 6) / 120)
    assert spans(split_window(data, 2 * 3600, 2, resume_cost_s=3600)) == [(0, 120)]


def test_resuming_costs_mass_or_energy():
    data = series([300, 100, 200, 100, 300])
    # Interrupting saves 50 g/kWh, which is 100 g for 2 kWh.
    assert len(split_window(data, 2 * 3600, 2, resume_cost_g=99, energy_kwh=2.0).pieces) == 2
    assert len(split_window(data, 2 * 3600, 2, resume_cost_g=101, energy_kwh=2.0).pieces) == 1
    cheap = split_window(data, 2 * 3600, 2, resume_cost_g=20, energy_kwh=2.0)
    assert cheap.intensity_g_per_kwh == pytest.approx(100 + 10)
    # The mean over all that is allowed is 200 g/kWh, so 0.1 kWh is 20 g.
    assert split_window(data, 2 * 3600, 2, resume_energy_kwh=0.1, energy_kwh=2.0) == cheap
    assert len(split_window(data, 2 * 3600, 2, resume_energy_kwh=0.51, energy_kwh=2.0).pieces) == 1


def test_bounds_cut_steps():
    choice = split_window(VALLEYS, 3600, 2, earliest_us=T0 + 75 * MIN, deadline_us=T0 + 200 * MIN)
    assert spans(choice) == [(75, 120), (180, 195)]
    assert split_window(VALLEYS, 60, 2, now_us=T0 + 301 * MIN).start_us == T0 + 301 * MIN


def test_pieces_may_lie_on_both_sides_of_a_gap():
    gap = [*series([100, 500]), *series([100, 500], start=180)]
    assert spans(split_window(gap, 2 * 3600, 2)) == [(0, 60), (180, 240)]
    assert spans(split_window(gap, 3 * 3600, 2)) == [(0, 120), (180, 240)]
    with pytest.raises(WindowInfeasible):
        split_window(gap, 3 * 3600, 1)
    with pytest.raises(WindowInfeasible):
        split_window(gap, 5 * 3600, 3)


def test_steps_of_different_lengths():
    mixed = [*series([300, 100], step=30), *series([400, 50], step=60, start=60)]
    assert spans(split_window(mixed, 5400, 2)) == [(30, 60), (120, 180)]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"pieces": 0}, "pieces"),
        ({"pieces": 1001}, "pieces"),
        ({"resume_cost_s": -1.0}, "resume_cost"),
        ({"resume_cost_g": float("nan")}, "resume_mass"),
        ({"resume_cost_g": 1.0}, "energy"),
        ({"resume_energy_kwh": 1.0, "energy_kwh": 0.0}, "energy"),
        ({"duration_s": 0}, "duration"),
    ],
)
def test_what_cannot_be_is_refused(options, field):
    with pytest.raises(InvalidParameters) as caught:
        split_window(VALLEYS, **{"duration_s": 3600, "pieces": 2, **options})
    assert caught.value.problems[0][0] == field


def test_negative_values_and_endless_searches_are_refused():
    with pytest.raises(InvalidParameters, match="negative"):
        split_window(series([1, -1]), 3600, 2)
    fine = [IntensityPoint(T0, 1, 1.0), IntensityPoint(T0 + 1, 10**9, 2.0), IntensityPoint(T0 + 1 + 10**9, 1, 1.0)]
    with pytest.raises(InvalidParameters, match="too many"):
        split_window(fine, 100, 2)
