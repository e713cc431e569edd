from __future__ import annotations

import pytest

from tests.support.fakes.base import EchoServer
from tests.support.fakes.clock import FakeTime


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def fake(time):
    with EchoServer(clock=time.clock) as server:
        yield server
