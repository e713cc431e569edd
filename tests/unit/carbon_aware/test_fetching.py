"""Questions to several places at the same time, in a process that forks."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from codecarbon.carbon_aware.fetching import Fetcher
from tests.support.fake_provider import FakeProvider


@pytest.fixture
def fetcher():
    made = Fetcher(SimpleNamespace(options=SimpleNamespace(limits=SimpleNamespace(max_concurrent_fetches=1))))
    yield made
    made.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, in a process with threads
def test_a_forked_child_starts_threads_of_its_own(fetcher):
    source = FakeProvider()
    assert fetcher.map(source, str, [1, 2]) == ["1", "2"]
    child = os.fork()
    if not child:
        signal.alarm(10)  # ends a child that waits for ever
        os._exit(fetcher.map(source, str, [1, 2]) != ["1", "2"])
    assert os.waitpid(child, 0)[1] == 0
    assert fetcher.map(source, str, [3, 4]) == ["3", "4"]
