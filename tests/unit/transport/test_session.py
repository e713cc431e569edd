from __future__ import annotations

import gzip
import pickle
import socket
import threading

import pytest

from codecarbon.errors import ConfigError, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.transport import TokenBucket, Transport
from tests.support.fakes.base import Reply

SECRET = "s3cr3t-k3y-0123456789"


@pytest.fixture
def transport(fake, time):
    transport = Transport("echo", fake.url, **time.arguments)
    yield transport
    transport.close()


def test_a_get_sends_its_parameters_in_order(fake, transport):
    answer = transport.get("v1/x", [("b", "2"), ("a", "1:+ü")])
    assert answer.json() == {"path": "/v1/x", "query": [["b", "2"], ["a", "1:+ü"]]}
    assert fake.log[0].target == "/v1/x?b=2&a=1%3A%2B%C3%BC"
    assert answer.fetched_us == 1_795_176_000_000_000


def test_a_get_says_who_asks(fake, transport):
    transport.get("x")
    headers = fake.log[0].headers
    assert headers["user-agent"].startswith("codecarbon/4")
    assert "+https://" in headers["user-agent"]
    assert headers["accept"] == "application/json"
    assert "cookie" not in headers


def test_connections_are_kept(fake, transport):
    for _ in range(3):
        transport.get("x")
    assert {entry.connection for entry in fake.log} == {1}


@pytest.mark.parametrize("base", ["", "/", "/v3", "/v3/", "/v3//"])
@pytest.mark.parametrize("path", ["region", "/region"])
def test_defect_15_a_base_without_a_slash_loses_nothing(fake, time, base, path):
    with_base = Transport("echo", fake.url + base, **time.arguments)
    with_base.get(path)
    with_base.close()
    assert fake.log[0].path == ("/v3/region" if "v3" in base else "/region")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(fake, time, transport, status):
    fake.fail_next(2, status=status)
    assert transport.get("x").status == 200
    assert fake.count() == 3
    assert time.naps_s == [1.0, 2.0]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 413, 501])
def test_an_answer_that_will_not_change_is_not_asked_for_again(fake, time, transport, status):
    fake.fail_next(1, status=status, body={"error": "NO", "message": "because"}, headers={"Retry-After": "7"})
    with pytest.raises(ProviderRejected) as caught:
        transport.get("x", [("a", "b")])
    assert caught.value.status == status
    assert caught.value.detail == "Error requesting x?a=b: NO: because"
    assert caught.value.provider == "echo"
    assert caught.value.retry_after_s == 7
    assert fake.count() == 1
    assert transport.get("x").status == 200, "an answer, even a refusal, is no reason to leave a service alone"


def test_the_last_status_is_kept_when_all_tries_fail(fake, time, transport):
    fake.fail_next(3, status=503, body=b"down for repairs", content_type="text/plain")
    with pytest.raises(ProviderRejected, match="down for repairs") as caught:
        transport.get("x")
    assert caught.value.status == 503
    assert fake.count() == 3


def test_waits_have_full_jitter(fake, time):
    numbers = iter([0.25, 0.5])
    transport = Transport("echo", fake.url, **{**time.arguments, "jitter": lambda: next(numbers)})
    fake.fail_next(2, status=503)
    transport.get("x")
    transport.close()
    assert time.naps_s == [0.25, 1.0]


def test_more_tries_wait_4_s_at_most(fake, time):
    transport = Transport("echo", fake.url, tries=5, **time.arguments)
    fake.fail_next(4, status=503)
    transport.get("x")
    transport.close()
    assert time.naps_s == [1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_retry_after_in_seconds_is_honoured(fake, time, transport, status):
    fake.fail_next(1, status=status, headers={"Retry-After": "17"})
    assert transport.get("x").status == 200
    assert time.naps_s == [17.0]


@pytest.mark.parametrize("skew_s", [0, -7200, 7200])
def test_retry_after_as_a_date_is_honoured_whatever_the_clocks_say(fake, time, transport, skew_s):
    fake.skew_s = skew_s
    fake.fail_next(1, status=503, headers={"Retry-After": fake.retry_after_date(30)})
    assert transport.get("x").status == 200
    assert time.naps_s == [30.0]


@pytest.mark.parametrize("text", ["soon", "-5", "1e3", "²", "Fri, 99 Nov 2026 12:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_left_out(fake, time, transport, text):
    fake.fail_next(1, status=503, headers={"Retry-After": text.encode().decode("latin-1")})
    transport.get("x")
    assert time.naps_s == [1.0]


def test_a_retry_after_in_the_past_means_now(fake, time, transport):
    fake.fail_next(1, status=503, headers={"Retry-After": fake.retry_after_date(-30)})
    transport.get("x")
    assert time.naps_s == []
    assert fake.count() == 2


def test_a_longer_retry_after_ends_the_call_and_cools_down(fake, time, transport):
    fake.fail_next(1, status=429, headers={"Retry-After": "300"})
    with pytest.raises(ProviderRejected) as caught:
        transport.get("x")
    assert (caught.value.status, caught.value.retry_after_s) == (429, 300)
    assert time.naps_s == []
    time.pass_s(299)
    with pytest.raises(ProviderRejected, match="answered 429 a short while ago") as later:
        transport.get("x")
    assert (later.value.status, later.value.detail) == (429, caught.value.detail)
    assert later.value.retry_after_s == pytest.approx(1)
    assert fake.count() == 1
    time.pass_s(1.001)
    assert transport.get("x").status == 200


def test_a_429_that_names_no_pause_may_mean_a_given_one(fake, time):
    transport = Transport("echo", fake.url, unasked_wait_s=60.0, **time.arguments)
    fake.fail_next(1, status=429)
    with pytest.raises(ProviderRejected) as caught:
        transport.get("x")
    transport.close()
    assert (caught.value.status, caught.value.retry_after_s) == (429, 60)
    assert fake.count() == 1
    assert time.naps_s == []


def test_a_service_that_fails_is_left_alone_for_longer_each_time(fake, time, transport):
    fake.fail_next(99, status=500)
    pauses_s = []
    for _ in range(9):
        with pytest.raises(ProviderRejected):
            transport.get("x")
        seen = fake.count()
        with pytest.raises(ProviderRejected) as caught:
            transport.get("x")
        assert caught.value.status == 500
        assert fake.count() == seen
        pauses_s.append(caught.value.retry_after_s)
        time.pass_s(caught.value.retry_after_s)
    assert pauses_s == pytest.approx([30, 60, 120, 240, 480, 960, 1920, 3600, 3600])


def test_success_makes_it_trusted_again(fake, time, transport):
    fake.fail_next(3, status=500)
    with pytest.raises(ProviderRejected):
        transport.get("x")
    time.pass_s(30)
    transport.get("x")
    fake.fail_next(3, status=500)
    with pytest.raises(ProviderRejected):
        transport.get("x")
    with pytest.raises(ProviderRejected) as caught:
        transport.get("x")
    assert caught.value.retry_after_s == pytest.approx(30)


def test_each_cool_down_is_told_by_what_began_it(fake, time, transport):
    fake.fail_next(3, status=503)
    with pytest.raises(ProviderRejected):
        transport.get("x")
    time.pass_s(30)
    fake.close_next(3)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            transport.get("x")
    assert fake.count() == 6
    time.pass_s(60)
    fake.fail_next(3, status=500)
    for _ in range(2):
        with pytest.raises(ProviderRejected) as caught:
            transport.get("x")
        assert caught.value.status == 500
    assert fake.count() == 9


def test_a_time_out_is_tried_again_and_then_named(fake, time):
    transport = Transport("echo", fake.url, timeout_s=(1.0, 0.05), **time.arguments)
    fake.latency_s = 5.0
    with pytest.raises(ProviderUnavailable, match="no data in time") as caught:
        transport.get("x")
    transport.close()
    assert caught.value.retry_after_s == pytest.approx(30)
    assert fake.count() == 3


@pytest.mark.parametrize("after_request", [False, True])
def test_a_closed_connection_is_tried_again(fake, time, transport, after_request):
    fake.close_next(2, after_request=after_request)
    assert transport.get("x").status == 200
    assert fake.count() == 3


def test_a_connection_that_stays_closed_is_no_answer(fake, time, transport):
    fake.close_next(3)
    with pytest.raises(ProviderUnavailable):
        transport.get("x")
    assert fake.count() == 3


def test_nobody_listens(time):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        transport = Transport("echo", f"http://127.0.0.1:{unused.getsockname()[1]}", **time.arguments)
        with pytest.raises(ProviderUnavailable, match="refused"):
            transport.get("x")
    assert time.naps_s == [1.0, 2.0]


def test_half_a_body_is_no_data(fake, transport):
    fake.halve_next(1)
    with pytest.raises(ProviderDataError, match="short"):
        transport.get("x")
    assert fake.count() == 1


def test_a_body_that_trickles_without_an_end_is_given_up(fake, time):
    def monotonic():
        time.pass_s(10)  # ten seconds for every byte
        return time.monotonic()

    transport = Transport("echo", fake.url, **{**time.arguments, "monotonic": monotonic})
    fake.trickle_next(1, 0.005)
    with pytest.raises(ProviderUnavailable, match="no data in time"):
        transport.get("x", [("long", "x" * 1000)])
    transport.close()


def test_a_body_that_trickles_in_time_is_whole(fake, transport):
    fake.trickle_next(1, 0.0005)
    assert transport.get("x").json() == {"path": "/x", "query": []}


def test_a_compressed_body_is_unpacked_and_a_broken_one_refused(fake, transport):
    packed = gzip.compress(b'{"a": 1}')
    fake.replies = {
        "/good": Reply(packed, headers={"Content-Encoding": "gzip"}),
        "/bad": Reply(b"no gzip at all", headers={"Content-Encoding": "gzip"}),
        "/half": Reply(packed[:-12], headers={"Content-Encoding": "gzip"}),
    }
    assert transport.get("good").json() == {"a": 1}
    with pytest.raises(ProviderDataError):
        transport.get("bad")
    transport._breaker.passed()
    with pytest.raises(ProviderDataError):
        transport.get("half").json()


def test_a_status_can_be_accepted(fake, transport):
    fake.fail_next(1, status=404, body={"error": "No coverage"})
    assert transport.get("x", accept_status={404}).json() == {"error": "No coverage"}


def test_redirects_are_followed_without_a_credential_only(fake, time):
    fake.replies = {"/x": Reply(b"", 302, {"Location": "/y"})}
    free = Transport("echo", fake.url, **time.arguments)
    assert free.get("x").json()["path"] == "/y"
    keyed = Transport("echo", fake.url, credential=True, **time.arguments)
    with pytest.raises(ProviderRejected) as caught:
        keyed.get("x", headers={"auth-token": SECRET})
    free.close(), keyed.close()
    assert caught.value.status == 302
    assert fake.counts == {"/x": 2, "/y": 1}


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "http://192.168.0.7/", "http://user:pw@127.0.0.1/", "ftp://127.0.0.1", "example.org", "",
     "http://", "https://example.org/?token=abc", "http://127.0.0.1:notaport/"],
)  # fmt: skip
def test_an_address_that_will_not_do_is_refused(url):
    with pytest.raises(ConfigError) as caught:
        Transport("echo", url, credential=True)
    assert "pw" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/", "https://example.org"]
)
def test_an_address_that_will_do(url):
    assert Transport("echo", url, credential=True).base_url.endswith("/")


def test_plain_http_will_do_without_a_credential():
    assert Transport("echo", "http://example.org/v1").base_url == "http://example.org/v1/"


def texts_of(error):
    """All texts that a traceback or a log could show for an exception."""
    texts, todo = [], [error]
    while todo:
        item = todo.pop()
        texts += [str(item), repr(item), repr(item.__dict__), repr(item.args)]
        todo += [inner for inner in (item.__cause__, item.__context__) if inner is not None]
    return "\n".join(texts)


@pytest.mark.parametrize("fault", ["status", "closed", "half", "slow", "nobody"])
def test_no_error_tells_a_secret(fake, time, fault):
    url = fake.url
    if fault == "status":
        echo = {"error": f"no such key {SECRET}", "message": f"http://u:{SECRET}@host Bearer {SECRET}"}
        fake.fail_next(3, status=403, body=echo)
    elif fault == "closed":
        fake.close_next(3)
    elif fault == "half":
        fake.halve_next(1)
    elif fault == "slow":
        fake.latency_s = 5.0
    else:
        url = "http://127.0.0.1:9"
    transport = Transport("echo", url, credential=True, timeout_s=(1.0, 0.05), **time.arguments)
    with pytest.raises((ProviderRejected, ProviderUnavailable, ProviderDataError)) as caught:
        transport.get(
            "x",
            [("securityToken", SECRET), ("api_key", SECRET), ("token", SECRET), ("zone", "DE")],
            headers={"Authorization": f"Bearer {SECRET}"},
            auth=("user", SECRET),
        )
    transport.close()
    assert SECRET not in texts_of(caught.value) + repr(transport)
    assert "zone=DE" in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("value", [f"{SECRET}\nX: y", f" {SECRET}", f"{SECRET}é"])
def test_a_key_that_cannot_be_sent_is_refused_without_telling_it(fake, transport, value):
    with pytest.raises(ConfigError) as caught:
        transport.get("x", headers={"auth-token": value})
    assert SECRET not in texts_of(caught.value)
    assert fake.count() == 0


def test_user_and_password_are_sent_in_utf_8(time):
    from tests.support.fakes.base import EchoServer

    class Recorder(EchoServer):
        def answer(self, request):
            return Reply({"sent": request.headers["Authorization"]})

    with Recorder() as fake:
        transport = Transport("echo", fake.url, credential=True, **time.arguments)
        assert transport.get("x", auth=("jörg", "p:ä")).json() == {"sent": "Basic asO2cmc6cDrDpA=="}
        transport.close()


def test_netrc_is_not_asked(fake, transport, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    transport.get("x")
    assert "authorization" not in fake.log[0].headers


def test_calls_keep_to_the_rate(fake, time):
    bucket = TokenBucket(4, 40.0, monotonic=time.monotonic)
    transport = Transport("echo", fake.url, rate=bucket, **time.arguments)
    for _ in range(4):
        transport.get("x")
    transport.close()
    assert time.naps_s == pytest.approx([20.0, 20.0])


def test_further_tries_count_against_the_rate(fake, time):
    bucket = TokenBucket(4, 40.0, monotonic=time.monotonic)
    transport = Transport("echo", fake.url, rate=bucket, **time.arguments)
    fake.fail_next(2, status=503)
    transport.get("x")
    transport.close()
    assert time.naps_s == pytest.approx([1.0, 2.0, 17.0])


def test_a_rate_that_needs_too_long_a_wait_is_said(fake, time):
    bucket = TokenBucket(2, 400.0, monotonic=time.monotonic)
    transport = Transport("echo", fake.url, rate=bucket, **time.arguments)
    transport.get("x")
    with pytest.raises(ProviderUnavailable, match="allows no more calls") as caught:
        transport.get("x")
    transport.close()
    assert caught.value.retry_after_s == pytest.approx(400)
    assert fake.count() == 1


def test_threads_share_a_transport(fake, transport):
    answers = []
    threads = [
        threading.Thread(target=lambda number=number: answers.append(transport.get(f"x/{number}").json()["path"]))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(f"/x/{number}" for number in range(16))


def test_a_body_beyond_belief_is_refused(fake, transport):
    fake.replies = {"/x": Reply(b" " * (33 * 1024 * 1024))}
    with pytest.raises(ProviderDataError, match="more than"):
        transport.get("x")


def test_it_works_again_after_close(fake, transport):
    transport.get("x")
    transport.close()
    transport.get("x")
    assert [entry.connection for entry in fake.log] == [1, 2]


def test_the_log_tells_no_secret_and_makes_no_noise(fake, time, caplog):
    caplog.set_level("DEBUG")
    transport = Transport("echo", fake.url, credential=True, **time.arguments)
    fake.close_next(1)
    fake.fail_next(1, status=503)
    transport.get("x", [("token", SECRET), ("share", "100%")], headers={"auth-token": SECRET})
    transport.close()
    assert "share=100%25" in caplog.text, "the log is on"
    assert SECRET not in caplog.text
    assert [record.levelname for record in caplog.records if record.levelno > 10] == []
