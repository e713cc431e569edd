"""The stub library as a person uses it: from a shell, and while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codecarbon._sensors import NvmlLibrary, NvmlSource
from tests.support.fresh_python import run_python
from tests.support.nvml_stub import NvmlStub

ROOT = Path(__file__).parent.parent.parent
READ = """
import os
from codecarbon._sensors import NvmlLibrary, NvmlSource
library = NvmlLibrary(os.environ["CODECARBON_NVML_LIBRARY"])
library.open()
source = NvmlSource(library, with_utilisation=False)
source.read()
print(len(library.devices()), source.status(0)["power_w"], library.devices()[0].name)
raise SystemExit(5)
"""


def stub_command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.support.nvml_stub", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_runs_beside_the_cards_asked_for(tmp_path: Path) -> None:
    options = ["--watts", "120", "--gpus", "3", "--set", "name Some Card", "--"]
    done = stub_command(*options, sys.executable, "-c", READ, folder=tmp_path)
    assert done.stdout == "3 120.0 Some Card\n", done.stderr
    assert done.returncode == 5
    # Only the compiled library stays, for the next time.
    assert [path.name.rsplit("-", 1)[0] for path in tmp_path.iterdir()] == [f"codecarbon-nvml-stub-{os.getuid()}"]


def test_without_a_command_it_prints_what_to_export(tmp_path: Path) -> None:
    done = stub_command("--watts", "50", folder=tmp_path)
    script = f"{done.stdout}\nexec {sys.executable} -c '{READ}'"
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert shell.stdout == "1 50.0 NVIDIA H100 80GB HBM3\n", shell.stderr


def test_a_private_stub_is_nobody_elses_library(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from codecarbon._sensors import NvmlLibrary
from tests.support.nvml_stub import NvmlStub
stub = NvmlStub.private(Path(sys.argv[1]))
NvmlLibrary(str(stub.path)).open()
try:
    NvmlLibrary().open()
except OSError:
    pass
print(stub.refcount(), stub.calls("nvmlInitWithFlags"))
"""
    assert run_python(script, str(tmp_path)) == "1 1"


def test_the_configuration_can_be_edited_while_it_runs(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, watts=100.0)
    library = NvmlLibrary(str(stub.path))
    library.open()
    source = NvmlSource(library)
    source.read()
    assert source.status(0)["power_w"] == 100.0
    assert stub.config is not None
    stub.config.write_text("watts 400\nperiod_ms 1\n")
    deadline = time.monotonic() + 5.0
    while source.status(0)["power_w"] != 400.0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        stub.refcount()
        source.read()


def test_the_counter_is_the_same_in_every_process_and_moves_in_steps(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "period_ms 100", watts=200.0)
    library = NvmlLibrary(str(stub.path))
    library.open()
    source = NvmlSource(library, with_utilisation=False)
    shown_mj = []
    for t_ms in (5_000, 5_099, 5_100, 5_250):
        stub.set_time(t_ms * 1_000_000)
        shown_mj.append(source.read()[0][0])
    assert shown_mj == [1_000_000, 1_000_000, 1_020_000, 1_040_000]
    assert stub.true_uj(0, 5_250_000_000) == 1_050_000_000


@pytest.mark.parametrize(("period_s", "lost"), [(0.0005, 0.95), (0.1, 0.15), (1.0, 0.015)])
def test_a_lossy_counter_loses_as_published(tmp_path: Path, period_s: float, lost: float) -> None:
    # Published: 95.4 % at 0.5 ms, 75.6 % at 10 ms, 13.3 % at 100 ms, 1.6 % at 1 s.
    # The model is coarse in between.
    stub = NvmlStub.private(tmp_path, "lossy 1", "period_ms 0", watts=200.0)
    library = NvmlLibrary(str(stub.path))
    library.open()
    read = stub.read_counter
    first = None
    for step in range(101):
        t_ns = 10**12 + round(step * period_s * 1e9)
        stub.set_time(t_ns)
        value_mj = read(0)
        first = value_mj if first is None else first
    shown_j = (value_mj - first) / 1000
    assert 1 - shown_j / (200.0 * 100 * period_s) == pytest.approx(lost, abs=0.01)
