"""MsrSource and read_msr on sparse files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from codecarbon._sensors import Channel, Fault, MsrSource, ScriptedOps, read_msr
from codecarbon.hardware.rapl_units import get_esu
from tests.support import fake_msr
from tests.support.fake_msr import FakeMsr
from tests.support.limits import count_descriptors, one_descriptor_left, public_folder, without_root

PACKAGE, DRAM = Channel("package-0", "package", modulus=2**32), Channel("dram-0", "dram", modulus=2**32)
REGISTERS = [(fake_msr.INTEL_PACKAGE, PACKAGE), (fake_msr.INTEL_DRAM, DRAM)]


@pytest.fixture
def tree(tmp_path):
    return FakeMsr(tmp_path)


def test_registers_are_read_in_the_order_given(tree):
    tree.poke(0, fake_msr.INTEL_PACKAGE, 111)
    tree.poke(0, fake_msr.INTEL_DRAM, 222)
    source = MsrSource(tree.path(0), REGISTERS)
    assert source.channels == (PACKAGE, DRAM)
    assert source.read() == [(111, 0), (222, 0)]
    tree.poke(0, fake_msr.INTEL_PACKAGE, 112)
    assert source.read() == [(112, 0), (222, 0)]


def test_high_half_is_not_part_of_the_count(tree):
    tree.poke(0, fake_msr.INTEL_PACKAGE, 0xDEADBEEF_FFFFFFFF)
    assert MsrSource(tree.path(0), REGISTERS[:1]).read() == [(0xFFFFFFFF, 0)]


def test_register_numbers_beyond_31_bits(tmp_path):
    tree = FakeMsr(tmp_path, vendor="AuthenticAMD", family=0x17)
    tree.poke(0, fake_msr.AMD_PACKAGE, 7)
    assert MsrSource(tree.path(0), [(fake_msr.AMD_PACKAGE, PACKAGE)]).read() == [(7, 0)]
    assert get_esu(read_msr(tree.path(0), fake_msr.AMD_UNIT)) == 16


def test_unit_register_is_read_whole(tree):
    tree.poke(0, fake_msr.INTEL_UNIT, 0x8000_0000_000A_0E03)
    before = count_descriptors()
    assert read_msr(tree.path(0), fake_msr.INTEL_UNIT) == 0x8000_0000_000A_0E03
    assert count_descriptors() == before


def test_short_answer_is_a_failed_reading(tree):
    tree.path(0).write_bytes(bytes(fake_msr.INTEL_PACKAGE + 4))
    assert MsrSource(tree.path(0), REGISTERS).read() == [(0, -errno.EIO), (0, -errno.EIO)]
    with pytest.raises(OSError) as caught:
        read_msr(tree.path(0), fake_msr.INTEL_PACKAGE)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, tree.path(0))


def test_faulting_register_is_a_failed_reading(tmp_path):
    (tmp_path / "msr").symlink_to("/proc/self/mem")  # a hole of this process's memory faults like an absent register
    source = MsrSource(tmp_path / "msr", [(fake_msr.INTEL_PACKAGE, PACKAGE)])
    assert source.read() == [(0, -errno.EIO)]
    with pytest.raises(OSError) as caught:
        read_msr(tmp_path / "msr", fake_msr.INTEL_PACKAGE)
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize("code", [errno.EIO, errno.ENXIO])
def test_error_of_one_register_leaves_the_other_alone(tree, code):
    tree.poke(0, fake_msr.INTEL_PACKAGE, 5)
    source = MsrSource(tree.path(0), REGISTERS, ops=ScriptedOps([Fault("pread", first=4, last=4, errno=code)]))
    assert source.read() == [(5, 0), (0, 0)]
    assert source.read() == [(5, 0), (0, -code)]
    assert source.read() == [(5, 0), (0, 0)]


@pytest.mark.parametrize("obstacle", ["missing", "folder", "fifo"])
def test_device_that_cannot_be_opened_is_named(tmp_path, obstacle):
    path = tmp_path / "msr"
    if obstacle == "folder":
        path.mkdir()
    elif obstacle == "fifo":
        os.mkfifo(path)
    before = count_descriptors()
    for attempt in (lambda: MsrSource(path, REGISTERS), lambda: read_msr(path, 0x606)):
        with pytest.raises(OSError) as caught:
            attempt()
        assert caught.value.filename == path
        assert caught.value.errno == (errno.ENOENT if obstacle == "missing" else errno.EINVAL)
    assert count_descriptors() == before


def test_device_of_root_is_refused_to_others():
    with public_folder() as folder:
        tree = FakeMsr(folder)
        tree.path(0).chmod(0o000)
        with without_root(), pytest.raises(PermissionError) as caught:
            MsrSource(tree.path(0), REGISTERS)
    assert caught.value.filename == tree.path(0)


def test_too_many_open_files_is_a_clean_error(tree):
    before = count_descriptors()
    with one_descriptor_left():
        source = MsrSource(tree.path(0), REGISTERS)
        with pytest.raises(OSError) as caught:
            MsrSource(tree.path(1), REGISTERS)
    assert caught.value.errno == errno.EMFILE
    source.close()
    source.close()
    assert count_descriptors() == before
    with pytest.raises(ValueError, match="closed"):
        source.read()


def test_device_that_came_back_is_opened_again(tree):
    path = tree.path(0)
    path.unlink()
    path.symlink_to("/proc/self/mem")
    source = MsrSource(path, REGISTERS)
    assert source.read() == [(0, -errno.EIO)] * 2
    path.unlink()
    with pytest.raises(FileNotFoundError):
        source.reopen()
    tree.poke(0, fake_msr.INTEL_PACKAGE, 5)
    tree.poke(0, fake_msr.INTEL_DRAM, 6)
    before = count_descriptors()
    source.reopen()
    assert source.read() == [(5, 0), (6, 0)]
    assert count_descriptors() == before


def test_another_processor_takes_over_when_the_first_goes_offline(tmp_path):
    tree = FakeMsr(tmp_path, cpus_per_socket=3)
    tree.poke_socket(0, fake_msr.INTEL_PACKAGE, 9)
    offline = Fault("pread", path=tree.path(0), first=2, errno=errno.ENXIO)
    ops = ScriptedOps([offline, Fault("open", path=tree.path(0), first=2, errno=errno.ENXIO)])
    source = MsrSource(
        tree.path(0), REGISTERS[:1], alternatives=[tree.dev / "cpu/99/msr", tree.path(1), tree.path(2)], ops=ops
    )
    assert source.read() == [(9, 0)]
    assert source.read() == [(0, -errno.ENXIO)]
    source.reopen()
    tree.poke(1, fake_msr.INTEL_PACKAGE, 10)
    assert source.read() == [(10, 0)]
    assert ops.open_fds == 1


def test_reopening_a_healthy_device_does_nothing(tree):
    source = MsrSource(tree.path(0), REGISTERS)
    source.read()
    tree.path(0).unlink()
    source.reopen()
    assert source.read() == [(0, 0), (0, 0)]


@pytest.mark.parametrize("count", [0, 65])
def test_number_of_registers_has_limits(tree, count):
    with pytest.raises(ValueError, match=f"got {count}"):
        MsrSource(tree.path(0), REGISTERS[:1] * count)


def test_fake_machine_shows_its_packages(tmp_path):
    tree = FakeMsr(tmp_path, sockets=2, cpus_per_socket=2)
    tree.poke_socket(1, fake_msr.INTEL_PACKAGE, 9)
    assert [read_msr(tree.path(cpu), fake_msr.INTEL_PACKAGE) for cpu in range(4)] == [0, 0, 9, 9]
    assert (tree.sys / "devices/system/cpu/cpu3/topology/physical_package_id").read_text() == "1\n"
    assert Path(tree.proc / "cpuinfo").read_text().count("physical id\t: 1\n") == 2
