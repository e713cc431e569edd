"""The sources that need no network: a constant, the yearly means, and made-up samples."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.errors import CapabilityError, ConfigError, NoIntensityData
from codecarbon.intensity import get_intensity
from codecarbon.intensity.constant import Constant
from codecarbon.intensity.sample import FORECAST_POINTS, STEP_US, Sample, day_shape
from codecarbon.intensity.static import StaticTables
from codecarbon.model import Location, TimeSpan
from codecarbon.units import US_PER_DAY, US_PER_HOUR, US_PER_S, us_from_iso

FRANCE = Location(country_iso_code="FRA")
BERLIN = Location(country_iso_code="DEU", longitude_deg=13.4, key="germanywestcentral")
NOW_S = 1_795_165_321.5  # a minute and a half into a slot
NOW_US = int(NOW_S * US_PER_S)


def sample():
    return Sample(clock=lambda: NOW_S)


# --- constant --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 475.0])
def test_a_constant_says_the_same_everywhere(value):
    provider = Constant(value, clock=lambda: NOW_S)
    series = provider.observed(BERLIN, TimeSpan(NOW_US, NOW_US + US_PER_HOUR))
    assert {point.intensity_g_per_kwh for point in series.points} == {float(value)}
    assert series.points[0].start_us <= NOW_US
    assert series.points[-1].end_us >= NOW_US + US_PER_HOUR
    assert (series.zone, series.source, series.signal) == ("germanywestcentral", "constant", "average")
    assert len(provider.forecast(BERLIN).points) == 288
    assert provider.forecast_at(BERLIN, NOW_US).generated_us == NOW_US - NOW_US % STEP_US


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_constant_is_a_number_of_at_least_zero(value):
    with pytest.raises(ConfigError, match="at least 0"):
        Constant(value)


# --- yearly means ----------------------------------------------------------------------------------------------------


def test_the_tables_answer_with_the_yearly_mean_and_say_so():
    series = StaticTables().observed(FRANCE, TimeSpan(NOW_US, NOW_US + US_PER_DAY))
    (point,) = series.points
    assert point.intensity_g_per_kwh == pytest.approx(56.039)
    assert (point.start_us, point.end_us) == (NOW_US, NOW_US + US_PER_DAY)
    assert point.is_estimated
    assert series.zone == "FRA"
    assert "yearly mean" in series.note
    assert "2023" in series.note


def test_the_tables_say_when_the_figure_is_not_the_places_own():
    series = StaticTables().observed(Location(), TimeSpan(NOW_US, NOW_US))
    assert series.zone == "world"
    assert "unknown place" in series.note
    assert series.points[0].duration_us > 0


def test_the_tables_have_no_forecasts():
    tables = StaticTables()
    assert tables.capabilities == {"observed"}
    with pytest.raises(CapabilityError):
        tables.forecast(FRANCE)
    with pytest.raises(CapabilityError):
        tables.forecast_at(FRANCE, NOW_US)


# --- samples ---------------------------------------------------------------------------------------------------------


def test_a_sample_is_the_yearly_mean_times_the_shape_of_the_day():
    start_us = us_from_iso("2026-11-20T11:00:00Z")
    series = Sample(clock=lambda: start_us / US_PER_S).observed(BERLIN, TimeSpan(start_us, start_us))
    # By hand: the middle of the slot is 11:02:30 UTC, an hour later by the sun in Berlin.
    angle = 2 * math.pi * (12 + 2.5 / 60 - 19.5) / 24
    expected = 380.95 * (1 + 0.12 * math.cos(angle) + 0.12 * math.cos(2 * angle))
    assert [point.intensity_g_per_kwh for point in series.points] == [pytest.approx(expected, rel=1e-12)]
    assert series.points[0] == (start_us, STEP_US, series.points[0].intensity_g_per_kwh, True)
    assert series.zone == "DEU UTC+1"


def test_samples_are_labelled_as_made_up():
    provider = sample()
    for series in (
        provider.observed(BERLIN, TimeSpan(NOW_US - US_PER_HOUR, NOW_US)),
        provider.forecast(BERLIN),
        provider.forecast_at(BERLIN, NOW_US - US_PER_HOUR),
    ):
        assert series.is_synthetic
        assert "made up" in series.note
        assert get_intensity(BERLIN).source in series.note


def test_samples_reach_48_hours_back_and_not_beyond_now():
    points = sample().observed(BERLIN, TimeSpan(NOW_US - 30 * US_PER_DAY, NOW_US + 30 * US_PER_DAY)).points
    assert points[0].start_us == NOW_US - 2 * US_PER_DAY - (NOW_US - 2 * US_PER_DAY) % STEP_US
    assert points[-1].start_us <= NOW_US < points[-1].end_us
    assert len(points) == 48 * 12 + 1
    assert all(first.end_us == second.start_us for first, second in itertools.pairwise(points))


@pytest.mark.parametrize("days", [-3, 1])
def test_there_are_no_samples_outside(days):
    when_us = NOW_US + days * US_PER_DAY
    assert sample().observed(BERLIN, TimeSpan(when_us, when_us + US_PER_HOUR)).points == ()
    with pytest.raises(NoIntensityData, match="last 48 hours"):
        sample().forecast_at(BERLIN, when_us)


def test_a_sample_forecast_begins_with_the_present_slot():
    series = sample().forecast(BERLIN)
    assert len(series.points) == FORECAST_POINTS
    assert series.generated_us == series.points[0].start_us == NOW_US - NOW_US % STEP_US
    assert series.valid_until_us == series.generated_us + STEP_US


def test_an_old_sample_forecast_is_the_one_that_was_made_then():
    then_us = NOW_US - US_PER_DAY
    then = Sample(clock=lambda: then_us / US_PER_S).forecast(BERLIN)
    now = sample().forecast_at(BERLIN, then_us)
    assert now.points == then.points
    assert now.generated_us == then.generated_us


def test_observed_samples_are_what_was_forecast():
    span = TimeSpan(NOW_US - US_PER_HOUR, NOW_US)
    forecast = sample().forecast_at(BERLIN, NOW_US - US_PER_DAY // 2).points
    assert set(sample().observed(BERLIN, span).points) <= set(forecast)


def test_a_cleaner_place_has_cleaner_samples():
    span = TimeSpan(NOW_US, NOW_US)
    assert sample().observed(FRANCE, span).points[0][2] < sample().observed(BERLIN, span).points[0][2]


@given(st.floats(-1000, 1000))
def test_the_shape_repeats_every_day_and_is_never_negative(hour):
    assert day_shape(hour) == pytest.approx(day_shape(hour + 24), abs=1e-9)
    assert 0.865 - 1e-9 < day_shape(hour) <= 1.24 + 1e-9


def test_the_shape_keeps_the_mean():
    hours = [(at + 0.5) / 12 for at in range(288)]
    assert math.fsum(map(day_shape, hours)) / 288 == pytest.approx(1.0, abs=1e-12)
    assert max(hours, key=day_shape) == pytest.approx(19.5, abs=0.05)
