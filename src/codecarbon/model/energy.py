"""Energy over a window of time, with where each joule came from and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from codecarbon.record import FrozenRecord

Method = Literal["measured", "modelled", "constant"]
Bound = Literal["hard", "plausible"]
Scope = Literal["machine", "process", "gpu", "platform"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ChannelEnergy(FrozenRecord):
    """Energy of one sensor channel over a window.

    Attributes:
        name: The channel, for example ``package-0``.
        domain: What it counts, for example ``package``.
        energy_uj: Best estimate, whole microjoules; parts of a window sum to the whole exactly.
        low_uj: Least energy that the readings allow (timing only, no gain error).
        high_uj: Most energy that the readings allow, lost energy included.
        timing_std_j: Standard uncertainty of the two window ends.
        flags: Faults inside the window, for example ``WRAP`` or ``RESET``.
    """

    name: str
    domain: str
    energy_uj: int
    low_uj: int
    high_uj: int
    timing_std_j: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComponentEnergy(FrozenRecord):
    """Energy of the processors, the memory, the graphics cards or the whole platform.

    Attributes:
        component: ``cpu``, ``gpu``, ``ram`` or ``platform``.
        energy_j: Best estimate; None when nothing is known, and then ``missing`` says why.
        low_j: Lower end of the bound.
        high_j: Upper end of the bound.
        std_j: Standard uncertainty, sensor gain included.
        bound_kind: ``hard`` when only the sensor's stated accuracy is assumed, ``plausible`` for a model's range.
        method: How the figure came about; None when there is none.
        source: The interface or model, for example ``RAPL by powercap``.
        scope: What the figure covers.
        coverage_ratio: Part of the window that the readings cover, 0 to 1.
        gain_ratio: Relative accuracy of the sensor that is inside the bound (our default, see docs/method/energy.md).
        flags: Faults inside the window.
        missing: What is not in the figure, each with its reason.
        channels: The channels that were summed.
    """

    component: str
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    std_j: float | None
    bound_kind: Bound
    method: Method | None
    source: str
    scope: Scope
    coverage_ratio: float
    gain_ratio: float = 0.0
    flags: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    channels: tuple[ChannelEnergy, ...] = ()

    @property
    def bound_j(self) -> float | None:
        """Half the width of the bound, or the wider side of it when it is lopsided."""
        if self.energy_j is None or self.low_j is None or self.high_j is None:
            return None
        return max(self.energy_j - self.low_j, self.high_j - self.energy_j)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Utilisation(FrozenRecord):
    """Mean load over a window; None where nothing was read."""

    cpu_percent: float | None
    gpu_percent: float | None
    ram_percent: float | None
    ram_used_gib: float | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EnergyWindow(FrozenRecord):
    """Energy between two instants.

    Attributes:
        start_utc: Begin of the half-open window.
        end_utc: End of the half-open window.
        duration_s: Its length on the monotonic clock; pauses of a run are not in it.
        components: At most one entry per component.
        provisional: True while a later sample can still narrow the result.
        ticks: Sampler ticks inside the window.
        missed_ticks: Ticks that the host did not give the sampler.
        gap_s: Time in which readings were impossible (suspend, lost sensor).
        own_cpu_s: Processor time that measuring cost.
        utilisation: Mean loads.
    """

    start_utc: datetime
    end_utc: datetime
    duration_s: float
    components: tuple[ComponentEnergy, ...]
    provisional: bool
    ticks: int
    missed_ticks: int
    gap_s: float
    own_cpu_s: float
    utilisation: Utilisation

    def component(self, name: str) -> ComponentEnergy | None:
        """Find a component by name, or None."""
        for entry in self.components:
            if entry.component == name:
                return entry
        return None

    @property
    def known(self) -> tuple[ComponentEnergy, ...]:
        """The components that have a figure."""
        return tuple(entry for entry in self.components if entry.energy_j is not None)

    @property
    def energy_j(self) -> float | None:
        """Sum of the known components, or None when none is known."""
        known = self.known
        return sum(entry.energy_j or 0.0 for entry in known) if known else None

    @property
    def low_j(self) -> float | None:
        """Lower end of the bound of the sum."""
        known = self.known
        return sum(entry.low_j or 0.0 for entry in known) if known else None

    @property
    def high_j(self) -> float | None:
        """Upper end of the bound of the sum."""
        known = self.known
        return sum(entry.high_j or 0.0 for entry in known) if known else None

    @property
    def std_j(self) -> float | None:
        """Standard uncertainty of the sum; components are taken as fully correlated, which is the cautious side."""
        known = self.known
        return sum(entry.std_j or 0.0 for entry in known) if known else None

    @property
    def measured_ratio(self) -> float | None:
        """Share of the energy that was measured, 0 to 1; None without energy."""
        total_j = self.energy_j
        if not total_j:
            return None
        return sum(entry.energy_j or 0.0 for entry in self.known if entry.method == "measured") / total_j

    @property
    def missing(self) -> tuple[str, ...]:
        """Everything that is not in the sum, each with its reason."""
        return tuple(reason for entry in self.components for reason in entry.missing)
