"""Reading the service's books: everything, or a scan that says that it is not everything."""

from __future__ import annotations

import math

import pytest

from codecarbon.config import Secret
from codecarbon.handlers.offset.oneclickimpact_records import _server_us, find_records
from codecarbon.handlers.offset.provider import Record
from codecarbon.transport import Answer
from codecarbon.units import us_from_s
from tests.offset.conftest import order
from tests.support.fakes.clock import NOON_S
from tests.support.fakes.oneclickimpact import (
    ADA,
    BOB,
    LIVE_KEY,
    RECORDS,
    SECOND_LIVE_KEY,
    TEST_KEY,
    FakeOneClickImpact,
)


def book(fake, time, count, **options):
    entries = []
    for number in range(count):
        entries.append(fake.book(number + 1, **options))
        time.pass_s(1)
    return entries


def test_an_order_is_found_by_its_name(fake, make):
    provider = make()
    outcome = provider.purchase(order(7, pounds=3))
    scan = provider.find()
    assert scan == (
        (Record(ADA, outcome.time_utc, 3, "offset-7", "ledger-1", cancelled=False),),
        True,
        1795176000000000,
        "",
    )
    assert us_from_s(NOON_S) == 1795176000000000


def test_an_order_whose_answer_was_lost_is_found(fake, make):
    provider = make()
    fake.drop_next(1)
    assert provider.purchase(order(7)).kind == "unknown"
    assert [record.offset_id for record in provider.find().records] == ["offset-7"]
    assert fake.posts == 1


def test_another_key_of_the_account_reads_the_same_books(fake, make):
    make().purchase(order(7))
    assert len(make(key=SECOND_LIVE_KEY).find().records) == 1
    assert make(key=TEST_KEY, environment="sandbox").find().records == ()


def test_nobody_elses_purchases_are_in_it(fake, make):
    fake.book(5, user_id=BOB)
    assert make().find() == ((), True, us_from_s(NOON_S), "")


def test_what_is_asked_for_is_the_whole_book_newest_first_whatever_the_clock_says(fake, make, time):
    time.pass_s(-10 * 365 * 86_400)
    make().find()
    (entry,) = fake.seen(RECORDS)
    assert entry.query == (("filter_by", "carbon_captured"), ("sort_order", "desc"), ("limit", "1000"))
    assert entry.method == "GET"


def test_all_pages_are_read_with_cursors_that_arrive_as_they_were_given(fake, make, time):
    fake.most_rows = 3
    entries = book(fake, time, 10)
    scan = make().find()
    assert scan.is_complete
    assert [record.pounds for record in scan.records] == list(range(10, 0, -1))
    assert {record.time_utc for record in scan.records} == {entry.time_utc for entry in entries}
    assert fake.count(RECORDS) == 4
    cursors = [dict(entry.query).get("cursor", "") for entry in fake.seen(RECORDS)]
    assert all(cursor.endswith("+&=") for cursor in cursors[1:])
    assert "%2B%26%3D" in fake.seen(RECORDS)[1].target


def test_more_rows_than_one_page_can_hold_are_read(fake, make, time):
    book(fake, time, 1001)
    scan = make().find()
    assert (len(scan.records), scan.is_complete) == (1001, True)
    assert fake.count(RECORDS) == 2


def test_a_cursor_that_comes_again_ends_the_scan_without_completing_it(fake, make, time):
    book(fake, time, 2)
    fake.does_repeat_cursor = True
    scan = make().find()
    assert not scan.is_complete
    assert "read before" in scan.error
    assert len(scan.records) == 2
    assert fake.count(RECORDS) == 2


@pytest.mark.parametrize("cursor", [7, ["x"], {"a": 1}, True, "a\nb", "\ud800", "x" * 5000])
def test_a_cursor_that_is_none_leaves_the_scan_incomplete(fake, make, cursor):
    fake.send_next(1, {"user_records": [], "cursor": cursor}, path=RECORDS)
    assert not make().find().is_complete
    assert fake.count(RECORDS) == 1


@pytest.mark.parametrize("page", [{"user_records": [], "cursor": None}, {"user_records": [], "cursor": ""}])
def test_a_page_without_a_cursor_is_the_last(fake, make, page):
    fake.send_next(1, page, path=RECORDS)
    assert make().find().is_complete


@pytest.mark.parametrize(
    "page", [[], {}, {"user_records": None}, {"user_records": {}}, {"records": []}, "x", None, b"{", b"<html>"]
)
@pytest.mark.parametrize("number", [0, 1])
def test_a_page_that_cannot_be_read_leaves_the_scan_incomplete(fake, make, time, page, number):
    fake.most_rows = 2
    book(fake, time, 3)
    fake.send_next(1, page, path=RECORDS, after=number)
    scan = make().find()
    assert not scan.is_complete
    assert scan.error
    assert len(scan.records) == 2 * number


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("number", [0, 1])
def test_an_error_at_any_page_leaves_the_scan_incomplete(fake, make, time, status, number):
    fake.most_rows = 2
    book(fake, time, 3)
    fake.fail_next(3, status=status, path=RECORDS, after=number, body={"type": "api_error", "message": "sorry"})
    scan = make().find()
    assert not scan.is_complete
    assert "sorry" in scan.error
    assert len(scan.records) == 2 * number


def test_a_page_that_fails_once_is_asked_for_again(fake, make, time):
    book(fake, time, 1)
    fake.fail_next(1, status=503, path=RECORDS, headers={"Retry-After": "2"})
    scan = make().find()
    assert scan.is_complete
    assert time.naps_s == [2.0]


@pytest.mark.parametrize("switch", ["close_next", "halve_next", "html_next"])
def test_a_page_that_does_not_arrive_leaves_the_scan_incomplete(fake, make, time, switch):
    book(fake, time, 1)
    getattr(fake, switch)(3, path=RECORDS)
    scan = make().find()
    assert (scan.is_complete, scan.records) == (False, ())


def test_a_service_that_cannot_be_reached_leaves_the_scan_incomplete(make):
    scan = make(base_url="http://127.0.0.1:9").find()
    assert (scan.records, scan.is_complete, scan.server_us) == ((), False, None)
    assert scan.error.startswith("the service gave no answer (Failed to establish a new connection")
    assert scan.error.endswith("): check the connection, and its address")
    assert "Plain" not in scan.error
    assert RECORDS not in scan.error


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_accepted_is_called_that_with_what_to_check(fake, make, status):
    fake.statuses["key_error"] = status
    fake.keys.clear()
    assert make().find().error == (
        f"the service does not accept the key ({status}: API Key does not exist): check offset_api_key and "
        "offset_environment"
    )


def test_an_error_of_the_service_is_told_without_the_address(fake, make):
    fake.fail_next(9, status=400, path=RECORDS, body={"type": "invalid_request_error", "message": "No such filter"})
    assert make().find().error == "oneclickimpact answered 400: No such filter"


def test_a_page_for_people_is_told_without_the_address(fake, make):
    fake.html_next(9, path=RECORDS)
    assert make().find().error == "oneclickimpact answered with an HTML page"


def test_records_are_not_read_from_where_a_redirect_leads(fake, make, time):
    with FakeOneClickImpact(clock=time.clock) as other:
        fake.redirect_next(1, other.url + RECORDS, status=302, path=RECORDS)
        assert not make().find().is_complete
        assert other.count() == 0


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew_s", [0, 3600, -86_400])
def test_the_time_is_the_services(fake, make, skew_s):
    fake.skew_s = skew_s
    assert make().find().server_us == us_from_s(NOON_S + skew_s)


def test_the_time_is_that_of_the_first_page_after_which_new_rows_are_not_seen(fake, make, time):
    fake.most_rows = 1
    book(fake, time, 3)
    began_s = time.now_s

    class Slow(type(fake)):
        def answer(self, request):
            time.pass_s(60)
            return super().answer(request)

    fake.__class__ = Slow
    # Its Date is made after the answer.
    assert make().find().server_us == us_from_s(began_s + 60)
    assert time.now_s == began_s + 180


@pytest.mark.parametrize("date", ["", "yesterday", "2026-11-20T12:00:00Z", "99"])
def test_a_time_that_cannot_be_read_is_none(date):
    assert _server_us(Answer(200, {"Date": date}, b"{}", 0)) is None


def test_a_purchase_shows_when_the_service_shows_it(fake, make, time):
    fake.visible_after_s = 300
    provider = make()
    provider.purchase(order(7))
    assert provider.find() == ((), True, us_from_s(NOON_S), "")
    time.pass_s(300)
    assert len(provider.find().records) == 1


def test_a_purchase_may_never_show(fake, make, time):
    fake.visible_after_s = math.inf
    provider = make()
    provider.purchase(order(7))
    time.pass_s(1e9)
    assert provider.find().records == ()


# --- rows ------------------------------------------------------------------------------------------------------------


def test_rows_of_the_old_form_with_every_amount_are_read(fake, make, time):
    fake.has_all_keys = True
    fake.book(2, metadata={"codecarbon_offset_id": "a", "codecarbon_ledger_id": "b"})
    fake.book(3, kind="tree_planted")
    scan = make().find()
    assert scan.is_complete
    assert [(record.pounds, record.offset_id, record.ledger_id) for record in scan.records] == [(2, "a", "b")]


@pytest.mark.parametrize(
    "row",
    [
        {"tree_planted": 3},
        {"tree_planted": 3, "carbon_captured": 0},
        {"tree_planted": 0, "waste_removed": 0, "carbon_captured": 0, "coral_restored": 2, "money_donated": 0},
        {"money_donated": 500, "carbon_captured": None},
        {"carbon_captured": 0},
        {"carbon_captured": 0, "metadata": {"shop": "7"}},
    ],
)
def test_a_row_about_something_else_is_no_purchase_of_carbon_and_no_fault(fake, make, row):
    """The service may not keep to the filter."""
    fake.send_next(1, {"user_records": [{"user_id": ADA, "time_utc": "2026-11-20T09:14:31.207Z", **row}]}, path=RECORDS)
    assert make().find() == ((), True, us_from_s(NOON_S), "")


ROW = {"user_id": ADA, "time_utc": "2026-11-20T09:14:31.207Z", "carbon_captured": 2}


@pytest.mark.parametrize(
    "row",
    [
        7,
        None,
        [],
        {},
        *({name: value for name, value in ROW.items() if name != gone} for gone in ROW),
        *({**ROW, "carbon_captured": pounds} for pounds in (-1, 1.0, "2", True, None, [2])),
        *({**ROW, "user_id": name} for name in ("", " ", 7, None)),
        *({**ROW, "time_utc": name} for name in ("", 7, None)),
        *({**ROW, "metadata": metadata} for metadata in ("x", [], 7, {"codecarbon_offset_id": 7})),
        {**ROW, "metadata": {"codecarbon_ledger_id": ["x"]}},
        {**ROW, "carbon_captured": 0, "metadata": {"codecarbon_offset_id": "a"}},
        {**ROW, "carbon_captured": 0, "tree_planted": 1, "metadata": {"codecarbon_ledger_id": "b"}},
        {**ROW, "carbon_captured": 0.0},
        {"tree_planted": "3"},
    ],
)
def test_a_row_that_cannot_be_read_leaves_the_scan_incomplete_and_the_others_in_it(fake, make, row):
    good = {**ROW, "time_utc": "2026-11-19T09:14:31.207Z"}
    fake.send_next(1, {"user_records": [row, good]}, path=RECORDS)
    scan = make().find()
    assert not scan.is_complete
    assert scan.error
    assert [record.time_utc for record in scan.records] == [good["time_utc"]]


@pytest.mark.parametrize("metadata", [None, {}, {"shop": "7"}])
def test_what_others_bought_has_no_order(fake, make, metadata):
    fake.send_next(1, {"user_records": [{**ROW, "metadata": metadata}]}, path=RECORDS)
    assert make().find().records == (Record(ADA, ROW["time_utc"], 2, None, None, cancelled=False),)


def test_a_row_that_comes_twice_is_one_purchase(fake, make):
    fake.send_next(1, {"user_records": [ROW, dict(ROW)]}, path=RECORDS)
    scan = make().find()
    assert (len(scan.records), scan.is_complete) == (1, True)


def test_rows_that_contradict_each_other_leave_the_scan_incomplete(fake, make):
    fake.send_next(1, {"user_records": [ROW, {**ROW, "carbon_captured": 3}]}, path=RECORDS)
    scan = make().find()
    assert (len(scan.records), scan.is_complete) == (1, False)


def test_two_purchases_of_one_order_are_both_told(fake, make, time):
    metadata = {"codecarbon_offset_id": "a", "codecarbon_ledger_id": "b"}
    fake.book(1, metadata=metadata)
    fake.book(1, metadata=metadata)
    assert [record.offset_id for record in make().find().records] == ["a", "a"]


@pytest.mark.parametrize("tells", [False, True])
def test_a_cancelled_purchase_stays_in_the_books(fake, make, tells):
    fake.tells_cancelled = tells
    provider = make()
    outcome = provider.purchase(order(7))
    assert provider.cancel(outcome.user_id, outcome.time_utc).kind == "cancelled"
    (record,) = provider.find().records
    assert record.cancelled is tells


def test_a_scan_that_repeats_one_fault_says_it_once(fake, make):
    fake.send_next(1, {"user_records": [7, 7, 7]}, path=RECORDS)
    assert make().find().error.count("no object") == 1


def test_pages_without_end_end(fake, time):
    fake.most_rows = 1
    book(fake, time, 5)
    scan = find_records(Secret(LIVE_KEY), fake.url, clock=time.clock, sleep=time.sleep, most_pages=3)
    assert (len(scan.records), scan.is_complete) == (3, False)
    assert "more than 3 pages" in scan.error
