"""Windows against brute force in whole numbers and fractions, where every start that could matter is tried."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codecarbon._sensors import Steps
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
        assert abs(found[1] - best) <= 1e-11 * best + 1e-300
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
