"""The service on loopback, and the adapter that speaks to it through the real SDK."""

from __future__ import annotations

import logging
import os

import pytest

from codecarbon.config import forget_warnings
from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.oneclickimpact import OneClickImpact
from codecarbon.handlers.offset.provider import Order, fingerprint_of
from tests.support.fakes.clock import FakeTime
from tests.support.fakes.oneclickimpact import LIVE_KEY, FakeOneClickImpact
from tests.support.logger_state import KeptLog, restored_logger
from tests.support.offsets import Site, new_process


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def fake(time):
    with FakeOneClickImpact(clock=time.clock) as server:
        yield server


@pytest.fixture
def make(fake, time):
    """Make an adapter for the fake."""

    def make(**options):
        given = {"key": LIVE_KEY, "environment": "production", "base_url": fake.url, "timeout_s": (10.0, 10.0)}
        return OneClickImpact(**{**given, "clock": time.clock, "sleep": time.sleep, **options})

    return make


def order(number=1, pounds=1):
    return Order(f"offset-{number}", pounds, "ledger-1", "run-1")


@pytest.fixture
def log():
    """All that the package says."""
    forget_warnings()
    kept = KeptLog()
    with restored_logger() as logger:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(kept)
        yield kept


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The folder in which this user's ledger lies."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    new_process()
    return tmp_path / "state"


@pytest.fixture
def ledger_of(state):
    """The ledger of a key, as another process sees it."""

    def find(key=LIVE_KEY, environment="production"):
        return Ledger(provider="oneclickimpact", fingerprint=fingerprint_of(key), environment=environment)

    return find


@pytest.fixture
def shop(state, fake, tmp_path, log):
    """Trackers of exactly known emissions that buy at the fake, through the real SDK."""
    site = Site(tmp_path, offset_api_key=LIVE_KEY, offset_base_url=fake.url)
    yield site
    site.close()


@pytest.fixture
def environment(state):
    """What a child process needs to find the same ledger."""
    return {"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]}
