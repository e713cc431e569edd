"""Micrograms and whole pounds."""

from __future__ import annotations

import decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecarbon import units
from codecarbon.handlers.offset.amounts import MAX_POUNDS_PER_OFFSET, pounds_of, ug_from_kg
from codecarbon.units import UG_PER_LB, kg_from_ug


@pytest.mark.parametrize(
    ("mass_kg", "mass_ug"),
    [
        (0.5, 500_000_000),
        (0.4999999, 499_999_900),
        (0.29, 290_000_000),
        (0.45359237, UG_PER_LB),
        (0.1 + 0.2, 300_000_000),
        (1e-9, 1),
        (9.999e-10, 0),
        (0.0, 0),
        (-0.0, 0),
        (3, 3_000_000_000),
        (5e-324, 0),
        (4_535_923.7, 4_535_923_700_000_000),
    ],
)
def test_kilograms_become_whole_micrograms_rounded_down(mass_kg, mass_ug):
    assert ug_from_kg(mass_kg) == mass_ug


@pytest.mark.parametrize("mass_kg", [-1e-12, -1.0, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_mass_is_none_and_not_zero(mass_kg):
    assert ug_from_kg(mass_kg) is None


@pytest.mark.parametrize("mass_kg", [float("nan"), float("inf")])
def test_a_conversion_of_no_number_is_an_error(mass_kg):
    with pytest.raises(ValueError, match="no mass"):
        units.ug_from_kg(mass_kg)


def test_the_programs_own_decimal_context_changes_nothing():
    with decimal.localcontext() as context:
        context.prec = 3
        context.rounding = decimal.ROUND_UP
        assert ug_from_kg(1.2345678901) == 1_234_567_890


@given(st.floats(0, 1e9))
def test_at_most_a_microgram_is_lost(mass_kg):
    mass_ug = ug_from_kg(mass_kg)
    written = Fraction(repr(mass_kg)) * 10**9
    assert mass_ug <= written < mass_ug + 1


@given(st.integers(0, 2**62))
def test_pounds_and_their_rest_are_everything(mass_ug):
    pounds = pounds_of(mass_ug)
    assert 0 <= mass_ug - units.ug_from_lb(pounds) < UG_PER_LB
    assert units.lb_from_ug(mass_ug) == pounds


def test_a_debt_buys_nothing():
    assert pounds_of(-1) == 0
    assert pounds_of(-5 * UG_PER_LB) == 0


def test_a_pound_is_what_the_treaty_says():
    assert kg_from_ug(UG_PER_LB) == 0.45359237 == units.KG_PER_LB
    assert MAX_POUNDS_PER_OFFSET == 10_000_000
