"""A web service on this machine that misbehaves on demand; fakes of real services build on it.

::

    with FakeWattTime(clock=clock) as fake:
        fake.fail_next(1, status=503, headers={"Retry-After": "2"})
        ...
        assert fake.count("/v3/forecast") == 2

A subclass defines ``answer``; everything else (faults, log, counters, dates) is here.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

HTML = b"<html><head><title>%s</title></head><body><center><h1>%s</h1></center></body></html>\r\n"
SECRET_HEADERS = {"authorization", "auth-token", "x-api-key", "x-blobr-key", "proxy-authorization"}
SECRET_QUERY = {"api_key", "token", "securitytoken", "password"}

FaultKind = Literal[
    "status", "close", "close_after_request", "half_body", "html", "wrong_type", "body", "trickle", "hang", "drop"
]


def mask(value: str) -> str:
    """Hide a secret but for its last four characters and the scheme in front of it."""
    scheme, blank, secret = value.rpartition(" ")
    return f"{scheme}{blank}***{secret[-4:] if len(secret) > 8 else ''}"


class Request(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def get(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)


class Logged(NamedTuple):
    """A request as it is logged: secrets masked.

    Attributes:
        method: GET…
        path: Without the query.
        target: Path and query as they were on the wire; masked when the query holds a secret.
        query: Decoded pairs in their order, secrets masked.
        headers: Names in lower case, secrets masked.
        body: As received.
        connection: Number of the connection it came on.
    """

    method: str
    path: str
    target: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    connection: int


@dataclass
class Reply:
    """An answer; anything but bytes becomes JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    pause_s: float = 0.0

    def payload(self) -> bytes:
        """The body as bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def html_page(status: int, title: str) -> Reply:
    """An error page as web servers make them."""
    text = f"{status} {title}".encode()
    return Reply(HTML % (text, text), status, content_type="text/html")


@dataclass
class Fault:
    """What goes wrong with the next requests."""

    kind: FaultKind
    left: int
    path: str = ""
    reply: Reply | None = None
    after: int = 0
    pause_s: float = 0.0
    acts: bool = False


class FakeServer:
    """A threaded HTTP/1.1 server on 127.0.0.1.

    Args:
        clock: Seconds since 1970: the service's idea of now.
        port: TCP port, or 0 for any free one.

    Attributes:
        latency_s: Wait before each answer; ends early when the server stops.
        skew_s: How far the service's clock is off.
        log: All requests, secrets masked.
    """

    name = "fake"

    def __init__(self, *, clock: Callable[[], float] = time.time, port: int = 0) -> None:
        self.clock = clock
        self.latency_s = 0.0
        self.skew_s = 0.0
        self.log: list[Logged] = []
        self._port = port
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    # What a fake of a service defines.

    def answer(self, request: Request) -> Reply:
        """Answer a request; called with the lock held, so that state may be changed freely."""
        raise NotImplementedError

    def credentials(self) -> dict[str, str]:
        """What clients need besides the address, by the name of the setting."""
        return {}

    def sample_command(self) -> str:
        """A command that shows it at work."""
        return f"curl -s {self.url}/"

    # Switches.

    def fail_next(
        self,
        calls: int,
        *,
        status: int = 500,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        path: str = "",
        after: int = 0,
        content_type: str = "application/json",
        acts: bool = False,
    ) -> None:
        """Answer the next calls with a status, on one path or on all, after letting some through.

        With `acts`, here and below, the service does what it was asked first, and only its answer goes wrong.
        """
        reply = Reply(body, status, dict(headers or {}), content_type)
        self._add(Fault("status", calls, path, reply, after, acts=acts))

    def retry_after_date(self, seconds: float) -> str:
        """A ``Retry-After`` header in its date form, on the service's clock."""
        return formatdate(self.now_s + seconds, usegmt=True)

    def close_next(self, calls: int, *, path: str = "", after_request: bool = False, after: int = 0) -> None:
        """Reset the connection at the next calls, or close it properly once the request is read."""
        self._add(Fault("close_after_request" if after_request else "close", calls, path, after=after))

    def halve_next(self, calls: int, *, path: str = "", after: int = 0) -> None:
        """Announce the whole body at the next calls, send half of it and close."""
        self._add(Fault("half_body", calls, path, after=after))

    def drop_next(self, calls: int, *, path: str = "", after: int = 0) -> None:
        """Do what the next calls ask for, and close the connection properly without a word."""
        self._add(Fault("drop", calls, path, after=after))

    def hang_next(self, calls: int, *, path: str = "", after: int = 0, acts: bool = False) -> None:
        """Read the next calls and never answer them; the connections end when the server stops."""
        self._add(Fault("hang", calls, path, after=after, acts=acts))

    def html_next(self, calls: int, *, path: str = "", after: int = 0, acts: bool = False) -> None:
        """Answer the next calls with 200 and a page for people."""
        self._add(Fault("html", calls, path, html_page(200, "Sign in to the network"), after, acts=acts))

    def trickle_next(self, calls: int, pause_s: float, *, path: str = "") -> None:
        """Send the right body byte after byte at the next calls, with a pause after each."""
        self._add(Fault("trickle", calls, path, pause_s=pause_s))

    def retype_next(self, calls: int, content_type: str, *, path: str = "") -> None:
        """Send the right body under another content type."""
        self._add(Fault("wrong_type", calls, path, Reply(content_type=content_type)))

    def send_next(self, calls: int, body: Any, *, path: str = "", after: int = 0, acts: bool = False) -> None:
        """Answer the next calls with 200 and this JSON, or these bytes in its place."""
        self._add(Fault("body", calls, path, Reply(body), after, acts=acts))

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    # What came in.

    def count(self, path: str = "") -> int:
        """Number of requests, to one path or to all."""
        with self._lock:
            return sum(1 for entry in self.log if not path or entry.path == path)

    @property
    def counts(self) -> Counter[str]:
        """Number of requests by path."""
        with self._lock:
            return Counter(entry.path for entry in self.log)

    def seen(self, path: str) -> list[Logged]:
        """Requests to a path, in order."""
        with self._lock:
            return [entry for entry in self.log if entry.path == path]

    # Running.

    @property
    def now_s(self) -> float:
        """The service's own time, seconds since 1970."""
        return self.clock() + self.skew_s

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        assert self._server is not None, "start it first"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def describe(self) -> str:
        """How to reach it, for people."""
        lines = [f"fake {self.name} at {self.url} (stop it with Ctrl-C)"]
        lines += [f"  {name} = {value}" for name, value in self.credentials().items()]
        return "\n".join([*lines, f"try: {self.sample_command()}"])

    def start(self) -> FakeServer:
        """Serve in a thread."""
        self._stopping.clear()
        self._server = _Server(("127.0.0.1", self._port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close all connections and wait for the threads."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Any:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _fault_for(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.left and (not fault.path or fault.path == path):
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.left -= 1
                    return fault
        return None

    def _write_down(self, request: Request, target: str, connection: int) -> None:
        has_secret = any(key.lower() in SECRET_QUERY for key, _ in request.query)
        query = tuple((key, mask(value) if key.lower() in SECRET_QUERY else value) for key, value in request.query)
        headers = {
            name.lower(): mask(value) if name.lower() in SECRET_HEADERS else value
            for name, value in request.headers.items()
        }
        shown = f"{request.path}?***" if has_secret else target
        with self._lock:
            self.log.append(Logged(request.method, request.path, shown, query, headers, request.body, connection))


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], fake: FakeServer) -> None:
        self.fake = fake
        self.connections: list[socket.socket] = []
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def drop_connections(self) -> None:
        for connection in self.connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; what the fake itself did wrong is."""
        import sys

        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        self.number = self.server.connections.index(self.request) + 1
        super().setup()

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.fake.now_s if timestamp is None else timestamp, usegmt=True)

    def _serve(self) -> None:
        fake = self.server.fake
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, query, self.headers, body)
        fake._write_down(request, self.path, self.number)
        fault = fake._fault_for(parts.path)
        if fake.latency_s:
            fake._stopping.wait(fake.latency_s)
        if fault is not None and fault.kind == "close":
            # A zero linger makes the kernel send a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault is not None and (fault.acts or fault.kind == "drop"):
            with fake._lock:
                fake.answer(request)
        if fault is not None and fault.kind == "hang":
            fake._stopping.wait()
        if fault is not None and fault.kind in {"close", "close_after_request", "drop", "hang"}:
            self.close_connection = True
            return
        if fault is not None and fault.kind in {"status", "html", "body"}:
            assert fault.reply is not None
            reply = fault.reply
        else:
            with fake._lock:
                reply = fake.answer(request)
            if fault is not None and fault.kind == "wrong_type":
                assert fault.reply is not None
                reply.content_type = fault.reply.content_type
        if fault is not None and fault.kind == "trickle":
            reply.pause_s = fault.pause_s
        self._send(reply, is_half=fault is not None and fault.kind == "half_body")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - names of the standard library

    def _send(self, reply: Reply, *, is_half: bool) -> None:
        payload = reply.payload()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(len(payload) if reply.pause_s else 0):
            self.wfile.write(payload[start : start + 1])
            self.wfile.flush()
            if self.server.fake._stopping.wait(reply.pause_s):
                return
        if not reply.pause_s:
            self.wfile.write(payload[: len(payload) // 2] if is_half else payload)
            self.wfile.flush()
        self.close_connection = self.close_connection or is_half


class EchoServer(FakeServer):
    """Answers everything with what it was asked; for tests of what all services have in common."""

    name = "echo"
    replies: Mapping[str, Reply] = {}

    def answer(self, request: Request) -> Reply:
        known = self.replies.get(request.path)
        return known or Reply({"path": request.path, "query": [list(pair) for pair in request.query]})
