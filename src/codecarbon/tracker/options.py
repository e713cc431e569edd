"""The tracker's keywords as a type checker sees them; the settings table holds the same names (a test compares)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from codecarbon.config import OutputMethod, Secret

Text = str | None
Number = float | str | None
Switch = bool | str | None


class TrackerOptions(TypedDict, total=False):
    """Keywords of every tracker beside ``project_name``."""

    measure_power_secs: Number
    api_call_interval: int | str | None
    api_endpoint: Text
    api_key: str | Secret | None
    output_dir: str | PathLike[str] | None
    output_file: str | PathLike[str] | None
    output_methods: Sequence[OutputMethod | str] | str | None
    save_to_file: Switch
    save_to_api: Switch
    save_to_logger: Switch
    logging_logger: Any  # a logging.Logger, a LoggerOutput, or a logger of Google Cloud
    save_to_prometheus: Switch
    save_to_logfire: Switch
    prometheus_url: Text
    output_handlers: Sequence[Any] | None  # duck-typed: any of the four methods of BaseOutput
    gpu_ids: Sequence[int | str] | int | str | None
    emissions_endpoint: str | bool | None
    experiment_id: Any  # a text or a UUID
    experiment_name: Text
    electricitymaps_api_token: str | Secret | None
    co2_signal_api_token: str | Secret | None
    tracking_mode: Text
    log_level: str | int | None
    on_csv_write: Text
    logger_preamble: Text
    force_cpu_power: Number
    force_ram_power: Number
    pue: Number
    wue: Number
    force_carbon_intensity_g_co2e_kwh: Number
    force_mode_cpu_load: Switch
    allow_multiple_runs: Switch
    rapl_include_dram: Switch
    rapl_prefer_psys: Switch
    sampling_hz: Number
    sysfs_root: str | PathLike[str] | None
    procfs_root: str | PathLike[str] | None
    dev_root: str | PathLike[str] | None
    nvml_library: str | PathLike[str] | None
    project_id: Any  # a text or a UUID
    project_token: str | Secret | None
    intensity_providers: Sequence[str] | str | None
    intensity_zones: Mapping[str, str] | Sequence[str] | str | None
    intensity_file: str | PathLike[str] | None
    intensity_urls: Mapping[str, str] | Sequence[str] | str | None
    watttime_username: Text
    watttime_password: str | Secret | None
    offset_api_key: str | Secret | None
    offset_provider: Text
    offset_environment: str
    offset_threshold: Number
    auto_offset: Switch
    offset_max_per_run_kg: Number
    offset_dry_run: Switch
    offset_stop_wait_s: Number
    offset_base_url: Text
    offset_auto_release: Text


class OfflineOptions(TrackerOptions, total=False):
    """Keywords of the offline tracker beside ``project_name``."""

    country_iso_code: Text
    region: Text
    cloud_provider: Text
    cloud_region: Text
    country_2letter_iso_code: Text


class DecoratorOptions(OfflineOptions, total=False):
    """Keywords of ``track_emissions``."""

    project_name: Text
    offline: bool
