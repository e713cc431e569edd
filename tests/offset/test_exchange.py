"""Whether anything left this machine is known, not guessed from the kind of exception."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time

import pytest
import requests
from urllib3.exceptions import MaxRetryError

from codecarbon.config import Secret
from codecarbon.handlers.offset.exchange import Fault, QuietAdapter, Reply, Request, send_once
from codecarbon.handlers.offset.provider import running_s
from tests.offset.conftest import order
from tests.support.fakes.base import EchoServer
from tests.support.fakes.oneclickimpact import ADA, BUY
from tests.support.tls import TlsServer

WHOLE = json.dumps({"user_id": ADA, "carbon_captured": 1, "time_utc": "2026-11-20T09:14:31.207Z"}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(WHOLE)


def answer(connection):
    connection.sendall(HEAD + WHOLE)
    connection.unwrap()


def end_without_a_word(connection):
    """TLS says goodbye properly; HTTP says nothing."""
    connection.unwrap()


def break_off(connection):
    """The connection ends, and TLS does not say so: an error of TLS to the client, after the request was read."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def talk_nonsense(connection):
    """A record that is no TLS at all, after the request was read."""
    with socket.socket(fileno=connection.detach()) as plain:
        plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def break_off_in_the_body(connection):
    connection.sendall(HEAD + WHOLE[:9])
    break_off(connection)


def test_an_order_over_tls_is_answered(make, tmp_path):
    with TlsServer(tmp_path, answer) as server:
        outcome = make(base_url=server.url, ca_bundle=server.authority).purchase(order())
    assert (outcome.kind, outcome.user_id, outcome.pounds) == ("bought", ADA, 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "behave", [end_without_a_word, break_off, reset, talk_nonsense, break_off_in_the_body], ids=lambda f: f.__name__
)
def test_tls_that_breaks_after_the_request_leaves_it_open(make, tmp_path, behave):
    """To requests most of these look like a certificate that was never accepted: an SSLError around a MaxRetryError."""
    with TlsServer(tmp_path, behave) as server:
        outcome = make(base_url=server.url, ca_bundle=server.authority).purchase(order())
    assert (outcome.kind, outcome.error_kind) == ("unknown", "connection")
    assert len(server.requests) == 1


def test_a_certificate_that_is_not_trusted_is_sent_nothing(make, tmp_path):
    with TlsServer(tmp_path, answer) as server:
        outcome = make(base_url=server.url).purchase(order())
    assert (outcome.kind, outcome.error_kind) == ("not_bought", "connection")
    assert "certificate" in outcome.message
    assert server.requests == []


def test_a_certificate_of_another_host_is_sent_nothing(make, tmp_path):
    with TlsServer(tmp_path, answer) as server:
        address = server.url.replace("127.0.0.1", "127.0.0.2")
        outcome = make(base_url=address, ca_bundle=server.authority).purchase(order())
    assert outcome.kind == "not_bought"
    assert server.requests == []


def post(url, **options):
    return send_once(Request("POST", url, Secret("live_secret"), json={"a": 1}), timeout_s=(10.0, 10.0), **options)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/x", "http://", "nothing", "ftp://127.0.0.1/x", "http://[::1/x"]
)
def test_an_address_that_is_none_is_sent_nothing(url):
    fault = post(url)
    assert isinstance(fault, Fault)
    assert not fault.has_left


def test_a_key_that_cannot_be_a_header_is_sent_nowhere():
    with EchoServer() as fake:
        fault = send_once(Request("POST", fake.url, Secret("live_\nx: y"), json={}), timeout_s=(10.0, 10.0))
        assert isinstance(fault, Fault)
        assert not fault.has_left
        assert "live_" not in fault.words
        assert fake.count() == 0


def test_what_has_grown_old_is_sent_nowhere():
    """As after a pause between the decision and the sending: others may have given the order up."""
    with EchoServer() as fake:
        fault = post(fake.url, begin_by_s=running_s() - 1)
        assert isinstance(fault, Fault)
        assert not fault.has_left
        assert "stood still" in fault.words
        assert fake.count() == 0
        assert isinstance(post(fake.url, begin_by_s=running_s() + 60), Reply)


def trickle(connection):
    """A head that comes byte after byte, each in time, and never ends; stops when nobody listens any more."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


def test_an_answer_that_never_ends_is_given_up(tmp_path):
    with TlsServer(tmp_path, trickle) as server:
        fault = post(server.url, ca_bundle=server.authority, longest_s=0.3)
    assert fault == Fault(has_left=True, words="no whole answer within 0.3 s")
    assert len(server.requests) == 1


def test_a_body_that_never_ends_is_given_up():
    with EchoServer() as fake:
        fake.trickle_next(1, 5.0)
        fault = post(fake.url, longest_s=0.3)
    assert fault == Fault(has_left=True, words="no whole answer within 0.3 s")


def test_a_connection_that_comes_about_too_late_is_sent_nothing():
    adapter = QuietAdapter()
    adapter.cut()
    with EchoServer() as fake, requests.Session() as session:
        session.mount("http://", adapter)
        with pytest.raises(requests.exceptions.RequestException):
            session.post(fake.url, json={}, timeout=10)
        assert fake.count() == 0
    assert not adapter.has_sent


def test_a_deadline_that_is_not_reached_leaves_no_thread_behind():
    with EchoServer() as fake:
        assert isinstance(post(fake.url), Reply)
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(10)  # it was told to end, and needs a moment
        assert not timer.is_alive()


@pytest.mark.parametrize("status", [200, 401])
def test_a_head_that_breaks_off_is_no_answer(make, tmp_path, status):
    def break_off_in_the_head(connection):
        connection.sendall(b"HTTP/1.1 %d Whatever\r\nContent-Ty" % status)
        break_off(connection)

    with TlsServer(tmp_path, break_off_in_the_head) as server:
        assert make(base_url=server.url, ca_bundle=server.authority).purchase(order()).kind == "unknown"


def test_without_a_thread_for_the_deadline_nothing_is_sent(monkeypatch):
    def start(timer):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", start)
    with EchoServer() as fake:
        fault = post(fake.url)
        assert fake.count() == 0
    assert fault == Fault(has_left=False, words="can't start new thread")


def test_a_body_larger_than_any_true_one_is_given_up():
    with EchoServer() as fake:
        fake.send_next(1, b"x" * (1024 * 1024 + 1))
        fault = post(fake.url)
    assert isinstance(fault, Fault)
    assert fault.has_left


def test_a_program_that_prints_its_connections_does_not_print_the_key(capfd, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 5)
    with EchoServer() as fake:
        assert isinstance(post(fake.url), Reply)
    said = "".join(capfd.readouterr())
    assert "live_secret" not in said


def test_the_guard_above_guards_against_something(capfd, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 5)
    with EchoServer() as fake, requests.Session() as session:
        session.post(fake.url, headers={"x-api-key": "live_secret"})
    assert "live_secret" in "".join(capfd.readouterr())


def test_an_exception_alone_does_not_tell_whether_anything_left(tmp_path):
    """Why bytes are watched: requests raises the same for a certificate that is refused and for TLS broken later."""
    causes = []
    for is_trusted in (False, True):
        with TlsServer(tmp_path, talk_nonsense) as server, requests.Session() as session:
            session.trust_env = False
            with pytest.raises(requests.exceptions.SSLError) as caught:
                session.post(server.url + BUY, json={}, verify=server.authority if is_trusted else True, timeout=5)
            causes.append(type(caught.value.args[0]))
            assert len(server.requests) == is_trusted
    assert causes == [MaxRetryError, MaxRetryError]
