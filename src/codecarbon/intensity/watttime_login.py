"""The token that WattTime gives for a user name and a password, and the calls that carry it.

A token lives for 30 minutes. It is kept in memory only, for 25, once in a process for each credential, and asked for
by one thread while the others wait.
"""

from __future__ import annotations

import threading
from copy import copy
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from codecarbon.errors import ProviderDataError, ProviderRejected
from codecarbon.forks import renew_after_fork
from codecarbon.transport import TokenBucket, Transport, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from codecarbon.transport import Answer

TOKEN_LIVES_S = 25 * 60.0
# After a refused password: how long every caller gets that answer without another login.
REFUSAL_HOLDS_S = 60.0
# What the service allows in any five minutes.
LOGINS, CALLS, WINDOW_S = 100, 3000, 300.0
# The pause to keep after a 429 that names none.
PAUSE_S = 60.0
UNAUTHORIZED, FORBIDDEN = 401, 403
NAME = "watttime"


class Login:
    """Gets tokens and keeps the last one; thread-safe.

    Args:
        transport: The way to the address that gives tokens.
        username: As registered.
        password: Likewise; shown nowhere.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(self, transport: Transport, username: str, password: str, monotonic: Callable[[], float]) -> None:
        self._transport = transport
        self._username = username
        self.password = password
        self._monotonic = monotonic
        self._token = ""
        self._until_s = 0.0
        self._refusal: ProviderRejected | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"Login({self._transport!r}, {self._username!r})"

    def after_fork(self) -> None:
        """Let go of a lock that a thread of the parent may hold; the token is as good in the child."""
        self._lock = threading.Lock()

    def token(self, refused: str = "") -> str:
        """Get a token.

        Args:
            refused: One that the service does not take any more; it is renewed unless another thread did so already.

        Raises:
            ProviderRejected: User name or password are wrong; known for a minute without asking again.
            ProviderUnavailable: No answer.
            ProviderDataError: The answer holds no token.
        """
        with self._lock:
            now_s = self._monotonic()
            if self._token and self._token != refused and now_s < self._until_s:
                return self._token
            if self._refusal is not None and now_s < self._until_s:
                raise copy(self._refusal)
            self._token, self._refusal = "", None
            try:
                self._token = self._log_in()
            except ProviderRejected as error:
                if error.status in {UNAUTHORIZED, FORBIDDEN}:
                    self._refusal, self._until_s = error, self._monotonic() + REFUSAL_HOLDS_S
                raise
            finally:
                self._transport.close()  # one call in 25 minutes needs no connection in between
            self._until_s = self._monotonic() + TOKEN_LIVES_S
            return self._token

    def _log_in(self) -> str:
        """Log in. The service answers a wrong password with 403 and a page for people."""
        answer = self._transport.get(
            "login", auth=(self._username, self.password), accept_status={UNAUTHORIZED, FORBIDDEN}
        )
        if answer.status in {UNAUTHORIZED, FORBIDDEN}:
            detail = f"Login failed for user: '{self._username}'"
            raise ProviderRejected(f"{NAME} answered {answer.status}: {detail}", NAME, "", answer.status, detail)
        content = answer.json()
        token = content.get("token") if isinstance(content, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise ProviderDataError(f"{NAME}: the answer to a login holds no token", NAME)
        return token


class TokenTransport(Transport):
    """A transport whose calls carry a token; one that has run out is renewed once, and the call repeated once."""

    def __init__(self, base_url: str, login: Login, **options: object) -> None:
        super().__init__(NAME, base_url, credential=True, **options)  # type: ignore[arg-type]  # as given to WattTime
        self._login = login
        self._secrets = (*self._secrets, login.password)  # should the service repeat it

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        accept_status: Collection[int] = (),
    ) -> Answer:
        """Get a path with the token; see ``Transport.get``.

        401, and 403 with a page for people, mean that the token has run out; 403 with JSON means that the plan does
        not have what was asked for, which no login changes.
        """
        accepted = {UNAUTHORIZED, FORBIDDEN, *accept_status}

        def send(token: str) -> Answer:
            sent = {**(headers or {}), "Authorization": f"Bearer {token}"}
            return super(TokenTransport, self).get(path, params, headers=sent, auth=auth, accept_status=accepted)

        token = self._login.token()
        answer = send(token)
        if _is_run_out(answer):
            token = self._login.token(refused=token)
            answer = send(token)
        if answer.status not in {UNAUTHORIZED, FORBIDDEN}:
            return answer
        error = self.rejection(answer, [token])
        if not _is_run_out(answer):
            said = f"the plan of this account does not include it. {error.detail}"
            error = ProviderRejected(f"{NAME} answered {answer.status}: {said}", NAME, "", answer.status, said)
        raise error


def _is_run_out(answer: Answer) -> bool:
    if answer.status != FORBIDDEN:
        return answer.status == UNAUTHORIZED
    try:
        return not isinstance(answer.json(), dict)
    except ProviderDataError:
        return True


class _Logins:
    """All logins of this process, by address and credential, as long as somebody uses them."""

    def __init__(self) -> None:
        self._logins: WeakValueDictionary[Hashable, Login] = WeakValueDictionary()
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Let go of a lock that a thread of the parent may hold."""
        self._lock = threading.Lock()

    def share(self, key: Hashable, fresh: Login) -> Login:
        """Get the login of a key; the given one if there is none yet."""
        with self._lock:
            return self._logins.setdefault(key, fresh)


_logins = _Logins()


def shared_login(
    login_url: str, username: str, password: str, *, monotonic: Callable[[], float], **options: object
) -> Login:
    """Get the one login of this process for a credential; it lives as long as somebody uses it.

    Args:
        login_url: The address that gives tokens.
        username: As registered.
        password: Likewise.
        monotonic: Seconds on a clock that never goes back.
        options: For its transport.

    Raises:
        ConfigError: The address or the proxy cannot be used.
    """
    options["rate"] = TokenBucket(LOGINS, WINDOW_S, monotonic=monotonic)
    transport = Transport(NAME, login_url, credential=True, monotonic=monotonic, **options)  # type: ignore[arg-type]
    given = (options.get(name) for name in ("clock", "sleep", "adapter", "proxy"))
    key = (transport.base_url, username, fingerprint(password), monotonic, *given)
    return _logins.share(key, Login(transport, username, password, monotonic))
