"""One request that may cost money: sent at most once, and known afterwards is whether any of it left this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from codecarbon.transport.body import parts_of
from codecarbon.transport.hush import hush_urllib3
from codecarbon.transport.redact import redact
from codecarbon.transport.session import USER_AGENT
from codecarbon.transport.wording import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codecarbon.config import Secret

LARGEST_BYTES = 1024 * 1024
# The read time-out bounds each wait for data; a body may come byte after byte.
LONGEST_BODY_S = 30.0


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
    monotonic: Callable[[], float] = time.monotonic,
) -> Reply | Fault:
    """Send a request on a connection of its own: no retry, no redirect, and nothing of the environment but the network.

    Args:
        request: What to send.
        timeout_s: Longest wait for a connection and for data, seconds.
        ca_bundle: File of the certificates to trust; None for those that requests comes with.
        monotonic: Seconds on a clock that never goes back.
    """
    adapter = QuietAdapter()
    hush_urllib3()
    try:
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
                return Reply(response.status_code, response.headers, _read(response, monotonic))
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        # What cannot be put into a request is quoted in such an error, spelled in a way that no masking finds.
        words = type(error).__name__ if isinstance(error, ValueError) else cause_of(error)
        return Fault(adapter.has_sent, redact(words, (request.key.reveal(),)))


def _read(response: requests.Response, monotonic: Callable[[], float]) -> bytes:
    """Read a body to its end.

    Raises:
        requests.RequestException: It is cut off, garbled, late, or longer than any true one.
    """
    parts, size, late_s = [], 0, monotonic() + LONGEST_BODY_S
    # Before urllib3 2 a read waits until it has all that it asked for: ask for little, that the time can be looked at.
    for part in parts_of(response) if hasattr(response.raw, "read1") else response.iter_content(1):
        parts.append(part)
        size += len(part)
        if size > LARGEST_BYTES:
            raise requests.exceptions.ContentDecodingError(f"the answer is longer than {LARGEST_BYTES} bytes")
        if monotonic() > late_s:
            raise requests.exceptions.ReadTimeout(f"the body did not end within {LONGEST_BODY_S:.0f} s")
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
    """

    has_sent = False

    def __init__(self) -> None:
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools, with connections of our own in them."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _pools(self)

    def begin(self) -> None:
        """Note that bytes are about to leave."""
        self.has_sent = True


def _pools(adapter: QuietAdapter) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        debuglevel = 0

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            adapter.begin()
            super().send(data)

    class Encrypted(HTTPSConnection):
        debuglevel = 0

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            adapter.begin()
            super().send(data)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
