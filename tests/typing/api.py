"""The public API as a user types it: checked by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from pathlib import Path

from codecarbon import (
    CarbonAware,
    EmissionsData,
    EmissionsRecord,
    EmissionsTracker,
    EnergyMeter,
    OfflineEmissionsTracker,
    OutputMethod,
    TaskEmissionsTracker,
    __version__,
    carbon_aware,
    track_emissions,
    track_task_emissions,
)
from codecarbon import __doc__ as description

text: str | None = description
version: str = __version__

tracker = EmissionsTracker(
    "project", measure_power_secs=2, output_dir=Path(), output_methods=[OutputMethod.CSV, "logger"]
)
tracker.start()
kg: float | None = tracker.stop()
flushed: float | None = tracker.flush()
final_kg: float | None = tracker.final_emissions
row: EmissionsData | None = tracker.final_emissions_data
record: EmissionsRecord | None = tracker.final_record

with OfflineEmissionsTracker(country_iso_code="FRA", region="bretagne", gpu_ids=[0, "GPU-1"], pue=1.2) as offline:
    offline.start_task("load")
    task_row: EmissionsData | None = offline.stop_task()
    task_record: EmissionsRecord | None = offline.task_record("load")
    begin = offline.mark()
    part: EmissionsRecord | None = offline.energy(begin, offline.mark())
    since: EmissionsRecord | None = offline.energy(datetime.now(timezone.utc))
    with offline.window("part") as window:
        pass
    in_window: EmissionsRecord | None = window.record
    joules: float | None = in_window.window.energy_j if in_window else None

offsetting = EmissionsTracker(
    offset_api_key="test_x",
    offset_environment="sandbox",
    offset_threshold=2,
    auto_offset=False,
    offset_max_per_run_kg="5",
    offset_dry_run=True,
)
EmissionsTracker(offset_environment=None)  # type: ignore[arg-type]

# A misspelt option is found by the checker, although at run time it only warns.
EmissionsTracker(measure_power_seconds=2)  # type: ignore[call-arg]
EmissionsTracker(country_iso_code="FRA")  # type: ignore[call-arg]


@track_emissions
def bare(x: int) -> str:
    return str(x)


@track_emissions(project_name="p", offline=True, country_iso_code="FRA")
def with_arguments(x: int) -> str:
    return str(x)


@track_emissions()
async def coroutine(x: int) -> str:
    return str(x)


@track_emissions()
def generator() -> Iterator[int]:
    yield 1


@track_emissions()
async def async_generator() -> AsyncIterator[int]:
    yield 1


@track_task_emissions(tracker=tracker, task_name="t")
def as_task(x: int) -> str:
    return str(x)


results: list[str] = [bare(1), with_arguments(2), as_task(3)]
numbers: list[int] = list(generator())

with TaskEmissionsTracker("task", tracker) as helper:
    helper.tracker.start_task("inner")

meter = EnergyMeter()


@carbon_aware(duration="3h", within="12h", min_saving_percent=5, regions=["eastus"])
def batch(size: int) -> float:
    return size / 2


half: float = batch(3)

with CarbonAware.from_config({}) as source:
    mean: float = source.emissions.average("eastus", datetime.now(timezone.utc), datetime.now(timezone.utc))
    start: datetime = source.forecast.current(["eastus"], window=60)[0].optimal_data_points[0].time
