"""A server that is ready: listens, says what it serves, and ends cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import uvicorn

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import Context, build_context
from codecarbon.carbon_aware.web.app import create_app
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from fastapi import FastAPI

    from codecarbon.carbon_aware.options import Options
    from codecarbon.carbon_aware.web_settings import WebSettings

_log = logging.getLogger("codecarbon.carbon_aware.serve")
_BACKLOG, _MAX_PORT = 2048, 65535
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8080
_ANY_HOST = {"*", "+", "0.0.0.0", "[::]"}  # noqa: S104 (spellings in ASPNETCORE_URLS, which somebody has to set)


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its address for clients on this machine."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104 (compared, not bound)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}"


def find_address(host: str | None = None, port: int | None = None, urls: Sequence[str] = ()) -> Address:
    """Decide where to listen: arguments, then the settings' first plain address, then 127.0.0.1:8080.

    Args:
        host: Host name or address; None if not given.
        port: Port; None if not given.
        urls: Addresses of the settings, for example ``http://*:80``.

    Raises:
        ConfigError: An address cannot be used.
    """
    first = next((url for url in urls if url.lower().startswith("http://")), None)
    found = Address(DEFAULT_HOST, DEFAULT_PORT) if first is None else _parse(first)
    return Address(host or found.host, found.port if port is None else port)


def _parse(url: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError("urls", url, "settings", "an address such as http://127.0.0.1:8080") from error
    if not host:
        raise ConfigError("urls", url, "settings", "an address such as http://127.0.0.1:8080")
    any_host = parts.netloc.rpartition(":")[0] in _ANY_HOST or host in _ANY_HOST
    return Address("0.0.0.0" if any_host else host, 80 if port is None else port)  # noqa: S104 (what a star means)


def describe(context: Context, address: Address) -> list[str]:
    """Say what is served, one line for each fact."""
    options = context.options
    sources = [
        f"{role} from {provider.name}" if provider else f"no {role}"
        for role, provider in (("emissions", context.emissions), ("forecasts", context.forecast))
    ]
    base = f"{address.url}{options.route_prefix.rstrip('/')}"
    lines = [
        f"Carbon Aware WebApi on {base}, profile {options.profile}: {', '.join(sources)}.",
        f"Documentation: {base}/swagger",
    ]
    if any(provider and provider.name == "sample" for provider in (context.emissions, context.forecast)):
        lines.append("The data are synthetic (built-in sample), for trying things out: do not report them.")
    lines += [one.sentence for one in context.problems]
    return lines


def listen(address: Address, *, origin: str = "settings") -> socket.socket:
    """Take a port; 0 is any free one.

    Args:
        address: Where.
        origin: Who chose it, for the error's text.

    Raises:
        ConfigError: It cannot be had.
    """
    if not 0 <= address.port <= _MAX_PORT:
        raise ConfigError("port", address.port, origin, f"a number from 0 to {_MAX_PORT}")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        if error.errno == errno.EADDRINUSE:
            expected = (
                f"a port that is free ({reason}); choose another one, for example with --port {_another(address)}"
            )
        else:
            expected = (
                f"an address of this machine that may be listened on ({reason}); choose one with --host or --port"
            )
        raise ConfigError("urls", address.url, origin, expected) from error


def _origin(**given: object) -> str:
    """Name the arguments that were given, as they are called on the command line; empty for none."""
    names = [f"--{name}" for name, value in given.items() if value is not None]
    return f"option{'s' * (len(names) > 1)} {' and '.join(names)}" if names else ""


def _another(address: Address) -> int:
    return address.port + 1 if address.port < _MAX_PORT else DEFAULT_PORT


class Server(uvicorn.Server):
    """A uvicorn server that ends event streams when it is told to stop, and returns after a signal.

    Args:
        app: What it serves.
        listening: Where, from ``listen``.
        settings: How long requests may take to finish.
        on_start: Called with the address once it answers.
    """

    def __init__(
        self, app: FastAPI, listening: socket.socket, settings: WebSettings, on_start: Callable[[Address], None]
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="auto",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_s)),
        )
        super().__init__(config)
        self._app = app
        self._listening = listening
        self._on_start = on_start
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            host, port, *_ = self._listening.getsockname()
            self._on_start(Address(host, port))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end a server while it runs; unlike uvicorn's, they are not sent again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sign: signal.signal(sign, self.handle_exit) for sign in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, on a signal; a second Ctrl-C no longer waits for anything."""
        super().handle_exit(sig, frame)
        self._end_streams()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        super().run(sockets or [self._listening])

    def stop(self) -> None:
        """Stop, from any thread; requests that are being answered are finished."""
        self.should_exit = True
        self._end_streams()

    def _end_streams(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.state.events.close)


def serve(
    source: Options | Context | None = None,
    host: str | None = None,
    port: int | None = None,
    *,
    settings: WebSettings | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve until a signal comes; requests that are being answered then are finished.

    Args:
        source: The settings, or what was made from them; None for those of the working folder and the environment.
        host: Where to listen; None for what the settings and the environment say, else 127.0.0.1.
        port: Likewise; None for 8080 in the end.
        settings: The server's bounds; None for those of the settings.
        say: Takes the lines that say what is served; None for the log.

    Raises:
        ConfigError: It cannot listen there.
    """
    context = source if isinstance(source, Context) else build_context(source or load_options())
    bounds = settings or context.options.web
    tell = say or _log.info

    def started(address: Address) -> None:
        for line in describe(context, address):
            tell(line)

    app = create_app(context, settings=bounds)
    urls = context.options.urls
    origin = _origin(host=host, port=port) or ("settings" if urls else "default")
    with listen(find_address(host, port, urls), origin=origin) as listening, _start_up_kept():
        Server(app, listening, bounds, started).run()


@contextlib.contextmanager
def _start_up_kept() -> Iterator[None]:
    """Leave out of garbage collections what start-up made; walking through it would stop the server for 30 ms each."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
