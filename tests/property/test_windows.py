"""Windows against brute force in whole numbers and fractions, where every start that could matter is tried."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codecarbon._sensors import Steps, split
from codecarbon.forecast import optima, rolling
from codecarbon.model.series import IntensityPoint

EVER = 1 << 60


def laws(examples: int) -> settings:
    """Try the same examples in every run: a red run means that the change broke a law."""
    return settings(derandomize=True, deadline=None, database=None, max_examples=examples)


@st.composite
def step_lists(draw, max_size=24, values=None):
    """Steps as (start, length, value): mostly few different values, so that ties abound; equal steps or not; gaps."""
    if values is None:
        values = draw(st.sampled_from([st.integers(0, 3), st.integers(0, 1000), st.just(7)]))
    lengths = draw(st.sampled_from([st.just(5), st.just(60), st.integers(1, 12)]))
    gaps = draw(st.sampled_from([st.just(0), st.sampled_from([0, 0, 0, 0, 0, 1, 5, 30])]))
    at = draw(st.integers(-1000, 1000))
    steps = []
    for length, value, gap in draw(st.lists(st.tuples(lengths, values, gaps), min_size=1, max_size=max_size)):
        steps.append((at, length, value))
        at += length + gap
    return steps


def integral(steps, start, end):
    """The exact integral over a span; None where it is not covered."""
    covered = total = 0
    for at, length, value in steps:
        overlap = min(end, at + length) - max(start, at)
        if overlap > 0:
            covered += overlap
            total += overlap * (value if isinstance(value, int) else Fraction(value))
    return total if covered == end - start else None


def starts(steps, window, earliest, latest):
    """Every start at which the slope of the integral may change, and the bounds."""
    edges = {edge for at, length, _ in steps for edge in (at, at + length)}
    wanted = edges | {edge - window for edge in edges} | {earliest, latest}
    return sorted(start for start in wanted if earliest <= start <= latest)


def brute_force(steps, window, earliest, latest):
    tried = ((integral(steps, start, start + window), start) for start in starts(steps, window, earliest, latest))
    found = [(total, start) for total, start in tried if total is not None]
    return min(found) if found else None


def bounds(steps, data):
    """An earliest and a latest start, in or around the data."""
    low, high = steps[0][0] - 10, steps[-1][0] + steps[-1][1] + 10
    earliest = data.draw(st.sampled_from([-EVER, None]))
    latest = data.draw(st.sampled_from([EVER, None]))
    return (
        data.draw(st.integers(low, high)) if earliest is None else earliest,
        data.draw(st.integers(low, high)) if latest is None else latest,
    )


@laws(500)
@given(step_lists(), st.data())
def test_the_best_window_is_the_earliest_of_all_starts(steps, data):
    span = steps[-1][0] + steps[-1][1] - steps[0][0]
    window = data.draw(st.integers(1, span + 2))
    earliest, latest = bounds(steps, data)
    found = Steps(steps).best(window, earliest, latest)
    expected = brute_force(steps, window, earliest, latest)
    assert (found is None) == (expected is None)
    if found and expected:
        assert found == (expected[1], float(Fraction(expected[0]) / window))


@laws(100)
@given(step_lists(max_size=12), st.data())
def test_no_other_instant_beats_the_best_window(steps, data):
    """The proof, tried: every whole instant, not only those that the algorithm thinks of."""
    span = steps[-1][0] + steps[-1][1] - steps[0][0]
    window = data.draw(st.integers(1, span))
    found = Steps(steps).best(window, -EVER, EVER)
    totals = [integral(steps, start, start + window) for start in range(steps[0][0], steps[0][0] + span)]
    covered = [total for total in totals if total is not None]
    assert (found is None) == (not covered)
    if found:
        assert found[1] == float(Fraction(min(covered)) / window)


@laws(150)
@given(step_lists(values=st.floats(0, 2000)), st.data())
def test_floats_stay_within_rounding_of_the_best(steps, data):
    span = steps[-1][0] + steps[-1][1] - steps[0][0]
    window = data.draw(st.integers(1, span))
    found = Steps(steps).best(window, -EVER, EVER)
    expected = brute_force(steps, window, -EVER, EVER)
    assert (found is None) == (expected is None)
    if found and expected:
        best = float(expected[0] / window)
        assert abs(found[1] - best) <= 1e-11 * best + 1e-20 * 2000
        assert found[1] == float(integral(steps, found[0], found[0] + window) / window)


@laws(150)
@given(st.floats(0, 2000), st.integers(1, 60), st.booleans(), st.data())
def test_a_constant_series_is_started_at_once(value, window, is_equal, data):
    lengths = [5] * 12 if is_equal else [5, 3, 8, 4, 7, 9, 1, 2, 6, 5, 4, 6]
    steps = [(sum(lengths[:i]), length, value) for i, length in enumerate(lengths)]
    earliest = data.draw(st.integers(0, 60 - window))
    assert Steps(steps).best(window, earliest, EVER) == (earliest, value)


@laws(100)
@given(step_lists(), st.data())
def test_a_plan_is_what_each_job_would_get_alone(steps, data):
    table = Steps(steps)
    jobs = [(data.draw(st.integers(1, 80)), *bounds(steps, data)) for _ in range(6)]
    assert table.best_of_each(jobs) == [table.best(*job) for job in jobs]


@laws(200)
@given(step_lists(), st.data())
def test_every_start_in_the_slack_is_good_enough_and_the_next_one_is_not(steps, data):
    window = data.draw(st.integers(1, 40))
    earliest, latest = bounds(steps, data)
    table = Steps(steps)
    found = table.best(window, earliest, latest)
    assume(found is not None)
    limit = found[1] * data.draw(st.sampled_from([1.0, 1.05, 1.5]))
    first, last = table.slack(window, found[0], limit, earliest, latest)
    assert max(earliest, -2000) <= first <= found[0] <= last <= latest

    def is_good(start, tie):
        total = integral(steps, start, start + window)
        return earliest <= start <= latest and total is not None and total <= window * limit * (1 + tie)

    assert all(is_good(start, 1e-11) for start in range(first, last + 1))
    assert not is_good(first - 1, -1e-11)
    assert not is_good(last + 1, -1e-11)


@laws(150)
@given(step_lists(), st.integers(1, 60), st.data())
def test_rolling_means_are_exact_and_in_phase(steps, window, data):
    start, end = bounds(steps, data)
    points = [IntensityPoint(at, length, float(value)) for at, length, value in steps]
    kept = [point for point in points if point.end_us > start and point.start_us <= end]
    rows = rolling(points, window, start, end)
    known = points[: points.index(kept[-1]) + 1] if kept else []
    expected = []
    at = max(start, kept[0].start_us) if kept else 0
    while kept and at + window <= end:
        total = integral([point[:3] for point in known], at, at + window)
        if total is not None:
            expected.append((at, window, float(Fraction(total) / window)))
        if at + window > kept[-1].start_us:
            break
        at += kept[0].duration_us
    assert list(rows) == expected


@laws(200)
@given(st.lists(st.floats(0, 1000), max_size=20), st.sampled_from([0.0, 1e-9, 0.1]))
def test_optima_are_all_that_are_close_to_the_lowest(values, tolerance):
    found = optima(values, relative_tolerance=tolerance)
    assert list(found) == [i for i, v in enumerate(values) if v <= min(values) + tolerance * min(values)]


def cheapest(steps, run, bounds, pieces, penalty):
    """The exact minimum over all sets of whole instants, by the plainest search there is."""
    cells = {at + k: value for at, length, value in steps for k in range(length)}
    states = {(0, 0, False): 0}  # instants used, pieces begun, whether the one before is used
    for at in range(max(bounds[0], min(cells)), min(bounds[1], max(cells) + 1)):
        after = {}
        for (used, begun, is_on), cost in states.items():
            ways = [((used, begun, False), cost)]
            if at in cells:
                begins = 0 if is_on else 1
                ways.append(((used + 1, begun + begins, True), cost + cells[at] + begins * penalty))
            for state, total in ways:
                if state[0] <= run and state[1] <= pieces and total < after.get(state, total + 1):
                    after[state] = total
        states = after
    found = [cost for (used, _, _), cost in states.items() if used == run]
    return min(found) - penalty if found else None


@laws(250)
@given(step_lists(max_size=8), st.data())
def test_pieces_are_the_cheapest_of_all(steps, data):
    total = sum(length for _, length, _ in steps)
    assume(total <= 120)
    low, high = steps[0][0] - 3, steps[-1][0] + steps[-1][1] + 3
    earliest = data.draw(st.one_of(st.just(low), st.integers(low, high)))
    deadline = data.draw(st.one_of(st.just(high), st.integers(low, high)))
    run = data.draw(st.integers(1, total + 1))
    pieces = data.draw(st.integers(1, 4))
    penalty = data.draw(st.sampled_from([0, 1, 20, 1000]))
    found = split(Steps(steps), run, earliest, deadline, pieces=pieces, penalty=float(penalty))
    expected = cheapest(steps, run, (earliest, deadline), pieces, penalty)
    assert (found is None) == (expected is None)
    if found is None or expected is None:
        return
    cost, used = found
    assert cost == expected
    assert sum(end - begin for begin, end in used) == run
    assert all(earliest <= begin < end <= deadline for begin, end in used)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(used))
    # Pieces on both sides of a gap are two, even if they touch it.
    assert sum(integral(steps, begin, end) for begin, end in used) + penalty * (len(used) - 1) == cost
    assert len(used) <= pieces
