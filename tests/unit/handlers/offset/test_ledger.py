"""The ledger's sums and the states of a purchase, in one process."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset import holding
from codecarbon.handlers.offset.ledger import Ledger, OffsetState, Refusal, holders
from codecarbon.handlers.offset.owners import this_process
from tests.support.ledgers import (
    DEAD,
    KG,
    LB,
    Clock,
    accounted,
    bought,
    ledger_at,
    neighbour,
    reserve,
    reserved,
    scan,
    sent,
    unknown,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "offsets.sqlite3"


@pytest.fixture
def ledger(path):
    ledger = ledger_at(path)
    yield ledger
    accounted(ledger)


def automatic(ledger, mass_ug, run_id="run", segment=0):
    return ledger.accrue(run_id, segment, mass_ug, is_automatic=True)


def by_hand(ledger, mass_ug, run_id="hand", segment=0):
    return ledger.accrue(run_id, segment, mass_ug, is_automatic=False)


# Accruing


def test_a_new_ledger_is_empty(ledger):
    assert set(ledger.balance()) == {0}
    assert ledger.offsets() == ledger.accruals() == ledger.unsettled() == ()


def test_only_what_is_above_the_mark_is_added(ledger):
    assert automatic(ledger, 100) == 100
    assert automatic(ledger, 100) == 0
    assert automatic(ledger, 60) == 0
    assert automatic(ledger, 130) == 30
    assert ledger.balance().accrued_ug == 130


def test_the_mark_is_the_runs_whatever_the_segment(ledger):
    automatic(ledger, 100, segment=1)
    assert automatic(ledger, 150, segment=2) == 50
    assert automatic(ledger, 150, segment=1) == 0
    assert [(row.segment, row.mass_ug) for row in ledger.accruals()] == [(2, 50), (1, 100)]


def test_runs_have_marks_of_their_own(ledger):
    assert automatic(ledger, 100, run_id="a") == 100
    assert automatic(ledger, 100, run_id="b") == 100
    assert ledger.balance().accrued_ug == 200


@pytest.mark.parametrize("total_ug", [0, -1, -(10**12)])
def test_nothing_and_less_add_nothing(ledger, total_ug):
    assert automatic(ledger, total_ug) == 0
    assert ledger.accruals() == ()


def test_a_mass_beyond_all_bounds_is_an_error_that_changes_nothing(ledger):
    automatic(ledger, 5)
    with pytest.raises(LedgerError, match="nothing was changed"):
        automatic(ledger, 2**70, run_id="absurd")
    assert ledger.balance().accrued_ug == 5


def test_a_run_that_does_not_accrue_says_why(ledger):
    ledger.skip("run", "process 1 accrues")
    ledger.skip("run", "process 2 accrues")
    assert [(skip.run_id, skip.reason) for skip in ledger.skips()] == [("run", "process 2 accrues")]


# Buying


def test_half_a_kilogram_buys_a_pound_and_keeps_the_rest(ledger):
    automatic(ledger, KG // 2)
    offset = reserved(ledger)
    assert (offset.pounds, offset.mass_ug, offset.state) == (1, LB, OffsetState.RESERVED)
    assert ledger.balance().open_ug == 46_407_630
    assert reserve(ledger) is Refusal.BELOW_THRESHOLD


def test_a_microgram_less_does_not_buy(ledger):
    automatic(ledger, KG // 2 - 1)
    assert reserve(ledger) is Refusal.BELOW_THRESHOLD
    automatic(ledger, KG // 2)
    assert reserved(ledger).pounds == 1


def test_a_higher_threshold_is_waited_for(ledger):
    automatic(ledger, 2 * KG - 1)
    assert reserve(ledger, threshold_ug=2 * KG) is Refusal.BELOW_THRESHOLD
    automatic(ledger, 2 * KG)
    assert reserved(ledger, threshold_ug=2 * KG).pounds == 4


def test_nothing_is_due_where_nothing_was_accrued(ledger):
    assert reserve(ledger) is Refusal.NOTHING_DUE
    assert reserve(ledger, is_manual=True) is Refusal.NOTHING_DUE


def test_by_hand_a_pound_is_enough(ledger):
    automatic(ledger, LB - 1)
    assert reserve(ledger, is_manual=True) is Refusal.NOTHING_DUE
    automatic(ledger, LB)
    assert reserved(ledger, is_manual=True).pounds == 1


def test_more_than_ten_million_pounds_are_split(ledger):
    automatic(ledger, 25_000_003 * LB + 7)
    offsets = [reserved(ledger, run_id="run") for _ in range(3)]
    assert [offset.pounds for offset in offsets] == [10_000_000, 10_000_000, 5_000_003]
    assert len({offset.offset_id for offset in offsets}) == 3
    assert ledger.balance().open_ug == 7


def test_what_may_not_be_bought_automatically_never_is(ledger):
    by_hand(ledger, 10 * LB)
    assert reserve(ledger) is Refusal.NOTHING_DUE
    automatic(ledger, 2 * LB)
    assert reserved(ledger).pounds == 2
    assert reserve(ledger) is Refusal.NOTHING_DUE
    assert ledger.balance().open_ug == 10 * LB


def test_by_hand_the_mass_that_is_not_automatic_goes_first(ledger):
    by_hand(ledger, 3 * LB)
    automatic(ledger, 2 * LB + 5)
    offset = reserved(ledger, is_manual=True)
    assert (offset.pounds, offset.automatic_ug) == (5, 2 * LB)
    assert ledger.balance().automatic_ug == 5
    ledger.reject(offset.offset_id, "no")
    assert ledger.balance().automatic_ug == 2 * LB + 5


def test_a_cap_counts_what_the_run_may_have_bought(ledger):
    automatic(ledger, 100 * LB)
    cap_ug = 5 * LB + LB // 2
    assert reserved(ledger, cap_ug=2 * LB).pounds == 2
    assert reserved(ledger, cap_ug=cap_ug).pounds == 3
    assert reserve(ledger, cap_ug=cap_ug) is Refusal.CAP_REACHED
    assert reserved(ledger, cap_ug=cap_ug, run_id="another").pounds == 5
    assert ledger.balance().open_ug == 90 * LB


def test_a_cap_forgets_only_what_was_never_sent(ledger):
    automatic(ledger, 100 * LB)
    never_sent = reserved(ledger, cap_ug=2 * LB)
    ledger.reject(never_sent.offset_id, "gave up")
    refused = sent(ledger, cap_ug=2 * LB)
    ledger.reject(refused.offset_id, "401")
    assert reserve(ledger, cap_ug=2 * LB) is Refusal.CAP_REACHED


def test_a_cap_below_a_pound_buys_nothing(ledger):
    automatic(ledger, 100 * LB)
    assert reserve(ledger, cap_ug=LB - 1) is Refusal.CAP_REACHED
    assert reserve(ledger, cap_ug=0) is Refusal.CAP_REACHED


def test_an_unknown_outcome_stops_all_buying(ledger):
    automatic(ledger, 10 * LB)
    waiting = reserved(ledger, cap_ug=2 * LB)
    offset = unknown(ledger, run_id="other", cap_ug=3 * LB)
    assert reserve(ledger) is Refusal.BLOCKED
    assert reserve(ledger, is_manual=True) is Refusal.BLOCKED
    assert not ledger.mark_sent(waiting.offset_id)
    assert ledger.offset(waiting.offset_id).state is OffsetState.REJECTED
    assert "never sent" in ledger.offset(waiting.offset_id).error
    ledger.release(offset.offset_id)
    assert reserved(ledger).pounds == 10


# States


def test_sent_is_said_once_and_by_its_owner(path, ledger):
    automatic(ledger, LB * 2)
    offset = reserved(ledger)
    assert not ledger_at(path, owner=neighbour()).mark_sent(offset.offset_id)
    assert not ledger.mark_sent("no such offset")
    assert ledger.mark_sent(offset.offset_id)
    assert not ledger.mark_sent(offset.offset_id)


def test_a_confirmed_offset_knows_its_purchase(ledger):
    automatic(ledger, 2 * LB)
    offset = bought(ledger, 1)
    assert (offset.state, offset.user_id, offset.bought_pounds) == (OffsetState.CONFIRMED, "U1", 2)
    assert offset.time_utc == "2026-11-21T12:00:01.207Z"
    assert ledger.balance().confirmed_ug == 2 * LB
    assert ledger.unsettled() == ()


def test_a_second_answer_changes_nothing(ledger):
    automatic(ledger, 2 * LB)
    offset = bought(ledger, 1)
    again = ledger.confirm(offset.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=7)
    assert again == offset
    assert ledger.mark_unknown(offset.offset_id, "late") == offset
    assert ledger.reject(offset.offset_id, "late") == offset


def test_the_mass_is_what_was_really_bought(ledger):
    automatic(ledger, 5 * LB)
    offset = sent(ledger)
    less = ledger.confirm(offset.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=3)
    assert (less.pounds, less.bought_pounds, less.mass_ug) == (5, 3, 3 * LB)
    assert "5 lb were ordered, and 3 lb bought" in less.error
    assert ledger.balance().automatic_ug == 2 * LB


def test_buying_more_than_was_accrued_is_a_debt_and_not_zero(ledger):
    automatic(ledger, 2 * LB + 9)
    offset = sent(ledger)
    ledger.confirm(offset.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=5)
    balance = ledger.balance()
    assert (balance.open_ug, balance.debt_ug, balance.automatic_ug) == (0, 3 * LB - 9, 0)
    automatic(ledger, 7 * LB)
    assert reserved(ledger).pounds == 2


def test_more_bought_by_hand_than_ordered_lessens_automatic_buying(ledger):
    by_hand(ledger, LB)
    offset = sent(ledger, is_manual=True)
    ledger.confirm(offset.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=3)
    automatic(ledger, 4 * LB)
    assert ledger.balance().automatic_ug == 2 * LB


def test_a_success_after_the_mass_was_given_back_is_a_debt(ledger):
    automatic(ledger, 2 * LB)
    first = unknown(ledger)
    ledger.release(first.offset_id)
    bought(ledger, 1)
    late = ledger.confirm(first.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=2)
    assert late.state is OffsetState.CONFIRMED
    assert ledger.balance().debt_ug == 2 * LB


def test_a_debt_of_what_was_bought_by_hand_is_paid_before_anything_is_bought_automatically(ledger):
    by_hand(ledger, 2 * LB)
    automatic(ledger, 2 * LB)
    first = unknown(ledger, is_manual=True, cap_ug=2 * LB)
    ledger.release(first.offset_id)
    bought(ledger, 1, is_manual=True, run_id="r2", cap_ug=2 * LB)
    ledger.confirm(first.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=2)
    assert ledger.balance().open_ug == ledger.balance().automatic_ug == 0
    assert reserve(ledger) is Refusal.NOTHING_DUE


def test_one_purchase_never_settles_two_offsets(ledger):
    automatic(ledger, 4 * LB)
    bought(ledger, 1, cap_ug=2 * LB)
    second = sent(ledger)
    settled = ledger.confirm(second.offset_id, user_id="U1", time_utc="2026-11-21T13:00:01.207+01:00", pounds=2)
    assert settled.state is OffsetState.UNKNOWN
    assert "already" in settled.error
    assert reserve(ledger) is Refusal.BLOCKED


def test_one_purchase_never_settles_two_offsets_of_two_keys(path, ledger):
    other = ledger_at(path, fingerprint="f2")
    for each in (ledger, other):
        automatic(each, 2 * LB)
    bought(ledger, 1)
    assert bought(other, 1).state is OffsetState.UNKNOWN
    elsewhere = ledger_at(path, environment="production")
    automatic(elsewhere, 2 * LB)
    assert bought(elsewhere, 1).state is OffsetState.CONFIRMED


@pytest.mark.parametrize(
    ("user_id", "time_utc", "pounds"),
    [("", "2026", 2), ("U1", "", 2), ("U1", "2026", 0), ("U1", "2026", -2), ("U1", "2026", 2.0), ("U1", "2026", True)],
)
def test_an_answer_that_does_not_tell_what_was_bought_is_unknown(ledger, user_id, time_utc, pounds):
    automatic(ledger, 2 * LB)
    offset = sent(ledger)
    settled = ledger.confirm(offset.offset_id, user_id=user_id, time_utc=time_utc, pounds=pounds)
    assert settled.state is OffsetState.UNKNOWN
    assert ledger.balance().unknown_ug == 2 * LB


def test_only_the_owner_knows_that_nothing_was_bought(path, ledger):
    automatic(ledger, 2 * LB)
    offset = sent(ledger)
    other = ledger_at(path, owner=neighbour())
    with pytest.raises(LedgerError, match="another process"):
        other.reject(offset.offset_id, "401")
    assert other.mark_unknown(offset.offset_id, "in doubt").state is OffsetState.UNKNOWN
    assert ledger.reject(offset.offset_id, "401").state is OffsetState.REJECTED
    assert ledger.balance().automatic_ug == 2 * LB


def test_a_rejected_offset_that_was_sent_can_become_unknown_and_one_that_was_not_cannot(ledger):
    automatic(ledger, 2 * LB)
    never_sent = reserved(ledger)
    ledger.reject(never_sent.offset_id, "gave up")
    assert ledger.mark_unknown(never_sent.offset_id, "?").state is OffsetState.REJECTED
    offset = unknown(ledger)
    ledger.release(offset.offset_id)
    assert ledger.mark_unknown(offset.offset_id, "?").state is OffsetState.UNKNOWN


def test_what_was_cancelled_is_bought_by_hand_only(ledger):
    automatic(ledger, 2 * LB)
    offset = ledger.cancel(bought(ledger, 1).offset_id)
    assert offset.cancelled_us is not None
    assert ledger.cancel(offset.offset_id) == offset
    assert ledger.balance().open_ug == 2 * LB
    assert reserve(ledger) is Refusal.NOTHING_DUE
    assert reserved(ledger, is_manual=True).pounds == 2


def test_only_a_confirmed_offset_is_cancelled_and_only_an_unknown_one_released(ledger):
    automatic(ledger, 4 * LB)
    offset = sent(ledger, cap_ug=2 * LB)
    with pytest.raises(LedgerError, match="is sent; only one that is confirmed"):
        ledger.cancel(offset.offset_id)
    with pytest.raises(LedgerError, match="is sent; only one that is unknown"):
        ledger.release(offset.offset_id)
    with pytest.raises(LedgerError, match="no offset nonsense"):
        ledger.release("nonsense")
    assert ledger.offset("nonsense") is None


def test_lists_begin_with_the_newest(ledger):
    automatic(ledger, 9 * LB)
    ids = [reserved(ledger, cap_ug=LB, run_id=f"r{number}").offset_id for number in range(3)]
    assert [offset.offset_id for offset in ledger.offsets()] == ids[::-1]
    assert [offset.offset_id for offset in ledger.offsets(1)] == ids[2:]
    assert [offset.offset_id for offset in ledger.unsettled()] == ids


# Owners


def test_a_dead_owners_offsets_are_taken_over(path, ledger):
    automatic(ledger, 5 * LB)
    dead = ledger_at(path, owner=DEAD)
    never_sent = reserved(dead, cap_ug=2 * LB)
    on_its_way = sent(dead, run_id="r2", cap_ug=LB)
    taken = {offset.offset_id: offset for offset in ledger.take_over_dead()}
    assert taken[never_sent.offset_id].state is OffsetState.REJECTED
    assert "process 4242 ended before it sent anything" in taken[never_sent.offset_id].error
    assert taken[on_its_way.offset_id].state is OffsetState.UNKNOWN
    assert "before it knew the outcome" in taken[on_its_way.offset_id].error
    assert ledger.balance().unknown_ug == LB
    assert ledger.take_over_dead() == ()
    assert not dead.mark_sent(never_sent.offset_id)


def test_a_living_owners_offsets_are_not(path, ledger):
    automatic(ledger, 5 * LB)
    for number, owner in enumerate([neighbour(), this_process()]):
        reserved(ledger_at(path, owner=owner), run_id=f"r{number}", cap_ug=LB)
    assert ledger.take_over_dead() == ()
    assert ledger.balance().pending_ug == 2 * LB


def test_a_process_of_another_container_is_given_up_after_an_hour(path):
    clock = Clock()
    ledger = ledger_at(path, clock=clock)
    other = ledger_at(path, clock=clock, owner=neighbour())
    automatic(ledger, 5 * LB)
    waiting, on_its_way = reserved(other, cap_ug=2 * LB), sent(other, run_id="r2", cap_ug=LB)
    own = sent(ledger, run_id="r3", cap_ug=2 * LB)
    clock.now_s += 3599
    assert ledger.take_over_dead() == ()
    clock.now_s += 1
    taken = ledger.take_over_dead()
    assert {offset.offset_id: offset.state.value for offset in taken} == {
        waiting.offset_id: "rejected",
        on_its_way.offset_id: "unknown",
    }
    assert "was not heard of before" in taken[0].error
    assert not other.mark_sent(waiting.offset_id)
    assert other.confirm(on_its_way.offset_id, user_id="U1", time_utc="now", pounds=1).state is OffsetState.CONFIRMED
    assert ledger.offset(own.offset_id).state is OffsetState.SENT
    accounted(ledger)


def test_one_run_accrues_for_the_host(path, ledger):
    assert ledger.claim_host("run") == ""
    assert ledger.claim_host("run") == ""
    assert f"process {this_process().pid} has counted" in ledger.claim_host("other run")
    assert "since 2026-11-21T12:00:00Z" in ledger.claim_host("other run")
    assert "another container" in ledger_at(path, owner=neighbour()).claim_host("other run")
    assert ledger_at(path, fingerprint="f2").claim_host("other run") != ""
    assert ledger_at(path, environment="production").claim_host("other run") == ""


def test_a_child_of_the_run_is_another_process(path, ledger):
    assert ledger.claim_host("run") == ""
    child = ledger_at(path, owner=neighbour())
    assert child.claim_host("run") != ""
    child.release_host("run")
    assert ledger.claim_host("other run") != ""


def test_a_claim_can_be_let_go_and_dies_with_its_process(path, ledger):
    ledger.claim_host("run")
    ledger.release_host("other run")
    assert ledger.claim_host("other run") != ""
    ledger.release_host("run")
    dead = ledger_at(path, owner=DEAD)
    assert dead.claim_host("other run") == ""
    assert ledger.claim_host("run") == ""
    assert ledger_at(path, owner=neighbour()).claim_host("other run") != ""


def test_a_claim_that_could_not_be_let_go_holds_up_no_later_run_of_the_process(path, ledger):
    blocked = ledger_at(path, busy_s=0.01)
    blocked.claim_host("run")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError):
            blocked.release_host("run")
    assert ledger_at(path, owner=neighbour()).claim_host("neighbour") != ""
    assert ledger.claim_host("other run") == ""
    assert ledger.claim_host("run") != ""


def test_the_live_run_that_counts_is_told(path, ledger):
    assert holders(path.with_name("missing")) == ()
    assert holders(path) == ()
    ledger.claim_host("run")
    ledger_at(path, environment="production", owner=DEAD).claim_host("gone")
    (holder,) = holders(path)
    assert (holder.environment, holder.run_id, holder.pid) == ("sandbox", "run", os.getpid())
    ledger.release_host("run")
    assert holders(path) == ()


def test_a_look_that_was_not_complete_says_why(ledger):
    assert ledger.settle(scan(is_complete=False), auto_release=False).error == "page 2 did not come"
    assert ledger.settle(scan(), auto_release=False).error == ""


def test_a_claim_of_another_container_ends_with_its_lock(path, ledger):
    other = ledger_at(path, owner=neighbour())
    assert other.claim_host("run") == ""
    assert "another container" in ledger.claim_host("mine")
    other._host_lock.let_go()  # as the kernel does when a process ends
    assert ledger.claim_host("mine") == ""
    assert "another container" in other.claim_host("run")


def test_a_lock_file_that_somebody_removed_proves_nothing(path, ledger):
    other = ledger_at(path, owner=neighbour())
    assert other.claim_host("run") == ""
    fd = os.dup(holding._held[other._host_lock._path])  # that process has it open still
    Path(other._host_lock._path).unlink()
    other._host_lock.let_go()
    assert "another container" in ledger.claim_host("mine")
    os.close(fd)


def test_a_claim_without_a_lock_proves_nothing(path, ledger):
    other = ledger_at(path, owner=neighbour())
    assert other.claim_host("run") == ""
    with other._store.writing() as database:
        database.execute("UPDATE claims SET lock_inode = 0")
    other._host_lock.let_go()
    assert "another container" in ledger.claim_host("mine")
    with open(other._host_lock._path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # by one who is not the holder
        assert "another container" in ledger.claim_host("mine")


def test_a_program_that_another_took_the_process_of_has_lost_its_claim(ledger):
    assert ledger.claim_host("run") == ""
    assert ledger.claim_host("other run") != ""
    ledger._host_lock.let_go()  # as exec does
    assert ledger.claim_host("other run") == ""


# Accounts


def test_environments_and_keys_share_nothing(path, ledger):
    automatic(ledger, 2 * LB)
    for other in (ledger_at(path, environment="production"), ledger_at(path, fingerprint="f2")):
        assert other.balance().open_ug == 0
        assert other.ledger_id != ledger.ledger_id
    assert ledger_at(path).ledger_id == ledger.ledger_id


def test_a_new_key_of_the_same_account_takes_the_old_balance(path, ledger):
    automatic(ledger, 2 * LB)
    bought(ledger, 1)
    assert not ledger.adopt("U1")
    new = ledger_at(path, fingerprint="f2")
    automatic(new, 3 * LB, run_id="run2")
    open_offset = sent(new)
    assert new.adopt("U1")
    assert not new.adopt("U1")
    assert new.balance() == ledger.balance()
    assert ledger.balance().accrued_ug == 5 * LB
    assert ledger.balance().pending_ug == 3 * LB
    new.confirm(open_offset.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=3)
    assert len(ledger.offsets()) == 2
    assert len(Ledger.accounts(path)) == 1


def test_a_run_that_accrued_for_two_keys_of_one_account_counts_once(path, ledger):
    new = ledger_at(path, fingerprint="f2")
    automatic(ledger, 2 * LB)
    automatic(new, 3 * LB)
    ledger.skip("x", "old")
    new.skip("x", "new")
    ledger.adopt("U1")
    assert new.adopt("U1")
    assert ledger.balance().accrued_ug == 3 * LB
    assert automatic(ledger, 3 * LB) == 0


def test_accounts_of_two_environments_stay_two(path, ledger):
    ledger.adopt("U1")
    assert not ledger_at(path, environment="production").adopt("U1")
    assert len(Ledger.accounts(path)) == 2


def test_a_key_that_changes_hands_is_refused(ledger):
    ledger.adopt("U1")
    with pytest.raises(LedgerError, match="belongs to the account U2"):
        ledger.adopt("U2")
    with pytest.raises(LedgerError, match="does not tell whose"):
        ledger.adopt("")


def test_accounts_are_told_without_a_key(path, ledger):
    assert Ledger.accounts(path.with_name("missing")) == ()
    assert not path.with_name("missing").exists()
    automatic(ledger, 5 * LB)
    bought(ledger, 1, cap_ug=2 * LB)
    pending = reserved(ledger)
    (summary,) = Ledger.accounts(path)
    assert (summary.provider, summary.environment, summary.user_id) == ("fake", "sandbox", None)
    assert summary.fingerprints == ("f1",)
    assert summary.balance == ledger.balance()
    assert summary.unsettled == (pending,)
    assert summary.last_bought.bought_pounds == 2
    assert summary.last_scan_us is None


def test_a_clock_that_steps_back_changes_no_decision(path):
    clock = Clock()
    ledger = ledger_at(path, clock=clock)
    automatic(ledger, 2 * LB)
    offset = reserved(ledger)
    clock.now_s -= 1e8
    assert ledger.mark_sent(offset.offset_id)
    later = ledger.confirm(offset.offset_id, user_id="U1", time_utc="2026-11-21T13:00:00Z", pounds=2)
    assert later.settled_us < later.created_us
    automatic(ledger, 4 * LB, segment=1)
    assert [entry.mass_ug for entry in ledger.offsets()] == [2 * LB]
    assert reserved(ledger).pounds == 2
    assert [entry.state.value for entry in ledger.offsets()] == ["reserved", "confirmed"]
