"""A real NVIDIA card, where there is one; test_nvml_sampler.py holds the twin on the stub."""

from __future__ import annotations

import time

import pytest

from codecarbon._sensors import NvmlLibrary, NvmlSource, Sampler, flag_names
from tests.support.skips import skip_without_hardware

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def test_a_real_card_counts_a_plausible_energy() -> None:
    library = NvmlLibrary()
    try:
        devices = library.open(timeout_s=20.0)
    except OSError as error:
        skip_without_hardware(f"an NVIDIA card ({error.strerror})")
    usable = [device for device in devices if device.method != "none"]
    if not usable:
        skip_without_hardware("an NVIDIA card that offers energy or power")
    source = NvmlSource(library, usable[:1], with_utilisation=False)
    sampler = Sampler([source], idle_period_ns=source.recommended_period_ns, slow_read_ns=0)
    sampler.start()
    assert sampler.tick(5.0)
    start_ns = time.monotonic_ns()
    time.sleep(5.0)
    end_ns = time.monotonic_ns()
    time.sleep(3 * source.recommended_period_ns / 1e9)
    assert sampler.stop(5.0)
    energy_uj, low_uj, high_uj, _, flags = sampler.resolve(start_ns).energy(sampler.resolve(end_ns), 0)
    assert low_uj <= energy_uj <= high_uj
    # No card idles below one watt, and none draws more than twice its limit.
    limit_w = usable[0].power_limit_w or 3000.0
    assert 1.0 <= energy_uj / 1e6 / 5.0 <= 2 * limit_w
    assert "RESET" not in flag_names(flags)
