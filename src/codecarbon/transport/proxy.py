"""Addresses: of services and of proxies."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from codecarbon.errors import ConfigError
from codecarbon.record import FrozenRecord
from codecarbon.transport.redact import redact


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Proxy(FrozenRecord):
    """An HTTP proxy for one service. Local addresses are reached without it.

    Attributes:
        use_proxy: Whether it is used; when not, the usual environment variables (``HTTPS_PROXY``…) decide.
        url: Its address, for example ``http://proxy.example:3128``.
        username: For proxies that ask for one; else empty.
        password: Likewise; shown nowhere.
    """

    use_proxy: bool = False
    url: str = ""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return (
            f"Proxy(use_proxy={self.use_proxy}, url={redact(self.url)!r}, username={self.username!r}, password='***')"
        )

    @property
    def address(self) -> str | None:
        """The address with user and password in it; None when the proxy is not used.

        Raises:
            ConfigError: It is to be used and has no usable address.
        """
        if not self.use_proxy:
            return None
        if not self.url.strip():
            raise ConfigError("Proxy:Url", "", "configuration", "an address: Proxy Url is not configured.")
        parts = urlsplit(self.url.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("Proxy:Url", redact(self.url), "configuration", "an http:// or https:// address")
        if not self.username:
            return parts.geturl()
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}"
        return parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}").geturl()


def base_address(url: str, *, has_credential: bool) -> str:
    """Check a service's base address and end it with a slash, so that joining a path to it loses nothing.

    Args:
        url: An absolute http or https address.
        has_credential: Whether calls carry one, which must not cross a network in the clear.

    Raises:
        ConfigError: It is no such address, or plain http to another machine with a credential.
    """
    shown = redact(url.strip())
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        _ = parts.port  # raises when it is no number
    except ValueError as error:
        raise ConfigError("base_url", shown, "configuration", "an absolute http:// or https:// address") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ConfigError("base_url", shown, "configuration", "an absolute http:// or https:// address without a query")
    if "@" in parts.netloc:
        raise ConfigError("base_url", shown, "configuration", "an address without user and password in it")
    if parts.scheme == "http" and has_credential and not is_loopback(host):
        expected = "https, since a key or password must not cross a network in the clear"
        raise ConfigError("base_url", shown, "configuration", expected)
    return parts._replace(path=parts.path.rstrip("/") + "/").geturl()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(host: str) -> bool:
    """Whether a host is reached without a proxy: this machine, or a name without a dot."""
    return is_loopback(host) or ("." not in host and ":" not in host)
