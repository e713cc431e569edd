"""The parts that servers share."""

from __future__ import annotations

import asyncio
import json
import re
import threading

import pytest

from codecarbon.errors import RequestTooLarge, ServerBusy
from codecarbon.web.etag import is_current, weak_etag
from codecarbon.web.flights import Flights
from codecarbon.web.keys import ApiKeys
from codecarbon.web.limits import Seats, read_body
from codecarbon.web.problem import Problem
from codecarbon.web.trace import trace_id

TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


def test_a_request_without_a_trace_gets_one_of_its_own():
    first, second = trace_id(None), trace_id(None)
    assert TRACE.fullmatch(first)
    assert first != second


def test_a_request_within_a_trace_keeps_its_trace_and_flags_and_gets_its_own_span():
    parent = "00-1028f533fed8edeed14129a4c13055a1-49b50516233ee04a-01"
    name = trace_id(parent.encode())
    assert TRACE.fullmatch(name)
    assert name[:36] == parent[:36]
    assert name[-2:] == "01"
    assert name[36:52] != parent[36:52]


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"nonsense",
        b"00-" + b"0" * 32 + b"-49b50516233ee04a-01",
        b"00-1028f533fed8edeed14129a4c13055a1-" + b"0" * 16 + b"-01",
        b"ff-1028f533fed8edeed14129a4c13055a1-49b50516233ee04a-01",
        b"00-1028F533FED8EDEED14129A4C13055A1-49b50516233ee04a-01",
    ],
)
def test_a_parent_that_is_none_starts_a_new_trace(parent):
    name = trace_id(parent)
    assert TRACE.fullmatch(name)
    assert b"1028f533" not in name.encode()


def test_a_problem_of_a_handler_has_no_type_and_always_errors():
    problem = Problem(400, "ArgumentException", "Invalid parameters")
    assert problem.media_type == "application/problem+json; charset=utf-8"
    assert json.loads(problem.body("t")) == {
        "title": "ArgumentException",
        "status": 400,
        "detail": "Invalid parameters",
        "errors": {},
        "traceId": "t",
    }


def test_a_problem_of_the_framework_has_a_type_and_no_detail_and_gathers_messages_by_name():
    problem = Problem(400, "T", errors=(("a", "1"), ("b", "2"), ("a", "3")), has_type=True)
    body = json.loads(problem.body("t"))
    assert body["type"] == "https://tools.ietf.org/html/rfc9110#section-15.5.1"
    assert body["errors"] == {"a": ["1", "3"], "b": ["2"]}
    assert "detail" not in body
    assert problem.media_type == "application/json; charset=utf-8"


def test_etags_tell_where_one_part_ends():
    assert weak_etag("ab", "c") != weak_etag("a", "bc")
    assert weak_etag("ab", "c") == weak_etag("ab", "c")


@pytest.mark.parametrize(
    ("sent", "is_same"),
    [(b'W/"a"', True), (b'"a"', True), (b"*", True), (b'"b", W/"a"', True), (b'"b"', False), (b"a", False)],
)
def test_etags_are_compared_weakly(sent, is_same):
    assert is_current(sent, b'W/"a"') is is_same


def test_a_key_opens_by_either_header_and_nothing_else_does():
    keys = ApiKeys(["one", "two"])
    assert keys.opens([(b"x-api-key", b"two")])
    assert keys.opens([(b"authorization", b"bEaReR one")])
    assert not keys.opens([(b"authorization", b"Basic one")])
    assert not keys.opens([(b"x-api-key", b"on")])
    assert not keys.opens([])


def test_keys_are_in_no_text():
    assert "secret" not in repr(ApiKeys(["secret"]))
    assert not hasattr(ApiKeys(["secret"]), "__dict__")


def test_a_blank_key_is_refused_since_everybody_has_it():
    with pytest.raises(ValueError, match="blank"):
        ApiKeys(["a", " "])


def receiver(*parts: bytes):
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    left = iter(messages)

    async def receive():
        return next(left)

    return receive, left


def test_a_body_is_read_whole_up_to_its_limit():
    receive, _ = receiver(b"ab", b"cd")
    assert asyncio.run(read_body(receive, max_bytes=4)) == b"abcd"


def test_a_body_that_is_too_long_is_not_read_to_its_end():
    receive, left = receiver(b"ab", b"cd", b"ef")
    with pytest.raises(RequestTooLarge):
        asyncio.run(read_body(receive, max_bytes=3))
    assert len(list(left)) == 2


def test_seats_are_given_back():
    seats = Seats(1)
    with seats.seat():
        assert seats.taken == 1
        with pytest.raises(ServerBusy), seats.seat():
            pass
    with seats.seat():
        pass
    assert seats.taken == 0


def test_equal_work_at_once_is_done_once_and_later_work_again():
    calls = []

    async def ask_many():
        flights = Flights(threads=2, max_waiting=10)
        answers = await asyncio.gather(*(flights.join("key", lambda: calls.append(1) or len(calls)) for _ in range(50)))
        return answers, await flights.join("key", lambda: calls.append(1) or len(calls))

    answers, later = asyncio.run(ask_many())
    assert answers == [1] * 50
    assert later == 2


def test_no_more_threads_run_than_are_allowed_and_no_more_work_waits():
    gate = threading.Event()
    two_run = threading.Barrier(3, timeout=10)  # the two, and the test
    running = []

    def work():
        running.append(1)
        if len(running) <= 2:
            two_run.wait()
        gate.wait(10)

    async def ask():
        flights = Flights(threads=2, max_waiting=3)
        tasks = [asyncio.create_task(flights.join(n, work)) for n in range(3)]
        await asyncio.to_thread(two_run.wait)
        with pytest.raises(ServerBusy):
            await flights.join("one more", lambda: None)
        assert len(running) == 2
        gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    assert len(running) == 3


def test_a_caller_that_goes_away_does_not_end_the_work_of_others():
    gate = threading.Event()

    async def ask():
        flights = Flights(threads=1, max_waiting=3)
        goes, stays = (asyncio.create_task(flights.join("k", lambda: gate.wait(10))) for _ in range(2))
        await asyncio.sleep(0)
        goes.cancel()
        gate.set()
        return await stays

    assert asyncio.run(ask()) is True


def test_an_error_reaches_everybody_who_waits():
    def fail():
        raise KeyError("x")

    async def ask():
        flights = Flights(threads=1, max_waiting=3)
        return await asyncio.gather(*(flights.join("k", fail) for _ in range(3)), return_exceptions=True)

    assert [type(error) for error in asyncio.run(ask())] == [KeyError] * 3
