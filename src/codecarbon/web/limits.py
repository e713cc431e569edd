"""Limits of what one request may cost."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from codecarbon.errors import RequestTooLarge, ServerBusy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping


async def read_body(receive: Callable[[], Awaitable[MutableMapping[str, object]]], *, max_bytes: int) -> bytes:
    """Read a request's whole body.

    Args:
        receive: The ASGI channel.
        max_bytes: How long it may be.

    Raises:
        RequestTooLarge: It is longer; the rest stays unread.
    """
    parts: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the client went away
            break
        part = message.get("body", b"")
        assert isinstance(part, bytes)
        size_bytes += len(part)
        if size_bytes > max_bytes:
            raise RequestTooLarge(f"the body is longer than {max_bytes} bytes")
        parts.append(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts)


class Seats:
    """A fixed number of clients at a time.

    Args:
        count: How many.
    """

    __slots__ = ("_count", "taken")

    def __init__(self, count: int) -> None:
        self._count = count
        self.taken = 0

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Take one while the block runs.

        Raises:
            ServerBusy: All are taken.
        """
        if self.taken >= self._count:
            raise ServerBusy(f"{self._count} clients are connected, which is the limit")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
