"""What the service's records change, and what they must not."""

from __future__ import annotations

import pytest

from codecarbon.handlers.offset.ledger import Ledger, OffsetState, Refusal
from codecarbon.handlers.offset.provider import Record
from tests.support.ledgers import (
    LB,
    MINUTE,
    NOON_US,
    accounted,
    bought,
    ledger_at,
    neighbour,
    record,
    reserve,
    reserved,
    scan,
    sent,
    time_of,
    unknown,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "offsets.sqlite3"


@pytest.fixture
def ledger(path):
    ledger = ledger_at(path)
    ledger.accrue("run", 0, 100 * LB, is_automatic=True)
    yield ledger
    accounted(ledger)


def settle(ledger, *records, auto_release=False, doubted=None, **options):
    return ledger.settle(scan(*records, **options), auto_release=auto_release, doubted=doubted)


# Found


@pytest.mark.parametrize("is_complete", [True, False])
def test_an_unknown_offset_that_is_found_is_confirmed(ledger, is_complete):
    offset = unknown(ledger, cap_ug=2 * LB)
    done = settle(ledger, record(9), record(1, pounds=2, offset_id=offset.offset_id), is_complete=is_complete)
    (confirmed,) = done.confirmed
    assert (confirmed.offset_id, confirmed.state) == (offset.offset_id, OffsetState.CONFIRMED)
    assert (confirmed.user_id, confirmed.time_utc, confirmed.bought_pounds) == ("U1", time_of(1), 2)
    assert done.is_complete is is_complete
    assert done.imported == done.released == done.still_unknown == done.duplicates == ()
    assert reserved(ledger).pounds == 98


@pytest.mark.parametrize("state", ["reserved", "sent", "released", "rejected"])
def test_whatever_is_found_was_bought(ledger, state):
    offset = reserved(ledger, cap_ug=2 * LB)
    if state != "reserved":
        ledger.mark_sent(offset.offset_id)
    if state == "released":
        ledger.mark_unknown(offset.offset_id, "?")
        ledger.release(offset.offset_id)
    elif state == "rejected":
        ledger.reject(offset.offset_id, "401")
    settle(ledger, record(1, pounds=2, offset_id=offset.offset_id))
    assert ledger.offset(offset.offset_id).state is OffsetState.CONFIRMED
    assert ledger.balance().confirmed_ug == 2 * LB


def test_the_answer_that_comes_after_the_record_changes_nothing(path, ledger):
    offset = sent(ledger, cap_ug=2 * LB)
    found = settle(ledger_at(path, owner=neighbour()), record(1, pounds=2, offset_id=offset.offset_id)).confirmed
    answer = ledger.confirm(offset.offset_id, user_id="U1", time_utc=time_of(1), pounds=2)
    assert (answer,) == found
    assert settle(ledger, record(1, pounds=2, offset_id=offset.offset_id)).confirmed == ()


def test_what_was_really_bought_counts(ledger):
    offset = unknown(ledger, cap_ug=2 * LB)
    settle(ledger, record(1, pounds=5, offset_id=offset.offset_id))
    assert ledger.balance().confirmed_ug == 5 * LB


def test_a_record_without_pounds_settles_nothing(ledger):
    offset = unknown(ledger, cap_ug=2 * LB)
    for minute in (0, 60):
        done = settle(
            ledger,
            record(1, pounds=0, offset_id=offset.offset_id),
            auto_release=True,
            server_us=NOON_US + minute * MINUTE,
        )
        assert done.still_unknown == (ledger.offset(offset.offset_id),)


def test_a_purchase_goes_to_the_offset_that_its_record_names_and_to_no_second(ledger):
    first = bought(ledger, 1, cap_ug=2 * LB)
    second = unknown(ledger, run_id="r2", cap_ug=2 * LB)
    done = settle(ledger, record(1, pounds=2, offset_id=second.offset_id))
    assert [offset.offset_id for offset in done.confirmed] == [second.offset_id]
    assert [offset.offset_id for offset in done.still_unknown] == [first.offset_id]
    assert second.offset_id in ledger.offset(first.offset_id).error
    accounted(ledger)


def test_an_answer_that_went_to_another_order_leaves_no_doubt_for_ever(ledger):
    """The answer to the first order comes to the second one as well, whose own purchase is in the records."""
    first, second = sent(ledger, cap_ug=LB), sent(ledger, run_id="r2", cap_ug=LB)
    for offset in (second, first):
        ledger.confirm(offset.offset_id, user_id="U1", time_utc=time_of(1), pounds=1)
    assert ledger.offset(first.offset_id).state is OffsetState.UNKNOWN
    books = [record(1, offset_id=first.offset_id), record(2, offset_id=second.offset_id)]
    done = settle(ledger, *books)
    assert {offset.offset_id for offset in done.confirmed} == {first.offset_id, second.offset_id}
    assert done.still_unknown == done.duplicates == done.imported == ()
    assert [ledger.offset(offset.offset_id).time_utc for offset in (first, second)] == [time_of(1), time_of(2)]
    accounted(ledger)
    assert settle(ledger, *books).confirmed == ()


def test_answers_that_changed_places_are_put_right(ledger):
    first, second = sent(ledger, cap_ug=LB), sent(ledger, run_id="r2", cap_ug=LB)
    ledger.confirm(first.offset_id, user_id="U1", time_utc=time_of(2), pounds=1)
    ledger.confirm(second.offset_id, user_id="U1", time_utc=time_of(1), pounds=1)
    ledger.cancel(second.offset_id)
    done = settle(ledger, record(1, offset_id=first.offset_id), record(2, offset_id=second.offset_id))
    assert len(done.confirmed) == 2
    assert ledger.offset(first.offset_id).time_utc == time_of(1)
    assert ledger.offset(first.offset_id).cancelled_us is not None
    assert ledger.offset(second.offset_id).cancelled_us is None
    accounted(ledger)


def test_records_in_another_spelling_of_time_are_the_same_purchase(ledger):
    offset = bought(ledger, 1, cap_ug=2 * LB)
    again = record(1, pounds=2, offset_id=offset.offset_id)._replace(time_utc="2026-11-21T12:00:01.207000+00:00")
    done = settle(ledger, again, again)
    assert done.duplicates == done.imported == ()
    assert ledger.balance().confirmed_ug == 2 * LB


def test_an_answer_with_a_time_of_its_own_is_the_same_purchase(ledger):
    offset = bought(ledger, 1, cap_ug=2 * LB)
    done = settle(ledger, record(2, pounds=2, offset_id=offset.offset_id))
    assert done.duplicates == done.imported == ()
    assert ledger.balance().confirmed_ug == 2 * LB


# Duplicates


def test_a_second_purchase_under_one_name_is_told_and_taken_out_of_the_balance(ledger):
    offset = unknown(ledger, cap_ug=2 * LB)
    records = [record(number, pounds=2, offset_id=offset.offset_id) for number in (3, 1, 2)]
    done = settle(ledger, *records)
    assert [entry.time_utc for entry in done.confirmed] == [time_of(1)]
    assert [entry.time_utc for entry in done.duplicates] == [time_of(2), time_of(3)]
    assert [entry.offset_id for entry in done.imported] == [f"U1-{time_of(2)}", f"U1-{time_of(3)}"]
    assert ledger.balance().confirmed_ug == 6 * LB
    again = settle(ledger, *records)
    assert len(again.duplicates) == 2
    assert again.imported == again.confirmed == ()
    assert ledger.balance().confirmed_ug == 6 * LB


def test_the_purchase_that_was_answered_is_the_first(ledger):
    offset = bought(ledger, 2, cap_ug=2 * LB)
    done = settle(ledger, *[record(number, pounds=2, offset_id=offset.offset_id) for number in (1, 2, 3)])
    assert [entry.time_utc for entry in done.duplicates] == [time_of(1), time_of(3)]


def test_a_duplicate_that_is_cancelled_is_open_again_by_hand(ledger):
    offset = bought(ledger, 1, cap_ug=2 * LB)
    records = [record(number, pounds=2, offset_id=offset.offset_id) for number in (1, 2)]
    settle(ledger, *records)
    settle(ledger, records[0], records[1]._replace(cancelled=True))
    assert ledger.balance().confirmed_ug == 2 * LB
    assert ledger.offset(offset.offset_id).cancelled_us is None


def test_a_purchase_that_is_a_known_offsets_is_passed_over(ledger):
    bought(ledger, 1, cap_ug=2 * LB)
    lost = [record(number, pounds=2, offset_id="lost", ledger_id=ledger.ledger_id) for number in (1, 2)]
    done = settle(ledger, *lost)
    assert [(entry.offset_id, entry.time_utc) for entry in done.imported] == [("lost", time_of(2))]
    assert done.duplicates == done.confirmed == ()
    assert ledger.balance().confirmed_ug == 4 * LB


# Imported


def test_an_own_purchase_of_nothing_is_not_taken_in(ledger):
    done = settle(ledger, record(1, pounds=0, offset_id="lost", ledger_id=ledger.ledger_id), record(2, pounds=-1))
    assert done.imported == ()


def test_own_purchases_that_are_not_known_are_taken_in(ledger):
    own = [
        record(1, pounds=3, offset_id="lost", ledger_id=ledger.ledger_id),
        record(2, pounds=4, ledger_id=ledger.ledger_id),
    ]
    foreign = [record(3, pounds=5, offset_id="x", ledger_id="other"), record(4, pounds=6), record(5, offset_id="y")]
    done = settle(ledger, *own, *foreign)
    assert [offset.offset_id for offset in done.imported] == ["lost", f"U1-{time_of(2)}"]
    assert {offset.state for offset in done.imported} == {OffsetState.CONFIRMED}
    assert ledger.balance().confirmed_ug == 7 * LB
    assert ledger.balance().automatic_ug == 93 * LB
    assert settle(ledger, *own, *foreign).imported == ()


def test_what_is_taken_in_can_be_more_than_was_accrued(path):
    ledger = ledger_at(path)
    settle(ledger, record(1, pounds=3, offset_id="lost", ledger_id=ledger.ledger_id))
    assert ledger.balance().debt_ug == 3 * LB
    ledger.accrue("run", 0, 5 * LB, is_automatic=True)
    assert reserved(ledger).pounds == 2


def test_purchases_of_a_key_that_was_adopted_are_own_ones(path, ledger):
    new = ledger_at(path, fingerprint="f2")
    ledger.adopt("U1")
    new.adopt("U1")
    done = settle(
        new,
        record(1, offset_id="a", ledger_id=ledger.ledger_id),
        record(2, offset_id="b", ledger_id=new.ledger_id),
    )
    assert len(done.imported) == 2


def test_purchases_that_another_key_knows_are_not_taken_in_twice(path, ledger):
    offset = bought(ledger, 1, cap_ug=2 * LB)
    other = ledger_at(path, fingerprint="f2")
    assert settle(other, record(1, pounds=2, offset_id=offset.offset_id, ledger_id=ledger.ledger_id)).imported == ()
    assert settle(other, record(1, pounds=2, offset_id=offset.offset_id, ledger_id=other.ledger_id)).imported == ()
    assert other.balance().confirmed_ug == 0


# Cancelled


def test_what_was_cancelled_elsewhere_is_open_again_by_hand_only(ledger):
    offset = bought(ledger, 1)
    assert settle(ledger, record(1, pounds=100, offset_id=offset.offset_id, cancelled=True)).confirmed == ()
    assert ledger.balance().open_ug == 100 * LB
    assert reserve(ledger) is Refusal.NOTHING_DUE
    settle(ledger, record(1, pounds=100, offset_id=offset.offset_id))  # the records lag behind
    assert ledger.balance().open_ug == 100 * LB


def test_an_unknown_offset_that_was_bought_and_cancelled_is_both(ledger):
    offset = unknown(ledger)
    (confirmed,) = settle(ledger, record(1, pounds=100, offset_id=offset.offset_id, cancelled=True)).confirmed
    assert confirmed.cancelled_us is not None
    assert ledger.balance().open_ug == 100 * LB
    assert ledger.balance().automatic_ug == 0


# Not found


def test_absence_alone_releases_nothing(ledger):
    bought(ledger, 1, cap_ug=LB)
    offset = unknown(ledger, run_id="r2", cap_ug=2 * LB)
    for hours in range(50):
        done = settle(ledger, server_us=NOON_US + hours * 60 * MINUTE)
        assert [entry.offset_id for entry in done.still_unknown] == [offset.offset_id]
    assert reserve(ledger) is Refusal.BLOCKED


@pytest.fixture
def case(ledger):
    """A confirmed offset of a pound, and after it an unknown one of two."""
    earlier = bought(ledger, 1, cap_ug=LB)
    offset = unknown(ledger, run_id="r2", cap_ug=2 * LB)
    seen = record(1, offset_id=earlier.offset_id, ledger_id=ledger.ledger_id)
    return ledger, offset, seen


def look(case, minute, *more, with_seen=True, **options):
    ledger, _, seen = case
    options = {"auto_release": True, "server_us": NOON_US + int(minute * MINUTE), **options}
    return settle(ledger, *([seen] if with_seen else []), *more, **options)


def test_two_complete_looks_fifteen_minutes_apart_release(case):
    ledger, offset, _ = case
    assert look(case, 0).released == ()
    assert look(case, 14.9999).released == ()
    (released,) = look(case, 15).released
    assert (released.offset_id, released.state) == (offset.offset_id, OffsetState.REJECTED)
    assert "missing in two complete lists" in released.error
    assert "no answer" in released.error
    assert reserved(ledger).pounds == 99


def test_a_look_that_began_before_the_doubt_does_not_count(case):
    """A slow look at the records may end long after it began, and so may miss what was ordered meanwhile."""
    _, offset, _ = case
    assert look(case, 0, doubted=set()).released == ()
    assert look(case, 16, doubted={offset.offset_id}).released == ()
    assert look(case, 30, doubted=set()).released == ()
    assert len(look(case, 31, doubted={offset.offset_id}).released) == 1


def test_one_look_never_releases_however_late(case):
    assert look(case, 1e6).released == ()


@pytest.mark.parametrize("spoilt", [{"is_complete": False}, {"server_us": None}, {"auto_release": False}])
def test_a_look_that_is_not_whole_releases_nothing(case, spoilt):
    look(case, 0)
    assert look(case, 30, **spoilt).released == ()
    assert len(look(case, 31).released) == 1


@pytest.mark.parametrize("spoilt", [{"is_complete": False}, {"server_us": None}])
def test_a_first_look_that_is_not_whole_does_not_count(case, spoilt):
    look(case, 0, **spoilt)
    assert look(case, 30).released == ()
    assert len(look(case, 45).released) == 1


def test_looks_without_leave_to_release_count_as_looks(case):
    look(case, 0, auto_release=False)
    assert len(look(case, 15).released) == 1


def test_a_purchase_without_a_name_and_of_the_same_weight_stops_it(case):
    nameless = record(7, pounds=2)
    assert look(case, 0, nameless).released == ()
    assert look(case, 60, nameless).released == ()
    assert len(look(case, 120, nameless._replace(pounds=3)).released) == 1


def test_a_purchase_of_somebody_with_a_name_does_not_stop_it(case):
    foreign = record(7, pounds=2, offset_id="foreign", ledger_id="other")
    look(case, 0, foreign)
    assert len(look(case, 15, foreign).released) == 1


def test_names_must_be_listed_at_all(case):
    _, _, seen = case
    look(case, 0, with_seen=False)
    assert look(case, 15, with_seen=False).released == ()
    assert look(case, 30, seen._replace(offset_id=None, ledger_id=None), with_seen=False).released == ()
    assert len(look(case, 45).released) == 1


def test_a_name_from_after_it_is_no_proof(ledger):
    offset = unknown(ledger, cap_ug=2 * LB)
    for minute in range(0, 60, 20):
        done = settle(
            ledger,
            record(1, pounds=3, offset_id="later", ledger_id=ledger.ledger_id),
            auto_release=True,
            server_us=NOON_US + minute * MINUTE,
        )
        assert done.released == ()
    assert ledger.offset(offset.offset_id).state is OffsetState.UNKNOWN


def test_a_clock_of_the_service_that_steps_back_starts_the_wait_again(case):
    look(case, 60)
    assert look(case, 10).released == ()
    assert look(case, 24).released == ()
    assert len(look(case, 25).released) == 1


def test_an_offset_that_was_seen_and_vanished_waits_from_then(case):
    _, offset, _ = case
    look(case, 0)
    look(case, 10, record(2, pounds=0, offset_id=offset.offset_id))
    assert look(case, 20).released == ()
    assert look(case, 34).released == ()
    assert len(look(case, 35).released) == 1


def test_an_offset_that_becomes_unknown_again_waits_again(case):
    ledger, offset, _ = case
    look(case, 0)
    ledger.release(offset.offset_id)
    ledger.mark_unknown(offset.offset_id, "a late time-out")
    assert look(case, 15).released == ()
    assert len(look(case, 30).released) == 1


def test_a_released_offset_that_appears_late_is_confirmed_and_a_debt_if_need_be(case):
    ledger, offset, _ = case
    look(case, 0)
    look(case, 15)
    bought(ledger, 5)
    done = look(case, 30, record(2, pounds=2, offset_id=offset.offset_id))
    assert [entry.offset_id for entry in done.confirmed] == [offset.offset_id]
    assert ledger.balance().debt_ug == 2 * LB


def test_offsets_under_way_are_never_released(ledger):
    bought(ledger, 1, cap_ug=LB)
    offset = sent(ledger, run_id="r2", cap_ug=2 * LB)
    seen = record(1, offset_id=ledger.offsets()[-1].offset_id)
    for minute in (0, 30, 60):
        assert settle(ledger, seen, auto_release=True, server_us=NOON_US + minute * MINUTE).released == ()
    assert ledger.offset(offset.offset_id).state is OffsetState.SENT


def test_looks_are_remembered_but_not_for_ever(path, ledger):
    for number in range(60):
        settle(ledger, server_us=NOON_US + number)
    with ledger._store.reading() as database:
        assert database.execute("SELECT COUNT(*) FROM scans").fetchone() == (50,)
    (summary,) = Ledger.accounts(path)
    assert summary.last_scan_us == 1_795_262_400_000_000


def test_a_time_that_is_none_is_a_name_all_the_same(ledger):
    odd = Record("U1", "yesterday", 3, "lost", ledger.ledger_id, False)
    (imported,) = settle(ledger, odd).imported
    assert imported.time_utc == "yesterday"
    assert settle(ledger, odd).imported == ()
