"""The mean over a period against its definition, on any series."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.carbon_aware.averages import mean_over
from codecarbon.errors import NotCovered
from codecarbon.model import IntensityPoint

STEPS = st.lists(st.tuples(st.integers(1, 50), st.floats(0, 3000)), min_size=1, max_size=12)


def touching(steps):
    points, start_us = [], 0
    for duration_us, value in steps:
        points.append(IntensityPoint(start_us, duration_us, value))
        start_us += duration_us
    return points


@given(STEPS, st.data())
def test_mean_is_that_of_all_instants(steps, data):
    points = touching(steps)
    end_us = data.draw(st.integers(1, points[-1].end_us))
    start_us = data.draw(st.integers(0, end_us - 1))
    by_instant = [point.intensity_g_per_kwh for point in points for _ in range(point.duration_us)][start_us:end_us]
    expected = math.fsum(by_instant) / len(by_instant)
    for order in (points, points[::-1]):
        assert mean_over(order, start_us, end_us) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(STEPS)
def test_period_beyond_the_data_has_no_mean(steps):
    points = touching(steps)
    for start_us, end_us in ((-1, 1), (0, points[-1].end_us + 1), (-2, -1)):
        with pytest.raises(NotCovered):
            mean_over(points, start_us, end_us)
