"""The service on loopback, and the adapter that speaks to it through the real SDK."""

from __future__ import annotations

import pytest

from codecarbon.handlers.offset.oneclickimpact import OneClickImpact
from codecarbon.handlers.offset.provider import Order
from tests.support.fakes.clock import FakeTime
from tests.support.fakes.oneclickimpact import LIVE_KEY, FakeOneClickImpact


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def fake(time):
    with FakeOneClickImpact(clock=time.clock) as server:
        yield server


@pytest.fixture
def make(fake, time):
    """Make an adapter for the fake; what takes seconds in life takes none, or a moment."""

    def make(**options):
        given = {"key": LIVE_KEY, "environment": "production", "base_url": fake.url, "timeout_s": (2.0, 0.5)}
        return OneClickImpact(**{**given, "clock": time.clock, "sleep": time.sleep, **options})

    return make


def order(number=1, pounds=1):
    return Order(f"offset-{number}", pounds, "ledger-1", "run-1")
