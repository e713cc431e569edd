"""The parts of a transport on their own."""

from __future__ import annotations

import os
import pickle
import threading

import pytest

from codecarbon.errors import ConfigError, IntensityError, ProviderDataError, ProviderUnavailable
from codecarbon.transport import Answer, CircuitBreaker, Proxy, TokenBucket, Transport, fingerprint, redact
from tests.support.fakes.base import EchoServer, Reply
from tests.support.fakes.clock import FakeTime


def answer(body, kind="application/json", status=200):
    return Answer(status, {"Content-Type": kind} if kind else {}, body, 0, "svc", "x?y=1")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/problem+json", ""]
)
def test_json_is_read(kind):
    assert answer(b'\xef\xbb\xbf{"a": 1.5}', kind).json() == {"a": 1.5}


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"a": 1', "application/json"), (b"", "application/json"), (b'{"a": NaN}', "application/json"),
     (b'{"a": -Infinity}', "application/json"), (b'{"a": "\xff"}', "application/json"), (b"{}", "text/csv"),
     (b"{}", "text/html"), (b" <html></html>", "application/json"), (b"[" * 100_000, "application/json")],
)  # fmt: skip
def test_what_is_no_json_is_refused(body, kind):
    with pytest.raises(ProviderDataError, match=r"svc answered x\?y=1") as caught:
        answer(body, kind).json()
    assert caught.value.provider == "svc"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/x?api_key=abc&zone=DE", "/x?api_key=***&zone=DE"),
        ("/x?zone=DE&securityToken=abc", "/x?zone=DE&securityToken=***"),
        ("TOKEN=abc", "TOKEN=***"),
        ("/x?tokenizer=abc", "/x?tokenizer=abc"),
        ("http://user:pa:ss@host/x", "http://***@host/x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ('{"token": "abc", "b": 1}', '{"token": "***", "b": 1}'),
        ("nothing here: a@b", "nothing here: a@b"),
    ],
)
def test_secrets_are_taken_out(text, clean):
    assert redact(text) == clean


def test_given_secrets_are_taken_out_in_every_spelling():
    assert redact("a p@ss word, p%40ss%20word, p%40ss+word", ["p@ss word"]) == "a ***, ***, ***"


def test_a_fingerprint_tells_credentials_apart_and_nothing_else():
    prints = {fingerprint("a", "b"), fingerprint("ab", ""), fingerprint("a", "c")}
    assert len(prints) == 3
    assert fingerprint("a", "b") == fingerprint("a", "b")


def test_one_caller_tries_while_others_wait():
    time = FakeTime()
    breaker = CircuitBreaker(monotonic=time.monotonic)
    breaker.failed(breaker.ask().era)
    time.pass_s(30)
    first, second = breaker.ask(), breaker.ask()
    assert first.wait_s == 0
    assert second.wait_s > 0
    breaker.gave_up(first.era)
    assert breaker.ask().wait_s == 0


def test_calls_that_fail_together_count_once():
    time = FakeTime()
    breaker = CircuitBreaker(monotonic=time.monotonic)
    permits = [breaker.ask() for _ in range(5)]
    assert [breaker.failed(permit.era) for permit in permits] == pytest.approx([30] * 5)


def test_a_service_may_ask_for_a_longer_pause_but_not_for_ever():
    time = FakeTime()
    breaker = CircuitBreaker(monotonic=time.monotonic)
    assert breaker.failed(breaker.ask().era, at_least_s=100) == pytest.approx(100)
    time.pass_s(100)
    assert breaker.failed(breaker.ask().era, at_least_s=1e9) == pytest.approx(3600)


def test_no_window_sees_more_calls_than_allowed():
    time = FakeTime()
    bucket = TokenBucket(10, 100.0, monotonic=time.monotonic)
    calls = []
    for _ in range(60):
        wait_s = bucket.take(1e9)
        time.pass_s(wait_s)
        calls.append(time.now_s)
    for start in calls:
        assert sum(1 for moment in calls if start <= moment < start + 99.999) <= 10


def test_a_refused_call_takes_nothing():
    time = FakeTime()
    bucket = TokenBucket(2, 100.0, monotonic=time.monotonic)
    assert bucket.take(0) == 0
    assert bucket.take(99) is None
    assert bucket.wait_s() == pytest.approx(100)
    time.pass_s(100)
    assert bucket.take(0) == 0


@pytest.mark.parametrize(("calls", "window_s"), [(1, 10.0), (10, 0.0)])
def test_a_bucket_that_never_fills_is_refused(calls, window_s):
    with pytest.raises(ValueError, match="bucket"):
        TokenBucket(calls, window_s)


def test_a_proxy_carries_the_calls_with_its_own_credential():
    class Gate(EchoServer):
        def answer(self, request):
            assert request.headers["Proxy-Authorization"] == "Basic bWU6cEBzcyB3b3Jk"
            return Reply({"via": "proxy"})

    with Gate() as gate:
        proxy = Proxy(use_proxy=True, url=gate.url, username="me", password="p@ss word")
        transport = Transport("echo", "http://service.example/v1", proxy=proxy)
        assert transport.get("x").json() == {"via": "proxy"}
        transport.close()
        assert gate.log[0].target == "http://service.example/v1/x"
        assert gate.log[0].headers["host"] == "service.example"


def test_local_addresses_bypass_the_proxy_even_that_of_the_environment(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    with EchoServer() as fake:
        proxy = Proxy(use_proxy=True, url="http://127.0.0.1:9")
        transport = Transport("echo", fake.url, proxy=proxy, tries=1)
        assert transport.get("x").status == 200
        transport.close()


def test_the_environment_decides_when_no_proxy_is_given(monkeypatch):
    with EchoServer() as gate:
        monkeypatch.setenv("http_proxy", gate.url)
        for proxy in (None, Proxy(use_proxy=False, url="http://127.0.0.1:9")):
            transport = Transport("echo", "http://service.example/", proxy=proxy, tries=1)
            assert transport.get("x").status == 200
            transport.close()
        assert gate.count() == 2


def test_a_broken_proxy_is_named_and_its_password_is_not():
    time = FakeTime()
    proxy = Proxy(use_proxy=True, url="http://127.0.0.1:9", username="me", password="pr0xy-s3cret")
    transport = Transport("echo", "http://service.example/", proxy=proxy, **time.arguments)
    with pytest.raises(ProviderUnavailable, match="proxy") as caught:
        transport.get("x")
    assert "pr0xy" not in str(caught.value) + repr(caught.value.__cause__) + repr(proxy)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("url", ["", "  ", "proxy:3128", "ftp://proxy"])
def test_a_proxy_without_an_address_is_refused(url):
    with pytest.raises(ConfigError, match="Proxy"):
        Transport("echo", "https://service.example/", proxy=Proxy(use_proxy=True, url=url))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, in a process with threads
def test_a_forked_child_opens_its_own_connections_and_locks():
    with EchoServer() as fake:
        transport = Transport("echo", fake.url, rate=TokenBucket(100, 1.0))
        transport.get("parent")
        locks = [transport._lock, transport._breaker._lock, transport._rate._lock]
        for lock in locks:
            lock.acquire()  # as another thread might at that moment
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if transport.get("child").status == 200 else 2
            finally:
                os._exit(code)
        for lock in locks:
            lock.release()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        transport.get("parent")
        transport.close()
        assert [entry.connection for entry in fake.log] == [1, 2, 1]


def test_an_interrupted_trial_does_not_lock_a_service_out():
    time = FakeTime()

    class Interrupting(FakeTime):
        def sleep(self, seconds):
            raise KeyboardInterrupt

    with EchoServer() as fake:
        transport = Transport("echo", fake.url, **time.arguments)
        fake.fail_next(3, status=500)
        with pytest.raises(Exception, match="500"):
            transport.get("x")
        time.pass_s(30)
        fake.fail_next(1, status=503)
        transport._retry.pace = transport._retry.pace._replace(sleep=Interrupting().sleep)
        with pytest.raises(KeyboardInterrupt):
            transport.get("x")
        assert transport.get("x").status == 200
        transport.close()


def test_one_of_many_threads_tries_a_service_that_was_down():
    time = FakeTime()
    with EchoServer() as fake:
        transport = Transport("echo", fake.url, tries=1, **time.arguments)
        fake.fail_next(1, status=500)
        with pytest.raises(Exception, match="500"):
            transport.get("x")
        time.pass_s(30)
        fake.fail_next(1, status=500)
        start, outcomes = threading.Barrier(8), []

        def call():
            start.wait()
            try:
                transport.get("x")
            except IntensityError as error:
                outcomes.append(type(pickle.loads(pickle.dumps(error))).__name__)

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        transport.close()
    assert outcomes == ["ProviderRejected"] * 8
    assert fake.count() == 2
