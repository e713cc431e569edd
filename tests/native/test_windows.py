"""The window kernels: what they accept, long series across their blocks, ties despite rounding, and threads."""

from __future__ import annotations

import itertools
import math
import random
import threading
from array import array

import pytest

from codecarbon._sensors import Steps, split

EVER = 1 << 60
STEP = 300_000_000


def grid(values, start=0, step=STEP):
    return Steps.from_grid(start, step, array("d", values))


def prefix_sums(values):
    return [0, *itertools.accumulate(values)]


def best_on_grid(values, count):
    """The first lowest window of `count` values, by prefix sums of whole numbers."""
    sums = prefix_sums(values)
    totals = [sums[at + count] - sums[at] for at in range(len(values) + 1 - count)]
    lowest = min(totals)
    return totals.index(lowest), lowest / count


def whole_numbers(count, seed, top=50):
    rng = random.Random(seed)
    return [rng.randrange(top) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 12, 4095, 4096, 4097, 8191, 8193, 9000, 19_999, 20_000])
def test_long_series_of_equal_steps_are_exact_across_blocks(count):
    values = whole_numbers(20_000, seed=count)
    at, mean = best_on_grid(values, count)
    assert grid(values).best(count * STEP, -EVER, EVER) == (at * STEP, mean)
    # Bounds that cut the blocks elsewhere; the best of what is left may be another.
    at, mean = best_on_grid(values[7:], min(count, 19_000))
    found = grid(values).best(min(count, 19_000) * STEP, 7 * STEP, EVER)
    assert found == ((at + 7) * STEP, mean)


@pytest.mark.parametrize("count", [1, 12, 2000, 4097, 9000])
def test_long_series_of_unequal_steps_are_exact_across_restarts(count):
    rng = random.Random(count)
    values = whole_numbers(12_000, seed=count)
    edges = prefix_sums(rng.choice([1, 2, 3]) for _ in values)
    cells = [value for value, a, b in zip(values, edges, edges[1:], strict=False) for _ in range(b - a)]
    steps = Steps.from_edges(array("q", edges), array("d", values))
    at, mean = best_on_grid(cells, count)
    assert steps.best(count, -EVER, EVER) == (at, pytest.approx(mean, rel=1e-15))


@pytest.mark.parametrize("count", [1, 7, 288, 5000, 19_999])
@pytest.mark.parametrize("is_equal", [True, False])
def test_rounding_makes_no_minimum_of_equal_values(count, is_equal):
    values = array("d", [0.1]) * 20_000
    if is_equal:
        steps = Steps.from_grid(0, STEP, values)
    else:
        rng = random.Random(1)
        edges = array("q", [at * STEP + rng.randrange(1000) for at in range(20_001)])
        steps = Steps.from_edges(edges, values)
    start, _ = steps.spans()[0]
    assert steps.best(count * STEP - 5000, -EVER, EVER) == (start, 0.1)
    assert steps.best(count * STEP - 5000, start + 77, EVER) == (start + 77, 0.1)


def test_a_true_minimum_is_found_below_the_noise_of_a_plain_sum():
    # After huge values a plain running sum has lost the digits that tell 1 from 1 - 1e-10.
    values = array("d", [1.0]) * 10_000
    values[100] = values[5000] = 1e9
    values[7000] = 1.0 - 1e-10
    assert Steps.from_grid(0, STEP, values).best(STEP, -EVER, EVER) == (7000 * STEP, 1.0 - 1e-10)


def made(values, is_equal):
    """Equal steps, or steps of one more and one less in turn."""
    if is_equal:
        return Steps.from_grid(0, 10, array("d", values))
    return Steps.from_edges(array("q", [10 * at + at % 2 for at in range(len(values) + 1)]), array("d", values))


@pytest.mark.parametrize("is_equal", [True, False])
@pytest.mark.parametrize("count", [2, 5])
def test_what_left_the_window_leaves_nothing_behind(is_equal, count):
    # Nights of nothing after days that no double holds exactly: the first whole night wins, with nothing.
    rng = random.Random(count)
    days = [[10 ** rng.uniform(*((-40, 1), (2, 3))[at % 2]) for at in range(1, 8)] + [0.0] * 6 for _ in range(2000)]
    steps = made([value for day in days for value in day], is_equal)
    first = 70 if is_equal else 71
    assert steps.best(10 * count, -EVER, EVER) == (first, 0.0)
    assert steps.best(10 * count, 13 * 10 * 900, EVER)[1] == 0.0
    assert steps.best(10 * count - 1, first + 1, EVER) == (first + 1, 0.0)
    means = [row[2] for row in steps.rolling(10 * count, 0, EVER)[0]]
    assert means.count(0.0) > 1000
    assert all(mean == 0.0 or mean > 1.0 for mean in means)


@pytest.mark.parametrize("is_equal", [True, False])
def test_a_night_that_is_lower_by_less_than_noise_is_found_in_a_later_block(is_equal):
    for seed in range(12):
        rng = random.Random(seed)
        days = [[rng.uniform(100, 900) for _ in range(7)] + [1.0] * 6 for _ in range(2000)]
        days[1800][7:] = [1.0 - 1.5e-12] * 6
        steps = made([value for day in days for value in day], is_equal)
        assert steps.best(40, -EVER, EVER)[0] == (1800 * 13 + 7) * 10 + (0 if is_equal else 1)


@pytest.mark.parametrize("is_equal", [True, False])
@pytest.mark.parametrize("count", [1, 3, 700])
def test_a_spike_does_not_make_later_windows_look_lower(is_equal, count):
    values = [0.3] * 150_000
    for at in range(1000, 150_000, 1777):
        values[at] = 1e9 / 3 + at
    steps = made(values, is_equal)
    assert steps.best(10 * count, 0, EVER) == (0, 0.3)
    assert steps.best(10 * count - 3, 13, EVER) == (13, 0.3)


@pytest.mark.parametrize("is_equal", [True, False])
def test_many_equal_blocks_start_at_once(is_equal):
    steps = made([0.1] * 300_000, is_equal)
    for window in (10, 77, 41_000, 500_001):
        assert steps.best(window, 3, EVER) == (3, 0.1)


@pytest.mark.parametrize("is_equal", [True, False])
@pytest.mark.parametrize("slope", [1, -1])
def test_a_series_that_only_falls_or_rises(is_equal, slope):
    values = [1000 + slope * at / 1000 for at in range(200_000)]
    steps = made(values, is_equal)
    end = steps.spans()[0][1]
    for window in (10, 95, 50_000):
        start, mean = steps.best(window, -EVER, EVER)
        assert start == (end - window if slope < 0 else 0)
        assert mean == steps.mean(start, start + window)


def test_long_rolling_windows_over_nothing_are_nothing():
    rng = random.Random(4)
    day = [10 ** rng.uniform(*((2, 3), (-40, 1))[at % 2]) for at in range(701)]
    means = [row[2] for row in grid(day + [0.0] * 700 + day).rolling(600 * STEP, 0, EVER)[0]]
    assert [at for at, mean in enumerate(means) if mean == 0.0] == list(range(701, 802))
    assert all(mean == 0.0 or mean > 0.1 for mean in means)


def test_long_rolling_windows_are_exact():
    values = [300 + 200 * math.sin(at / 50) for at in range(4000)]
    rows, gap = grid(values).rolling(1500 * STEP, 0, EVER)
    assert (len(rows), gap) == (2501, None)
    for at in (0, 1, 511, 512, 513, 1700, 2500):
        assert rows[at] == (at * STEP, 1500 * STEP, pytest.approx(math.fsum(values[at : at + 1500]) / 1500, rel=3e-16))


@pytest.mark.parametrize("count", [1, 100, 5000, 50_000])
def test_means_agree_with_an_exact_sum(count):
    rng = random.Random(count)
    values = [300 + 200 * math.sin(i / 50) + rng.gauss(0, 20) for i in range(100_000)]
    start, mean = grid(values).best(count * STEP, -EVER, EVER)
    at = start // STEP
    assert start % STEP == 0
    assert mean == pytest.approx(math.fsum(values[at : at + count]) / count, rel=1e-15)


def test_points_and_arrays_make_the_same_steps():
    values = whole_numbers(50, seed=1)
    points = [(at * STEP, STEP, value) for at, value in enumerate(values)]
    edges = array("q", [at * STEP for at in range(51)])
    made = [Steps(points), Steps(map(list, points)), grid(values), Steps.from_edges(edges, array("d", values))]
    for steps in made:
        assert len(steps) == 50
        assert steps.spans() == [(0, 50 * STEP)]
        assert steps.best(7 * STEP + 5, 11, 40 * STEP) == made[0].best(7 * STEP + 5, 11, 40 * STEP)
        assert steps.mean(3, 5 * STEP) == made[0].mean(3, 5 * STEP)
        assert steps.rolling(2 * STEP, 0, EVER) == made[0].rolling(2 * STEP, 0, EVER)


def test_read_only_buffers_are_good_enough():
    frozen = memoryview(array("d", [3.0, 1.0, 2.0])).toreadonly()
    assert Steps.from_grid(0, 10, frozen).best(10, -EVER, EVER) == (10, 1.0)


def test_steps_keep_their_arrays_alive():
    steps = [grid(whole_numbers(1000, seed)) for seed in range(20)]
    assert [one.best(STEP, -EVER, EVER)[1] for one in steps] == [0.0] * 20


def test_nothing_has_no_windows():
    steps = Steps()
    assert len(steps) == 0
    assert steps.spans() == []
    assert steps.best(1, -EVER, EVER) is steps.mean(0, 1) is steps.slack(1, 0, 1.0, -EVER, EVER) is None
    assert steps.rolling(1, -EVER, EVER) == ([], None)
    assert steps.best_of_each([(1, 0, 1)]) == [None]
    assert steps.best_of_each([]) == []
    assert split(steps, 1, -EVER, EVER, pieces=2, penalty=0.0) is None


def test_means_want_a_span_without_gaps():
    steps = Steps([(0, 10, 1.0), (10, 10, 3.0), (30, 10, 5.0)])
    assert steps.spans() == [(0, 20), (30, 40)]
    assert steps.mean(5, 15) == 2.0
    assert steps.mean(30, 40) == 5.0
    for span in ((15, 35), (20, 30), (-1, 5), (35, 41), (5, 5), (6, 5), (-(10**30), 10**30)):
        assert steps.mean(*span) is None


@pytest.mark.parametrize(
    "points",
    [
        [(0, 10, 1.0), (9, 10, 1.0)],
        [(10, 10, 1.0), (0, 10, 1.0)],
        [(0, -1, 1.0)],
        [(0, 10, float("nan"))],
        [(0, 10, float("inf"))],
        [(0, 10, -2e15)],
        [(1 << 60, 1, 1.0)],
        [(-(1 << 60) - 1, 1, 1.0)],
        [(0, (1 << 53) + 1, 1.0)],
        [(0, 10)],
        [()],
    ],
)
def test_points_beyond_belief_are_refused(points):
    with pytest.raises(ValueError):
        Steps(points)


@pytest.mark.parametrize("points", [[("a", 1, 1.0)], [(0, 1, "x")], [(0, None, 1.0)], [1], 5, [(0, 1.5, 1.0)]])
def test_points_of_another_kind_are_refused(points):
    with pytest.raises(TypeError):
        Steps(points)


def test_a_number_too_big_for_a_time_is_refused():
    with pytest.raises(OverflowError):
        Steps([(10**30, 1, 1.0)])


@pytest.mark.parametrize(
    ("start", "step", "values"),
    [(0, 10, []), (0, 0, [1.0]), (0, -1, [1.0]), (0, 1 << 54, [1.0]), (1 << 60, 10, [1.0]), (0, 10, [math.nan])],
)
def test_grids_beyond_belief_are_refused(start, step, values):
    with pytest.raises(ValueError):
        Steps.from_grid(start, step, array("d", values))


@pytest.mark.parametrize(
    ("edges", "values"),
    [
        ([0, 1], []),
        ([0], [1.0]),
        ([0, 1], [1.0, 2.0]),
        ([0, 2, 1], [1.0, 1.0]),
        ([0, 1 << 61], [1.0]),
        ([0, 1], [math.inf]),
    ],
)
def test_edges_beyond_belief_are_refused(edges, values):
    with pytest.raises(ValueError):
        Steps.from_edges(array("q", edges), array("d", values))


def test_arrays_of_another_kind_are_refused():
    with pytest.raises(ValueError):
        Steps.from_grid(0, 1, array("f", [1.0]))
    with pytest.raises(TypeError):
        Steps.from_grid(0, 1, None)
    with pytest.raises(TypeError):
        Steps.from_grid(0, 1, [1.0])


@pytest.mark.parametrize("window", [0, -1, (1 << 53) + 1])
def test_windows_beyond_belief_are_refused(window):
    steps = grid([1.0, 2.0])
    for call in (
        lambda: steps.best(window, 0, 1),
        lambda: steps.rolling(window, 0, 1),
        lambda: steps.slack(window, 0, 1.0, 0, 1),
        lambda: steps.best_of_each([(1, 0, 1), (window, 0, 1)]),
        lambda: split(steps, window, 0, 1, pieces=1, penalty=0.0),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize(("pieces", "penalty"), [(0, 0.0), (1001, 0.0), (1, -1.0), (1, math.nan), (1, math.inf)])
def test_pieces_beyond_belief_are_refused(pieces, penalty):
    with pytest.raises(ValueError):
        split(grid([1.0, 2.0]), 10, 0, STEP, pieces=pieces, penalty=penalty)


def test_bounds_at_the_ends_of_time():
    last = (1 << 60) - STEP
    steps = Steps([(-(1 << 60), STEP, 2.0), (last, STEP, 1.0)])
    assert steps.best(STEP, -(10**30), 10**30) == (last, 1.0)
    assert steps.best(1, -(10**30), -(10**29)) == (-(1 << 60), 2.0)
    assert steps.slack(10, last, 1.0, -(10**30), 10**30) == (last, last + STEP - 10)
    assert len(steps.rolling(STEP, last, 10**30)[0]) == 1


def test_slack_needs_a_start_that_is_good_enough():
    steps = grid([5.0, 1.0, 1.0, 5.0], step=10)
    assert steps.slack(10, 10, 1.0, -EVER, EVER) == (10, 20)
    assert steps.slack(10, 10, 2.0, -EVER, EVER) == (8, 22)  # a quarter of the way up, rounded inwards
    assert steps.slack(10, 10, 0.5, -EVER, EVER) is None
    assert steps.slack(10, 35, 9.0, -EVER, EVER) is None  # it would end behind the data
    assert steps.slack(10, 10, 9.0, 12, EVER) is None


@pytest.mark.parametrize(
    ("values", "at", "expected"),
    [
        ([-0.2, -0.3 - 5e-17, 0.3 + 5e-17, -0.3 - 5e-17, 0.3 + 5e-17, -0.3 - 5e-17, -0.3 - 5e-17], 5, (0, 5 * STEP)),
        ([1 / 3, -0.2, -1 / 3, 1 / 3, -1 / 3, -0.3, 0.3], 4, (STEP // 5, 5 * STEP)),
    ],
)
def test_slack_that_rounding_uses_up_ends_there(values, at, expected):
    # Sums that come out a hair above the limit at an edge, with a level stretch behind it.
    assert grid(values).slack(2 * STEP, at * STEP, 0.0, -EVER, EVER) == expected


def test_pieces_of_a_long_series_fit_together():
    values = whole_numbers(2000, seed=9)
    steps = grid(values)
    cost, pieces = split(steps, 200 * STEP + 17, 5, 2000 * STEP - 5, pieces=8, penalty=3.0 * STEP)
    assert sum(end - begin for begin, end in pieces) == 200 * STEP + 17
    assert 1 < len(pieces) <= 8
    total = math.fsum(steps.mean(begin, end) * (end - begin) for begin, end in pieces)
    assert cost == pytest.approx(total + 3.0 * STEP * (len(pieces) - 1), rel=1e-12)
    one, _ = split(steps, 200 * STEP + 17, 5, 2000 * STEP - 5, pieces=1, penalty=0.0)
    start, mean = steps.best(200 * STEP + 17, 5, 2000 * STEP - 5 - 200 * STEP - 17)
    assert one == pytest.approx(mean * (200 * STEP + 17), rel=1e-12)
    assert start >= 5
    assert cost < one


def test_threads_share_steps():
    steps = grid(whole_numbers(50_000, seed=2))
    jobs = [(count * STEP, 0, EVER) for count in (1, 12, 288, 5000)]
    expected = [steps.best(*job) for job in jobs]
    found = []

    def search():
        for _ in range(5):
            found.append([steps.best(*job) for job in jobs])
            found.append(steps.best_of_each(jobs))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 40
