"""How much memory a running tracker holds, once its rings are full."""

from __future__ import annotations

from benchmarks.conftest import Report
from benchmarks.machine import FakeMachine
from benchmarks.process import RSS, mb, python, run

RUN = """
import time
bare = int({rss})
import codecarbon
tracker = codecarbon.OfflineEmissionsTracker(
    country_iso_code="FRA", output_methods=[], log_level="error", sampling_hz={hz})
tracker.start()
stop_at = time.monotonic() + {seconds}
tasks = 0
while time.monotonic() < stop_at:
    tracker.start_task("step")
    time.sleep(0.01)
    tracker.stop_task("step")
    tasks += 1
running = int({rss})
ticks = tracker.energy(tracker.mark(), tracker.mark()) is not None
tracker.stop()
import json
print(json.dumps({{"bare": bare, "running": running, "tasks": tasks, "ticks": tracker.final_record.window.ticks}}))
"""


def test_a_running_tracker_stays_small(report: Report, fake_machine: FakeMachine) -> None:
    # 65 536 slots are full after 6.6 s at 10 kHz; the missed ticks of a busy machine are allowed for.
    seconds, hz = (0.5, 1000) if report.smoke else (11, 10_000)
    child = run(python(RUN.format(rss=RSS, hz=hz, seconds=seconds)))
    assert child.said["tasks"] > seconds * 20
    assert child.said["ticks"] >= (1 if report.smoke else 65_536)
    report.judge(
        "memory",
        mb(child.said["running"] - child.said["bare"]),
        baseline=mb(child.said["bare"]),
        baseline_name="bare interpreter",
    )
    report.peer("memory", lambda peer: peer.say("memory", "mb"))
