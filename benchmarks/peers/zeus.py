"""Zeus, measured: run by its own interpreter, prints one JSON object."""

import json
import sys
import time

# Its package has this script's name: the script's folder must not come first.
sys.path.pop(0)


def rss_mb():
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * 4096 / 1e6


def monitor():
    from zeus.monitor import ZeusMonitor

    return ZeusMonitor(gpu_indices=[], cpu_indices=[0, 1])


def tasks():
    made = monitor()
    times = []
    for number in range(500):
        began = time.perf_counter()
        made.begin_window(f"step {number}", sync_execution=False)
        made.end_window(f"step {number}", sync_execution=False)
        times.append(time.perf_counter() - began)
    return {"us": sorted(times)[250] * 1e6}


def memory():
    bare = rss_mb()
    made = monitor()
    made.begin_window("run", sync_execution=False)
    time.sleep(2)
    running = rss_mb()
    made.end_window("run", sync_execution=False)
    return {"mb": running - bare}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
