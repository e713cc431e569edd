"""The Carbon Aware WebApi as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from starlette.exceptions import HTTPException
from starlette.routing import Route

from codecarbon.carbon_aware.appsettings import load_options
from codecarbon.carbon_aware.context import Context, build_context
from codecarbon.carbon_aware.operations import Operations
from codecarbon.carbon_aware.web.answering import Answering
from codecarbon.carbon_aware.web.counts import Counts
from codecarbon.carbon_aware.web.documentation import documentation_routes
from codecarbon.carbon_aware.web.events import Events
from codecarbon.carbon_aware.web.front import KeyGuard, KnownAnswers
from codecarbon.carbon_aware.web.health import Health
from codecarbon.carbon_aware.web.metrics import Exporter
from codecarbon.carbon_aware.web.problems import response_of, unforeseen
from codecarbon.web.asgi import header
from codecarbon.web.keys import ApiKeys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codecarbon.carbon_aware.options import Options
    from codecarbon.carbon_aware.web.answering import Handler
    from codecarbon.carbon_aware.web_settings import WebSettings

# Headers that scripts of other origins may read.
_EXPOSED = (
    *("ETag", "Retry-After", "Warning"),
    *(f"X-Carbon-Aware-{name}" for name in ("Source", "Synthetic", "Stale", "Notice")),
)


def create_app(source: Options | Context | Operations | None = None, *, settings: WebSettings | None = None) -> FastAPI:
    """Make the application.

    Args:
        source: The settings, or what was made from them; None for the settings of the working folder and
            the environment.
        settings: The server's bounds; None for those of the settings.
    """
    operations = _operations(source)
    context = operations.context
    bounds = settings or context.options.web
    counts = Counts()
    events = Events(operations, bounds)
    answering = Answering(operations, bounds, counts, events)
    exporter = Exporter(operations, counts) if context.options.has_exporter else None

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = []
        if exporter:
            tasks.append(asyncio.create_task(exporter.run()))
            tasks[0].add_done_callback(exporter.ended)
        yield
        events.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        operations.close()

    app = FastAPI(
        title="CarbonAware.WebAPI",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.operations = operations
    app.state.events = events
    _add_routes(app, answering, Health(context, counts), exporter)
    _add_errors(app, context.options)
    _add_front(app, answering, counts)
    return app


def _operations(source: Options | Context | Operations | None) -> Operations:
    if isinstance(source, Operations):
        return source
    return Operations(source if isinstance(source, Context) else build_context(source or load_options()))


def _add_routes(app: FastAPI, answering: Answering, health: Health, exporter: Exporter | None) -> None:
    profile = answering.operations.context.options.profile
    routes = [
        *answering.handlers(),
        *(("GET", path, handler) for path, handler in documentation_routes(profile)),
        *((method, "/health", health.live) for method in ("GET", "HEAD")),  # probes often ask for the head alone
        *((method, "/health/ready", health.ready) for method in ("GET", "HEAD")),
    ]
    if exporter is not None:
        routes.append(("GET", "/metrics", exporter.scrape))
    by_path: dict[str, dict[str, Handler]] = {}
    for method, path, handler in routes:
        by_path.setdefault(path, {})[method] = handler
    for path, handlers in by_path.items():  # one route for each path, so that 405 names all its methods
        # Not the framework's own kind of route, which prepares for parameters and bodies that our handlers read.
        route = Route(path, _dispatch(handlers), methods=list(handlers))
        route.methods = set(handlers)  # without HEAD, which comes along with GET unasked
        app.router.routes.append(route)


def _dispatch(handlers: dict[str, Handler]) -> Handler:
    async def dispatch(request: Request) -> Response:
        return await handlers[request.method](request)

    return dispatch


def _add_errors(app: FastAPI, options: Options) -> None:
    async def without_body(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return Response(status_code=error.status_code, headers=error.headers)

    async def unexpected(request: Request, error: Exception) -> Response:
        return response_of(unforeseen(error, options), header(request.scope, b"traceparent"))

    app.add_exception_handler(HTTPException, without_body)
    app.add_exception_handler(Exception, unexpected)


def _add_front(app: FastAPI, answering: Answering, counts: Counts) -> None:
    """Put in front what runs before the routes; what is added last runs first."""
    context = answering.operations.context
    prefix = context.options.route_prefix.rstrip("/").lower()
    app.add_middleware(KnownAnswers, store=answering.store, prefix=prefix, clock=context.clock, on_hit=counts.hit)
    keys = ApiKeys(context.options.api_keys)
    if keys:
        app.add_middleware(KeyGuard, keys=keys, prefix=prefix)
    if context.options.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=context.options.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )
    if "*" not in context.options.allowed_hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=context.options.allowed_hosts)
