"""API keys: who may ask."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BEARER = b"bearer "


class ApiKeys:
    """The keys that open a server; only their digests are kept, so that no message can show one.

    Args:
        keys: The keys in clear; blank ones are refused, since everybody could present them.
    """

    __slots__ = ("_digests",)

    def __init__(self, keys: Iterable[str]) -> None:
        given = tuple(keys)
        if any(not key.strip() for key in given):
            raise ValueError("an API key is blank")
        self._digests = tuple(sha256(key.encode()).digest() for key in given)

    def __bool__(self) -> bool:
        """Whether there are keys at all; without any, the server is open."""
        return bool(self._digests)

    def __repr__(self) -> str:
        return f"ApiKeys({len(self._digests)} keys)"

    def opens(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Say whether a request's ``X-API-Key`` or ``Authorization: Bearer`` header holds one of the keys."""
        return any(self._knows(key) for key in _presented(headers))

    def _knows(self, key: bytes) -> bool:
        digest = sha256(key).digest()
        is_known = False
        for own in self._digests:  # to the end: the time must not say which key it is
            is_known |= hmac.compare_digest(digest, own)
        return is_known


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for name, value in headers:
        if name == b"x-api-key":
            yield value.strip()
        elif name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            yield value[len(_BEARER) :].strip()
