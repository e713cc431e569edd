"""Quantities of codecarbon 3."""

from __future__ import annotations

import pytest

from codecarbon.core.units import EmissionsPerKWh, Energy, Power, Time, Water


def test_energy_is_ordered_and_adds_up():
    assert Energy(1.0) < Energy(2.0) <= Energy(2.0)
    assert (Energy(1.0) + Energy(2.0)).kWh == 3.0
    assert (Energy(1.0) - Energy(2.0)).kWh == -1.0
    assert (Energy(1.5) * 2).kWh == 3.0
    assert (Energy(3.0) / 2).kWh == 1.5
    assert float(Energy(0.25)) == 0.25
    assert Energy.from_energy(4.0) == Energy(4.0) == Energy(kWh=4.0)


def test_d24_joules_convert_exactly():
    # codecarbon 3 rounded the factor to 2.77778e-7, which is 8e-7 too much.
    assert Energy.from_ujoules(3.6e12).kWh == 1.0
    assert Energy.from_millijoules(3.6e9).kWh == 1.0


def test_energy_from_power_and_time():
    energy = Energy.from_power_and_time(power=Power.from_watts(100), time=Time.from_seconds(36))
    assert energy.kWh == pytest.approx(0.001)
    with pytest.raises(TypeError):
        Energy.from_power_and_time(Power(1.0), Time(1.0))


def test_power_converts_and_scales():
    assert Power.from_watts(1500).kW == 1.5
    assert Power.from_milli_watts(1_500_000).kW == 1.5
    assert Power(1.5).W == 1500.0
    assert (Power(1.0) + Power(0.5)).kW == 1.5
    assert (Power(1.5) * 2).kW == 3.0
    assert (Power(3.0) / 2).kW == 1.5
    assert (Power(3.5) // 2).kW == 1.0


def test_power_from_energies_is_positive_and_zero_without_a_delay():
    hour = Time(3600)
    assert hour.hours == 1.0
    assert Power.from_energies_and_delay(Energy(3.0), Energy(1.0), hour).kW == 2.0
    assert Power.from_energies_and_delay(Energy(1.0), Energy(3.0), hour).kW == 2.0
    assert Power.from_energy_delta_and_delay(Energy(2.0), hour).kW == 2.0
    assert Power.from_energy_delta_and_delay(Energy(2.0), Time(0)).kW == 0.0


def test_water_adds_up():
    assert (Water.from_litres(1.0) + Water(0.5)).litres == 1.5


def test_intensity_units():
    assert EmissionsPerKWh.from_g_per_kWh(56.0).kgs_per_kWh == 0.056
    assert EmissionsPerKWh.from_kgs_per_kWh(0.056).kgs_per_kWh == 0.056
    assert EmissionsPerKWh.from_lbs_per_mWh(1000).kgs_per_kWh == pytest.approx(0.45359237, rel=1e-15)
