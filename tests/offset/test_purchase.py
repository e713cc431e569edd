"""What the adapter makes of each answer to an order, through the real SDK: the verdict, and how many orders came in."""

from __future__ import annotations

import json
import socket

import pytest

from codecarbon._version import __version__
from codecarbon.handlers.offset.oneclickimpact import TIMEOUT_S, OneClickImpact
from codecarbon.handlers.offset.provider import Order, running_s
from tests.offset.conftest import order
from tests.support.fakes.oneclickimpact import ADA, BUY, LIVE_KEY, SECOND_TEST_KEY, TEST_KEY, FakeOneClickImpact

BOUGHT, NOT_BOUGHT, UNKNOWN = "bought", "not_bought", "unknown"


def test_an_order_buys_its_pounds_with_one_request(fake, make):
    outcome = make().purchase(order(pounds=3))
    assert outcome.kind == BOUGHT
    assert (outcome.user_id, outcome.pounds) == (ADA, 3)
    assert fake.posts == 1
    assert fake.pounds_bought() == 3
    assert fake.bought()[0].time_utc == outcome.time_utc


def test_what_goes_out_is_what_was_ordered_and_nothing_else(fake, make):
    make().purchase(Order("offset-7", 2, "ledger-7", "run-7"))
    (entry,) = fake.seen(BUY)
    assert json.loads(entry.body) == {
        "amount": 2,
        "notify": False,
        "metadata": {
            "codecarbon_offset_id": "offset-7",
            "codecarbon_ledger_id": "ledger-7",
            "codecarbon_run_id": "run-7",
            "tool_version": __version__,
        },
    }
    assert entry.query == ()
    assert entry.headers["content-type"] == "application/json"
    assert entry.headers["user-agent"].startswith("codecarbon/")
    assert "cookie" not in entry.headers


def test_an_order_for_no_run_says_so_by_leaving_it_out(fake, make):
    assert make().purchase(Order("offset-7", 2, "ledger-7", "")).kind == BOUGHT
    assert "codecarbon_run_id" not in fake.bought()[0].metadata


def test_an_order_that_has_grown_old_is_not_sent(fake, make):
    outcome = make().purchase(order()._replace(send_by_s=running_s() - 1))
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "connection")
    assert outcome.message.startswith("nothing was sent: ")
    assert fake.posts == 0


def test_the_sandbox_has_books_of_its_own(fake, make):
    assert make(key=TEST_KEY, environment="Sandbox ").purchase(order()).kind == BOUGHT
    assert fake.pounds_bought("sandbox") == 1
    assert fake.pounds_bought("production") == 0


@pytest.mark.parametrize("pounds", [0, -1, 1.0, True, 10_000_001, None, "1"])
def test_what_is_no_order_is_not_sent(fake, make, pounds):
    outcome = make().purchase(order(pounds=pounds))
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "order")
    assert fake.count() == 0


def test_an_order_without_a_name_could_never_be_found_again_and_is_not_sent(fake, make):
    assert make().purchase(Order("", 1, "ledger-1", "run-1")).kind == NOT_BOUGHT
    assert fake.count() == 0


# --- the service's own errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["key_error", "invalid_request_error"])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422, 429, 499])
def test_a_refusal_says_that_nothing_was_bought(fake, make, kind, status):
    fake.refuse_next(1, kind, "API Key does not exist", status=status)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, kind)
    assert outcome.message == f"the service answered {status} {kind}: API Key does not exist"
    assert fake.posts == 1


def test_a_key_that_the_service_does_not_know_is_a_key_error(fake, make):
    outcome = make(key="live_unknown").purchase(order())
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "key_error")
    assert fake.posts == 1


def test_a_key_of_another_environment_is_refused_by_the_service_too(make, time):
    with FakeOneClickImpact(environment="production", clock=time.clock) as live:
        outcome = make(key="x" + SECOND_TEST_KEY, base_url=live.url).purchase(order())
        assert outcome.error_kind == "key_error"
        assert live.pounds_bought() == 0


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 451])
@pytest.mark.parametrize("body", [{}, {"message": "forbidden"}, {"detail": "x"}])
def test_an_error_without_a_type_is_a_gateway_that_let_nothing_through(fake, make, status, body):
    fake.fail_next(1, status=status, body=body, path=BUY)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "status")
    assert str(status) in outcome.message
    assert fake.posts == 1


@pytest.mark.parametrize("status", [408, 409, 425])
@pytest.mark.parametrize("body", [{}, {"type": "invalid_request_error", "message": "again?"}])
@pytest.mark.parametrize("acts", [False, True])
def test_some_statuses_below_500_leave_it_open(fake, make, status, body, acts):
    fake.fail_next(1, status=status, body=body, path=BUY, acts=acts)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1
    assert fake.pounds_bought() == acts


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
@pytest.mark.parametrize("acts", [False, True])
def test_an_error_of_the_service_itself_leaves_it_open(fake, make, status, acts):
    fake.refuse_next(1, "api_error", "oops", status=status, acts=acts)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (UNKNOWN, "api_error")
    assert fake.posts == 1
    assert fake.pounds_bought() == acts


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", [{}, {"type": "key_error", "message": "x"}, {"type": "invalid_request_error"}, []])
def test_any_status_of_500_and_more_leaves_it_open(fake, make, status, body):
    fake.fail_next(1, status=status, body=body, path=BUY)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1


@pytest.mark.parametrize(
    "body",
    [
        {"type": "rate_error", "message": "x"},
        {"type": "about:blank", "title": "x", "status": 403},
        {"type": None},
        {"type": ""},
        {"type": "api_error"},
        {"type": 7},
        {"type": ["key_error"]},
        [],
        ["type", "message"],
        "key_error",
        7,
        None,
    ],
)
def test_an_error_of_an_unknown_type_leaves_it_open(fake, make, body):
    fake.fail_next(1, status=403, body=body, path=BUY)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1


@pytest.mark.parametrize("has_date", [False, True])
def test_a_wish_to_be_left_alone_is_told_and_changes_nothing_else(fake, make, has_date):
    wish = fake.retry_after_date(90) if has_date else "90"
    fake.refuse_next(1, "api_error", "slow down", status=429, headers={"Retry-After": wish})
    outcome = make().purchase(order())
    assert outcome.kind == UNKNOWN
    assert "left alone for 90 s" in outcome.message
    assert fake.posts == 1


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("acts", [False, True])
def test_a_redirect_to_the_service_itself_is_not_followed(fake, make, status, acts):
    fake.redirect_next(1, BUY, status=status, acts=acts)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1
    assert fake.pounds_bought() == acts


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(fake, make, status, time):
    with FakeOneClickImpact(clock=time.clock) as other:
        fake.redirect_next(1, other.url + BUY, status=status)
        assert make().purchase(order()).kind == UNKNOWN
        assert other.count() == 0
    assert fake.count() == 1


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_nowhere_does_not_look_like_nothing_was_sent(fake, make, status):
    fake.redirect_next(1, f"http://127.0.0.1:{closed_port()}/", status=status, acts=True)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.pounds_bought() == 1


# --- no answer -------------------------------------------------------------------------------------------------------


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_refused_connection_sent_nothing(make):
    outcome = make(base_url=f"http://127.0.0.1:{closed_port()}").purchase(order())
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "connection")
    assert "nothing was sent" in outcome.message


def test_a_name_that_nobody_knows_sent_nothing(make):
    """The name is one that cannot be asked for, so that no resolver is."""
    outcome = make(base_url=f"https://{'a' * 64}.example").purchase(order())
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "connection")


def test_a_connection_that_never_comes_about_sent_nothing(make):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        address = silent.getsockname()
        queue = [socket.socket() for _ in range(4)]
        try:
            for waiting in queue:  # fill the queue of connections that nobody accepts
                waiting.setblocking(False)
                waiting.connect_ex(address)
            outcome = make(base_url=f"http://127.0.0.1:{address[1]}", timeout_s=(0.3, 0.3)).purchase(order())
        finally:
            for waiting in queue:
                waiting.close()
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "connection")


def test_a_connection_that_is_never_encrypted_sent_nothing(fake, make):
    outcome = make(base_url=fake.url.replace("http:", "https:")).purchase(order())
    assert (outcome.kind, outcome.error_kind) == (NOT_BOUGHT, "connection")
    assert fake.posts == 0


@pytest.mark.parametrize("after_request", [False, True])
def test_a_connection_that_ends_after_the_request_leaves_it_open(fake, make, after_request):
    fake.close_next(1, path=BUY, after_request=after_request)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (UNKNOWN, "connection")
    assert fake.posts == 1


def test_an_order_that_was_carried_out_without_a_reply_is_open(fake, make):
    fake.drop_next(1, path=BUY)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1
    assert fake.pounds_bought() == 1


def test_half_an_answer_leaves_it_open(fake, make):
    fake.halve_next(1, path=BUY)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1
    assert fake.pounds_bought() == 1


@pytest.mark.parametrize("acts", [False, True])
def test_a_service_that_hangs_is_given_up_on_and_leaves_it_open(fake, make, acts):
    fake.hang_next(1, path=BUY, acts=acts)
    outcome = make(timeout_s=(10.0, 1.0)).purchase(order())
    assert outcome.kind == UNKNOWN
    assert "no data in time" in outcome.message
    assert fake.posts == 1
    assert fake.pounds_bought() == acts


def test_nobody_waits_longer_than_half_a_minute_unless_told_to(fake):
    provider = OneClickImpact(key=LIVE_KEY, environment="production", base_url=fake.url)
    asked = []

    def connect(address, timeout=None, *others, **named):
        asked.append(timeout)
        raise ConnectionRefusedError(address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("urllib3.util.connection.create_connection", connect)
        assert provider.purchase(order()).kind == NOT_BOUGHT
    assert (asked, TIMEOUT_S) == ([5.0], (5.0, 30.0))
    assert provider.purchase(order()).kind == BOUGHT


def test_an_answer_that_is_slow_but_in_time_counts(fake, make):
    fake.latency_s = 0.2
    assert make(timeout_s=(10.0, 10.0)).purchase(order()).kind == BOUGHT


# --- answers that are none -------------------------------------------------------------------------------------------

WHOLE = {"user_id": ADA, "carbon_captured": 1, "time_utc": "2026-11-20T09:14:31.207Z"}


@pytest.mark.parametrize("acts", [False, True])
def test_a_page_for_people_leaves_it_open(fake, make, acts):
    fake.html_next(1, path=BUY, acts=acts)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (UNKNOWN, "answer")
    assert fake.posts == 1
    assert fake.pounds_bought() == acts


@pytest.mark.parametrize("status", [400, 401, 429, 502])
def test_an_error_that_is_no_json_leaves_it_open(fake, make, status):
    fake.fail_next(1, status=status, body=b"<html>x</html>", content_type="text/html", path=BUY)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_without_a_field_leaves_it_open(fake, make, name):
    fake.send_next(1, {key: value for key, value in WHOLE.items() if key != name}, path=BUY, acts=True)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (UNKNOWN, "answer")
    assert "KeyError" in outcome.message
    assert fake.posts == 1


@pytest.mark.parametrize("body", [[], [WHOLE], "bought", 1, None, True, {}, b"", b"{", b"\xff", b"[" * 100_000])
def test_an_answer_of_another_shape_leaves_it_open(fake, make, body):
    fake.send_next(1, body, path=BUY, acts=True)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1


@pytest.mark.parametrize("customer", ["x", [1], {"customer_id": None, "x": 1}, {"x": 1}, 7])
def test_a_customer_that_the_sdk_stumbles_over_never_means_not_bought(fake, make, customer):
    fake.send_next(1, {**WHOLE, "customer": customer}, path=BUY, acts=True)
    assert make().purchase(order()).kind in {BOUGHT, UNKNOWN}
    assert fake.posts == 1


@pytest.mark.parametrize("pounds", [0, -1, 1.0, 1.5, True, False, None, "1", [1], {}])
def test_pounds_that_are_no_positive_whole_number_leave_it_open(fake, make, pounds):
    fake.send_next(1, {**WHOLE, "carbon_captured": pounds}, path=BUY, acts=True)
    outcome = make().purchase(order())
    assert (outcome.kind, outcome.error_kind) == (UNKNOWN, "answer")
    assert fake.posts == 1


@pytest.mark.parametrize("name", ["user_id", "time_utc"])
@pytest.mark.parametrize("value", [None, "", " ", 7, [], "x" * 201, "a\nb"])
def test_a_purchase_without_a_name_leaves_it_open(fake, make, name, value):
    fake.send_next(1, {**WHOLE, name: value}, path=BUY, acts=True)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1


@pytest.mark.parametrize("pounds", [1, 2, 500])
def test_what_was_really_bought_is_told_even_if_it_is_not_what_was_ordered(fake, make, pounds):
    fake.send_next(1, {**WHOLE, "carbon_captured": pounds}, path=BUY)
    outcome = make().purchase(order(pounds=2))
    assert (outcome.kind, outcome.pounds) == (BOUGHT, pounds)


def test_an_answer_is_an_object_and_needs_no_more_than_three_fields(fake, make):
    fake.send_next(1, WHOLE, path=BUY)
    outcome = make().purchase(order())
    assert outcome == (BOUGHT, ADA, WHOLE["time_utc"], 1, "", "")


@pytest.mark.parametrize("status", [201, 202, 206, 299])
def test_any_good_status_with_a_whole_answer_counts(fake, make, status):
    fake.fail_next(1, status=status, body=WHOLE, path=BUY)
    assert make().purchase(order()).kind == BOUGHT


@pytest.mark.parametrize("status", [300, 302, 304, 307, 500, 503])
def test_no_other_status_makes_a_whole_answer_a_purchase(fake, make, status):
    fake.fail_next(1, status=status, body=WHOLE, path=BUY)
    assert make().purchase(order()).kind == UNKNOWN
    assert fake.posts == 1


def test_an_answer_that_comes_twice_is_told_twice(fake, make):
    """The ledger knows that one purchase settles one order; here it is the service that errs."""
    provider = make()
    first = provider.purchase(order(1))
    fake.repeat_next(1)
    second = provider.purchase(order(2))
    assert (second.user_id, second.time_utc) == (first.user_id, first.time_utc)
    assert fake.posts == 2
    assert fake.pounds_bought() == 1


# --- surroundings ----------------------------------------------------------------------------------------------------


def test_proxies_and_passwords_of_the_environment_are_not_used(fake, make, monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ada password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert make().purchase(order()).kind == BOUGHT
    assert "authorization" not in fake.seen(BUY)[0].headers


def test_every_order_has_a_connection_of_its_own(fake, make):
    provider = make()
    for number in range(3):
        assert provider.purchase(order(number)).kind == BOUGHT
    assert len({entry.connection for entry in fake.seen(BUY)}) == 3


def test_a_base_address_may_have_a_path(make, time):
    class Behind(FakeOneClickImpact):
        def answer(self, request):
            return super().answer(request._replace(path=request.path.removeprefix("/offsets")))

    with Behind(clock=time.clock) as fake:
        assert make(base_url=f"{fake.url}/offsets/").purchase(order()).kind == BOUGHT
        assert fake.counts == {f"/offsets{BUY}": 1}


def test_the_log_of_the_fake_masks_the_key(fake, make):
    make().purchase(order())
    assert fake.seen(BUY)[0].headers["x-api-key"] == f"***{LIVE_KEY[-4:]}"
