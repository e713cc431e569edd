"""The handler in a run: what it counts, when it buys, what it says, and what it never does."""

from __future__ import annotations

import csv
import logging
import math
import os
import pickle
import signal
import threading
import time

import pytest

from codecarbon.errors import MissingExtraError, OffsetError
from codecarbon.handlers import RunView
from codecarbon.handlers.offset.handler import OffsetOutput
from codecarbon.handlers.offset.ledger import OffsetState
from codecarbon.model import Intensity, Location
from codecarbon.tracker.live import LiveIntensity
from codecarbon.tracker.pricing import Pricer
from codecarbon.units import UG_PER_LB
from tests.support.fake_provider import FakeProvider
from tests.support.fake_session import FakeAnchors
from tests.support.offsets import BAD_KEY, KG, LOST, REFUSED, ScriptedProvider, check_books, messages, new_process

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
FORKS_WITH_THREADS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python says so from 3.12 on
REST_KG = 0.5 - 0.45359237


def test_below_the_threshold_nothing_is_bought_and_why_is_said(site, handler, provider, ledger, log):
    site.run(0.4999999, handler())
    assert provider.posts == 0
    assert 499_999_890 < ledger.balance().open_ug <= 499_999_900
    (line,) = [text for text in messages(log).splitlines() if "Nothing was offset" in text]
    assert "0.499999 kg CO2e is held, and an offset is bought from 0.5 kg CO2e on (offset_threshold)" in line
    assert "offset_threshold" in line
    assert "sandbox" in line


def test_at_the_threshold_a_pound_is_bought_and_the_rest_carried(site, handler, provider, ledger, log):
    output = handler()
    site.run(0.5, output)
    assert [order.pounds for order in provider.orders] == [1]
    assert output.get_accumulated_emissions() == pytest.approx(REST_KG, abs=1e-12)
    check_books(ledger, provider.pounds)
    assert "Offset 1 lb = 0.453592 kg CO2e at OneClickImpact (sandbox; nothing real is bought there)" in log.text
    assert "0.046407 kg CO2e is carried over" in log.text
    assert "Nothing was offset" not in log.text


def test_what_is_left_of_one_run_counts_in_the_next(site, handler, provider, ledger):
    for _ in range(3):
        site.run(0.4, handler())
    assert [order.pounds for order in provider.orders] == [1, 1]  # at 0.8 kg, and at 0.3464 + 0.4 kg
    site.run(0.0001, handler())
    assert provider.pounds * UG_PER_LB <= ledger.balance().accrued_ug
    check_books(ledger, provider.pounds)


def test_flushes_and_the_stop_count_once(site, handler, provider, ledger):
    output = handler()
    tracker = site.tracker(output)
    tracker.start()
    site.emit(0.6)
    tracker.flush()
    tracker.flush()
    tracker.stop()
    tracker.stop()
    output.exit()
    assert provider.posts == 1
    assert ledger.balance().accrued_ug == 600_000_000
    check_books(ledger, provider.pounds)


def test_live_reports_count_too_and_buy_while_the_run_goes_on(site, handler, provider, ledger):
    tracker = site.tracker(handler(), api_call_interval=1)
    tracker.start()
    site.emit(0.7)
    tracker._reports.tick()
    assert provider.arrived.wait(20)
    site.emit(0.7)
    tracker.stop()
    assert provider.pounds == 3
    assert ledger.balance().accrued_ug == 1_400_000_000


def test_a_run_that_goes_on_gets_a_new_segment_and_no_new_count(site, handler, ledger):
    tracker = site.tracker(handler())
    for _ in range(2):
        tracker.start()
        site.emit(0.1)
        tracker.stop()
    assert [(entry.segment, entry.mass_ug) for entry in reversed(ledger.accruals())] == [
        (1, 100_000_000),
        (2, 100_000_000),
    ]


def test_tasks_alone_count(site, handler, ledger):
    tracker = site.tracker(handler())
    for name in "ab":
        tracker.start_task(name)
        site.emit(0.1)
        tracker.stop_task()
        site.emit(5)
    tracker.stop()
    assert ledger.balance().accrued_ug == 200_000_000


@pytest.mark.parametrize("kg", [-1.0, math.nan, math.inf, 0.0])
def test_what_is_no_mass_is_not_counted(handler, ledger, kg):
    output = handler()
    output.run_begins(RunView("r", "process", lambda: kg))
    output._report(type("Total", (), {"emissions": kg})())
    assert ledger.balance().accrued_ug == 0


def test_purchases_are_made_on_a_thread_of_their_own(site, handler, provider):
    site.run(0.6, handler())
    assert provider.threads == {"codecarbon-offset"}
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "codecarbon-offset")


# --- by hand


def test_switched_off_nothing_is_bought_but_by_hand(site, handler, provider, ledger, log):
    output = handler(is_automatic=False)
    site.run(1.0, output)
    assert provider.posts == 0
    assert "auto_offset is off; 1.000000 kg CO2e is held" in log.text
    assert "codecarbon offset now" in log.text
    assert output.get_accumulated_emissions() == 1.0
    assert output.manual_offset() is True
    assert provider.pounds == 2
    check_books(ledger, provider.pounds)


def test_what_was_counted_switched_off_is_never_bought_by_itself(site, handler, provider, ledger, log):
    site.run(5.0, handler(is_automatic=False))
    site.run(0.3, handler())
    assert provider.posts == 0
    assert "5.000000 kg CO2e more was added up with auto_offset off" in log.text
    site.run(0.3, handler())
    assert provider.pounds == 1
    check_books(ledger, provider.pounds)


def test_by_hand_a_pound_is_enough_and_less_is_not(site, handler, provider, log):
    output = handler()
    site.run(0.46, output)
    assert output.manual_offset() is True
    assert output.manual_offset() is False
    assert provider.posts == 1
    assert "the least that can be bought is 1 lb" in log.text


def test_by_hand_works_while_the_run_goes_on_and_before_it(site, handler, provider):
    output = handler(is_automatic=False)
    assert output.manual_offset() is False
    assert output.get_accumulated_emissions() == 0.0
    tracker = site.tracker(output)
    tracker.start()
    site.emit(0.5)
    assert output.manual_offset() is False  # nothing was reported yet
    tracker.flush()
    assert output.manual_offset() is True
    tracker.stop()
    assert provider.pounds == 1


def test_the_first_purchase_by_hand_with_real_money_is_quoted(site, plan_for, log):
    provider = ScriptedProvider(environment="production")
    output = OffsetOutput(plan_for(provider))
    site.run(0.3, output)
    site.run(0.21, output)
    assert provider.quotes == 0  # bought by itself
    site.run(0.41, output)
    assert provider.posts == 1
    assert output.manual_offset() is True
    assert provider.quotes == 1
    assert "Buying 1 lb = 0.453592 kg CO2e at OneClickImpact (production), account a***@example.org" in log.text


def test_a_sandbox_purchase_by_hand_needs_no_quote(site, handler, provider):
    output = handler(is_automatic=False)
    site.run(0.5, output)
    assert output.manual_offset() is True
    assert provider.quotes == 0


# --- what goes wrong


def test_a_refused_connection_costs_nothing_and_the_next_run_buys(site, handler, provider, ledger, log):
    provider.script = [REFUSED]
    site.run(0.6, handler())
    assert (provider.posts, provider.pounds) == (1, 0)
    assert ledger.balance().open_ug == 600_000_000
    assert [offset.state for offset in ledger.offsets()] == [OffsetState.REJECTED]
    assert "1 lb was not bought at OneClickImpact (sandbox; nothing real is bought there): nothing was sent" in log.text
    new_process()
    site.run(0.0, handler())
    assert provider.pounds == 1
    check_books(ledger, provider.pounds)


def test_after_a_failure_the_service_is_left_alone_for_a_while(site, handler, provider, standing, log):
    provider.script = [REFUSED, REFUSED]
    now_s = [0.0]
    output = handler()
    standing(output, monotonic=lambda: now_s[0])
    tracker = site.tracker(output)
    tracker.start()
    posts = []
    for step_s in (0, 29, 2, 59, 2):
        now_s[0] += step_s
        site.emit(0.6)
        tracker.flush()
        output._worker.wait("buy", 20)
        posts.append(provider.posts)
    assert posts == [1, 1, 2, 2, 3]
    assert messages(log).count("for now: the last try failed, the next one waits for 1 s or longer") == 1


def test_the_next_run_of_the_process_leaves_it_alone_too(site, handler, provider):
    provider.script = [REFUSED]
    for _ in range(5):
        site.run(0.6, handler())
    assert provider.posts == 1


def test_an_unknown_outcome_blocks_everything_until_the_records_tell(site, handler, provider, ledger, log):
    provider.script = ["lost"]
    provider.hidden = True
    output = handler()
    site.run(0.6, output)
    assert ledger.balance().unknown_ug == UG_PER_LB
    assert "It is not known whether 1 lb was bought" in log.text
    assert "codecarbon offset reconcile" in log.text
    log.clear()
    new_process()
    site.run(0.6, handler())
    assert provider.posts == 1
    assert "it is not known whether an earlier purchase" in log.text
    assert output.manual_offset() is False
    assert provider.posts == 1
    provider.hidden = False
    new_process()
    site.run(0.0, handler())
    assert ledger.balance().unknown_ug == 0
    assert provider.pounds * UG_PER_LB <= ledger.balance().accrued_ug
    check_books(ledger, provider.pounds)
    assert "The records of OneClickImpact" in log.text


def test_why_a_doubt_blocks_is_said_once_for_a_run(site, handler, provider, log):
    provider.script = [LOST]
    provider.hidden = True
    site.run(0.6, handler())
    log.clear()
    tracker = site.tracker(handler())
    tracker.start()
    for _ in range(4):
        site.emit(0.6)
        tracker.flush()
    tracker.stop()
    assert provider.posts == 1
    assert messages(log).count("it is not known whether") == 1


def test_a_thousand_short_runs_say_once_what_each_would_say(site, handler, provider, log):
    def said():
        return [line for line in messages(log).splitlines() if "ffset" in line]

    for _ in range(5):
        site.run(0.01, handler())
    assert len(said()) == 2  # what is switched on, and why nothing was offset
    provider.script = [LOST]
    provider.hidden = True
    site.run(0.6, handler())
    log.clear()
    for _ in range(5):
        site.run(0.01, handler())
    (line,) = said()
    assert "Nothing more is offset for now: it is not known whether an earlier purchase" in line


def test_short_runs_do_not_read_the_records_again_and_again_for_a_doubt(site, handler, provider, standing, ledger):
    provider.script = [LOST]
    now_s = [0.0]
    scans = []
    for number in range(6):
        output = handler()
        if not number:
            standing(output, monotonic=lambda: now_s[0])
            known = output._open_desk()._standing
        output._open_desk()._standing = known
        now_s[0] += 61 if number == 4 else 1
        site.run(0.6, output)
        assert output._worker.wait("settle", 20)
        scans.append(provider.scans)
    assert scans == [1, 2, 2, 2, 3, 3]
    assert provider.posts == 1
    assert ledger.balance().unknown_ug == UG_PER_LB


def test_a_key_that_is_refused_ends_automatic_buying_in_this_process(site, handler, provider, ledger, log):
    provider.script = [BAD_KEY]
    site.run(0.6, handler())
    site.run(0.6, handler())
    assert provider.posts == 1
    assert messages(log, logging.ERROR).count("API Key does not exist") == 1
    assert "check offset_api_key and offset_environment" in log.text
    assert ledger.balance().open_ug == 1_200_000_000
    assert handler().manual_offset() is True  # by hand it is tried again


def test_records_that_cannot_be_read_forbid_the_first_purchase(site, handler, provider, ledger, log):
    provider.scan_fault = "connection refused"
    site.run(0.6, handler())
    assert provider.posts == 0
    assert "Failed to initialize OneClickImpact SDK: connection refused" in log.text
    provider.scan_fault = ""
    new_process()
    site.run(0.0, handler())
    assert provider.pounds == 1
    check_books(ledger, provider.pounds)


def test_an_account_that_is_not_told_forbids_the_first_purchase(site, handler, provider):
    provider.user = None
    site.run(0.6, handler())
    assert provider.posts == 0


def test_a_purchase_that_this_ledger_forgot_is_found_before_the_first_one(site, handler, provider, ledger):
    output = handler()
    site.run(0.5, output)
    book = provider.books[0]
    provider.books.append(book._replace(time_utc="2026-11-20T10:00:00.000Z", offset_id="forgotten", pounds=2))
    new_process()
    site.run(0.6, handler())
    assert provider.posts == 1
    assert ledger.balance().confirmed_ug == 3 * UG_PER_LB


def test_a_cap_for_each_run(site, handler, provider, ledger, log):
    output = handler(cap_ug=KG)
    site.run(3.0, output)
    assert provider.pounds == 2
    assert "no whole pound is left of the 1 kg CO2e that one run may buy (offset_max_per_run_kg)" in log.text
    assert "codecarbon offset now" in log.text
    assert output.manual_offset() is False
    assert provider.pounds == 2
    site.run(0.0, handler(cap_ug=KG))
    assert provider.pounds == 4
    check_books(ledger, provider.pounds)


def test_another_amount_than_ordered_counts_as_it_was_bought(site, handler, provider, ledger, log):
    provider.on_purchase = lambda order: provider.script.append(
        type(LOST)("bought", "U1", "2026-11-20T09:00:00.000Z", order.pounds + 1)
    )
    site.run(0.6, handler())
    assert ledger.balance().confirmed_ug == 2 * UG_PER_LB
    assert ledger.balance().debt_ug == 2 * UG_PER_LB - 600_000_000
    assert "2 lb were bought in place of the 1 lb that were ordered" in log.text
    assert "more than was added up" in log.text


def test_a_service_whose_code_breaks_leaves_a_doubt(site, handler, provider, ledger, log):
    def fail(order):
        raise RuntimeError("live_secret in a text")

    provider.on_purchase = fail
    site.run(0.6, handler())
    assert ledger.balance().unknown_ug == UG_PER_LB
    assert "RuntimeError" in log.text
    assert "live_secret" not in log.text


def test_a_missing_extra_is_one_error_and_the_run_goes_on(site, plan_for, provider, ledger, log):
    def missing():
        raise MissingExtraError("offset", "offsetting")

    output = OffsetOutput(plan_for(provider, make_provider=missing))
    tracker = site.run(0.6, output)
    assert tracker.final_emissions == pytest.approx(0.6)
    assert messages(log, logging.ERROR).count("pip install codecarbon[offset]") == 1
    assert ledger.balance().open_ug == 600_000_000
    assert output.get_accumulated_emissions() == 0.6
    assert output.manual_offset() is False


def test_an_sdk_that_cannot_be_trusted_is_one_error(site, plan_for, provider, log):
    def broken():
        raise OffsetError("its request method has changed")

    site.run(0.6, OffsetOutput(plan_for(provider, make_provider=broken)))
    assert messages(log, logging.ERROR).count("Failed to initialize OneClickImpact SDK: its request method") == 1


def test_an_unusable_ledger_is_one_error_and_the_run_is_unharmed(site, handler, provider, tmp_path, log):
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database" * 100)
    output = handler()
    tracker = site.tracker(output)
    tracker.start()
    for _ in range(3):
        site.emit(0.6)
        tracker.flush()
    assert tracker.stop() == pytest.approx(1.8)
    assert provider.posts == 0
    assert messages(log, logging.ERROR).count("The ledger of offsets cannot be used") == 1
    assert math.isnan(output.get_accumulated_emissions())
    assert output.manual_offset() is False
    assert tracker.handler_faults == ()
    with (tmp_path / "emissions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4


# --- the end of a run


def test_the_end_waits_for_its_deadline_only_and_the_row_is_there(site, handler, provider, ledger, log):
    provider.gate.clear()
    output = handler(stop_wait_s=0.2)
    tracker = site.tracker(output)
    tracker.start()
    site.emit(0.6)
    begin_s = time.monotonic()
    assert tracker.stop() == pytest.approx(0.6)
    assert time.monotonic() - begin_s < 5
    assert "A purchase is still under way after 0.2 s" in log.text
    with (site.folder / "emissions.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["emissions"]) == pytest.approx(0.6)
    assert ledger.balance().pending_ug == UG_PER_LB
    provider.gate.set()
    assert output._worker.wait("buy", 20)
    assert ledger.balance().confirmed_ug == UG_PER_LB  # the late result is written down all the same


def test_short_runs_do_not_queue_behind_a_purchase_of_another_run(site, handler, provider, ledger):
    provider.gate.clear()
    first = handler(stop_wait_s=0.0)
    site.run(0.6, first)
    assert provider.arrived.wait(20)
    begin_s = time.monotonic()
    for _ in range(3):
        site.run(0.6, handler())
    assert time.monotonic() - begin_s < 15  # one alone would wait for 20 s
    assert sum(thread.name == "codecarbon-offset" for thread in threading.enumerate()) == 1
    provider.gate.set()
    assert first._worker.wait("buy", 20)
    assert [order.pounds for order in provider.orders] == [1, 4]  # all that came meanwhile
    check_books(ledger, provider.pounds)


def test_a_locked_ledger_does_not_add_to_the_wait_of_the_end(site, handler, provider, ledger):
    """The end waits for a lock too, and has so much less time for a purchase."""
    provider.gate.clear()
    output = handler(stop_wait_s=1.0)
    tracker = site.tracker(output)
    tracker.start()
    site.emit(0.6)
    tracker.flush()
    assert provider.arrived.wait(20)
    output._reported_s = time.monotonic() - 60.0  # as if the last result had waited for a minute
    begin_s = time.monotonic()
    output.exit()
    assert time.monotonic() - begin_s < 0.9
    provider.gate.set()
    tracker.stop()


def test_a_flush_does_not_wait(site, handler, provider):
    provider.gate.clear()
    tracker = site.tracker(handler(stop_wait_s=0.0))
    tracker.start()
    site.emit(0.6)
    begin_s = time.monotonic()
    tracker.flush()
    assert time.monotonic() - begin_s < 5
    provider.gate.set()
    tracker.stop()


def test_one_purchase_at_a_time(site, handler, provider, ledger):
    provider.gate.clear()
    output = handler()
    tracker = site.tracker(output)
    tracker.start()
    for _ in range(5):
        site.emit(0.6)
        tracker.flush()
    assert provider.arrived.wait(20)
    assert provider.posts == 1
    provider.gate.set()
    tracker.stop()
    check_books(ledger, provider.pounds)
    assert provider.pounds == 6  # 3 kg


def test_reported_emissions_stay_as_they_are(site, handler):
    plain = site.run(0.6)
    offset = site.run(0.6, handler())
    assert offset.final_emissions == plain.final_emissions


# --- who counts


def test_of_two_runs_of_a_machine_one_counts(site, handler, ledger, log):
    first, second = site.tracker(handler()), site.tracker(handler())
    first.start()
    second.start()
    site.emit(0.1)
    second.stop()
    first.stop()
    assert ledger.balance().accrued_ug == 100_000_000
    assert messages(log).count("This run is not counted for offsets: process ") == 1
    assert [skip.run_id for skip in ledger.skips()] == [str(second.run_id)]


def test_who_takes_over_counts_what_comes_after_only(site, handler, ledger):
    first, second = site.tracker(handler()), site.tracker(handler())
    first.start()
    site.emit(0.1)
    second.start()
    site.emit(0.1)
    first.stop()
    site.emit(0.03)  # nobody's: it passes before the second run reports
    second.flush()
    site.emit(0.05)
    second.stop()
    assert 249_999_990 < ledger.balance().accrued_ug <= 250_000_000


def test_a_stretch_after_others_counted_goes_on_where_it_was(site, handler, ledger):
    first, second = site.tracker(handler()), site.tracker(handler())
    first.start()
    site.emit(0.1)
    first.stop()
    second.start()
    first.start()  # refused
    site.emit(0.1)
    first.stop()
    second.stop()
    first.start()
    site.emit(0.1)
    first.stop()
    assert {entry.run_id: 0 for entry in ledger.accruals()}.keys() == {str(first.run_id), str(second.run_id)}
    assert 299_999_990 < ledger.balance().accrued_ug <= 300_000_000


def test_in_process_mode_each_counts(site, handler, ledger):
    trackers = [site.tracker(handler(), tracking_mode="process") for _ in range(2)]
    for tracker in trackers:
        tracker.start()
    site.emit(0.1)
    for tracker in trackers:
        tracker.stop()
    assert ledger.balance().accrued_ug == 200_000_000


def test_several_trackers_of_a_process_look_at_the_records_once(site, handler, provider):
    for _ in range(3):
        site.run(0.6, handler())
    assert provider.scans == 1


@FORKS
@FORKS_WITH_THREADS
def test_a_forked_child_neither_counts_nor_buys_nor_settles(site, handler, provider, ledger):
    provider.gate.clear()
    output = handler(stop_wait_s=0.0)
    tracker = site.tracker(output)
    tracker.start()
    site.emit(0.6)
    tracker.flush()
    assert provider.arrived.wait(20)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            site.emit(5)
            tracker.flush()
            tracker.stop()
            output._report(type("Total", (), {"emissions": 9.0})())
            output.exit()
            is_same = output._open_ledger().balance().pending_ug == UG_PER_LB
            code = 0 if is_same and not output._worker.has("buy") else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert ledger.balance().accrued_ug == 600_000_000
    assert ledger.balance().pending_ug == UG_PER_LB
    provider.gate.set()
    tracker.stop()
    check_books(ledger, provider.pounds)


@FORKS
@FORKS_WITH_THREADS
def test_a_run_that_begins_in_a_child_counts_beside_its_parents(site, handler, ledger):
    output = handler()
    tracker = site.tracker(output, tracking_mode="process")
    pid = os.fork()
    if not pid:
        code = 1
        try:
            tracker.start()
            site.emit(0.1)
            tracker.stop()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    tracker.start()
    site.emit(0.1)
    tracker.stop()
    assert ledger.balance().accrued_ug == 200_000_000


def test_a_tracker_still_travels(site, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    tracker = site.tracker(offset_api_key="test_abc", offset_environment="sandbox", _session_factory=len)
    again = pickle.loads(pickle.dumps(tracker))
    assert again.settings.offset_api_key.reveal() == "test_abc"
    assert [hasattr(handler, "manual_offset") for handler in again._output_handlers] == [False, True]


# --- prices that are not final


def test_what_has_no_final_price_yet_is_not_counted(site, handler, ledger):
    place, mean = Location(country_iso_code="DEU"), Intensity(100.0, "tables", 2023, "DEU")
    values = []
    live = LiveIntensity(
        lambda: [FakeProvider(lambda _start_us: values[-1] if values else None)],
        place,
        mean,
        clock=lambda: FakeAnchors().unix_ns(site.clock.t_ns) / 1e9 + 1,
        spawn=lambda _run: None,
    )
    pricer = Pricer(place)
    pricer.live = live
    site.clock.t_ns = 0
    tracker = site.tracker(
        handler(), force_carbon_intensity_g_co2e_kwh=None, _pricer_factory=lambda *_args, **_options: pricer
    )
    tracker.start()
    live.ask()
    site.clock.pass_s(300)
    assert tracker.flush() > 0
    assert ledger.balance().accrued_ug == 0  # a stand-in prices it so far
    values.append(10.0)
    site.clock.pass_s(300)
    tracker.flush()
    assert ledger.balance().accrued_ug == 0
    live.ask()
    tracker.flush()
    assert ledger.balance().accrued_ug == pytest.approx(6 * KG, rel=1e-6)  # 600 kWh at 10 g
    tracker.stop()
    assert ledger.balance().accrued_ug == pytest.approx(6 * KG, rel=1e-6)


def test_threads_that_reach_the_threshold_together_buy_what_is_there(handler, provider, ledger):
    """Each has a run of its own, and all the same key."""
    barrier = threading.Barrier(4)

    def run(number):
        output = handler()
        kg = [0.0]
        output.run_begins(RunView(f"run {number}", "process", lambda: kg[0]))
        barrier.wait(20)
        for _ in range(5):
            kg[0] += 0.25
            output._report(type("Total", (), {"emissions": kg[0]})())
        output.exit()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    balance = ledger.balance()
    assert balance.accrued_ug == 5_000_000_000
    assert provider.pounds * UG_PER_LB + balance.open_ug == balance.accrued_ug
    assert balance.open_ug < 500_000_000
    assert len({order.offset_id for order in provider.orders}) == provider.posts


def test_what_was_not_priced_yet_when_another_run_counted_stays_the_other_runs(handler, ledger):
    holder, output = handler(), handler()
    final_kg = [0.0]

    def report(total_kg):
        output._report(type("Total", (), {"emissions": total_kg})())

    holder.run_begins(RunView("holder", "machine", lambda: 0.0))
    output.run_begins(RunView("late", "machine", lambda: final_kg[0]))
    holder.exit()
    report(0.3)  # at prices that may change
    final_kg[0] = 0.3
    report(0.3)
    assert ledger.balance().accrued_ug == 0
    final_kg[0] = 0.4
    report(0.4)
    assert ledger.balance().accrued_ug == pytest.approx(100_000_000, abs=2)


def test_a_doubt_of_this_run_is_said_once(site, handler, provider, log):
    provider.script = [LOST]
    tracker = site.tracker(handler())
    tracker.start()
    for _ in range(4):
        site.emit(0.6)
        tracker.flush()
    tracker.stop()
    assert provider.posts == 1
    assert messages(log).count("not known whether") == 1


def test_a_doubt_is_told_at_the_end_of_a_run_that_needs_no_offset(site, handler, provider, log):
    provider.script = [LOST]
    provider.hidden = True
    site.run(0.6, handler())
    log.clear()
    new_process()
    site.run(0.01, handler())
    assert messages(log, logging.WARNING).count("it is not known whether an earlier purchase of 0.453592 kg") == 1
    assert "Nothing was offset" not in log.text


def test_all_is_told_where_only_offsets_are(site, handler, provider, log):
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    logging.getLogger("codecarbon.handlers.offset").setLevel(logging.INFO)
    site.run(0.1, handler(), log_level="error")
    provider.script = [LOST]
    provider.hidden = True
    site.run(0.6, handler(), log_level="error")
    site.run(0.6, handler(), log_level="error")
    told = [line.split(" ")[:4] for line in messages(log).splitlines()]
    assert told == [
        ["Emissions", "are", "offset", "at"],
        ["Nothing", "was", "offset:", "0.100000"],
        ["It", "is", "not", "known"],
        ["Nothing", "more", "is", "offset"],
    ]


def test_a_doubt_about_a_purchase_by_hand_is_not_called_nothing(site, handler, provider, log):
    provider.script = [LOST]
    output = handler(is_automatic=False)
    site.run(0.6, output)
    log.clear()
    assert output.manual_offset() is False
    assert messages(log, logging.WARNING).startswith("It is not known whether 1 lb was bought")


def test_only_the_first_purchase_by_hand_is_quoted(site, plan_for):
    provider = ScriptedProvider(environment="production")
    output = OffsetOutput(plan_for(provider, is_automatic=False))
    for _ in range(2):
        site.run(0.5, output)
        assert output.manual_offset() is True
    assert provider.quotes == 1


@FORKS
@FORKS_WITH_THREADS
def test_a_child_looks_at_the_records_itself_before_it_buys(site, handler, provider):
    site.run(0.6, handler())
    assert (provider.scans, provider.posts) == (1, 1)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            site.run(0.6, handler())
            code = 0 if (provider.scans, provider.posts) == (2, 2) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@FORKS
@FORKS_WITH_THREADS
def test_a_child_that_is_forked_while_its_parent_works_is_not_stuck(handler, provider, ledger):
    output = handler()
    kg = [0.1]
    output.run_begins(RunView("r", "process", lambda: kg[0]))
    output._report(type("Total", (), {"emissions": 0.1})())
    held, done = threading.Event(), threading.Event()

    def work():
        with output._lock, output._open_desk()._standing.lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert held.wait(20)
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        code = 1
        try:
            kg[0] = 0.7
            output._report(type("Total", (), {"emissions": 0.7})())
            output.exit()
            is_idle = output._open_ledger().balance().accrued_ug == 100_000_000
            output.run_begins(RunView("r", "process", lambda: 0.5))
            output._report(type("Total", (), {"emissions": 0.5})())
            output.exit()
            code = 0 if is_idle and provider.posts == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    done.set()
    thread.join(20)
    assert ledger.balance().accrued_ug == 600_000_000
