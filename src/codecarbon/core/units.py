"""The quantity classes of codecarbon 3, with exact factors: 1 kWh is 3.6e6 J."""

from __future__ import annotations

from dataclasses import dataclass

from codecarbon import units

__all__ = ["EmissionsPerKWh", "Energy", "Power", "Time", "Water"]


@dataclass
class Time:
    """A duration, s."""

    seconds: float

    @classmethod
    def from_seconds(cls, seconds: float) -> Time:
        """Make it from seconds."""
        return cls(seconds)

    @property
    def hours(self) -> float:
        """The duration in hours."""
        return units.h_from_s(self.seconds)


@dataclass
class EmissionsPerKWh:
    """Carbon intensity, kg CO2 equivalent per kWh."""

    kgs_per_kWh: float  # noqa: N815 (public name of codecarbon 3)

    @classmethod
    def from_lbs_per_mWh(cls, lbs_per_mWh: float) -> EmissionsPerKWh:  # noqa: N802, N803
        """Make it from pounds per megawatt hour."""
        return cls(units.kg_from_g(units.g_per_kwh_from_lb_per_mwh(lbs_per_mWh)))

    @classmethod
    def from_g_per_kWh(cls, g_per_kWh: float) -> EmissionsPerKWh:  # noqa: N802, N803
        """Make it from grams per kWh."""
        return cls(units.kg_from_g(g_per_kWh))

    @classmethod
    def from_kgs_per_kWh(cls, kgs_per_kWh: float) -> EmissionsPerKWh:  # noqa: N802, N803
        """Make it from kilograms per kWh."""
        return cls(kgs_per_kWh)


@dataclass(order=True)
class Energy:
    """An energy, kWh."""

    kWh: float  # noqa: N815

    @classmethod
    def from_power_and_time(cls, *, power: Power, time: Time) -> Energy:
        """Make it from a constant power over a duration."""
        return cls(power.kW * time.hours)

    @classmethod
    def from_ujoules(cls, energy: float) -> Energy:
        """Make it from microjoules."""
        return cls(units.kwh_from_j(units.j_from_uj(energy)))

    @classmethod
    def from_millijoules(cls, energy: float) -> Energy:
        """Make it from millijoules."""
        return cls(units.kwh_from_j(units.j_from_mj(energy)))

    @classmethod
    def from_energy(cls, kWh: float) -> Energy:  # noqa: N803
        """Make it from kilowatt hours."""
        return cls(kWh)

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.kWh + other.kWh)

    def __sub__(self, other: Energy) -> Energy:
        return Energy(self.kWh - other.kWh)

    def __mul__(self, factor: float) -> Energy:
        return Energy(self.kWh * factor)

    def __truediv__(self, divisor: float) -> Energy:
        return Energy(self.kWh / divisor)

    def __float__(self) -> float:
        return float(self.kWh)


@dataclass
class Power:
    """A power, kW."""

    kW: float  # noqa: N815

    @classmethod
    def from_milli_watts(cls, milli_watts: float) -> Power:
        """Make it from milliwatts."""
        return cls(units.kw_from_w(units.w_from_mw(milli_watts)))

    @classmethod
    def from_watts(cls, watts: float) -> Power:
        """Make it from watts."""
        return cls(units.kw_from_w(watts))

    @classmethod
    def from_energies_and_delay(cls, e1: Energy, e2: Energy, delay: Time) -> Power:
        """Make it from two counter readings and the time between them; 0 without a delay."""
        return cls.from_energy_delta_and_delay(Energy(abs(e2.kWh - e1.kWh)), delay)

    @classmethod
    def from_energy_delta_and_delay(cls, e: Energy, delay: Time) -> Power:
        """Make it from an energy and the time it took; 0 without a delay."""
        return cls(e.kWh / delay.hours if delay.seconds else 0.0)

    @property
    def W(self) -> float:  # noqa: N802
        """The power in watts."""
        return units.w_from_kw(self.kW)

    def __add__(self, other: Power) -> Power:
        return Power(self.kW + other.kW)

    def __mul__(self, factor: float) -> Power:
        return Power(self.kW * factor)

    def __truediv__(self, divisor: float) -> Power:
        return Power(self.kW / divisor)

    def __floordiv__(self, divisor: float) -> Power:
        return Power(self.kW // divisor)


@dataclass
class Water:
    """A volume of water, litres."""

    litres: float

    @classmethod
    def from_litres(cls, litres: float) -> Water:
        """Make it from litres."""
        return cls(litres)

    def __add__(self, other: Water) -> Water:
        return Water(self.litres + other.litres)
