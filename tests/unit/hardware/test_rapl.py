"""Which counters discovery opens, which it takes for the same, and what it says of the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from codecarbon.hardware import CpuInfo, RaplChannels, open_rapl, read_cpu_info
from codecarbon.hardware.rapl import parse_cpu_list
from codecarbon.model import Roots
from tests.support import fake_msr, fake_pmu, fake_powercap
from tests.support.limits import public_folder, without_root

INTEL = CpuInfo("GenuineIntel", 6, 0x8F, "Xeon", frozenset(), 4, 1, {0: 0})
AMD = CpuInfo("AuthenticAMD", 0x17, 1, "Threadripper", frozenset(), 4, 1, {0: 0})


class Opener:
    """Opens counters and closes them after the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opened: list[RaplChannels] = []

    def __call__(self, cpu: CpuInfo = INTEL, *, dev: str | None = None) -> RaplChannels:
        found = open_rapl(Roots(sysfs=str(self.root), dev=dev or str(self.root / "no-dev")), cpu)
        self.opened.append(found)
        return found


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    opener = Opener(tmp_path)
    yield opener
    for found in opener.opened:
        found.close()


def names(found: RaplChannels) -> list[str]:
    return [finding.name for finding in found.findings]


def channels(found: RaplChannels) -> list[str]:
    return [channel.name for source in found.sources for channel in source.channels]


def refusals(found: RaplChannels) -> dict[str, str]:
    return {f"{finding.interface} {finding.name}": finding.state for finding in found.refused}


def test_packages_and_memory_are_opened_and_breakdowns_are_not(opener: Opener) -> None:
    fake_powercap.build_sockets(opener.root, 2)
    found = opener()
    assert sorted(names(found)) == ["dram-0", "dram-1", "package-0", "package-1"]
    assert channels(found) == names(found), "findings must stand in the order of the channels"
    assert not found.refused


def test_zones_are_identified_by_name_and_not_by_number(opener: Opener) -> None:
    fake_powercap.build_laptop(opener.root)
    assert sorted(names(opener())) == ["package-0", "psys"]


def test_zone_numbers_are_hexadecimal(opener: Opener) -> None:
    fake_powercap.build_many_sockets(opener.root, 11)
    assert "package-10" in names(opener())


def test_mmio_repeats_a_package_and_is_an_alias(opener: Opener) -> None:
    tree = fake_powercap.build_sockets(opener.root, 1, has_dram=False)
    fake_powercap.add_mmio_twin(tree)
    found = opener()
    assert names(found) == ["package-0"]
    assert "intel-rapl-mmio" not in found.findings[0].path
    assert refusals(found) == {"powercap package-0": "alias"}


def test_mmio_serves_when_it_is_alone(opener: Opener) -> None:
    fake_powercap.add_mmio_twin(fake_powercap.FakePowercap(opener.root))
    assert names(opener()) == ["package-0"]


def test_control_types_of_other_drivers_are_left_alone(opener: Opener) -> None:
    tree = fake_powercap.build_sockets(opener.root, 1, has_dram=False)
    fake_powercap.add_foreign_types(tree)
    assert names(opener()) == ["package-0"]


def test_intel_dies_are_separate_counters(opener: Opener) -> None:
    fake_powercap.build_dies(opener.root, 1, 2)
    assert sorted(names(opener())) == ["package-0", "package-0-die-1"]


def test_d14_amd_dies_repeat_their_socket(opener: Opener) -> None:
    fake_powercap.build_amd_twins(opener.root, 2)
    found = opener(AMD)
    assert names(found) == ["package-0"]
    assert refusals(found) == {"powercap package-0-die-1": "alias"}


def test_a_zone_that_only_root_may_read_is_refused_with_the_command_that_grants_it() -> None:
    with public_folder() as root:
        tree = fake_powercap.build_sockets(root, 1, has_dram=False)
        (tree.zones["package-0"].folder / "energy_uj").chmod(0)
        with without_root():
            found = open_rapl(Roots(sysfs=str(root), dev=str(root)), INTEL)
    assert not found.sources
    assert "root" in found.refused[0].reason
    assert "chmod g+r" in found.refused[0].remedy


def test_a_counter_that_is_a_folder_is_refused_and_the_rest_is_kept(opener: Opener) -> None:
    tree = fake_powercap.build_sockets(opener.root, 2, has_dram=False)
    tree.zones["package-0"].remove()
    (tree.zones["package-0"].folder / "energy_uj").mkdir()
    found = opener()
    assert names(found) == ["package-1"]
    assert refusals(found) == {"powercap package-0": "refused"}


def test_an_unusable_range_file_is_said(opener: Opener) -> None:
    fake_powercap.FakePowercap(opener.root).add_zone("package-0", range_uj=None)
    found = opener()
    assert "range" in found.findings[0].reason
    assert found.sources[0].channels[0].modulus > 0


def test_perf_is_preferred_and_one_group_serves_a_package(opener: Opener) -> None:
    fake_pmu.need_perf()
    fake_pmu.build_constant(opener.root, 2, dram_w=1)
    fake_powercap.build_sockets(opener.root, 1)
    found = opener()
    assert {finding.interface for finding in found.findings} == {"perf"}
    assert len(found.sources) == 1
    assert refusals(found) == {"powercap package-0": "alias", "powercap dram-0": "alias"}


def test_a_phantom_platform_event_does_not_hide_the_packages_of_powercap(opener: Opener) -> None:
    fake_pmu.need_perf()
    fake_pmu.build_phantom(opener.root)
    fake_powercap.build_sockets(opener.root, 1, has_dram=False)
    found = opener()
    assert {(finding.interface, finding.name) for finding in found.findings} == {
        ("perf", "psys"),
        ("powercap", "package-0"),
    }


def test_a_perf_event_that_the_kernel_lacks_is_refused_and_powercap_serves(opener: Opener) -> None:
    fake_pmu.need_perf()
    fake_pmu.FakePmu(opener.root, {"energy-pkg": (250, fake_pmu.RAPL_SCALE)})
    fake_powercap.build_sockets(opener.root, 1, has_dram=False)
    found = opener()
    assert [finding.interface for finding in found.findings] == ["powercap"]
    assert refusals(found) == {"perf package-0": "refused"}


@pytest.mark.parametrize(
    ("file", "content"),
    [("energy-pkg", "umask=1"), ("energy-pkg.unit", "Watts"), ("energy-pkg.scale", "zero"), ("energy-pkg.scale", "")],
)
def test_a_perf_event_that_is_not_understood_is_refused_by_name(opener: Opener, file: str, content: str) -> None:
    pmu = fake_pmu.build_constant(opener.root)
    (pmu.folder / "events" / file).write_text(content)
    found = opener()
    assert not found.sources
    assert refusals(found) == {"perf energy-pkg": "refused"}


def test_channels_in_the_kernels_unit_have_its_range_and_the_hardwares_step(opener: Opener) -> None:
    fake_pmu.FakePmu(opener.root, {"energy-pkg": (fake_pmu.CPU_CLOCK, fake_pmu.RAPL_SCALE)})
    (source,) = opener().sources
    (channel,) = source.channels
    assert (channel.num / channel.den, channel.modulus, channel.quantum) == (1e6 / 2**16, 2**48, 4)
    assert channel.cap_w == 1000.0


def test_msr_serves_when_nothing_else_does(tmp_path: Path) -> None:
    tree = fake_msr.FakeMsr(tmp_path, sockets=2, model=0x8F)
    for socket in (0, 1):
        tree.poke_socket(socket, fake_msr.INTEL_PACKAGE, 5)
    roots = Roots(sysfs=str(tree.sys), procfs=str(tmp_path / "proc"), dev=str(tree.dev))
    found = open_rapl(roots, read_cpu_info(roots))
    try:
        assert {finding.interface for finding in found.findings} == {"msr"}
        assert {"package-0", "package-1"} <= set(names(found))
        psys = next(c for s in found.sources for c in s.channels if c.name == "psys")
        assert psys.num / psys.den == 1e6, "Sapphire Rapids counts the platform in whole joules"
    finally:
        found.close()


def test_msr_packages_are_those_of_the_devices_when_cpuinfo_shows_fewer(tmp_path: Path) -> None:
    """Else the second socket's energy is missing, and nobody says so."""
    tree = fake_msr.FakeMsr(tmp_path, sockets=2, model=0x8F)
    found = open_rapl(Roots(sysfs=str(tree.sys), dev=str(tree.dev)), INTEL)
    try:
        devices = {finding.name: finding.path for finding in found.findings if finding.domain == "package"}
        assert devices == {"package-0": str(tree.path(0)), "package-1": str(tree.path(2))}
    finally:
        found.close()


def test_another_processor_of_the_package_takes_over_when_the_first_goes_offline(tmp_path: Path) -> None:
    tree = fake_msr.FakeMsr(tmp_path, sockets=2)
    tree.poke_socket(1, fake_msr.INTEL_PACKAGE, 77)
    roots = Roots(sysfs=str(tree.sys), procfs=str(tree.proc), dev=str(tree.dev))
    found = open_rapl(roots, read_cpu_info(roots))
    try:
        source = next(s for s in found.sources if s.channels[0].name == "package-1")
        os.truncate(tree.path(2), 0)
        tree.path(2).unlink()
        assert source.read()[0][1] < 0
        source.reopen()
        assert source.read()[0] == (77, 0)
    finally:
        found.close()


def test_msr_packages_are_those_of_cpuinfo_when_sysfs_has_no_topology(tmp_path: Path) -> None:
    tree = fake_msr.FakeMsr(tmp_path, sockets=2)
    found = open_rapl(Roots(sysfs=str(tmp_path / "nothing"), dev=str(tree.dev)), INTEL)
    try:
        assert {finding.name for finding in found.findings if finding.domain == "package"} == {"package-0"}
    finally:
        found.close()


def test_an_msr_unit_register_of_a_guest_is_refused(tmp_path: Path) -> None:
    tree = fake_msr.FakeMsr(tmp_path)
    tree.poke_socket(0, fake_msr.INTEL_UNIT, 0)
    roots = Roots(sysfs=str(tree.sys), procfs=str(tmp_path / "proc"), dev=str(tree.dev))
    found = open_rapl(roots, read_cpu_info(roots))
    assert not found.sources
    assert "implausible" in found.refused[0].reason


def test_a_vendor_without_known_registers_is_refused(tmp_path: Path) -> None:
    tree = fake_msr.FakeMsr(tmp_path, vendor="CentaurHauls")
    roots = Roots(sysfs=str(tree.sys), procfs=str(tmp_path / "proc"), dev=str(tree.dev))
    found = open_rapl(roots, read_cpu_info(roots))
    assert not found.sources
    assert "CentaurHauls" in found.refused[0].reason


def test_a_machine_without_anything_gives_nothing_and_no_error(opener: Opener) -> None:
    found = opener()
    assert not found.sources
    assert not found.refused


def test_no_descriptor_is_left_after_close(opener: Opener) -> None:
    fake_powercap.build_sockets(opener.root, 2)
    before = len(os.listdir("/proc/self/fd"))
    found = opener()
    assert len(os.listdir("/proc/self/fd")) == before + 4
    found.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("text", "cpus"), [("0\n", [0]), ("0,16-18\n", [0, 16, 17, 18]), ("", []), ("x,3", [3]), ("1-", [1]), ("-2", [])]
)
def test_cpu_lists(text: str, cpus: list[int]) -> None:
    assert parse_cpu_list(text) == cpus
