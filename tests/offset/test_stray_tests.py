"""The wheel of makeimpact installs its own tests as a top-level package ``tests``; nothing here may ever run them.

This repository's ``tests`` wins because its root comes first on the path: ``python -m tests…`` and ``python -m pytest``
put the working folder there, and pytest's ``pythonpath`` in pyproject.toml does so for the ``pytest`` command from any
folder. The test files themselves are found by their path (``--import-mode=importlib``). What is installed holds no
``tests`` at all, and the session that tests the wheel runs outside of the tree, without the extra.

From another folder ``import tests`` does find the stray one: run tools of this repository from its root.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tests
from tests.support.fakes import FAKES

ROOT = Path(__file__).parents[2]
STRAY = "raise SystemExit('the stray tests were imported')"


@pytest.fixture
def surroundings(tmp_path):
    """An environment in which a stray package, worse than the real one, precedes everything that is installed."""
    package = tmp_path / "stray" / "tests"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STRAY)
    return {**os.environ, "PYTHONPATH": str(package.parent)}


def run(*command, cwd, env):
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_these_tests_are_of_this_repository():
    assert [Path(path) for path in tests.__path__] == [ROOT / "tests"]
    assert Path(sys.modules["tests.support.fakes"].__file__).is_relative_to(ROOT)


def test_a_module_of_this_repository_runs_in_spite_of_a_stray_package(surroundings):
    status, said = run(sys.executable, "-m", "tests.support.fakes", "--help", cwd=ROOT, env=surroundings)
    assert status == 0, said
    assert all(name in said for name in FAKES)


SCRIPT = str(Path(sys.executable).parent / "pytest")


@pytest.mark.parametrize(("folder", "command"), [(".", ["-m", "pytest"]), (".", [SCRIPT]), ("tests/offset", [SCRIPT])])
def test_pytest_collects_this_repository_in_spite_of_a_stray_package(surroundings, folder, command):
    path = os.path.relpath(ROOT / "tests" / "offset" / "test_purchase.py", ROOT / folder)
    options = [path, "--collect-only", "-q", "-p", "no:cacheprovider"]
    status, said = run(sys.executable, *command, *options, cwd=ROOT / folder, env=surroundings)
    assert status == 0, said
    assert "test_purchase.py" in said


def test_the_stray_package_is_found_where_nothing_comes_before_it(surroundings, tmp_path):
    status, said = run(sys.executable, "-c", "import tests", cwd=tmp_path, env=surroundings)
    assert (status, "the stray tests were imported" in said) == (1, True)


def test_what_is_installed_brings_no_tests_itself():
    names = [str(path) for path in importlib.metadata.files("codecarbon") or []]
    assert names
    assert not [name for name in names if name.startswith("tests")]
