"""What the tests of the WebApi share: a server on a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from codecarbon.carbon_aware.context import Context
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.options import Options
from codecarbon.carbon_aware.web import WebSettings
from tests.support.web_server import running

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test; returns the address of each."""
    with ExitStack() as stack:

        def start(source: Options | Context | Operations | None = None, *, settings: WebSettings | None = None) -> str:
            return stack.enter_context(running(source, settings))

        yield start
