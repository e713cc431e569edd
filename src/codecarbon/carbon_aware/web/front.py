"""What stands before the framework: known answers, paths without regard to case, and keys.

Most requests repeat a question whose answer has not changed. They are told by their raw path, query and ``Accept``
header, without being parsed, and answered from bytes; everything else goes on to the routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecarbon.carbon_aware.web.problems import headers_of
from codecarbon.units import us_from_s
from codecarbon.web.asgi import header, send_bytes
from codecarbon.web.etag import is_current
from codecarbon.web.problem import Problem
from codecarbon.web.trace import trace_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.carbon_aware.web.entry import Entry, Headers, Store
    from codecarbon.web.asgi import App, Receive, Scope, Send
    from codecarbon.web.keys import ApiKeys

# What the routes are told besides.
ORIGINAL_PATH, ACCEPT, IF_NONE_MATCH = "codecarbon.path", "codecarbon.accept", "codecarbon.if_none_match"
IS_LOCKED_OUT = "codecarbon.is_locked_out"
OPEN_PATHS = frozenset({"/health", "/health/ready"})
_NOT_MODIFIED = 304


def bare_path(scope: Scope, prefix: str) -> str:
    """Return a request's path in lower case, without the configured prefix and a slash at the end."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root):
        path = path[len(root) :]
    folded = path.lower()
    if prefix and (folded == prefix or folded.startswith(f"{prefix}/")):
        folded = folded[len(prefix) :]
    return folded.rstrip("/") or "/"


async def send_entry(entry: Entry, if_none_match: bytes | None, now_us: int, send: Send) -> None:
    """Send an answer, or 304 to a client that has it.

    Args:
        entry: The answer.
        if_none_match: The request's header of that name.
        now_us: The moment of answering.
        send: The ASGI channel.
    """
    age = entry.age_header(now_us)
    if if_none_match is not None and entry.etag and is_current(if_none_match, entry.etag):
        kept: Headers = tuple(pair for pair in entry.headers if pair[0] != b"content-type")
        await send_bytes(send, _NOT_MODIFIED, (*kept, age))
        return
    await send_bytes(send, entry.status, (*entry.headers, age), entry.body(now_us))


class KnownAnswers:
    """Answers questions that were asked before, and brings the paths of all others into one spelling.

    Args:
        app: Where other requests go.
        store: The answers.
        prefix: A path below which everything answers as well, lower case; empty for none.
        clock: Seconds since 1970.
        on_hit: Counts an answer from the store.
    """

    def __init__(
        self, app: App, *, store: Store, prefix: str, clock: Callable[[], float], on_hit: Callable[[], None]
    ) -> None:
        self._app = app
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._on_hit = on_hit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accept = if_none_match = None
        for name, value in scope["headers"]:
            if name == b"accept":
                accept = value
            elif name == b"if-none-match":
                if_none_match = value
        if scope["method"] == "GET":
            now_us = us_from_s(self._clock())
            entry = self._store.get((scope["path"], scope["query_string"], accept), now_us)
            if entry is not None:
                self._on_hit()
                await send_entry(entry, if_none_match, now_us, send)
                return
        path = bare_path(scope, self._prefix)
        inner = {
            **scope,
            "path": path,
            "raw_path": path.encode("utf-8", "surrogateescape"),
            "root_path": "",
            ORIGINAL_PATH: scope["path"],
            ACCEPT: accept,
            IF_NONE_MATCH: if_none_match,
        }
        await self._app(inner, receive, send)


class KeyGuard:
    """Lets nobody in without a key, but for health.

    Args:
        app: Where requests with a key go.
        keys: The keys.
        prefix: As of ``KnownAnswers``.
    """

    def __init__(self, app: App, *, keys: ApiKeys, prefix: str) -> None:
        self._app = app
        self._keys = keys
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or self._keys.opens(scope["headers"]):
            await self._app(scope, receive, send)
            return
        if bare_path(scope, self._prefix) in OPEN_PATHS:
            await self._app({**scope, IS_LOCKED_OUT: True}, receive, send)
            return
        problem = Problem(401, "Unauthorized", "An API key is needed: X-API-Key, or Authorization: Bearer.")
        headers = {**headers_of(problem), "www-authenticate": "Bearer"}
        body = problem.body(trace_id(header(scope, b"traceparent")))
        await send_bytes(send, problem.status, [(k.encode(), v.encode()) for k, v in headers.items()], body)
