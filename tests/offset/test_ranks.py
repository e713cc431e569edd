"""Real processes and threads that share one machine's emissions and one key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from codecarbon.units import UG_PER_LB
from tests.support.fakes.oneclickimpact import LIVE_KEY
from tests.support.fresh_python import ROOT
from tests.support.offsets import check_books, offset_handler

# A rank that does what it is told, line by line, and says when it has: emits, reports, stops.
RANK = """
import sys
from tests.support.offsets import Site
key, url, folder = sys.argv[1:]
site = Site(folder, offset_api_key=key, offset_base_url=url, tracking_mode="machine", auto_offset=False)
tracker = site.tracker()
tracker.start()
print("started", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "stop":
        tracker.stop()
    elif word == "report":
        tracker.flush()
    else:
        site.emit(float(word))
    print(word, flush=True)
"""


@pytest.fixture
def rank(fake, environment, tmp_path):
    """Start a rank, and tell it what to do."""
    processes = []

    def start():
        folder = tmp_path / f"rank{len(processes)}"
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", RANK, LIVE_KEY, fake.url, str(folder)],
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def tell(process, *words):
    for word in words:
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{word}\n"


def test_after_a_killed_rank_another_counts_and_only_what_comes_then(rank, ledger_of, fake):
    first, *others = [rank() for _ in range(4)]
    for process in (first, *others):
        tell(process, "0.5", "report")
    ledger = ledger_of()
    assert ledger.balance().accrued_ug == 500_000_000
    first.send_signal(signal.SIGKILL)
    first.wait(20)
    tell(others[0], "0.25", "report")  # from here on it counts: what came before this report may be the dead one's
    assert ledger.balance().accrued_ug == 500_000_000
    for process in others:
        tell(process, "0.125", "report")
    assert ledger.balance().accrued_ug == 625_000_000
    for process in others:
        tell(process, "stop")
    assert ledger.balance().accrued_ug == 625_000_000
    assert fake.posts == 0


def test_threads_that_ask_for_an_offset_together_buy_once(shop, fake, ledger_of):
    tracker = shop.run(1.0, auto_offset=False)
    handler = offset_handler(tracker)
    together = threading.Barrier(8)
    answers = []

    def ask():
        together.wait(20)
        answers.append(handler.manual_offset())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [False] * 7 + [True]
    assert (fake.posts, fake.pounds_bought()) == (1, 2)
    check_books(ledger_of(), 2)


def test_two_trackers_of_a_process_buy_what_both_emitted_and_once(shop, fake, ledger_of):
    trackers = [shop.tracker(tracking_mode="process") for _ in range(2)]
    for tracker in trackers:
        tracker.start()
    shop.emit(0.7)
    for tracker in trackers:
        tracker.stop()
    balance = ledger_of().balance()
    assert balance.accrued_ug == 1_400_000_000
    assert fake.pounds_bought() * UG_PER_LB + balance.open_ug == balance.accrued_ug
    assert balance.open_ug < 500_000_000
    assert fake.pounds_bought() == 3
    assert fake.posts <= 2
