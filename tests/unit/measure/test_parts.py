"""How accurate a sensor is taken to be, by the processor it sits in."""

from __future__ import annotations

import pytest

from codecarbon.hardware import CpuInfo
from codecarbon.measure.parts import gains_of


def cpu(vendor: str = "GenuineIntel", model: int = 0x8F, *flags: str) -> CpuInfo:
    return CpuInfo(vendor, 6, model, "test", frozenset(flags), 1, 1, {0: 0})


@pytest.mark.parametrize(
    ("info", "package", "dram"),
    [
        (cpu(), 0.05, 0.10),
        (cpu("GenuineIntel", 0x3E), 0.05, 0.20),
        (cpu("AuthenticAMD", 1), 0.05, 0.20),
        (cpu("", 0), 0.05, 0.20),
        (cpu("GenuineIntel", 0x8F, "sgx"), 0.50, 0.50),
    ],
    ids=["recent", "before Haswell", "another vendor", "unknown", "noise filter"],
)
def test_the_gain_follows_the_processor(info: CpuInfo, package: float, dram: float) -> None:
    gains = gains_of(info)
    assert (gains["package"], gains["dram"], gains["gpu"]) == (package, dram, 0.05)
