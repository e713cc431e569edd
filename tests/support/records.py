"""Records to hand to output handlers."""

from __future__ import annotations

from typing import Any

from codecarbon.model import EmissionsData, TaskEmissionsData


def emissions_data(**changes: Any) -> EmissionsData:
    """Make a full record in which only a few fields matter to a test."""
    values: dict[str, Any] = {
        "timestamp": "2026-01-02T03:04:05",
        "project_name": "demo",
        "run_id": "11111111-2222-3333-4444-555555555555",
        "experiment_id": "5b0fa12a-3dd7-45bb-9766-cc326314d9f1",
        "duration": 10.0,
        "emissions": 0.1,
        "emissions_rate": 0.01,
        "cpu_power": 40.0,
        "gpu_power": 0.0,
        "ram_power": 5.0,
        "cpu_energy": 1e-4,
        "gpu_energy": 0.0,
        "ram_energy": 1.3888888888888888e-05,
        "energy_consumed": 1.1388888888888889e-4,
        "water_consumed": 0.0,
        "country_name": "France",
        "country_iso_code": "FRA",
        "region": None,
        "cloud_provider": "",
        "cloud_region": "",
        "os": "Linux-6.1",
        "python_version": "3.11.2",
        "codecarbon_version": "4.0.0",
        "cpu_count": 2,
        "cpu_model": "Model, with a comma",
        "gpu_count": 0,
        "gpu_model": "",
        "longitude": None,
        "latitude": None,
        "ram_total_size": 8.0,
        "tracking_mode": "machine",
    }
    return EmissionsData(**{**values, **changes})


def task_data(name: str, **changes: Any) -> TaskEmissionsData:
    """Make a full task record."""
    return TaskEmissionsData.from_emissions_data(name, emissions_data(**changes))
