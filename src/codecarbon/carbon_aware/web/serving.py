"""A server that is ready: listens, says what it serves, and ends cleanly."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import uvicorn

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import Context, build_context
from codecarbon.carbon_aware.web.app import create_app
from codecarbon.carbon_aware.web.settings import WebSettings
from codecarbon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from fastapi import FastAPI

    from codecarbon.carbon_aware.options import Options

_log = logging.getLogger("codecarbon.carbon_aware.serve")
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
    lines += [f"{one.key}: {one.message}" for one in context.problems]
    return lines


class Server(uvicorn.Server):
    """A uvicorn server that also ends event streams when it is told to stop.

    Args:
        app: What it serves.
        address: Where; port 0 for any free one.
        settings: How long requests may take to finish.
        on_start: Called with the real address once it listens.
    """

    def __init__(
        self,
        app: FastAPI,
        address: Address,
        settings: WebSettings,
        on_start: Callable[[Address], None],
    ) -> None:
        config = uvicorn.Config(
            app,
            host=address.host,
            port=address.port,
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
        self._address = address
        self._on_start = on_start
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            self._on_start(Address(self._address.host, port))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, on a signal."""
        self.stop()
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        """Stop, from any thread; requests that are being answered are finished."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.state.events.close)
        self.should_exit = True


def serve(
    source: Options | Context | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    settings: WebSettings | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve until a signal comes.

    Args:
        source: The settings, or what was made from them; None for those of the working folder and the environment.
        host: Where to listen; None for what the settings and the environment say, else 127.0.0.1.
        port: Likewise; None for 8080 in the end.
        settings: The server's bounds; None for the usual ones.
        say: Takes the lines that say what is served; None for the log.

    Raises:
        ConfigError: It cannot listen there.
    """
    context = source if isinstance(source, Context) else build_context(source or load_options())
    bounds = settings or WebSettings()
    address = find_address(host, port, context.options.urls)
    tell = say or _log.info

    def started(real: Address) -> None:
        for line in describe(context, real):
            tell(line)

    server = Server(create_app(context, settings=bounds), address, bounds, started)
    server.run()
    if not server.started:
        raise ConfigError("urls", address.url, "settings", "an address that is free and may be listened on")
