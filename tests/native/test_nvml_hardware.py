"""A real NVIDIA card, where there is one; test_nvml_sampler.py holds the twin on the stub."""

from __future__ import annotations

import json

import pytest

from tests.support.fresh_python import run_python
from tests.support.skips import skip_without_hardware

SCRIPT = """
import json, sys, time
from codecarbon._sensors import NvmlLibrary, NvmlSource, Sampler, flag_names
library = NvmlLibrary()
try:
    usable = [device for device in library.open(20.0) if device.method != "none"]
except OSError as error:
    sys.exit(print(json.dumps({"absent": error.strerror})))
if not usable:
    sys.exit(print(json.dumps({"absent": "none offers energy or power"})))
source = NvmlSource(library, usable[:1], with_utilisation=False)
sampler = Sampler([source], idle_period_ns=source.recommended_period_ns, slow_read_ns=0)
sampler.start()
assert sampler.tick(5.0)
start_ns = time.monotonic_ns()
time.sleep(5.0)
end_ns = time.monotonic_ns()
time.sleep(3 * source.recommended_period_ns / 1e9)
assert sampler.stop(5.0)
window = sampler.resolve(start_ns).energy(sampler.resolve(end_ns), 0)
print(json.dumps({"uj": window[:3], "flags": flag_names(window[4]), "limit_w": usable[0].power_limit_w or 3000.0}))
"""


@pytest.mark.gpu
@pytest.mark.slow
def test_a_real_card_counts_a_plausible_energy() -> None:
    # A process of its own, whose loader has met no stub.
    found = json.loads(run_python(SCRIPT, timeout_s=60.0))
    if "absent" in found:
        skip_without_hardware(f"an NVIDIA card ({found['absent']})")
    energy_uj, low_uj, high_uj = found["uj"]
    assert low_uj <= energy_uj <= high_uj
    # No card idles below one watt, and none draws more than twice its limit.
    assert 1.0 <= energy_uj / 1e6 / 5.0 <= 2 * found["limit_w"]
    assert "RESET" not in found["flags"]
