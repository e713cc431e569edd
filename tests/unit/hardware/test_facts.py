"""What is read from the kernel's text files."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from codecarbon.hardware import read_cpu_info, read_facts
from codecarbon.hardware.facts import read_platform
from codecarbon.model import Roots

BLOCK = """processor\t: {cpu}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R)   Platinum 8480+
physical id\t: {socket}
flags\t\t: fpu {flag}

"""


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(procfs=str(tmp_path))


def write_cpus(roots: Roots, sockets: list[int], flag: str = "sse") -> None:
    text = "".join(BLOCK.format(cpu=cpu, socket=socket, flag=flag) for cpu, socket in enumerate(sockets))
    Path(roots.procfs, "cpuinfo").write_text(text)


def test_identity_and_topology(roots: Roots) -> None:
    write_cpus(roots, [0, 1, 0, 1])
    cpu = read_cpu_info(roots)
    assert (cpu.vendor, cpu.family, cpu.model) == ("GenuineIntel", 6, 143)
    assert cpu.brand == "Intel(R) Xeon(R) Platinum 8480+"
    assert (cpu.cpu_count, cpu.socket_count, cpu.first_cpu) == (4, 2, {0: 0, 1: 1})
    assert not cpu.is_virtual
    assert not cpu.is_amd


def test_a_hypervisor_announces_itself(roots: Roots) -> None:
    write_cpus(roots, [0], flag="hypervisor")
    assert read_cpu_info(roots).is_virtual


def test_without_cpuinfo_the_count_comes_from_the_system_and_there_is_one_socket(roots: Roots) -> None:
    cpu = read_cpu_info(roots)
    assert (cpu.cpu_count, cpu.socket_count) == (os.cpu_count(), 1)
    assert cpu.vendor == ""


def test_memory_is_gibibytes(roots: Roots) -> None:
    Path(roots.procfs, "meminfo").write_text("MemTotal:       33554432 kB\nMemFree: 1 kB\n")
    write_cpus(roots, [0])
    facts = read_facts(roots)
    assert facts.ram_total_gib == 32.0
    assert facts.python_version == platform.python_version()


@pytest.mark.parametrize("content", ["", "MemTotal: unknown kB\n", "MemFree: 3 kB\n"])
def test_unreadable_memory_is_said_to_be_none(roots: Roots, content: str) -> None:
    Path(roots.procfs, "meminfo").write_text(content)
    assert read_facts(roots).ram_total_gib == 0.0


def test_the_platform_is_named_as_the_standard_library_does() -> None:
    assert read_platform() == platform.platform()
