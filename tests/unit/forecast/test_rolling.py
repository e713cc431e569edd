"""Rolling means as the Carbon Aware WebApi defines them, on four points of five minutes: 10, 20, 30, 40."""

from __future__ import annotations

import pytest

from codecarbon.errors import DiscontinuousData, InvalidParameters
from codecarbon.forecast import RollingPoint, optima, rolling
from codecarbon.model.series import IntensityPoint, IntensitySeries

MIN = 60_000_000
T0 = 1_640_995_200_000_000  # 2022-01-01T00:00Z


def series(values, step=5, skip=()):
    return tuple(
        IntensityPoint(T0 + i * step * MIN, step * MIN, float(value)) for i, value in enumerate(values) if i not in skip
    )


F = series([10, 20, 30, 40])


def windows(window=None, start=None, end=None, points=F, **options):
    """Minute after T0: value, as the checklist writes them."""
    bounds = (None if bound is None else T0 + bound * MIN for bound in (start, end))
    rows = rolling(points, window if window is None else window * MIN, *bounds, **options)
    return {(row.start_us - T0) / MIN: row.intensity_g_per_kwh for row in rows}


@pytest.mark.parametrize("window", [None, 0])
def test_case_40_without_a_window_the_points_come_back(window):
    assert windows(window) == {0: 10, 5: 20, 10: 30, 15: 40}
    assert rolling(F, window) == tuple(RollingPoint(*point[:3]) for point in F)
    assert optima([point.intensity_g_per_kwh for point in rolling(F, window)]) == (0,)


def test_case_41_a_window_of_two_points():
    assert windows(10) == {0: 15, 5: 25, 10: 35}
    assert {row.duration_us for row in rolling(F, 10 * MIN)} == {10 * MIN}


def test_case_42_the_end_bounds_windows_and_keeps_the_point_that_begins_there():
    assert windows(10, 0, 15) == {0: 15, 5: 25}
    assert windows(None, 0, 15) == {0: 10, 5: 20, 10: 30, 15: 40}


def test_case_43_points_without_a_window_are_never_clipped():
    assert windows(None, 2, 12) == {0: 10, 5: 20, 10: 30}


def test_case_44_windows_keep_the_phase_of_their_start():
    assert windows(None, 5, 20) == {5: 20, 10: 30, 15: 40}
    assert windows(5, 2, 18) == {2: 14, 7: 24, 12: 34}
    assert windows(10, 2, 20) == {2: 19, 7: 29}


def test_case_45_windows_of_every_kind_of_length():
    assert windows(15) == {0: 20, 5: 30}
    assert windows(20) == {0: 25}
    assert windows(7) == {0: 12.857142857142858, 5: 22.857142857142858, 10: 32.857142857142854}
    assert windows(3) == {0: 10, 5: 20, 10: 30, 15: 40}


def test_case_46_a_window_longer_than_the_data_fits_nowhere():
    assert windows(21, 0, 20) == windows(21) == {}


def test_case_47_the_first_window_ends_in_time_unless_it_may_overrun():
    assert windows(10, 0, 5) == {}
    assert windows(10, 0, 5, may_overrun_first=True) == {0: 15}
    assert windows(5, 0, 3, may_overrun_first=True) == {0: 10}
    # The overrun reaches into kept points only.
    assert windows(10, 0, 4, may_overrun_first=True) == {}
    assert windows(11, 0, 5, may_overrun_first=True) == {}


def test_case_48_bounds_outside_the_data_take_what_there_is():
    assert windows(5, -1, 21) == windows(5, 0, 20) == {0: 10, 5: 20, 10: 30, 15: 40}
    assert windows(5, 30, 40) == windows(5, -9, -5) == windows(None, 30, 40) == {}


def test_case_49_a_start_at_the_end_of_the_data_leaves_no_window():
    assert windows(5, 20, 20) == windows(5, 20) == {}


def test_case_50_a_negative_window_is_refused():
    with pytest.raises(InvalidParameters, match="window_size") as caught:
        windows(-5)
    assert caught.value.problems[0][0] == "window_size"


@pytest.mark.parametrize(
    ("values", "means", "best"),
    [
        ([10, 20, 30, 40, 5], [15, 25, 35, 22.5], (0,)),
        ([5, 55, 10, 10, 10], [30, 32.5, 10, 10], (2, 3)),
        ([12, 11, 10, 12, 13], [11.5, 10.5, 11, 12.5], (1,)),
    ],
)
def test_case_51_optima_and_ties(values, means, best):
    found = list(windows(10, points=series(values)).values())
    assert found == means
    assert optima(found) == optima(found, relative_tolerance=0.0) == best


def test_case_52_a_gap_takes_out_its_windows_or_is_an_error():
    with_gap = series([10, 20, 30, 40, 50, 60], skip={2})
    assert windows(10, points=with_gap) == {0: 15, 15: 45, 20: 55}
    assert windows(5, points=with_gap) == {0: 10, 5: 20, 15: 40, 20: 50, 25: 60}
    with pytest.raises(DiscontinuousData, match=r"gap in the window that begins at 2022-01-01T00:10:00Z"):
        windows(10, points=with_gap, may_skip_gaps=False)
    assert windows(10, 0, 10, points=with_gap, may_skip_gaps=False) == {0: 15}


def test_defect_06_the_first_window_does_not_overrun_the_end():
    assert windows(10, 0, 5) == {}


def test_defect_07_windows_that_fit_nowhere_are_no_error():
    assert rolling((), 5 * MIN) == rolling((), None) == ()
    assert windows(10_000) == {}


def test_defect_25_one_gap_does_not_fail_the_rest():
    assert windows(10, points=series([1, 2, 3, 4, 5], skip={1})) == {10: 3.5, 15: 4.5}


def test_a_series_is_as_good_as_its_points():
    whole = IntensitySeries(F, zone="z", source="s")
    assert rolling(whole, 10 * MIN) == rolling(F, 10 * MIN)


def test_points_without_a_length_say_nothing_in_a_window():
    points = (IntensityPoint(T0, 0, 5.0), *F)
    assert windows(10, points=points) == windows(10)
    assert windows(None, 0, 20, points=points) == windows(None)  # it ends where it begins, which is not in the span
    assert windows(10, points=(F[0], F[1]._replace(duration_us=0), *F[2:])) == {10: 35}


@pytest.mark.parametrize(
    "points",
    [(F[1], F[0]), (F[0], F[0]), (F[0]._replace(duration_us=6 * MIN), F[1]), (F[0]._replace(duration_us=-1),)],
    ids=["falling", "twice", "overlapping", "negative"],
)
def test_overlaps_and_disorder_are_errors_in_any_window(points):
    for may_skip_gaps in (True, False):
        with pytest.raises(DiscontinuousData):
            rolling(points, 5 * MIN, may_skip_gaps=may_skip_gaps)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_values_beyond_belief_are_errors(value):
    with pytest.raises(DiscontinuousData, match="beyond belief"):
        rolling((F[0]._replace(intensity_g_per_kwh=value),), 5 * MIN)


def test_windows_beyond_counting_are_refused():
    with pytest.raises(InvalidParameters, match="window_size"):
        rolling(
            (IntensityPoint(T0, 1, 1.0), IntensityPoint(T0 + 1, 10**9, 1.0), IntensityPoint(T0 + 1 + 10**9, 1, 1.0)), 1
        )
    with pytest.raises(InvalidParameters, match="window_size"):
        rolling(F, 1 << 60)


def test_equal_data_give_equal_means_wherever_they_stand():
    points = series([1e9, 10.1, 10.1, 10.1, 1e-9, 10.1, 10.1, 10.1])
    rows = list(windows(15, points=points).values())
    assert rows[1] == rows[5] == 10.1


def test_optima_of_nothing_and_with_a_tolerance():
    assert optima([]) == ()
    assert optima([1.0, 1.0 + 5e-10, 1.0 + 5e-9]) == (0, 1)
    assert optima([1.0, 1.0 + 5e-10], relative_tolerance=0.0) == (0,)
    assert optima([0.0, 1e-12, 0.0]) == (0, 2)
    assert optima([-1.0, -1.0 - 5e-10, 0.0]) == (0, 1)
