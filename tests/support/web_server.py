"""The Carbon Aware WebApi on a real socket of this machine, for as long as a test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from codecarbon.carbon_aware.context import Context
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.options import Options
from codecarbon.carbon_aware.web import WebSettings, create_app
from codecarbon.carbon_aware.web.serving import Address, Server, listen

START_TIMEOUT_S = 20.0


@contextmanager
def running(source: Options | Context | Operations | None = None, settings: WebSettings | None = None) -> Iterator[str]:
    """Serve on a free port in a thread of this process; yields the address, without a slash at the end."""
    bounds = settings or WebSettings(shutdown_s=2)
    started = threading.Event()
    addresses: list[Address] = []

    def on_start(address: Address) -> None:
        addresses.append(address)
        started.set()

    listening = listen(Address("127.0.0.1", 0))
    server = Server(create_app(source, settings=settings), listening, bounds, on_start)
    thread = threading.Thread(target=server.run, name="web server under test")
    thread.start()
    try:
        if not started.wait(START_TIMEOUT_S):
            raise RuntimeError("the server did not start")
        yield addresses[0].url
    finally:
        server.stop()
        thread.join(START_TIMEOUT_S)
        assert not thread.is_alive(), "the server did not stop"
