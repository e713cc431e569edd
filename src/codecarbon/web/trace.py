"""Names of requests, as W3C trace context defines them."""

from __future__ import annotations

import re
import secrets

_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?")
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16


def trace_id(parent: bytes | None) -> str:
    """Name this request within its caller's trace, or within a new one.

    Args:
        parent: The request's ``traceparent`` header.

    Source:
        https://www.w3.org/TR/trace-context/#traceparent-header: a parent that does not fit is as none.
    """
    found = _PARENT.fullmatch(parent) if parent else None
    span = secrets.token_hex(8)
    if found is None or found["trace"] == _NO_TRACE or found["span"] == _NO_SPAN:
        return f"00-{secrets.token_hex(16)}-{span}-00"
    return f"00-{found['trace'].decode()}-{span}-{found['flags'].decode()}"
