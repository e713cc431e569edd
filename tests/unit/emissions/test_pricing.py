"""Laws of pricing: parts make the whole, nothing is priced that is not known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon.emissions import Totals, price, rate_g_per_s, total, water_l
from codecarbon.model import Intensity

energies = st.floats(0.0, 1e12, allow_nan=False)
ratios = st.floats(1.0, 3.0)
grams = st.floats(0.0, 2000.0)


def flat(g_per_kwh: float):
    return lambda start_unix_s: Intensity(g_per_kwh, "test", 2024, "X")


def slots_of(values):
    return [(300 * i, value) for i, value in enumerate(values)]


def test_one_kilowatt_hour_costs_the_intensity():
    (slot,) = price([(1_700_000_100, 3.6e6)], flat(56.039))
    assert slot.start_unix_s == 1_700_000_100
    assert slot.energy_j == 3.6e6
    assert slot.emissions_g == pytest.approx(56.039, rel=1e-12)
    assert slot.intensity.source == "test"


def test_each_slot_is_priced_with_its_own_intensity():
    by_start = {0: 100.0, 300: 200.0, 600: 300.0}
    priced = price(slots_of([3.6e6] * 3), lambda start: Intensity(by_start[start], "test", None, "X"))
    assert [slot.emissions_g for slot in priced] == pytest.approx([100.0, 200.0, 300.0])
    assert total(priced).emissions_g == pytest.approx(600.0)


@given(st.lists(energies, max_size=30), ratios, grams)
def test_slots_sum_to_the_whole(values, pue_ratio, g_per_kwh):
    parts = total(price(slots_of(values), flat(g_per_kwh), pue_ratio=pue_ratio))
    if not values:
        assert parts == Totals(None, None, None, None)
        return
    whole = total(price([(0, math.fsum(values))], flat(g_per_kwh), pue_ratio=pue_ratio))
    assert parts.energy_j == pytest.approx(whole.energy_j, rel=1e-12)
    assert parts.emissions_g == pytest.approx(whole.emissions_g, rel=1e-12)


@given(energies, ratios, grams)
def test_emissions_are_linear_in_pue(energy_j, pue_ratio, g_per_kwh):
    (one,) = price([(0, energy_j)], flat(g_per_kwh))
    (more,) = price([(0, energy_j)], flat(g_per_kwh), pue_ratio=pue_ratio)
    assert more.energy_j == pytest.approx(one.energy_j * pue_ratio, rel=1e-12)
    assert more.emissions_g == pytest.approx(one.emissions_g * pue_ratio, rel=1e-12)


@given(ratios, grams)
def test_zero_stays_zero(pue_ratio, g_per_kwh):
    (slot,) = price([(0, 0.0)], flat(g_per_kwh), pue_ratio=pue_ratio)
    assert (slot.energy_j, slot.emissions_g) == (0.0, 0.0)
    assert total([slot], low_j=0.0, high_j=0.0) == Totals(0.0, 0.0, 0.0, 0.0)
    assert water_l(0.0, wue_l_per_kwh=1.8) == 0.0


def test_missing_stays_none():
    assert price([(0, None)], flat(100.0)) == ()
    assert total(price([(0, None)], flat(100.0)), low_j=0.0, high_j=5.0) == Totals(None, None, None, None)
    assert water_l(None, wue_l_per_kwh=1.8) is None
    assert rate_g_per_s(None, 1.0) is None


def test_unknown_slot_does_not_ask_for_an_intensity():
    def refuse(start_unix_s):
        raise AssertionError(start_unix_s)

    assert price([(0, None), (300, None)], refuse) == ()


def test_no_bound_gives_no_bound():
    sums = total(price([(0, 3.6e6)], flat(100.0)))
    assert (sums.low_g, sums.high_g) == (None, None)


@given(st.floats(0.0, 1e9), st.floats(0.0, 1.0), st.floats(1.0, 3.0), ratios, grams)
def test_with_one_intensity_the_bound_is_the_energy_bound_priced(energy_j, low, high, pue_ratio, g_per_kwh):
    priced = price([(0, energy_j / 2), (300, energy_j / 2)], flat(g_per_kwh), pue_ratio=pue_ratio)
    sums = total(priced, low_j=energy_j * low, high_j=energy_j * high, pue_ratio=pue_ratio)
    whole_g = energy_j * pue_ratio / 3.6e6 * g_per_kwh
    # Numbers below 1e-300 have fewer digits.
    assert sums.low_g == pytest.approx(whole_g * low, rel=1e-9, abs=whole_g * 1e-9 + 1e-300)
    assert sums.high_g == pytest.approx(whole_g * high, rel=1e-9, abs=1e-300)


@given(st.lists(st.tuples(st.floats(0.0, 1e9), grams), min_size=1, max_size=10), st.floats(0, 1), st.floats(1, 3))
def test_bound_encloses_the_estimate_and_every_single_slot_reading(slots, low, high):
    by_start = {300 * i: g for i, (_, g) in enumerate(slots)}
    priced = price(
        [(300 * i, e) for i, (e, _) in enumerate(slots)], lambda start: Intensity(by_start[start], "test", None, "X")
    )
    energy_j = math.fsum(e for e, _ in slots)
    sums = total(priced, low_j=energy_j * low, high_j=energy_j * high)
    slack = 1e-9 * (1.0 + sums.emissions_g)
    assert 0.0 <= sums.low_g <= sums.emissions_g + slack
    assert sums.emissions_g - slack <= sums.high_g
    # Wherever the surplus really was, the emissions lie inside.
    for slot in priced:
        taken_j = min(slot.energy_j, energy_j * (1 - low))
        assert sums.emissions_g - taken_j / 3.6e6 * slot.intensity.intensity_g_per_kwh >= sums.low_g - slack
        added_j = energy_j * (high - 1)
        assert sums.emissions_g + added_j / 3.6e6 * slot.intensity.intensity_g_per_kwh <= sums.high_g + slack


def test_d25_water_follows_the_energy_after_pue():
    (slot,) = price([(0, 3.6e6)], flat(100.0), pue_ratio=1.5)
    assert water_l(slot.energy_j, wue_l_per_kwh=1.8) == pytest.approx(2.7)


def test_rate_is_unknown_when_no_time_has_passed():
    assert rate_g_per_s(6.0, 3.0) == 2.0
    assert rate_g_per_s(6.0, 0.0) is None
    assert rate_g_per_s(0.0, 3.0) == 0.0
