"""Answers that are kept: by question and credential, for as long as they hold, and a little longer in need."""

from __future__ import annotations

import os
import threading

import pytest

from codecarbon.errors import ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.intensity.feed import Feed, earliest_us, in_s
from codecarbon.transport import DiskCache, Transport
from codecarbon.units import us_from_s
from tests.support.fakes.base import FakeServer, Reply
from tests.support.fakes.clock import FakeTime


class Counter(FakeServer):
    """Answers with how often it was asked."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = 0

    def answer(self, request):
        self.calls += 1
        return Reply({"calls": self.calls})


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def server(time):
    with Counter(clock=time.clock) as server:
        yield server


@pytest.fixture
def make(server, time, tmp_path):
    def make(*, owner="", is_kept=True):
        transport = Transport("counter", server.url, tries=1, **time.arguments)
        cache = DiskCache(str(tmp_path / "cache.sqlite"), clock=time.clock) if is_kept else None
        return Feed("counter", transport, cache, owner=owner)

    return make


def calls(payload):
    return payload["calls"]


def ask(feed, *, path="count", params=(), read=calls, for_s=60.0):
    return feed.get(path, params, read=read, valid_until_us=lambda _, at_us: in_s(at_us, for_s), location="here")


def test_an_answer_is_kept_by_path_query_and_owner(make):
    assert [ask(make()).content for _ in range(2)] == [1, 1]
    assert ask(make(), path="other").content == 2
    assert ask(make(), params=[("zone", "FR")]).content == 3
    assert ask(make(owner="me")).content == 4
    assert ask(make(owner="me")).content == 4


def test_without_a_cache_each_question_is_asked(make):
    feed = make(is_kept=False)
    assert [ask(feed).content for _ in range(2)] == [1, 2]


def test_an_answer_that_has_run_out_is_replaced(make, time):
    feed = make()
    first = ask(feed)
    assert first.valid_until_us == first.fetched_us + us_from_s(60)
    time.pass_s(60)
    assert ask(feed).content == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_old_answer_stands_in_for_a_fault_that_passes(make, server, time, status):
    feed = make()
    ask(feed)
    time.pass_s(7000)
    server.fail_next(1, status=status)
    stale = ask(feed)
    assert (stale.content, stale.is_stale) == (1, True)


def test_an_old_answer_stands_in_for_one_that_cannot_be_read(make, server, time):
    feed = make()
    ask(feed)
    time.pass_s(7000)
    server.send_next(1, b'{"calls"')
    assert ask(feed).is_stale


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_old_answer_does_not_hide_a_refusal(make, server, time, status):
    feed = make()
    ask(feed)
    time.pass_s(100)
    server.fail_next(1, status=status)
    with pytest.raises(ProviderRejected) as caught:
        ask(feed)
    assert caught.value.location == "here"


def test_after_two_hours_an_old_answer_is_too_old(make, server, time):
    feed = make()
    ask(feed)
    time.pass_s(60 + 7200)
    server.stop()
    with pytest.raises(ProviderUnavailable):
        ask(feed)


def test_what_another_version_kept_and_this_one_cannot_read_is_asked_for_again(make):
    ask(make())

    def newer(payload):
        if payload["calls"] == 1:
            raise ProviderDataError("another layout")
        return payload["calls"]

    assert ask(make(), read=newer).content == 2


def test_an_answer_that_cannot_be_read_is_not_kept(make):
    def refuse(payload):
        raise ProviderDataError("no")

    with pytest.raises(ProviderDataError):
        ask(make(), read=refuse)
    assert ask(make()).content == 2


def test_equal_questions_at_once_are_one_call(make, server):
    feed, found = make(), []
    server.latency_s = 0.05
    threads = [threading.Thread(target=lambda: found.append(ask(feed).content)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, in a process with threads
def test_a_forked_child_does_not_wait_for_a_lock_of_its_parents_threads(make):
    feed = make()
    before = feed._locks
    for lock in before:
        lock.acquire()
    child = os.fork()
    if not child:
        os._exit(any(lock.locked() for lock in feed._locks))
    assert os.waitpid(child, 0)[1] == 0
    assert feed._locks is before


def test_the_earliest_end_counts(make):
    feed = make()
    parts = [ask(feed, path="a", for_s=90), ask(feed, path="b", for_s=30)]
    assert earliest_us(parts) == parts[1].valid_until_us
    assert earliest_us([]) is None
