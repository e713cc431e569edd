"""The key is in no log, text, repr, dump or crash report, whatever the service and the program do."""

from __future__ import annotations

import http.client
import io
import logging
import pickle
import sys
import traceback
from urllib.parse import quote

import pytest
import requests

from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.dry_run import DryRun
from codecarbon.handlers.offset.oneclickimpact import OneClickImpact
from codecarbon.handlers.offset.provider import check_key, make_provider
from tests.offset.conftest import order
from tests.support.fakes.oneclickimpact import ADA, BUY, CANCEL, RECORDS, WHOAMI, Owner

# Characters that other spellings of it would change.
KEY = "live_a+b/c=d&e%41~0123456789"
SPELLINGS = (KEY, quote(KEY, safe=""), quote(KEY), KEY[len("live_") :])
PATHS = (BUY, RECORDS, WHOAMI, CANCEL)


class Everything:
    """All that comes out of a piece of work."""

    def __init__(self):
        self.texts = []

    def add(self, *items):
        for item in items:
            self.texts += [str(item), repr(item)]

    def work(self, provider):
        outcome = provider.purchase(order())
        self.add(provider, vars(provider), outcome, provider.find(), provider.quote(1))
        if hasattr(provider, "account"):
            self.add(provider.account(), provider.cancel(ADA, "2026-11-20T12:00:00.000Z", "why not"))


@pytest.fixture
def everything(caplog, capfd, monkeypatch):
    """Collect it while the program logs and prints as much as it can, and search it in the end."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 5)
    caplog.set_level(logging.DEBUG)
    collected = Everything()
    yield collected
    formatter = logging.Formatter("%(name)s %(message)s %(exc_text)s")
    collected.texts += [formatter.format(record) + repr(vars(record)) for record in caplog.records]
    collected.texts += capfd.readouterr()
    text = "\n".join(collected.texts)
    assert len(text) > 50
    for spelling in SPELLINGS:
        assert spelling not in text


@pytest.fixture
def keyed(fake):
    fake.keys[KEY] = Owner(ADA, "ada@example.org", "production")
    return fake


def echo(fake, status):
    """Have the service say the key wherever it can say something."""
    body = {"type": "key_error", "message": f"no such key: {KEY} ({quote(KEY, safe='')})", "cursor": KEY}
    for path in PATHS:
        fake.fail_next(5, status=status, path=path, body=body, headers={"X-Key": KEY, "Retry-After": "1"})


def test_when_all_goes_well(everything, keyed, make):
    everything.work(make(key=KEY))
    assert len(keyed.books["production"]) == 1


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500])
def test_when_the_service_says_the_key(everything, keyed, make, status):
    echo(keyed, status)
    everything.work(make(key=KEY))


@pytest.mark.parametrize("switch", ["close_next", "drop_next", "halve_next", "html_next"])
def test_when_answers_do_not_arrive(everything, keyed, make, switch):
    getattr(keyed, switch)(20)
    everything.work(make(key=KEY))


def test_when_records_hold_the_key(everything, keyed, make):
    keyed.send_next(1, {"user_records": [KEY], "cursor": KEY}, path=RECORDS)
    everything.add(make(key=KEY).find())


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_when_nobody_is_there(everything, make, address):
    everything.work(make(key=KEY, base_url=address))


def test_when_it_runs_dry(everything, keyed, make):
    everything.work(DryRun(make(key=KEY)))


@pytest.mark.parametrize(
    "arguments", [{"environment": "sandbox"}, {"environment": "prod"}, {"base_url": "http://a.example"}]
)
def test_when_arguments_are_refused(everything, make, arguments):
    with pytest.raises(ConfigError) as caught:
        make(key=KEY, **arguments)
    error = caught.value
    everything.add(error, error.args, vars(error), pickle.loads(pickle.dumps(error)))
    everything.add("".join(traceback.format_exception(type(error), error, error.__traceback__)))


@pytest.mark.parametrize("key", [KEY + " x", KEY + "\n.", KEY + "é"])
def test_when_the_key_itself_is_refused(everything, key):
    for make in (lambda: check_key(key, "production"), lambda: make_provider("x", key=key, environment="production")):
        with pytest.raises(ConfigError) as caught:
            make()
        everything.add(caught.value, vars(caught.value), "long enough to be searched by the guard of this test")


def test_when_a_crash_report_dumps_our_variables(everything, keyed, make, monkeypatch):
    """A fault of the kind that nobody expects, at the moment of sending, with all variables of our own frames."""

    class Crash(BaseException):
        pass

    def crash(*arguments, **named):
        raise Crash

    monkeypatch.setattr(requests.Session, "request", crash)
    provider = make(key=KEY)
    for work in (lambda: provider.purchase(order()), provider.account, lambda: provider.cancel(ADA, "x")):
        with pytest.raises(Crash) as caught:
            work()
        for frame, _ in traceback.walk_tb(caught.value.__traceback__):
            if "codecarbon" in frame.f_code.co_filename:
                everything.add(frame.f_locals)
    assert any("Request(" in text for text in everything.texts)


def test_the_guard_finds_what_it_searches_for(fake, caplog, capfd, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 5)
    with requests.Session() as session:
        session.get(fake.url, headers={"x-api-key": KEY})
    assert KEY in capfd.readouterr().out


def test_an_adapter_cannot_be_pickled_with_its_key(make):
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dump(make(key=KEY), io.BytesIO())
    assert OneClickImpact.__module__ in sys.modules
