"""The built wheel as a user gets it: run from an empty folder, with the base dependencies only."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import codecarbon

SCRIPTS = Path(sys.executable).parent
FILES = importlib.metadata.files("codecarbon") or []


@pytest.fixture(autouse=True)
def _fresh_home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("CODECARBON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def run(*command, code=0):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done


def rows(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def test_package_comes_from_site_packages():
    assert "site-packages" in Path(codecarbon.__file__).parts


def test_native_core_loads():
    import codecarbon._sensors as sensors

    assert sensors.Channel("package-0", "package", num=1, den=2).den == 2


def test_version_is_one():
    assert importlib.metadata.version("codecarbon") == codecarbon.__version__


def test_wheel_holds_types_and_no_sources_of_the_core():
    names = [str(path) for path in FILES]
    assert not [name for name in names if name.endswith((".pyx", ".pxd", ".c", ".h", "CMakeLists.txt"))]
    assert "codecarbon/py.typed" in names
    assert [name for name in names if "_sensors" in name and name.endswith(".pyi")]


def test_wheel_writes_into_one_package_only():
    tops = {path.parts[0] for path in FILES if path.parts[0] != ".."}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"codecarbon"}


def test_licences_are_shipped():
    assert {"LICENSE", "NOTICE"} <= {path.name for path in FILES}


def test_base_dependencies_are_six():
    requirements = importlib.metadata.requires("codecarbon") or []
    base = {line.split(">")[0].split(";")[0].strip() for line in requirements if "extra ==" not in line}
    assert base == {"numpy", "psutil", "nvidia-ml-py", "requests", "typer", "platformdirs"}


def test_import_leaves_the_folder_empty(tmp_path):
    run(sys.executable, "-c", "import codecarbon")
    assert not list(tmp_path.iterdir())


def test_tracker_writes_its_row(tmp_path):
    program = """
from codecarbon import OfflineEmissionsTracker
with OfflineEmissionsTracker(country_iso_code="FRA", log_level="error") as tracker:
    sum(i * i for i in range(10**6))
print(tracker.final_emissions)
"""
    said = float(run(sys.executable, "-c", program).stdout)
    (row,) = rows(tmp_path / "emissions.csv")
    assert len(row) == 38
    assert float(row["emissions"]) == said > 0
    assert row["country_iso_code"] == "FRA"


def test_tables_are_in_the_wheel():
    from codecarbon.intensity import get_intensity
    from codecarbon.model import Location

    france = get_intensity(Location(country_iso_code="FRA"))
    assert 0 < france.intensity_g_per_kwh < 200
    assert france.year


def test_meter_gives_joules():
    with codecarbon.EnergyMeter() as meter:
        begin = meter.mark()
        sum(i * i for i in range(10**6))
        window = meter.energy(begin, meter.mark())
    assert window.energy_j is not None
    assert window.low_j <= window.energy_j <= window.high_j


def test_monitor_keeps_the_exit_code_and_says_what_was_modelled(tmp_path):
    command = ("monitor", "--offline", "--country-iso-code", "FRA", "--json", "--")
    done = run(SCRIPTS / "codecarbon", *command, sys.executable, "-c", "raise SystemExit(7)", code=7)
    assert json.loads(done.stdout)
    assert len(rows(tmp_path / "emissions.csv")) == 1


def test_detect_names_what_it_found():
    assert json.loads(run(SCRIPTS / "codecarbon", "detect", "--json").stdout)


def test_module_runs_like_the_script():
    assert "monitor" in run(sys.executable, "-m", "codecarbon", "--help").stdout
