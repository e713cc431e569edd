"""What a run turned out to be, for programs: quantities carry units in their names, intervals are ``[low, high]``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecarbon import units
from codecarbon._version import __version__
from codecarbon.cli import text
from codecarbon.cli.report import intensities, scope

if TYPE_CHECKING:
    from codecarbon.cli.report import RunReport
    from codecarbon.model import ComponentEnergy, EmissionsRecord, Intensity, Location, SourceShare

SCHEMA = "codecarbon.monitor/1"


def write(document: dict[str, Any], *, to_stdout: bool, path: str | None) -> None:
    """Write a document as JSON; what cannot be written is said and costs nothing else.

    Args:
        document: JSON values.
        to_stdout: Whether to print it on standard output.
        path: The file to write it to, or None.
    """
    content = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if to_stdout and sys.stdout is not None:
        try:
            sys.stdout.write(content)
            sys.stdout.flush()
        except OSError as error:
            text.say(f"the JSON could not be printed: {error.strerror}")
            # Python flushes once more at exit, and would end with its own exit code: let that go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if path is not None:
        try:
            Path(path).write_text(content, encoding="utf-8")
        except OSError as error:
            text.say(f"{path} could not be written: {error.strerror}")


def run_dict(report: RunReport) -> dict[str, Any]:
    """Turn a finished run into JSON values."""
    outcome = report.outcome
    return {
        "schema": SCHEMA,
        "codecarbon_version": __version__,
        "command": list(report.command) or None,
        "exit_code": None if outcome is None else outcome.exit_code,
        "signal_number": None if outcome is None else outcome.signal_number,
        "has_left_processes": None if outcome is None else outcome.has_left_processes,
        "run_id": report.run_id,
        "project_name": report.project_name,
        "tracking_mode": report.tracking_mode,
        "csv_path": report.csv_path,
        "csv_problem": report.csv_problem or None,
        "notes": list(report.notes),
        "is_uploaded": False,
        "own_cpu_s": report.own_cpu_s,
        "result": None if report.record is None else _record_dict(report.record, report.tracking_mode),
    }


def _record_dict(record: EmissionsRecord, tracking_mode: str) -> dict[str, Any]:
    window = record.window
    total_j = window.energy_j
    return {
        "start_utc": window.start_utc.isoformat(),
        "end_utc": window.end_utc.isoformat(),
        "duration_s": window.duration_s,
        "energy_j": total_j,
        "energy_bound_j": _interval(window.low_j, window.high_j),
        "energy_std_j": window.std_j,
        "energy_kwh": None if total_j is None else units.kwh_from_j(total_j),
        "power_w": total_j / window.duration_s if total_j is not None and window.duration_s > 0 else None,
        "measured_ratio": window.measured_ratio,
        "is_provisional": window.provisional,
        "scope": scope(record, tracking_mode),
        "components": [_component_dict(component) for component in window.components],
        "missing": list(window.missing),
        # The record's floats are 0 where nothing is known; here that is null.
        "emissions_g": None if total_j is None else record.emissions_g,
        "emissions_bound_g": None if total_j is None else _interval(record.emissions_low_g, record.emissions_high_g),
        "pue_ratio": record.pue_ratio,
        "wue_l_per_kwh": record.wue_l_per_kwh,
        "water_l": None if total_j is None else record.water_l,
        "location": location_dict(record.location),
        "intensities": [intensity_dict(intensity) for intensity in intensities(record)],
        "sources": [_share_dict(share) for share in record.sources],
        "pricing_notes": list(record.pricing_notes),
        "slots": [
            {
                "start_unix_s": slot.start_unix_s,
                "energy_j": slot.energy_j,
                "emissions_g": slot.emissions_g,
                "intensity_g_per_kwh": slot.intensity.intensity_g_per_kwh,
                "source": slot.intensity.source,
            }
            for slot in record.priced
        ],
        "utilisation": {
            "cpu_percent": window.utilisation.cpu_percent,
            "gpu_percent": window.utilisation.gpu_percent,
            "ram_percent": window.utilisation.ram_percent,
            "ram_used_gib": window.utilisation.ram_used_gib,
        },
        "sampling": {"ticks": window.ticks, "missed_ticks": window.missed_ticks, "gap_s": window.gap_s},
        "sampling_cpu_s": window.own_cpu_s,
    }


def location_dict(location: Location) -> dict[str, Any]:
    """A place for programs."""
    return {
        "country_iso_code": location.country_iso_code,
        "country_name": location.country_name,
        "region": location.region,
        "cloud_provider": location.cloud_provider or None,
        "cloud_region": location.cloud_region or None,
        "origin": location.origin,
        "is_guess": location.is_guess,
    }


def intensity_dict(intensity: Intensity) -> dict[str, Any]:
    """An intensity for programs."""
    return {
        "intensity_g_per_kwh": intensity.intensity_g_per_kwh,
        "source": intensity.source,
        "year": intensity.year,
        "zone": intensity.zone,
        "signal": intensity.signal,
        "note": intensity.note or None,
    }


def _share_dict(share: SourceShare) -> dict[str, Any]:
    return {
        "source": share.source,
        "year": share.year,
        "zone": share.zone,
        "signal": share.signal,
        "note": share.note or None,
        "slot_count": share.slot_count,
        "energy_j": share.energy_j,
        "emissions_g": share.emissions_g,
        "intensity_g_per_kwh": share.intensity_g_per_kwh,
        "intensity_range_g_per_kwh": [share.lowest_g_per_kwh, share.highest_g_per_kwh],
    }


def _component_dict(component: ComponentEnergy) -> dict[str, Any]:
    return {
        "component": component.component,
        "energy_j": component.energy_j,
        "energy_bound_j": _interval(component.low_j, component.high_j),
        "bound_kind": component.bound_kind,
        "energy_std_j": component.std_j,
        "method": component.method,
        "source": component.source,
        "scope": component.scope,
        "coverage_ratio": component.coverage_ratio,
        "gain_ratio": component.gain_ratio,
        "flags": list(component.flags),
        "missing": list(component.missing),
        "channels": [
            {
                "name": channel.name,
                "domain": channel.domain,
                "energy_uj": channel.energy_uj,
                "energy_bound_uj": [channel.low_uj, channel.high_uj],
                "timing_std_j": channel.timing_std_j,
                "flags": list(channel.flags),
            }
            for channel in component.channels
        ],
    }


def _interval(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]
