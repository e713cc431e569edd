"""Answers of one live service: asked for when the last one has run out, kept for when the service fails."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

from codecarbon.errors import IntensityError, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.record import FrozenRecord
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from requests.adapters import BaseAdapter

    from codecarbon.transport import DiskCache, Proxy, TokenBucket, Transport

T = TypeVar("T")

# How long an answer that has run out may stand in for a service that fails.
MAX_STALE_S = 7200.0
UNKNOWN_ISSUE_NOTE = "the service does not say when the forecast was made; the time it was fetched stands in"
_TOO_MANY = 429
_SERVER_ERRORS = 500
_LOCKS = 16


class TransportOptions(TypedDict, total=False):
    """What every live provider hands on to its transport; see there."""

    timeout_s: tuple[float, float]
    tries: int
    rate: TokenBucket | None
    proxy: Proxy | None
    adapter: BaseAdapter | None
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float] | None
    longest_wait_s: float
    unasked_wait_s: float | None


def with_rate(options: TransportOptions, calls: int, window_s: float) -> TransportOptions:
    """Add what a service allows to the options for its transport, unless they say it themselves.

    Args:
        options: As the provider was given them.
        calls: How many calls it allows within a window.
        window_s: How long that is, seconds, by the transport's own clock.
    """
    from codecarbon.transport import TokenBucket

    rate = TokenBucket(calls, window_s, monotonic=options.get("monotonic", time.monotonic))
    return {"rate": rate, **options}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fetched(FrozenRecord, Generic[T]):
    """An answer that was read.

    Attributes:
        content: What was made of it.
        fetched_us: When it arrived, UTC microseconds since 1970.
        valid_until_us: When the service may have something newer.
        is_stale: Whether that is past, and the service does not answer.
    """

    content: T
    fetched_us: int
    valid_until_us: int | None
    is_stale: bool = False


class Feed:
    """Asks one service and keeps its answers.

    Args:
        service: Name under which answers are kept.
        transport: The way to the service.
        cache: Where answers are kept; None asks each time.
        owner: Fingerprint of the credential, since a service may answer others differently.
    """

    def __init__(self, service: str, transport: Transport, cache: DiskCache | None = None, *, owner: str = "") -> None:
        from codecarbon.forks import renew_after_fork

        self._service = service
        self._transport = transport
        self._cache = cache
        self._owner = owner
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Let go of locks that threads of the parent may hold."""
        # Equal questions that come together are asked once; one lock serves several questions.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        read: Callable[[object], T],
        valid_until_us: Callable[[T, int], int],
        headers: Mapping[str, str] | None = None,
        location: str = "",
    ) -> Fetched[T]:
        """Get an answer, from the cache while it is valid.

        Args:
            path: Path below the service's base address.
            params: The query.
            read: Makes the content of the JSON, or raises; an answer that cannot be read is not kept.
            valid_until_us: From the content and the time it arrived, when to ask again.
            headers: Sent besides; credentials.
            location: The place that is asked about, for errors.

        Raises:
            ProviderUnavailable: No answer, and none is kept that is new enough.
            ProviderRejected: An answer with an error status, likewise when that passes with time.
            ProviderDataError: An answer that cannot be used, likewise.
        """
        key = "&".join([f"{name}={value}" for name, value in params] + [self._owner])

        def ask() -> Fetched[T]:
            answer = self._transport.get(path, params, headers=headers or {})
            content = read(answer.json())
            until_us = valid_until_us(content, answer.fetched_us)
            if self._cache is not None:
                ends = {"valid_until_us": until_us, "fetched_us": answer.fetched_us}
                self._cache.put(self._service, path, key, answer.body, **ends)
            return Fetched(content, answer.fetched_us, until_us)

        try:
            if self._cache is None:
                return ask()
            with self._locks[hash((path, key)) % _LOCKS]:
                return self._kept_or(ask, self._kept(path, key, read))
        except IntensityError as error:
            error.location = error.location or location
            raise

    def _kept_or(self, ask: Callable[[], Fetched[T]], kept: Fetched[T] | None) -> Fetched[T]:
        if kept is not None and not kept.is_stale:
            return kept
        try:
            return ask()
        except (ProviderUnavailable, ProviderRejected, ProviderDataError) as error:
            if kept is None or not _may_pass(error):
                raise
            return kept

    def _kept(self, path: str, key: str, read: Callable[[object], T]) -> Fetched[T] | None:
        import json

        if self._cache is None:
            return None
        kept = self._cache.get(self._service, path, key, max_stale_s=MAX_STALE_S)
        if kept is None:
            return None
        try:
            content = read(json.loads(kept.body))
        except (ValueError, ProviderDataError):
            return None  # kept by a version that read it differently
        return Fetched(content, kept.fetched_us, kept.valid_until_us, kept.is_stale)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def in_s(fetched_us: int, seconds: float) -> int:
    """The moment some seconds after an answer arrived."""
    return fetched_us + us_from_s(seconds)


def earliest_us(parts: Iterable[Fetched[T]]) -> int | None:
    """When the first of several answers may change; None when none does."""
    return min((part.valid_until_us for part in parts if part.valid_until_us is not None), default=None)


def _may_pass(error: Exception) -> bool:
    """Whether a fault says nothing about the question itself, so that the last answer may stand in."""
    return not isinstance(error, ProviderRejected) or error.status == _TOO_MANY or error.status >= _SERVER_ERRORS
