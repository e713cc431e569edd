"""The public names of the package, pinned, and what it costs to reach them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import codecarbon

PUBLIC = {
    "CarbonAware",
    "EmissionsData",
    "EmissionsRecord",
    "EmissionsTracker",
    "EnergyMeter",
    "OfflineEmissionsTracker",
    "OutputMethod",
    "TaskEmissionsTracker",
    "__app_name__",
    "__version__",
    "track_emissions",
    "track_task_emissions",
}
HEAVY = {"numpy", "requests", "typer", "psutil", "logging", "rich", "platformdirs", "pynvml", "dataclasses", "typing"}
NOT_ON_THE_START_PATH = {
    "numpy",
    "psutil",
    "requests",
    "platformdirs",
    "importlib.metadata",
    "importlib.resources",
    "configparser",
    "subprocess",
    "rich",
    "typer",
}
# What only runs that offset need; they have a key for it.
OFFSETTING = {"codecarbon.handlers.offset", "makeimpact", "sqlite3", "codecarbon.transport"}


def loaded_by(code: str, names: set[str], *, cwd: str, program: str = "") -> list[str]:
    """Names of modules that a fresh interpreter has loaded after running some code."""
    # A site-packages .pth file of a test tool may import things: only what the code adds counts.
    text = (
        f"{program}import sys; before = set(sys.modules)\n{code}\n"
        f"added = set(sys.modules) - before\nimport json; print(json.dumps(sorted(added & {names!r})))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", text], cwd=cwd, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_public_names_are_pinned():
    assert set(codecarbon.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_resolves(name):
    assert getattr(codecarbon, name) is not None
    assert name in dir(codecarbon)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = codecarbon.no_such_name


def test_import_loads_nothing_heavy(tmp_path):
    assert loaded_by("import codecarbon", HEAVY, cwd=tmp_path) == []


def test_the_guard_sees_a_heavy_import(tmp_path):
    assert loaded_by("import codecarbon, logging", {"logging"}, cwd=tmp_path) == ["logging"]


def test_start_and_stop_load_nothing_slow(tmp_path):
    # What the measured program is expected to have loaded already; `platform` alone loads `subprocess`.
    program = "import logging, dataclasses, csv, json, platform, uuid, threading, datetime\n"
    code = (
        "import codecarbon\n"
        "tracker = codecarbon.OfflineEmissionsTracker(country_iso_code='FRA', log_level='error')\n"
        "tracker.start()"
    )
    assert loaded_by(code, NOT_ON_THE_START_PATH | OFFSETTING, cwd=tmp_path, program=program) == []


def test_the_guard_sees_what_offsets(tmp_path):
    # A ledger that cannot be made: this user's own is none of a test's business.
    code = (
        "import codecarbon, os\n"
        "os.environ.update(XDG_STATE_HOME=os.devnull)\n"
        "codecarbon.OfflineEmissionsTracker(country_iso_code='FRA', offset_api_key='test_x', log_level='critical',"
        " offset_environment='sandbox')"
    )
    assert "codecarbon.handlers.offset" in loaded_by(code, OFFSETTING, cwd=tmp_path)
