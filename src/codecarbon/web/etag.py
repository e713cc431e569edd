"""Entity tags: whether a client already has what it asks for."""

from __future__ import annotations

from hashlib import blake2b


def weak_etag(*parts: str) -> bytes:
    """Make a tag from what an answer depends on; weak, since two bodies of one tag may differ in their time stamps."""
    digest = blake2b(digest_size=12)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))  # so that ("ab", "c") differs from ("a", "bc")
        digest.update(encoded)
    return b'W/"%s"' % digest.hexdigest().encode()


def is_current(if_none_match: bytes, etag: bytes) -> bool:
    """Say whether a tag is among those of an ``If-None-Match`` header, compared weakly (RFC 9110, 13.1.2)."""
    if if_none_match.strip() == b"*":
        return True
    opaque = etag.removeprefix(b"W/")
    return any(tag.strip().removeprefix(b"W/") == opaque for tag in if_none_match.split(b","))
