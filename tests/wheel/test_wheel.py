"""The built wheel as a user gets it: run from an empty folder, with the base dependencies only."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import codecarbon


def test_package_comes_from_site_packages():
    assert "site-packages" in Path(codecarbon.__file__).parts


def test_native_core_loads():
    import codecarbon._sensors as sensors

    assert sensors.Channel("package-0", "package", num=1, den=2).den == 2


def test_version_is_one():
    from codecarbon._version import __version__

    assert importlib.metadata.version("codecarbon") == __version__


def test_wheel_holds_no_sources_of_the_core():
    names = [str(path) for path in importlib.metadata.files("codecarbon") or []]
    assert not [name for name in names if name.endswith((".pyx", ".c", ".h"))]
    assert any(name.endswith("py.typed") for name in names)
    assert [name for name in names if "_sensors" in name and name.endswith(".pyi")]


def test_licences_are_shipped():
    names = {path.name for path in importlib.metadata.files("codecarbon") or []}
    assert {"LICENSE", "NOTICE"} <= names


def test_base_dependencies_are_six():
    requirements = importlib.metadata.requires("codecarbon") or []
    base = {line.split(">")[0].split(";")[0].strip() for line in requirements if "extra ==" not in line}
    assert base == {"numpy", "psutil", "nvidia-ml-py", "requests", "typer", "platformdirs"}


def test_import_leaves_the_folder_empty(tmp_path):
    subprocess.run([sys.executable, "-I", "-c", "import codecarbon"], cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())
