"""One request that may cost money: sent at most once, and known afterwards is whether any of it left this machine."""

from __future__ import annotations

import math
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from codecarbon.handlers.offset.provider import running_s
from codecarbon.transport.body import parts_of
from codecarbon.transport.hush import hush_urllib3
from codecarbon.transport.redact import redact
from codecarbon.transport.session import USER_AGENT
from codecarbon.transport.wording import cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codecarbon.config import Secret

LARGEST_BYTES = 1024 * 1024
# The read time-out bounds each wait for data, which may come byte after byte.
LONGEST_S = 45.0


class Reply(NamedTuple):
    """A complete answer: status, headers and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fault(NamedTuple):
    """No complete answer came.

    Attributes:
        has_left: Whether the request may have left this machine, in part or as a whole.
        words: What happened, without secrets.
    """

    has_left: bool
    words: str


class Request(NamedTuple):
    """What to send.

    Attributes:
        method: GET or POST.
        url: The whole address.
        key: Sent as ``x-api-key``, and shown nowhere.
        json: The body; None for none.
    """

    method: str
    url: str
    key: Secret
    json: Mapping[str, Any] | None = None


def send_once(
    request: Request,
    *,
    timeout_s: tuple[float, float],
    ca_bundle: str | None = None,
    longest_s: float = LONGEST_S,
    begin_by_s: float = math.inf,
) -> Reply | Fault:
    """Send a request on a connection of its own: no retry, no redirect, and nothing of the environment but the network.

    Args:
        request: What to send.
        timeout_s: Longest wait for a connection and for data, seconds.
        ca_bundle: File of the certificates to trust; None for those that requests comes with.
        longest_s: Longest time for all of it but looking up the host's name, seconds.
        begin_by_s: On the clock ``running_s``: later nothing is sent any more.
    """
    adapter = QuietAdapter(begin_by_s)
    hush_urllib3()
    deadline = threading.Timer(longest_s, adapter.cut)
    deadline.daemon = True
    try:
        deadline.start()
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            with session.request(
                request.method,
                request.url,
                json=request.json,
                headers={
                    "User-Agent": USER_AGENT,
                    "Content-Type": "application/json",
                    "x-api-key": request.key.reveal(),
                },
                timeout=timeout_s,
                allow_redirects=False,
                stream=True,
                verify=True if ca_bundle is None else ca_bundle,
            ) as response:
                reply = Reply(response.status_code, response.headers, _read(response))
                # A head that was cut off looks like a short one.
                return _late(adapter, longest_s) if adapter.is_late else reply
    except (requests.RequestException, HTTPError, OSError, ValueError, RuntimeError) as error:
        if adapter.is_late:
            return _late(adapter, longest_s)
        # What cannot be put into a request is quoted in such an error, spelled in a way that no masking finds.
        words = type(error).__name__ if isinstance(error, ValueError) else cause_of(error)
        return Fault(adapter.has_sent, redact(words, (request.key.reveal(),)))
    finally:
        deadline.cancel()


def _late(adapter: QuietAdapter, longest_s: float) -> Fault:
    return Fault(adapter.has_sent, f"no whole answer within {longest_s:g} s")


def _read(response: requests.Response) -> bytes:
    """Read a body to its end.

    Raises:
        requests.RequestException: It is cut off, garbled, or longer than any true one.
    """
    parts, size = [], 0
    for part in parts_of(response):
        parts.append(part)
        size += len(part)
        if size > LARGEST_BYTES:
            raise requests.exceptions.ContentDecodingError(f"the answer is longer than {LARGEST_BYTES} bytes")
    # urllib3 before 2 does not notice itself.
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and "Content-Encoding" not in response.headers and size < int(announced):
        raise requests.exceptions.ChunkedEncodingError(f"{size} of {announced} bytes")
    return b"".join(parts)


class QuietAdapter(HTTPAdapter):
    """Connections that print nothing, never try again, and note when the first byte of a request is about to leave.

    The exceptions of requests do not tell that: a TLS connection that breaks after the request looks like one that was
    never accepted. The debug level that a program may set for all connections would print headers, the key among them.

    Attributes:
        has_sent: Whether sending began on any of its connections.
        is_late: Whether it was cut off.
    """

    has_sent = False
    is_late = False

    def __init__(self, begin_by_s: float = math.inf) -> None:
        self._begin_by_s = begin_by_s
        self._socket: socket.socket | None = None
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools, with connections of our own in them."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _pools(self)

    def begin(self, connection: socket.socket) -> None:
        """Note that bytes are about to leave.

        Raises:
            TimeoutError: None may: connecting took all the time there is, or this process stood still meanwhile.
        """
        if self.is_late:
            raise TimeoutError
        if running_s() > self._begin_by_s:
            raise TimeoutError("this process stood still for so long that the order may not go out any more")
        self._socket = connection
        self.has_sent = True

    def cut(self) -> None:
        """End the connection that bytes left on, whatever it waits for."""
        self.is_late = True
        if self._socket is not None:
            with suppress(OSError):  # closed already
                # Not the method of TLS, which would say goodbye and wait for an answer to that.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _pools(adapter: QuietAdapter) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        debuglevel = 0

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            adapter.begin(self.sock)
            super().send(data)

    class Encrypted(Plain, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
