"""The acceptance tests of money: tracker, handler, ledger and the real SDK, against the service's own books."""

from __future__ import annotations

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.ledger import OffsetState
from codecarbon.units import KG_PER_LB, UG_PER_LB
from tests.support.fakes.oneclickimpact import BUY, LIVE_KEY, RECORDS, TEST_KEY
from tests.support.offsets import check_books, messages, new_process, offset_handler

ROOT = Path(__file__).parent.parent.parent
REST_KG = 0.5 - KG_PER_LB
# A rank: says when it runs, ends when it is told to.
RANK = """
import sys
from tests.support.offsets import Site
key, url, folder, kg, mode = sys.argv[1:]
site = Site(folder, offset_api_key=key, offset_base_url=url, tracking_mode=mode, log_level="info")
tracker = site.tracker()
tracker.start()
site.emit(float(kg))
print("ready", flush=True)
sys.stdin.readline()
tracker.stop()
"""


@pytest.fixture
def rank(fake, environment, tmp_path):
    """Start a run in a process of its own; it ends when its input does."""
    ranks = []

    def start(kg, mode="machine", key=LIVE_KEY):
        folder = tmp_path / f"rank{len(ranks)}"
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", RANK, key, fake.url, str(folder), str(kg), mode],
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ranks.append(process)
        return process

    yield start
    for process in ranks:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until_ready(ranks):
    for process in ranks:
        assert process.stdout.readline() == "ready\n", process.stderr.read()


def finish(ranks):
    """Let ranks stop together; returns what each said of itself."""
    for process in ranks:
        process.stdin.write("\n")
        process.stdin.flush()
    texts = [process.communicate(timeout=60) for process in ranks]
    assert [process.returncode for process in ranks] == [0] * len(ranks), texts
    return texts


def orders_of(fake):
    """The bodies of all orders that came in."""
    return [json.loads(entry.body) for entry in fake.seen(BUY)]


def states_of(ledger):
    return [offset.state for offset in reversed(ledger.offsets())]


def test_money_1_below_half_a_kilogram_nothing_and_at_it_one_pound(shop, fake, ledger_of):
    shop.run(0.49)
    assert fake.posts == 0
    ledger_of().accrue("fill", 1, 10_000_000 - 1, is_automatic=True)
    shop.run(0.0)
    assert fake.posts == 0
    tracker = shop.run(1e-8)
    assert (fake.posts, fake.pounds_bought()) == (1, 1)
    assert offset_handler(tracker).get_accumulated_emissions() == pytest.approx(0.04640763, abs=2e-8)


def test_money_1_half_a_kilogram_exactly(shop, fake, log):
    tracker = shop.run(0.5)
    assert (fake.posts, fake.pounds_bought()) == (1, 1)
    assert offset_handler(tracker).get_accumulated_emissions() == pytest.approx(REST_KG, abs=1e-9)
    (order,) = orders_of(fake)
    assert (order["amount"], order["notify"]) == (1, False)
    assert order["metadata"]["codecarbon_run_id"] == str(tracker.run_id)
    assert "Offset 1 lb = 0.453592 kg CO2e at OneClickImpact (production); 0.046407 kg CO2e is carried over" in log.text


def test_money_1_almost_half_a_kilogram_buys_nothing(shop, fake):
    shop.run(0.4999999)
    assert fake.posts == 0


def test_money_2_two_flushes_and_a_stop_are_one_order(shop, fake, ledger_of):
    tracker = shop.tracker()
    tracker.start()
    shop.emit(0.6)
    tracker.flush()
    tracker.flush()
    tracker.stop()
    assert (fake.posts, fake.pounds_bought()) == (1, 1)
    assert ledger_of().balance().accrued_ug == 600_000_000


def test_money_3_accepted_and_dropped_is_not_ordered_again(shop, fake, ledger_of):
    fake.drop_next(1, path=BUY)
    fake.visible_after_s = float("inf")
    shop.run(0.6)
    assert (fake.posts, fake.pounds_bought()) == (1, 1)
    assert states_of(ledger_of()) == [OffsetState.UNKNOWN]
    shop.run(0.1)
    new_process()
    tracker = shop.run(0.6)
    assert offset_handler(tracker).manual_offset() is False
    assert fake.posts == 1
    assert states_of(ledger_of()) == [OffsetState.UNKNOWN]
    fake.visible_after_s = 0.0
    new_process()
    shop.run(0.0)
    assert states_of(ledger_of())[0] is OffsetState.CONFIRMED
    check_books(ledger_of(), fake.pounds_bought())
    assert fake.posts == 2  # of 1.3 kg, 0.85 kg were left


def test_money_4_a_refused_connection_leaves_the_balance_and_the_next_run_buys(shop, fake, ledger_of):
    shop.run(0.5)
    port = int(fake.url.rpartition(":")[2])
    fake.stop()
    shop.run(0.6)
    assert states_of(ledger_of()) == [OffsetState.CONFIRMED, OffsetState.REJECTED]
    assert ledger_of().balance().open_ug == 1_100_000_000 - UG_PER_LB
    fake._port = port
    fake.start()
    new_process()
    shop.run(0.0)
    assert (fake.posts, fake.pounds_bought()) == (2, 2)
    check_books(ledger_of(), fake.pounds_bought())


def test_money_5_killed_between_order_and_answer(shop, fake, rank, ledger_of):
    fake.hang_next(1, path=BUY, acts=True)
    process = rank(0.6)
    wait_until_ready([process])
    process.stdin.write("\n")
    process.stdin.flush()
    deadline_s = time.monotonic() + 30
    while not fake.posts and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert fake.posts == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert states_of(ledger_of()) == [OffsetState.SENT]
    tracker = shop.run(0.1)
    assert offset_handler(tracker)._worker.wait("settle", 30)
    assert states_of(ledger_of()) == [OffsetState.CONFIRMED]
    assert (fake.posts, fake.pounds_bought()) == (1, 1)
    assert ledger_of().balance().open_ug == 700_000_000 - UG_PER_LB


def test_a_process_that_ends_before_the_answer_leaves_the_rest_to_the_next(shop, fake, rank, ledger_of, monkeypatch):
    monkeypatch.setenv("CODECARBON_OFFSET_STOP_WAIT_S", "1")
    fake.hang_next(1, path=BUY, acts=True)
    process = rank(0.6)
    wait_until_ready([process])
    ((_, errors),) = finish([process])
    assert "A purchase is still under way after 1 s" in errors
    assert fake.posts == 1
    tracker = shop.run(0.0)
    assert offset_handler(tracker)._worker.wait("settle", 30)
    assert states_of(ledger_of()) == [OffsetState.CONFIRMED]
    assert (fake.posts, fake.pounds_bought()) == (1, 1)


def test_money_6_processes_that_reach_the_threshold_together(fake, rank, ledger_of):
    ranks = [rank(0.9, "process") for _ in range(3)]
    wait_until_ready(ranks)
    finish(ranks)
    balance = ledger_of().balance()
    assert balance.accrued_ug == 2_700_000_000
    assert fake.pounds_bought() * UG_PER_LB + balance.open_ug == balance.accrued_ug
    assert balance.open_ug < 500_000_000
    ids = [order["metadata"]["codecarbon_offset_id"] for order in orders_of(fake)]
    assert len(ids) == len(set(ids)) == fake.posts


def test_four_ranks_of_a_host_count_once(fake, rank, ledger_of):
    ranks = [rank(0.6) for _ in range(4)]
    wait_until_ready(ranks)
    texts = finish(ranks)
    balance = ledger_of().balance()
    assert balance.accrued_ug == 600_000_000
    assert (fake.posts, fake.pounds_bought()) == (1, 1)
    assert len(ledger_of().skips()) == 3
    assert sum("not counted for offsets" in errors for _, errors in texts) == 3


@pytest.mark.parametrize("word", ["Sandbox ", "SANDBOX"])
def test_money_7_words_that_mean_the_sandbox_reach_only_it(shop, fake, log, word):
    shop.run(0.6, offset_api_key=TEST_KEY, offset_environment=word)
    assert (fake.pounds_bought("sandbox"), fake.pounds_bought("production")) == (1, 0)
    lines = [line for line in messages(log).splitlines() if "ffset" in line]
    assert lines
    assert all("(sandbox; nothing real is bought there)" in line for line in lines)


@pytest.mark.parametrize("word", ["prod", "", "live", " "])
def test_money_7_other_words_are_refused_and_nobody_is_asked(shop, fake, word, monkeypatch):
    with pytest.raises(ConfigError, match="offset_environment"):
        shop.tracker(offset_environment=word)
    monkeypatch.setenv("CODECARBON_OFFSET_ENVIRONMENT", word)
    with pytest.raises(ConfigError, match="CODECARBON_OFFSET_ENVIRONMENT"):
        shop.tracker()
    assert fake.count() == 0


@pytest.mark.parametrize(("key", "word"), [(LIVE_KEY, "sandbox"), (TEST_KEY, "production")])
def test_money_7_a_key_of_the_other_environment_is_refused(shop, fake, key, word):
    with pytest.raises(ConfigError, match="offset_api_key") as caught:
        shop.tracker(offset_api_key=key, offset_environment=word)
    assert key not in "".join(traceback.format_exception(caught.value))
    assert fake.count() == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fake: fake.send_next(1, {"user_id": "U7321", "carbon_captured": 1}, path=BUY, acts=True),
        lambda fake: fake.send_next(1, [{"carbon_captured": 1}], path=BUY, acts=True),
        lambda fake: fake.html_next(1, path=BUY, acts=True),
        lambda fake: fake.halve_next(1, path=BUY),
        lambda fake: fake.fail_next(1, status=503, path=BUY, acts=True),
        lambda fake: fake.redirect_next(1, "/elsewhere", acts=True),
    ],
    ids=["field missing", "list", "html", "half", "503", "redirect"],
)
def test_money_8_an_answer_that_says_nothing_is_a_doubt_and_not_asked_again(shop, fake, ledger_of, log, spoil):
    spoil(fake)
    fake.visible_after_s = float("inf")
    shop.run(0.6)
    assert states_of(ledger_of()) == [OffsetState.UNKNOWN]
    assert fake.posts == 1
    assert "codecarbon offset reconcile" in log.text
    new_process()
    shop.run(0.6)
    assert fake.posts == 1
    fake.visible_after_s = 0.0
    new_process()
    shop.run(0.0)
    check_books(ledger_of(), fake.pounds_bought())
    assert ledger_of().balance().unknown_ug == 0


def test_money_8_a_doubt_that_was_no_purchase_stays_a_doubt(shop, fake, ledger_of):
    fake.fail_next(1, status=500, body={"type": "api_error", "message": "oops"}, path=BUY)
    for _ in range(3):
        shop.run(0.6)
        new_process()
    assert fake.posts == 1
    assert ledger_of().balance().unknown_ug == UG_PER_LB
    assert fake.pounds_bought() == 0


def test_money_9_the_key_is_nowhere(shop, fake, caplog, capfd, log):
    caplog.set_level(logging.DEBUG)
    for fault in ({}, {"status": 401, "body": {"type": "key_error", "message": f"{LIVE_KEY} is unknown"}}):
        if fault:
            fake.fail_next(1, path=BUY, **fault)
        tracker = shop.run(0.6, output_methods="csv,logger")
        shown = [repr(tracker.settings), repr(tracker._conf), repr(offset_handler(tracker)), str(vars(tracker))]
        shown += [repr(vars(offset_handler(tracker))), repr(offset_handler(tracker)._plan)]
        assert not [text for text in shown if LIVE_KEY in text]
    output = capfd.readouterr()
    texts = [caplog.text, log.text, output.out, output.err]
    texts += [str(record.__dict__) for record in caplog.records]
    assert fake.posts == 2
    assert not [text for text in texts if LIVE_KEY in text]
    files = [path for path in shop.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".csv", ".sqlite3"}
    assert not [path for path in files if LIVE_KEY.encode() in path.read_bytes()]


def test_money_10_without_the_sdk_the_tracker_works_and_the_line_is_named(shop, fake, ledger_of, log, monkeypatch):
    monkeypatch.setitem(sys.modules, "makeimpact", None)
    tracker = shop.run(0.6)
    assert tracker.final_emissions == pytest.approx(0.6)
    assert "pip install codecarbon[offset]" in messages(log, logging.ERROR)
    assert len(messages(log, logging.ERROR).splitlines()) == 1
    assert offset_handler(tracker).manual_offset() is False
    assert ledger_of().balance().open_ug == 600_000_000
    assert fake.count() == 0
    monkeypatch.undo()


def test_a_stop_waits_for_its_deadline_and_the_row_is_there(shop, fake, ledger_of, tmp_path):
    fake.hang_next(1, path=BUY)
    tracker = shop.tracker(offset_stop_wait_s=0.3)
    tracker.start()
    shop.emit(0.6)
    begin_s = time.monotonic()
    assert tracker.stop() == pytest.approx(0.6)
    assert time.monotonic() - begin_s < 5
    with (tmp_path / "emissions.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["emissions"]) == pytest.approx(0.6)
    assert ledger_of().balance().pending_ug == UG_PER_LB
    fake.stop()  # which ends the connection
    assert offset_handler(tracker)._worker.wait("buy", 30)
    assert states_of(ledger_of()) == [OffsetState.UNKNOWN]


def test_a_bad_key_is_said_once_and_ends_automatic_buying(shop, fake, log):
    for _ in range(2):
        shop.run(0.6, offset_api_key="live_nobody_knows_it")
    assert fake.posts == 0  # the service did not even say whose key it is
    assert "Failed to initialize OneClickImpact SDK" in log.text
    assert "API Key does not exist" in log.text


def test_a_dry_run_asks_for_no_order_and_counts_apart(shop, fake, ledger_of, log):
    tracker = shop.run(0.6, offset_dry_run=True)
    assert fake.count(BUY) == fake.count(RECORDS) == 0
    assert "(production, dry run; nothing is ordered)" in log.text
    assert offset_handler(tracker).get_accumulated_emissions() == pytest.approx(0.6 - KG_PER_LB)
    assert ledger_of().balance().accrued_ug == 0


def test_by_hand_with_real_money_a_quote_comes_first(shop, fake, log):
    tracker = shop.run(0.6, auto_offset=False)
    assert fake.posts == 0
    assert offset_handler(tracker).manual_offset() is True
    text = messages(log)
    assert text.index("Buying 1 lb") < text.index("Offset 1 lb")
    assert "a***@example.org" in text


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "example.org"])
def test_an_address_that_is_not_safe_is_refused(shop, url):
    with pytest.raises(ConfigError, match="offset_base_url"):
        shop.tracker(offset_base_url=url)
