"""Problem bodies: what a client gets in place of an answer (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from codecarbon.record import FrozenRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBLEM_TYPE = "application/problem+json; charset=utf-8"
JSON_TYPE = "application/json; charset=utf-8"
# Where the meaning of a status is defined; the addresses that ASP.NET gives.
_SECTIONS = {400: "15.5.1", 401: "15.5.2", 404: "15.5.5", 413: "15.5.14", 415: "15.5.16", 503: "15.6.4"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Problem(FrozenRecord):
    """Why a request failed.

    Attributes:
        status: The HTTP status.
        title: The kind of failure.
        detail: What happened, or None to say nothing.
        errors: Pairs of a name in the request and what is wrong with it; a name may come more than once.
        has_type: Whether the body says where the status is defined, and is plain JSON, as a framework's own bodies.
        retry_after_s: When to come back, if that is known.
    """

    status: int
    title: str
    detail: str | None = None
    errors: tuple[tuple[str, str], ...] = ()
    has_type: bool = False
    retry_after_s: float | None = None

    @property
    def media_type(self) -> str:
        """The content type of its body."""
        return JSON_TYPE if self.has_type else PROBLEM_TYPE

    def body(self, trace: str) -> bytes:
        """Render it.

        Args:
            trace: The request's name, from ``trace_id``.
        """
        members: dict[str, object] = {}
        if self.has_type:
            members["type"] = type_of(self.status)
        members["title"] = self.title
        members["status"] = self.status
        if self.detail is not None:
            members["detail"] = self.detail
        members["errors"] = grouped(self.errors)
        members["traceId"] = trace
        return orjson.dumps(members)


def type_of(status: int) -> str:
    """Return the address that defines a status."""
    section = _SECTIONS.get(status)
    return f"https://tools.ietf.org/html/rfc9110#section-{section}" if section else "about:blank"


def grouped(errors: Sequence[tuple[str, str]]) -> Mapping[str, list[str]]:
    """Gather messages by name, in the order in which the names first came."""
    by_name: dict[str, list[str]] = {}
    for name, message in errors:
        by_name.setdefault(name, []).append(message)
    return by_name
