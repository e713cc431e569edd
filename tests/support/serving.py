"""An ASGI application on a loopback socket, in a thread of the test's own process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

START_S = 20.0


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application until the block ends; yields its address, for example ``http://127.0.0.1:40123``."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = threading.Event()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                started.set()

        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="auto")
        server = Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="test server")
        thread.start()
        try:
            assert started.wait(START_S), "the server did not start"
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
