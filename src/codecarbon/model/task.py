"""The public record of a task; in a module of its own because most runs have no tasks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from codecarbon.record import Record

if TYPE_CHECKING:
    from codecarbon.model.emissions import EmissionsData


@dataclass(eq=False, repr=False)
class TaskEmissionsData(Record):
    """One row of the task file; 36 columns, units as in ``EmissionsData``."""

    task_name: str
    timestamp: str
    project_name: str
    run_id: str
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

    @property
    def values(self) -> dict[str, Any]:
        """Field names and values, in column order."""
        return {name: getattr(self, name) for name in TASK_COLUMNS}

    @classmethod
    def from_emissions_data(cls, task_name: str, data: EmissionsData) -> TaskEmissionsData:
        """Make a task row from a task's emissions data."""
        return cls(task_name, **{name: getattr(data, name) for name in TASK_COLUMNS[1:]})


TASK_COLUMNS = tuple(entry.name for entry in fields(TaskEmissionsData))
