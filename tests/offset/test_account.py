"""Whose key it is, what a purchase would be, and cancelling."""

from __future__ import annotations

import json

import pytest

from codecarbon.handlers.offset.oneclickimpact import mask_email
from codecarbon.handlers.offset.provider import Account
from tests.offset.conftest import order
from tests.support.fakes.oneclickimpact import ADA, BOB, CANCEL, OTHER_LIVE_KEY, TEST_KEY, WHOAMI

DAY_S = 86_400


def test_an_account_is_told_without_its_whole_address(make):
    assert make().account() == Account(ADA, "a***@example.org")
    assert make(key=OTHER_LIVE_KEY).account() == Account(BOB, "b***@example.com")


@pytest.mark.parametrize(
    ("email", "masked"), [("a@b.example", "a***@b.example"), ("", ""), ("nobody", "n***"), ("\x1b[1m@x", "[***@x")]
)
def test_an_address_is_masked(email, masked):
    assert mask_email(email) == masked


def test_a_good_answer_is_kept_for_a_day(fake, make, time):
    provider = make()
    for _ in range(3):
        provider.account()
    assert fake.count(WHOAMI) == 1
    time.pass_s(DAY_S)
    provider.account()
    assert fake.count(WHOAMI) == 2


def test_a_clock_that_goes_back_does_not_keep_it_for_ever(fake, make, time):
    provider = make()
    provider.account()
    time.pass_s(-1)
    provider.account()
    assert fake.count(WHOAMI) == 2


@pytest.mark.parametrize(
    "body", [{}, [], "x", {"user_id": ADA}, {"user_id": 7, "email": "x"}, {"user_id": ADA, "email": 1}]
)
def test_an_answer_without_an_account_is_none_and_not_kept(fake, make, body):
    provider = make()
    fake.send_next(1, body, path=WHOAMI)
    assert provider.account() is None
    assert provider.account() is not None


def test_a_quote_names_the_account_and_invents_no_price(make):
    quote = make().quote(2)
    assert (quote.pounds, quote.cost_cents, quote.account) == (2, None, "a***@example.org")
    assert quote.mass_kg == 0.90718474
    assert "publishes no price" in quote.note


def test_a_quote_buys_nothing(fake, make):
    make().quote(5)
    assert fake.posts == 0
    assert fake.counts == {WHOAMI: 1}


def test_a_quote_of_the_sandbox_says_so(make):
    assert "sandbox" in make(key=TEST_KEY, environment="sandbox").quote(1).note
    assert "sandbox" not in make().quote(1).note


def test_a_quote_says_what_is_wrong_with_the_key(make):
    quote = make(key="live_unknown").quote(1)
    assert quote.account is None
    assert "401 key_error: API Key does not exist" in quote.note


def test_a_quote_comes_without_the_service(make):
    quote = make(base_url="http://127.0.0.1:9").quote(1)
    assert quote.account is None
    assert "nothing was sent" in quote.note


# --- cancelling ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bought(make):
    provider = make()
    outcome = provider.purchase(order())
    return provider, outcome.user_id, outcome.time_utc


def test_a_purchase_can_be_cancelled_once_and_again(fake, bought):
    provider, *names = bought
    first = provider.cancel(*names, "bought by mistake")
    assert (first.kind, first.cancelled_on, first.message) == (
        "cancelled",
        "2026-11-20T12:00:00.000Z",
        "Impact cancelled",
    )
    assert provider.cancel(*names) == first
    assert fake.pounds_bought() == 0
    assert [json.loads(entry.body).get("reason") for entry in fake.seen(CANCEL)] == ["bought by mistake", None]


@pytest.mark.parametrize("length", [200, 201])
def test_a_reason_has_a_longest_length(fake, bought, length):
    provider, *names = bought
    assert provider.cancel(*names, "x" * length).kind == ("cancelled" if length == 200 else "not_cancelled")
    assert fake.count(CANCEL) == (1 if length == 200 else 0)


def test_what_does_not_exist_cannot_be_cancelled(make):
    told = make().cancel(ADA, "2020-01-01T00:00:00.000Z")
    assert (told.kind, told.error_kind) == ("not_cancelled", "invalid_request_error")
    assert "does not exist" in told.message


def test_nobody_elses_purchase_can_be_cancelled(make, bought, fake):
    _, *names = bought
    assert make(key=OTHER_LIVE_KEY).cancel(*names).kind == "not_cancelled"
    assert fake.pounds_bought() == 1


@pytest.mark.parametrize("switch", ["drop_next", "halve_next", "html_next", "close_next"])
def test_without_an_answer_it_is_not_known_whether_it_was_cancelled(fake, bought, switch):
    provider, *names = bought
    getattr(fake, switch)(1, path=CANCEL)
    assert provider.cancel(*names).kind == "unknown"
    assert fake.count(CANCEL) == 1
    assert provider.cancel(*names).kind == "cancelled"


@pytest.mark.parametrize("change", [{"user_id": BOB}, {"time_utc": "x"}, {"cancelled_on": None}, {"cancelled_on": ""}])
def test_an_answer_about_something_else_does_not_say_that_it_was_cancelled(fake, bought, change):
    provider, user_id, time_utc = bought
    whole = {"user_id": user_id, "time_utc": time_utc, "cancelled_on": "2026-11-20T12:00:00.000Z", "message": "ok"}
    fake.send_next(1, {**whole, **change}, path=CANCEL)
    assert provider.cancel(user_id, time_utc).kind == "unknown"
