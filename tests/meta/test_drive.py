"""The writer that keeps fake sensors alive does what it says: a tool that lies makes every test behind it lie."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from codecarbon._sensors import Channel, MsrSource, PowercapSource
from codecarbon.hardware.rapl_units import find_registers, get_powercap_range, get_units
from tests.support import drive, fake_msr, fake_powercap
from tests.support.skips import skip_on_system

MODULUS_UJ = get_powercap_range(fake_powercap.RANGE_ESU_14_UJ).modulus
SHOW = "import os; print(sorted(name for name in os.environ if name.startswith('CODECARBON_')))"


def run(*arguments):
    command = [sys.executable, "-m", "tests.support.drive", *arguments]
    return subprocess.run(command, cwd=drive.REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def read_uj(source):
    value, status = source.read()[0]
    assert status == 0
    return value


def reaches(power_w, read_j):
    """Whether some tenth of a second within ten shows the power: a busy machine may hold the writer up now and then."""
    end_s = time.monotonic() + 10
    while time.monotonic() < end_s:
        begin_s, first_j = time.monotonic(), read_j()
        time.sleep(0.1)
        if (read_j() - first_j) / (time.monotonic() - begin_s) == pytest.approx(power_w, rel=0.05):
            return True
    return False


def test_driven_zone_rises_at_the_power_asked_for_and_wraps(tmp_path):
    start_uj = MODULUS_UJ - 5_000_000  # 50 ms before its end
    with drive.driven("powercap", tmp_path, watts=100, start_uj=start_uj) as environment:
        tree = Path(environment["CODECARBON_SYSFS_ROOT"], "class/powercap/intel-rapl:0")
        assert (tree / "name").read_text() == "package-0\n"
        source = PowercapSource([(tree / "energy_uj", Channel("package-0", "package"))])
        end_s = time.monotonic() + 10
        while (value_uj := read_uj(source)) >= start_uj and time.monotonic() < end_s:
            assert value_uj < MODULUS_UJ
        assert value_uj < 10_000_000
        assert reaches(100, lambda: read_uj(source) / 1e6)


def test_driven_register_counts_in_its_own_unit(tmp_path):
    try:
        vendor, family, model = drive.read_processor()
    except SystemExit as error:
        skip_on_system(str(error))
    registers = find_registers(vendor, family)
    assert registers is not None
    with drive.driven("msr", tmp_path, watts=100) as environment:
        path = Path(environment["CODECARBON_DEV_ROOT"], "cpu/0/msr")
        unit_value = fake_msr.INTEL_UNIT_VALUE if vendor == "GenuineIntel" else fake_msr.AMD_UNIT_VALUE
        unit = get_units(vendor, family, model, unit_value)["package"]
        source = MsrSource(path, [(registers.energy["package"], Channel("package-0", "package"))])
        assert reaches(100, lambda: read_uj(source) * unit.num / unit.den / 1e6)


def test_command_gets_the_environment_and_its_exit_code_comes_back(tmp_path):
    done = run("powercap", "--root", str(tmp_path / "new"), "--", sys.executable, "-c", f"{SHOW}; raise SystemExit(7)")
    assert (done.returncode, done.stdout, done.stderr) == (7, "['CODECARBON_SYSFS_ROOT']\n", "")
    assert (tmp_path / "new/sys/class/powercap/intel-rapl:0/energy_uj").exists()


def test_command_that_outlives_its_time_is_ended():
    assert run("powercap", "--seconds", "0.1", "--", "sleep", "50").returncode == 128 + 15


def test_without_a_command_it_prints_what_to_export():
    done = run("pmu", "--watts", "65", "--seconds", "0")
    assert done.returncode == 0
    assert done.stdout.startswith("export CODECARBON_SYSFS_ROOT=/")
    assert not Path(done.stdout.strip().partition("=")[2]).exists(), "a temporary tree is removed"


def test_impossible_wishes_are_refused():
    assert "whole watts" in run("pmu", "--watts", "0.5").stderr


def test_foreign_processor_has_no_fake_device(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nBogoMIPS : 50\n")
    with pytest.raises(SystemExit, match="vendor_id"):
        drive.read_processor(cpuinfo)
    cpuinfo.write_text("vendor_id : CentaurHauls\ncpu family : 7\nmodel : 1\n")
    with pytest.raises(SystemExit, match="no RAPL registers"):
        drive.read_processor(cpuinfo)
