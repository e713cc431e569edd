"""codecarbon 3, measured: run by its own interpreter, prints one JSON object."""

import sys

if sys.argv[1] == "cycle":
    # The same modules that our own cold start is allowed to find.
    import csv  # noqa: F401
    import dataclasses  # noqa: F401
    import datetime  # noqa: F401
    import json
    import logging  # noqa: F401
    import platform  # noqa: F401
    import threading  # noqa: F401
    import uuid  # noqa: F401

import tempfile
import time

FOLDER = tempfile.mkdtemp()


def tracker(**options):
    import codecarbon

    return codecarbon.OfflineEmissionsTracker(
        country_iso_code="FRA", output_dir=FOLDER, log_level="error", allow_multiple_runs=True, **options
    )


def rss_mb():
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * 4096 / 1e6


def cycle():
    began = time.perf_counter()
    made = tracker()
    made.start()
    started = time.perf_counter()
    time.sleep(0.05)
    stopping = time.perf_counter()
    made.stop()
    stopped = time.perf_counter()
    start, stop = (started - began) * 1e3, (stopped - stopping) * 1e3
    return {"start": start, "stop": stop, "both": start + stop}


def bare_cycle():
    return cycle()


def tasks():
    made = tracker(save_to_file=False)
    times = []
    for number in range(200):
        began = time.perf_counter()
        made.start_task(f"step {number}")
        made.stop_task(f"step {number}")
        times.append(time.perf_counter() - began)
    made.stop()
    return {"us": sorted(times)[100] * 1e6}


def memory():
    bare = rss_mb()
    made = tracker(save_to_file=False)
    made.start()
    time.sleep(2)
    running = rss_mb()
    made.stop()
    return {"mb": running - bare}


if __name__ == "__main__":
    result = globals()[sys.argv[1]]()
    import json

    print(json.dumps(result))
