"""The one conversion from joules and seconds to the public record of 38 columns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codecarbon.model import EMISSIONS_COLUMNS, EmissionsData
from codecarbon.units import kg_from_g, kwh_from_j

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codecarbon.model import EmissionsRecord, EnergyWindow, GpuFacts, Location, MachineFacts, Utilisation
    from codecarbon.tracker.pricing import Pricer

_UTILISATION = ("cpu_utilization_percent", "gpu_utilization_percent", "ram_utilization_percent", "ram_used_gb")
_stamp: tuple[int, str] = (0, "")


def local_stamp(unix_s: float | None = None) -> str:
    """Local time without zone, as ``emissions.csv`` has always had it; now when no time is given."""
    global _stamp
    second = int(time.time() if unix_s is None else unix_s)
    known, text = _stamp
    if second != known:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))
        _stamp = (second, text)
    return text


def gpu_label(gpus: Sequence[GpuFacts]) -> str:
    """For example ``2 x NVIDIA H100, 1 x NVIDIA A100``; empty without graphics cards."""
    names: dict[str, int] = {}
    for card in gpus:
        names[card.name] = names.get(card.name, 0) + 1
    return ", ".join(f"{count} x {name}" for name, count in names.items())


def base_columns(
    conf: Mapping[str, Any], run_id: object, location: Location, facts: MachineFacts, gpus: Sequence[GpuFacts]
) -> dict[str, Any]:
    """The columns that stay the same during a run, and zeros in the others.

    Args:
        conf: Values of the settings, and the version.
        run_id: Identity of the run.
        location: The place.
        facts: The machine.
        gpus: The graphics cards that are counted.

    Returns:
        All 38 columns, in order.
    """
    known = {
        "timestamp": "",
        "project_name": conf["project_name"],
        "run_id": str(run_id),
        "experiment_id": "" if conf["experiment_id"] is None else str(conf["experiment_id"]),
        "country_name": location.country_name,
        "country_iso_code": location.country_iso_code,
        "region": location.region,
        "cloud_provider": location.cloud_provider,
        "cloud_region": location.cloud_region,
        "os": facts.os,
        "python_version": facts.python_version,
        "codecarbon_version": conf["codecarbon_version"],
        "cpu_count": facts.cpu_count,
        "cpu_model": facts.cpu_model,
        "gpu_count": len(gpus),
        "gpu_model": gpu_label(gpus),
        # A tenth of a degree is a town: enough to choose a grid, too little to find a person.
        "longitude": None if location.longitude_deg is None else round(location.longitude_deg, 1),
        "latitude": None if location.latitude_deg is None else round(location.latitude_deg, 1),
        "ram_total_size": facts.ram_total_gib,
        "tracking_mode": conf["tracking_mode"],
        "on_cloud": "Y" if location.cloud_provider and location.cloud_region else "N",
        "pue": conf["pue"],
        "wue": conf["wue"],
    }
    return {name: known.get(name, 0.0) for name in EMISSIONS_COLUMNS}


def make_row(
    base: dict[str, Any],
    pricer: Pricer,
    joules: tuple[float | None, float | None, float | None],
    duration_s: float,
    *,
    emissions_kg: float,
    unix_s: float | None = None,
) -> EmissionsData:
    """Make a record.

    Args:
        base: The columns that stay the same.
        pricer: PUE and water.
        joules: Energy of processors, graphics cards and memory before PUE; None where nothing is known.
        duration_s: Length of the window.
        emissions_kg: Emissions after PUE.
        unix_s: Time of the record; now when left out.

    Returns:
        Energies after PUE, powers before.
    """
    cpu_j, gpu_j, ram_j = joules[0] or 0.0, joules[1] or 0.0, joules[2] or 0.0
    pue = pricer.pue_ratio
    cpu_kwh, gpu_kwh, ram_kwh = kwh_from_j(cpu_j * pue), kwh_from_j(gpu_j * pue), kwh_from_j(ram_j * pue)
    per_s = 1.0 / duration_s if duration_s > 0 else 0.0
    # Filling the namespace directly costs a fifth of a call with 38 keywords, and tasks may be microseconds long.
    row = EmissionsData.__new__(EmissionsData)
    columns = row.__dict__
    columns.update(base)
    columns["timestamp"] = local_stamp(unix_s)
    columns["duration"] = duration_s
    columns["emissions"] = emissions_kg
    columns["emissions_rate"] = emissions_kg * per_s
    columns["cpu_power"] = cpu_j * per_s
    columns["gpu_power"] = gpu_j * per_s
    columns["ram_power"] = ram_j * per_s
    columns["cpu_energy"] = cpu_kwh
    columns["gpu_energy"] = gpu_kwh
    columns["ram_energy"] = ram_kwh
    columns["energy_consumed"] = cpu_kwh + gpu_kwh + ram_kwh
    columns["water_consumed"] = pricer.water_l((cpu_j + gpu_j + ram_j) * pue)
    return row


def row_from_record(base: dict[str, Any], pricer: Pricer, record: EmissionsRecord) -> EmissionsData:
    """Make the public record of a full one."""
    window = record.window
    row = make_row(
        base,
        pricer,
        component_joules(window),
        window.duration_s,
        emissions_kg=kg_from_g(record.emissions_g),
        unix_s=window.end_utc.timestamp(),
    )
    row.__dict__.update(utilisation_columns(window.utilisation))
    return row


def component_joules(window: EnergyWindow) -> tuple[float | None, float | None, float | None]:
    """Energy of processors, graphics cards and memory; a platform counter is booked as the processors'."""
    found = {entry.component: entry.energy_j for entry in window.components}
    cpu_j, platform_j = found.get("cpu"), found.get("platform")
    if platform_j is not None:
        cpu_j = platform_j + (cpu_j or 0.0)
    return cpu_j, found.get("gpu"), found.get("ram")


def utilisation_columns(loads: Utilisation) -> dict[str, float]:
    """The four columns of mean loads; 0.0 where nothing was read."""
    values = (loads.cpu_percent, loads.gpu_percent, loads.ram_percent, loads.ram_used_gib)
    return {name: value or 0.0 for name, value in zip(_UTILISATION, values, strict=True)}
