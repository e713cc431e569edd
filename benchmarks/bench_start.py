"""A cold start and stop, each in an interpreter of its own."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.conftest import Report
from benchmarks.machine import FakeMachine
from benchmarks.process import Child, alternate, median, median_wall_ms, python

# What the benchmarked program is expected to have imported already.
PROGRAM = "import logging, dataclasses, csv, json, platform, uuid, threading, datetime\n"
CYCLE = """
import time, codecarbon
began = time.perf_counter()
tracker = codecarbon.OfflineEmissionsTracker(country_iso_code="FRA", output_dir={folder!r}, log_level="error")
tracker.start()
started = time.perf_counter()
time.sleep(0.05)
stopping = time.perf_counter()
emissions = tracker.stop()
stopped = time.perf_counter()
import json
print(json.dumps({{"start": (started - began) * 1e3, "stop": (stopped - stopping) * 1e3, "emissions": emissions,
                   "both": (started - began + stopped - stopping) * 1e3}}))
"""


def test_start_and_stop_are_quick_and_the_row_is_written(
    report: Report, fake_machine: FakeMachine, tmp_path: Path
) -> None:
    warm, cold = tmp_path / "warm", tmp_path / "cold"
    rounds = 3 if report.smoke else 21
    runs = alternate(
        {
            "nothing": python("pass"),
            "warm": python(PROGRAM + CYCLE.format(folder=str(warm))),
            "cold": python(CYCLE.format(folder=str(cold))),
        },
        rounds=rounds,
    )
    for name, folder in (("warm", warm), ("cold", cold)):
        check_rows(folder / "emissions.csv", runs[name], rounds + 1)
    beside = {"baseline": median_wall_ms(runs["nothing"]), "baseline_name": "bare interpreter"}
    report.judge("start", median(runs["warm"], "start"), **beside)
    report.judge("stop", median(runs["warm"], "stop"), **beside)
    report.judge("bare", median(runs["cold"], "both"), **beside)
    report.peer("start", lambda peer: peer.say("cycle", "start"))
    report.peer("stop", lambda peer: peer.say("cycle", "stop"))
    report.peer("bare", lambda peer: peer.say("bare_cycle", "both"))


def check_rows(path: Path, runs: list[Child], count: int) -> None:
    """Every run wrote its row of 38 cells, and the file holds the figure that the run returned."""
    with path.open(newline="", encoding="utf-8") as handle:
        header, *rows = list(csv.reader(handle))
    assert len(rows) == count
    assert {len(row) for row in rows} == {len(header)} == {38}
    written = [float(row[header.index("emissions")]) for row in rows]
    assert written[1:] == [child.said["emissions"] for child in runs]
