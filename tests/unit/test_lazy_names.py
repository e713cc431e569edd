"""Names that packages offer without loading their module at start."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

LATE = {
    "codecarbon.config": ("build_signature", "build_decorator_signature"),
    "codecarbon.handlers": ("LoggerOutput", "GoogleCloudLoggerOutput"),
    "codecarbon.intensity": (
        "CloudHint",
        "find_cloud_hint",
        "find_time_zone_country",
        "Cached",
        "Chain",
        "IntensityProvider",
        "get_provider_class",
    ),
    "codecarbon.measure": ("EnergyMeter", "Window"),
    "codecarbon.model": ("TaskEmissionsData", "TASK_COLUMNS"),
}
# What a run whose place is given and that has no tasks can do without.
NOT_AT_START = (
    "config.signature",
    "handlers.logger",
    "intensity.cloud_hints",
    "intensity.cached",
    "intensity.chain",
    "intensity.provider",
    "intensity.registry",
    "intensity.time_zone",
    "measure.meter",
    "model.task",
    "tracker.decorators",
    "tracker.merging",
)


@pytest.mark.parametrize("package", LATE)
def test_late_names_are_there_and_listed(package: str) -> None:
    module = importlib.import_module(package)
    for name in LATE[package]:
        assert name in module.__all__
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", LATE)
def test_a_name_that_no_package_has_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = module.nonsense


def test_a_start_loads_no_module_that_it_does_not_need() -> None:
    code = (
        "import sys, codecarbon\n"
        "tracker = codecarbon.OfflineEmissionsTracker(country_iso_code='FRA', output_methods=[], log_level='error')\n"
        "tracker.start()\n"
        "print(*sorted(sys.modules))\n"
        "tracker.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "codecarbon.measure.session" in loaded
    assert not loaded & {f"codecarbon.{name}" for name in NOT_AT_START}
