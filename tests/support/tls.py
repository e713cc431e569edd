"""A server on this machine that speaks TLS and misbehaves, with a certificate that only tests trust.

The certificate of the authority and that of 127.0.0.1 hold for a hundred years; the authority's key was thrown away.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBjjCCATSgAwIBAgIUF85JRaFclkKIiC7+AJS+neL5mSAwCgYIKoZIzj0EAwIw
JDEiMCAGA1UEAwwZY29kZWNhcmJvbiB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjIw
NzQ0MDZaGA8yMTI2MTAyOTA3NDQwNlowJDEiMCAGA1UEAwwZY29kZWNhcmJvbiB0
ZXN0IGF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAhJxaqjDk5r
6pzfgdIS2hOC5hG3kcbMO1QIv/ZSZawTBDIbhYk9oW3++PhROb3Y7e1PP4jaICMc
0vvh84eWMdajQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0G
A1UdDgQWBBT/Pa8boVQCcdppo9yLeB6I5CHDhjAKBggqhkjOPQQDAgNIADBFAiEA
+oQhZEplb8Z6q1b4Mro8skKcay18aXHAgm3csu/2f8ECICkxJr3Pq3dOvHq01u3r
aiFfDMGIubRfupdX0+3nQzFZ
-----END CERTIFICATE-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBzjCCAXWgAwIBAgIUW/xp0ay5HP7gUs6B/zr+9U4zz7wwCgYIKoZIzj0EAwIw
JDEiMCAGA1UEAwwZY29kZWNhcmJvbiB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjIw
NzQ0MDZaGA8yMTI2MTAyOTA3NDQwNlowFDESMBAGA1UEAwwJMTI3LjAuMC4xMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFdWybSXZNykrWDknpsW+onwClx3gtvu3
Vuqc+uQDO6efV3vAqZN52ykwLFuEp7d0B51LHeH7Z33zhpyUY8O966OBkjCBjzAM
BgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcD
ATAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwHQYDVR0OBBYEFIGY0LasNPl4
ZYQGNmtmXCPaa0wjMB8GA1UdIwQYMBaAFP89rxuhVAJx2mmj3It4HojkIcOGMAoG
CCqGSM49BAMCA0cAMEQCIDQNUMN61S4HDHTTbEs8MQY3CbDcKrmeWfLqHNeLiQ10
AiBdHKlglVW2BYTIfXV2fflqBaEV8MV8jiAiP9xv8EalDQ==
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcWmlNu+JfqviVPC3
M7GFlgwWHjbcWgj3616Sx6t8txqhRANCAAQV1bJtJdk3KStYOSemxb6ifAKXHeC2
+7dW6pz65AM7p59Xe8Cpk3nbKTAsW4Snt3QHnUsd4ftnffOGnJRjw73r
-----END PRIVATE KEY-----
"""


class TlsServer:
    """Accepts connections one after the other and lets a function deal with each.

    Args:
        folder: Where the certificates are written.
        behave: Gets a connection after its handshake.

    Attributes:
        authority: File with the certificate to trust.
        requests: Each request that came in.
    """

    def __init__(self, folder: Path, behave: Callable[[ssl.SSLSocket], None]) -> None:
        self.authority = str(folder / "authority.pem")
        self.requests: list[bytes] = []
        self._behave = behave
        Path(self.authority).write_text(AUTHORITY)
        chain, key = folder / "chain.pem", folder / "key.pem"
        chain.write_text(CERTIFICATE)
        key.write_text(KEY)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A thread that waits in accept() is not woken by close().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            plain.settimeout(10)
            with plain, suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
                request = _read(connection)
                if request:
                    self.requests.append(request)
                    self._behave(connection)


def _read(connection: ssl.SSLSocket) -> bytes:
    """A whole request, so that nothing unread turns the end of the connection into a reset."""
    request = b""
    while part := connection.recv(65536):
        request += part
        head, end, body = request.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0):
            break
    return request
