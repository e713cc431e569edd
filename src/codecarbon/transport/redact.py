"""Texts without secrets: whatever may reach a log, an exception or a file goes through here."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
SECRET_KEYS = ("api_key", "apikey", "api-key", "token", "auth-token", "securityToken", "password", "access_token")

_QUERY = re.compile(rf"(?i)(?<![\w-])({'|'.join(map(re.escape, SECRET_KEYS))})=[^&\s'\"<>)]*")
_JSON = re.compile(rf"(?i)(\"(?:{'|'.join(map(re.escape, SECRET_KEYS))})\"\s*:\s*)\"[^\"]*\"")
_USERINFO = re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^/?#\s'\"]*@")
_SCHEME = re.compile(r"(?i)\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]+")
# What is shorter is no secret worth its name, and would punch holes into every text.
_SHORTEST = 4


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Take the secrets out of a text.

    Values of query and JSON members that are known to be secret, user and password in addresses, and what follows
    ``Basic`` or ``Bearer`` are masked wherever they stand.

    Args:
        text: Any text.
        secrets: Values to mask besides, as they are and percent-encoded.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            for spelling in (secret, quote(secret, safe=""), quote_plus(secret)):
                text = text.replace(spelling, MASK)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _JSON.sub(rf'\1"{MASK}"', text)
    return _QUERY.sub(rf"\1={MASK}", text)


def fingerprint(*parts: str) -> str:
    """Give a short text that differs for different credentials and does not tell them; for keys of caches."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
