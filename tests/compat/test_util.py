"""Small helpers as programs written for version 3 know them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from codecarbon.core import util
from codecarbon.core.util import backup, resolve_path, suppress


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with four processors in two sockets, by its proc file system."""
    blocks = [
        f"processor\t: {number}\nmodel name\t: Model 9000 @ 2GHz\nphysical id\t: {number // 2}\n" for number in range(4)
    ]
    (tmp_path / "cpuinfo").write_text("\n".join(blocks))
    monkeypatch.setenv("CODECARBON_PROCFS_ROOT", str(tmp_path))
    util.detect_cpu_model.cache_clear()
    yield
    util.detect_cpu_model.cache_clear()


def test_facts_come_from_the_proc_file_system(machine):
    assert util.detect_cpu_model() == "Model 9000 @ 2GHz"
    assert util.count_cpus() == 4
    assert util.count_physical_cpus() == 2


def test_the_cpu_model_is_read_once(machine, tmp_path):
    util.detect_cpu_model()
    (tmp_path / "cpuinfo").unlink()
    assert util.detect_cpu_model() == "Model 9000 @ 2GHz"
    assert util.detect_cpu_model.cache_info().hits == 1


def test_backups_are_numbered(tmp_path):
    for content in ("a", "b", "c"):
        (tmp_path / "emissions.csv").write_text(content)
        assert backup(tmp_path / "emissions.csv") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "emissions.csv.bak",
        "emissions.csv_0.bak",
        "emissions.csv_1.bak",
    ]


def test_a_missing_file_cannot_be_backed_up(tmp_path):
    with pytest.raises(FileNotFoundError):
        backup(tmp_path / "none")


def test_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_path("~/x") == tmp_path.resolve() / "x"


def test_suppress_is_a_block_and_a_decorator(caplog):
    @suppress(ZeroDivisionError)
    def divide():
        return 1 / 0

    logger = logging.getLogger("codecarbon")
    propagated, logger.propagate = logger.propagate, True
    with caplog.at_level(logging.WARNING, logger="codecarbon"):
        assert divide() is None
        with suppress():
            raise KeyError("x")
    logger.propagate = propagated
    assert [record.getMessage() for record in caplog.records[::3]] == ["graceful shutdown. Exceptions:"] * 2
    assert [record.getMessage() for record in caplog.records[2::3]] == ["stopping."] * 2
    assert "ZeroDivisionError: division by zero" in caplog.text


def test_suppress_lets_the_others_through():
    with pytest.raises(KeyError), suppress(ZeroDivisionError):
        raise KeyError("x")
    with pytest.raises(KeyboardInterrupt), suppress():
        raise KeyboardInterrupt


def test_apple_processors_are_known_by_name():
    assert util.is_mac_arm("Apple M1")
    assert util.is_mac_arm("Apple M12 Ultra")
    assert not util.is_mac_arm("Intel(R) Core(TM) i7-8850H")
    assert not util.is_mac_arm("ARM128")


def test_exactly_one_system_is_this_one():
    assert [util.is_linux_os(), util.is_mac_os(), util.is_windows_os()].count(True) == 1


@pytest.mark.parametrize(
    ("variables", "job"), [({"SLURM_JOB_ID": "7", "SLURM_JOBID": "8"}, "7"), ({"SLURM_JOBID": "8"}, "8"), ({}, "None")]
)
def test_the_slurm_job_is_the_one_at_import(variables, job):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    code = "from codecarbon.core.util import SLURM_JOB_ID; print(SLURM_JOB_ID)"
    child = subprocess.run(
        [sys.executable, "-c", code], env={**environ, **variables}, capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == job
