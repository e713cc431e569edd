"""The public records: the 38 columns that users know, and the full record behind them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from codecarbon.model.energy import EnergyWindow
from codecarbon.model.place import Intensity, Location
from codecarbon.record import FrozenRecord, Record

if TYPE_CHECKING:
    from codecarbon.model.shares import SourceShare


@dataclass(eq=False, repr=False)
class EmissionsData(Record):
    """One row of ``emissions.csv``: field order is column order.

    Energies are kWh after PUE, emissions kg CO2 equivalent, powers W before PUE, duration s, water litres.
    An energy of 0.0 means that nothing is known to add; ``EmissionsRecord`` tells that apart from a true zero.
    """

    timestamp: str
    project_name: str
    run_id: str
    experiment_id: str
    duration: float
    emissions: float
    emissions_rate: float
    cpu_power: float
    gpu_power: float
    ram_power: float
    cpu_energy: float
    gpu_energy: float
    ram_energy: float
    energy_consumed: float
    water_consumed: float
    country_name: str | None
    country_iso_code: str | None
    region: str | None
    cloud_provider: str
    cloud_region: str
    os: str
    python_version: str
    codecarbon_version: str
    cpu_count: float
    cpu_model: str
    gpu_count: float
    gpu_model: str
    longitude: float | None
    latitude: float | None
    ram_total_size: float
    tracking_mode: str
    cpu_utilization_percent: float = 0.0
    gpu_utilization_percent: float = 0.0
    ram_utilization_percent: float = 0.0
    ram_used_gb: float = 0.0
    on_cloud: str = "N"
    pue: float = 1.0
    wue: float = 0.0

    @property
    def values(self) -> dict[str, Any]:
        """Field names and values, in column order."""
        return {name: getattr(self, name) for name in EMISSIONS_COLUMNS}

    def toJSON(self) -> str:  # noqa: N802 (public name of codecarbon 3)
        """The fields as JSON text, keys sorted, indented by four."""
        return json.dumps(self.values, indent=4, sort_keys=True)

    def compute_delta_emission(self, previous_emission: EmissionsData) -> None:
        """Turn duration, emissions, energies and water into differences from an earlier record, in place."""
        for name in _CUMULATIVE:
            setattr(self, name, getattr(self, name) - getattr(previous_emission, name))
        self.emissions_rate = self.emissions / self.duration if self.duration > 0 else 0.0


EMISSIONS_COLUMNS = tuple(entry.name for entry in fields(EmissionsData))
_CUMULATIVE = (
    "duration",
    "emissions",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PricedEnergy(FrozenRecord):
    """The part of a window's energy that one intensity priced.

    Attributes:
        start_unix_s: Begin of the five-minute slot, UTC seconds since 1970.
        energy_j: Energy in the slot after PUE.
        emissions_g: Its emissions.
        intensity: The intensity that was used.
    """

    start_unix_s: int
    energy_j: float
    emissions_g: float
    intensity: Intensity


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EmissionsRecord(FrozenRecord):
    """Everything known about a run or a task: what ``EmissionsData`` cannot hold.

    Attributes:
        window: Energy before PUE, with method, bound, source, coverage and missing parts.
        location: The place, and who said so.
        pue_ratio: Power usage effectiveness that was applied.
        wue_l_per_kwh: Water usage effectiveness that was applied, after PUE.
        emissions_g: Emissions after PUE.
        emissions_low_g: Lower end, from the energy bound alone.
        emissions_high_g: Upper end, from the energy bound alone.
        water_l: Water after PUE.
        priced: The slots, in order; each names its intensity's source and year.
        pricing_notes: Which live sources of carbon intensity failed, and why.
    """

    window: EnergyWindow
    location: Location
    pue_ratio: float
    wue_l_per_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float
    water_l: float
    priced: tuple[PricedEnergy, ...]
    pricing_notes: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[SourceShare, ...]:
        """What each source of carbon intensity priced, in order of time."""
        from codecarbon.model.shares import shares_of

        return shares_of(self.priced)
