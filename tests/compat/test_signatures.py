"""Signatures as `help()` and positional callers know them."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import pytest

from codecarbon import EmissionsTracker, OfflineEmissionsTracker, track_emissions
from codecarbon.config import SETTINGS
from codecarbon.tracker import options

# The order of codecarbon 3.
POSITIONAL = [
    "project_name",
    "measure_power_secs",
    "api_call_interval",
    "api_endpoint",
    "api_key",
    "output_dir",
    "output_file",
    "output_methods",
    "save_to_file",
    "save_to_api",
    "save_to_logger",
    "logging_logger",
    "save_to_prometheus",
    "save_to_logfire",
    "prometheus_url",
    "output_handlers",
    "gpu_ids",
    "emissions_endpoint",
    "experiment_id",
    "experiment_name",
    "electricitymaps_api_token",
    "co2_signal_api_token",
    "tracking_mode",
    "log_level",
    "on_csv_write",
    "logger_preamble",
    "force_cpu_power",
    "force_ram_power",
    "pue",
    "wue",
    "force_carbon_intensity_g_co2e_kwh",
    "force_mode_cpu_load",
    "allow_multiple_runs",
    "rapl_include_dram",
    "rapl_prefer_psys",
]
PLACE = ["country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code"]


@pytest.mark.parametrize("kind", [EmissionsTracker, OfflineEmissionsTracker])
def test_trackers_take_the_old_positions(kind):
    parameters = list(inspect.signature(kind).parameters.values())
    assert [entry.name for entry in parameters][: len(POSITIONAL)] == POSITIONAL
    assert all(entry.kind is entry.POSITIONAL_OR_KEYWORD for entry in parameters[: len(POSITIONAL)])


def test_offline_tracker_has_the_place():
    assert set(PLACE) <= set(inspect.signature(OfflineEmissionsTracker).parameters)
    assert not set(PLACE) & set(inspect.signature(EmissionsTracker).parameters)


def test_decorator_takes_the_old_positions():
    names = list(inspect.signature(track_emissions).parameters)
    expected = ["fn", *POSITIONAL]
    expected.remove("force_mode_cpu_load")
    place = expected.index("logger_preamble") + 1
    expected[place:place] = ["offline", *PLACE]
    assert names[: len(expected)] == expected


def test_positional_call_binds_like_the_signature(tmp_path):
    tracker = EmissionsTracker("name", 3, 4, "https://example.org", "key", tmp_path, "out.csv", log_level="error")
    assert tracker._measure_power_secs == 3
    assert tracker._api_call_interval == 4
    assert tracker._conf["output_file"] == "out.csv"
    assert tracker._conf["output_dir"] == str(tmp_path)
    with pytest.raises(TypeError, match="multiple values"):
        EmissionsTracker("name", 3, measure_power_secs=3)


def test_typed_options_are_those_of_the_table():
    trackers = {row.name for row in SETTINGS if not row.is_offline} - {"project_name"}
    assert set(options.TrackerOptions.__annotations__) == trackers
    offline = {row.name for row in SETTINGS} - {"project_name"}
    assert set(options.OfflineOptions.__annotations__) == offline
    assert set(options.DecoratorOptions.__annotations__) == offline | {"project_name", "offline"}
    assert get_type_hints(EmissionsTracker.stop)["return"] == (float | None)
