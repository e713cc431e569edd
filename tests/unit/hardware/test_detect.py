"""What `detect` says of sensors that count, of one that never moves, and of those that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecarbon.hardware import MeasureRequest, detect
from codecarbon.model import Finding, Roots
from tests.support import fake_pmu, fake_powercap
from tests.support.drive import driven
from tests.support.nvml_stub import NvmlStub


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {f"{finding.interface} {finding.name}": finding for finding in findings}


def request(root: Path, **more: object) -> MeasureRequest:
    return MeasureRequest(roots=Roots(sysfs=str(root), dev=str(root / "no-dev"), nvml_library="libnone.so"), **more)  # type: ignore[arg-type]


def test_a_phantom_pmu_is_named_and_refused(tmp_path: Path) -> None:
    fake_pmu.need_perf()
    fake_pmu.build_phantom(tmp_path)
    found = by_name(detect(request(tmp_path), 0.01))["perf psys"]
    assert found.state == "refused"
    assert "never moved" in found.reason
    assert found.power_w is None, "missing is never zero"


def test_a_counter_that_counts_is_live_with_its_power(tmp_path: Path) -> None:
    fake_pmu.need_perf()
    fake_pmu.build_constant(tmp_path, 25)
    found = by_name(detect(request(tmp_path), 0.2))["perf package-0"]
    assert found.state == "live"
    assert found.power_w == pytest.approx(25, rel=0.2)


def test_a_frozen_powercap_zone_is_refused(tmp_path: Path) -> None:
    fake_powercap.build_sockets(tmp_path, 1, has_dram=False, energy_uj=1234)
    found = by_name(detect(request(tmp_path), 0.01))["powercap package-0"]
    assert found.state == "refused"


def test_an_implausible_power_is_refused(tmp_path: Path) -> None:
    fake_pmu.need_perf()
    fake_pmu.build_constant(tmp_path, 50_000)
    found = by_name(detect(request(tmp_path), 0.02))["perf package-0"]
    assert found.state == "refused"
    assert "implausible" in found.reason


def test_a_driven_tree_shows_every_domain_with_its_power(tmp_path: Path) -> None:
    with driven("powercap", tmp_path / "tree", watts=100, dram=20, sockets=2) as environment:
        roots = Roots(sysfs=environment["CODECARBON_SYSFS_ROOT"], dev=str(tmp_path), nvml_library="libnone.so")
        found = by_name(detect(MeasureRequest(roots=roots), 0.2))
    assert {name for name, finding in found.items() if finding.state == "live"} == {
        "powercap package-0",
        "powercap package-1",
        "powercap dram-0",
        "powercap dram-1",
    }
    assert found["powercap package-0"].power_w == pytest.approx(100, rel=0.2)
    assert found["powercap dram-1"].power_w == pytest.approx(20, rel=0.2)


def test_interfaces_that_are_not_there_are_named_with_their_path(tmp_path: Path) -> None:
    found = by_name(detect(request(tmp_path), 0.0))
    for name in ("perf perf", "powercap powercap", "msr msr"):
        assert found[name].state == "refused"
        assert str(tmp_path) in found[name].path


def test_the_models_that_stand_in_are_listed_with_their_parameters(tmp_path: Path) -> None:
    found = by_name(detect(request(tmp_path, force_cpu_power_w=42.0, force_ram_power_w=7.0), 0.0))
    assert found["model cpu-model"].state == "model"
    assert "42 W" in found["model cpu-model"].reason
    assert "7 W" in found["model ram-model"].reason


def test_graphics_cards_are_read_once_and_named(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, gpus=2, watts=70.0)
    roots = Roots(sysfs=str(tmp_path), dev=str(tmp_path), nvml_library=str(stub.path))
    found = by_name(detect(MeasureRequest(roots=roots, gpu_ids=(1,)), 0.01))
    assert (found["nvml gpu-1"].state, found["nvml gpu-1"].power_w) == ("live", 70.0)
    assert "nvml gpu-0" not in found


def test_a_sensor_whose_reads_fail_is_refused_with_the_reason(tmp_path: Path) -> None:
    tree = fake_powercap.build_sockets(tmp_path, 1, has_dram=False, energy_uj=1234)
    tree.zones["package-0"].corrupt(b"not a number\n")
    found = by_name(detect(request(tmp_path), 0.0))["powercap package-0"]
    assert found.state == "refused"
    assert "reads fail" in found.reason
    assert found.power_w is None
