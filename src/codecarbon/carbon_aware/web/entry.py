"""Answers as bytes, and the memory of them that serves most requests."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.carbon_aware.moments import write_time
from codecarbon.units import SECONDS_PER_HOUR, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Hashable

Headers = tuple[tuple[bytes, bytes], ...]
# How long a client may keep what never changes again, seconds.
_SETTLED_AGE_S = int(SECONDS_PER_HOUR)
_FOREVER_US = 2**63
# What an entry occupies besides its body and key: headers, tuples, its place in the table.
_OVERHEAD_BYTES = 1024


class Entry(NamedTuple):
    """An answer.

    Attributes:
        status: 200, or 204 when there is nothing.
        parts: Its body, cut where the moment of answering stands; one part when it does not say it.
        headers: All headers but length and age.
        etag: Its entity tag; empty for what has none.
        fresh_until_us: When the same question may have another answer; -1 when that may be at any time.
        size_bytes: What it occupies.
        sources: The providers whose values it holds.
        is_private: Whether it is for clients with a key only, so that no cache between may keep it.
    """

    status: int
    parts: tuple[bytes, ...]
    headers: Headers
    etag: bytes
    fresh_until_us: int
    size_bytes: int
    sources: tuple[str, ...] = ()
    is_private: bool = False

    def body(self, now_us: int) -> bytes:
        """Return the body as of a moment."""
        return self.parts[0] if len(self.parts) == 1 else write_time(now_us).encode().join(self.parts)

    def age_header(self, now_us: int) -> tuple[bytes, bytes]:
        """Return the header that says how long a client may keep it."""
        is_settled = self.fresh_until_us == _FOREVER_US
        age_s = _SETTLED_AGE_S if is_settled else (self.fresh_until_us - now_us) // US_PER_S
        whose = b"private, " if self.is_private else b""
        return b"cache-control", whose + (b"max-age=%d" % age_s if age_s > 0 else b"no-cache")


def fresh_until_us(valid_until_us: int | None, now_us: int) -> int:
    """Convert the end of an answer's validity; what is over already may change at any time."""
    if valid_until_us is None:
        return _FOREVER_US
    return valid_until_us if valid_until_us > now_us else -1


class Store:
    """The answers used last, bounded by their size; belongs to one event loop.

    Args:
        max_bytes: How much it may hold.
    """

    __slots__ = ("_entries", "_max_bytes", "size_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._max_bytes = max_bytes
        self.size_bytes = 0

    def get(self, key: Hashable, now_us: int) -> Entry | None:
        """Find an answer that still holds."""
        entry = self._entries.get(key)
        if entry is None or entry.fresh_until_us <= now_us:
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, entry: Entry, key_bytes: int = 0) -> None:
        """Keep an answer, unless it may change at any time.

        Args:
            key: What finds it.
            entry: The answer.
            key_bytes: What the key occupies, where clients decide that.
        """
        entry = entry._replace(size_bytes=entry.size_bytes + key_bytes + _OVERHEAD_BYTES)
        old = self._entries.pop(key, None)
        if old is not None:
            self.size_bytes -= old.size_bytes
        if entry.fresh_until_us < 0 or entry.size_bytes > self._max_bytes:
            return
        self._entries[key] = entry
        self.size_bytes += entry.size_bytes
        while self.size_bytes > self._max_bytes:
            _, evicted = self._entries.popitem(last=False)
            self.size_bytes -= evicted.size_bytes
