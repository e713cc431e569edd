"""The ring of ticks: copies are whole, losses are counted, readers never wait."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from codecarbon._sensors import SimChannel, stress_ring
from tests.support.rig import MS, START_NS, Rig, S
from tests.support.skips import skip_on_system

ROOT = Path(__file__).parents[2]


def rig(**options):
    return Rig(SimChannel(power=[(START_NS, 50.0)]), **options)


def test_no_copy_is_torn_while_the_producer_runs_free():
    seen = stress_ring(slots=64, words=16, records=2_000_000, readers=max(2, os.cpu_count() or 2))
    assert seen["torn"] == 0
    assert seen["read"] > 1000


def test_no_copy_is_torn_in_the_smallest_ring():
    seen = stress_ring(slots=2, words=40, records=500_000)
    assert seen["torn"] == 0
    # The writer is always in one of the two slots.
    assert seen["rejected"] > 0


@pytest.mark.parametrize(("program", "printed"), [("ring_race", "torn 0"), ("engine_race", "ticks ")])
def test_there_is_no_race(tmp_path, program, printed):
    """The C itself, without Python around it, under the thread sanitizer."""
    if "CODECARBON_SANITIZED" in os.environ:
        skip_on_system("a sanitizer inside a sanitizer")
    compiler = next((found for name in ("gcc", "clang", "cc") if (found := shutil.which(name))), None)
    if compiler is None:
        skip_on_system("a C compiler")
    binary = tmp_path / program
    # The sanitizer does not model fences; the payload is atomic, so a race is a plain access, which it does see.
    build = subprocess.run(
        [
            *(compiler, "-std=c11", "-O1", "-g", "-fsanitize=thread", "-pthread", "-D_GNU_SOURCE", "-w"),
            *(f"-I{ROOT / 'src' / '_sensors' / 'c'}", "-o", str(binary)),
            *(str(ROOT / "tests" / "native" / f"{program}.c"), "-lm"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if build.returncode and "tsan" in build.stderr:
        skip_on_system("the thread sanitizer's library")
    assert build.returncode == 0, build.stderr
    # Its shadow memory needs the addresses that a randomised layout may take.
    fixed = [setarch, "-R"] if (setarch := shutil.which("setarch")) else []
    done = subprocess.run([*fixed, str(binary)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert printed in done.stdout


def test_snapshot_is_one_array_in_order():
    r = rig()
    r.run(100 * MS)
    rows, lost = r.sampler.snapshot()
    assert (len(rows), lost) == (100, 0)
    assert (np.diff(rows["t_ns"]) == MS).all()
    assert (rows["ticks"] == np.arange(1, 101)).all()
    assert rows["channels"].shape == (100, 1)
    assert (np.diff(rows["channels"]["count"][:, 0].astype(np.int64)) == 50_000).all()
    assert (rows["channels"]["age"][:, 0] == 0).all()


def test_snapshot_of_a_part():
    r = rig()
    r.run(100 * MS)
    rows, lost = r.sampler.snapshot(10, 20)
    assert (rows["ticks"].tolist(), lost) == (list(range(11, 21)), 0)
    assert len(r.sampler.snapshot(95)[0]) == 5
    assert len(r.sampler.snapshot(95, 1000)[0]) == 5
    assert (
        len(r.sampler.snapshot(100)[0]) == len(r.sampler.snapshot(50, 50)[0]) == len(r.sampler.snapshot(60, 50)[0]) == 0
    )
    assert len(r.sampler.snapshot(5000)[0]) == 0


def test_what_is_overwritten_is_counted():
    r = rig(slots=64)
    r.run(100 * MS)
    rows, lost = r.sampler.snapshot()
    assert len(rows) + lost == 100
    assert 63 <= len(rows) <= 64
    assert rows["ticks"][-1] == 100
    assert r.sampler.snapshot(0, 10)[1] == 10


def test_coarse_tier_takes_one_tick_per_second():
    r = rig(slots=64, coarse_slots=16)
    r.run(30 * S)
    rows, lost = r.sampler.snapshot(coarse=True)
    assert len(rows) + lost == 30
    assert (np.diff(rows["t_ns"]) == S).all()
    with pytest.raises(ValueError, match="no coarse tier"):
        rig(coarse_slots=0).sampler.snapshot(coarse=True)


def test_snapshot_owns_its_memory():
    r = rig(slots=64)
    r.run(50 * MS)
    rows = r.sampler.snapshot()[0]
    before = rows.copy()
    r.run(200 * MS)
    del r
    assert (rows == before).all()
    rows["t_ns"] = 0


def test_fine_tier_stays_within_its_memory():
    channels = [SimChannel(f"c{i}", "package", power=[(START_NS, 1.0)]) for i in range(64)]
    r = Rig(*channels, slots=2**20, coarse_slots=0)
    r.run(5 * S)
    held = len(r.sampler.snapshot()[0])
    assert held * (6 + 4 * 64 + 1) * 8 <= 8 * 2**20
    assert held >= 2048


def test_readers_see_whole_records_while_the_thread_runs_free():
    """In virtual time that jumps, the thread ticks as fast as it can."""
    r = rig(slots=64, coarse_slots=16)
    faults = []

    def look() -> None:
        for _ in range(300):
            rows, _ = r.sampler.snapshot()
            gained = (rows["t_ns"] - START_NS) // MS * 50_000
            first = gained - rows["channels"]["count"][:, 0].astype(np.int64)
            # Records that were overwritten meanwhile are left out.
            if first.any() or (np.diff(rows["ticks"].astype(np.int64)) < 1).any():
                faults.append(rows)

    r.sampler.start()
    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert r.sampler.stop()
    assert not faults
    assert r.sampler.head > 1000
