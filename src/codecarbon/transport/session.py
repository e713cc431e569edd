"""One session with one service."""

from __future__ import annotations

import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from codecarbon._version import __version__
from codecarbon.errors import ConfigError, ProviderDataError, ProviderRejected, ProviderUnavailable
from codecarbon.forks import renew_after_fork
from codecarbon.transport.answer import Answer
from codecarbon.transport.body import parts_of
from codecarbon.transport.breaker import CircuitBreaker, Permit, Refusal
from codecarbon.transport.hush import hush_urllib3
from codecarbon.transport.proxy import Proxy, base_address, is_local
from codecarbon.transport.redact import redact
from codecarbon.transport.retry import LONGEST_WAIT_S, STATUSES, Pace, PacedRetry, retry_after_s
from codecarbon.transport.wording import cause_of, excerpt
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from codecarbon.transport.rate import TokenBucket

USER_AGENT = f"codecarbon/{__version__} (+https://github.com/mlco2/codecarbon)"
TIMEOUT_S = (5.0, 15.0)
LARGEST_BYTES = 32 * 1024 * 1024
# Data may come in time, byte after byte, and still never end.
LONGEST_BODY_S = 60.0
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Transport:
    """GETs from one service: time-outs, retry, pace, a breaker, a proxy; nothing secret in any error; thread-safe.

    Args:
        service: The provider's name, for errors.
        base_url: Its address; paths are joined to it whether or not it ends with a slash.
        credential: Whether calls carry a key or password: then no redirects, and no plain http to other machines.
        timeout_s: Longest wait for a connection and for data, seconds.
        tries: How often a GET is sent in total when there is no answer, or 429, 500, 502, 503 or 504.
        rate: Keeps calls within what the service allows.
        proxy: Its own proxy; without one the usual environment variables decide.
        adapter: Carries the calls; for tests. Retries reach adapters that are requests' own ``HTTPAdapter`` only.
        clock: Seconds since 1970.
        monotonic: Seconds on a clock that never goes back.
        sleep: Waits for seconds.
        jitter: A number in [0, 1), by which waits without ``Retry-After`` are shortened.
        longest_wait_s: The longest ``Retry-After`` to wait for within a call, seconds.
        unasked_wait_s: The pause to assume for a 429 without ``Retry-After``, seconds: the call then ends at once,
            and the service is left alone for that long. None: such a 429 is tried again like a 503.

    Raises:
        ConfigError: The base address or the proxy cannot be used.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        credential: bool = False,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        tries: int = 3,
        rate: TokenBucket | None = None,
        proxy: Proxy | None = None,
        adapter: BaseAdapter | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] | None = None,
        longest_wait_s: float = LONGEST_WAIT_S,
        unasked_wait_s: float | None = None,
    ) -> None:
        self.service = service
        self.base_url = base_address(base_url, has_credential=credential)
        self._credential = credential
        self._timeout_s = timeout_s
        self._rate = rate
        self._proxies = _proxies(proxy, self.base_url)
        self._clock = clock
        self._monotonic = monotonic
        pace = Pace(clock, sleep, before_try=self._keep_to_rate, longest_s=longest_wait_s, unasked_s=unasked_wait_s)
        self._pace = pace if jitter is None else pace._replace(jitter=jitter)
        self._retry = PacedRetry.of(tries, self._pace)
        self._given_adapter = adapter
        self._breaker = CircuitBreaker(monotonic=monotonic)
        self._secrets = tuple(part for part in ((proxy.password,) if proxy else ()) if part)
        self._session: requests.Session | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"Transport({self.service!r}, {self.base_url!r})"

    def after_fork(self) -> None:
        """Forget the parent's connections, on which its answers arrive."""
        self._session = None
        self._lock = threading.Lock()

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        auth: tuple[str, str] | None = None,
        accept_status: Collection[int] = (),
    ) -> Answer:
        """Get a path of the service.

        Args:
            path: Relative to the base address.
            params: Query parameters in the order in which they are sent.
            headers: Headers besides the usual ones; their values count as secrets.
            auth: User and password for HTTP Basic.
            accept_status: Statuses besides 200 to 299 that the caller can use.

        Raises:
            ProviderRejected: Another status, also after all tries, with what the service said; and again, without
                asking, while the service is left alone because of such a status.
            ProviderUnavailable: No answer after all tries; and again, without asking, while it is left alone for that.
            ProviderDataError: The answer was cut off, or is larger than any true one.
            ConfigError: A header cannot be sent, for example a key with a line break.
        """
        query = urlencode(params)
        relative = path.lstrip("/") + (f"?{query}" if query else "")
        secrets = (*self._secrets, *_secret_values(headers, auth))
        question = redact(relative, secrets)
        _check_headers(headers)
        permit = self._breaker.ask()
        if permit.wait_s > 0:
            raise self._left_alone(permit)
        try:
            self._keep_to_rate()
            answer, fault = self._send(relative, headers, auth, question)
            if answer is not None:
                return self._judge(answer, accept_status, permit.era, secrets)
            wait_s = self._breaker.failed(permit.era)
        finally:
            self._breaker.gave_up(permit.era)  # after a verdict this does nothing
        # Raised outside of the handler, so that the original, whose text holds the whole address, is not its context.
        assert fault is not None
        cause = ConnectionError(redact(cause_of(fault), secrets))
        if isinstance(fault, requests.exceptions.ContentDecodingError | requests.exceptions.ChunkedEncodingError):
            raise ProviderDataError(
                f"{self.service} cut its answer to {question} short, or garbled it", self.service
            ) from cause
        raise ProviderUnavailable(
            f"{self.service} gave no answer to {question}: {cause}",
            self.service,
            retry_after_s=wait_s,
        ) from cause

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _send(
        self, relative: str, headers: Mapping[str, str], auth: tuple[str, str] | None, question: str
    ) -> tuple[Answer | None, Exception | None]:
        """Send it and read the answer to its end; the exception is returned, not raised, see ``get``."""
        try:
            with self._open_session().get(
                self.base_url + relative,
                headers={"Accept": "application/json", **headers},
                auth=_Credential(auth),
                timeout=self._timeout_s,
                allow_redirects=not self._credential,
                proxies=self._proxies,
                stream=True,
            ) as response:
                body = self._read(response, question)
                answer = Answer(
                    response.status_code,
                    response.headers,
                    body,
                    us_from_s(self._clock()),
                    self.service,
                    question,
                )
                return answer, None
        except requests.RequestException as error:
            return None, error

    def _read(self, response: requests.Response, question: str) -> bytes:
        parts, size = [], 0
        late_s = self._monotonic() + LONGEST_BODY_S
        for part in parts_of(response):
            parts.append(part)
            size += len(part)
            if size > LARGEST_BYTES:
                raise ProviderDataError(
                    f"{self.service} answered {question} with more than {LARGEST_BYTES} bytes", self.service
                )
            if self._monotonic() > late_s:
                raise requests.exceptions.ReadTimeout(f"the body did not end within {LONGEST_BODY_S:.0f} s")
        # urllib3 before 2 does not notice itself.
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and "Content-Encoding" not in response.headers and size < int(announced):
            raise requests.exceptions.ChunkedEncodingError(f"{size} of {announced} bytes")
        return b"".join(parts)

    def _judge(self, answer: Answer, accept_status: Collection[int], era: int, secrets: Iterable[str]) -> Answer:
        """Return what the caller can use, raise the rest, and tell the breaker."""
        status = answer.status
        wait_s = retry_after_s(status, answer.headers, self._pace)
        is_usable = requests.codes.ok <= status < requests.codes.multiple_choices or status in accept_status
        error = None if is_usable else self.rejection(answer, secrets)
        if status in STATUSES:
            refusal = None if error is None else Refusal(status, error.detail)
            self._breaker.failed(era, wait_s or 0.0, refusal=refusal)
        else:
            self._breaker.passed()
        if error is None:
            return answer
        raise error

    def _left_alone(self, permit: Permit) -> ProviderRejected | ProviderUnavailable:
        """Make the error for a service that failed a short while ago, of the kind that it failed with."""
        refusal = permit.refusal
        if refusal is None:
            return ProviderUnavailable(
                f"{self.service} failed a short while ago and is left alone for {permit.wait_s:.0f} s",
                self.service,
                retry_after_s=permit.wait_s,
            )
        return ProviderRejected(
            f"{self.service} answered {refusal.status} a short while ago and is left alone for {permit.wait_s:.0f} s: "
            f"{refusal.detail}",
            self.service,
            status=refusal.status,
            detail=refusal.detail,
            retry_after_s=permit.wait_s,
        )

    def rejection(self, answer: Answer, secrets: Iterable[str] = ()) -> ProviderRejected:
        """Make the error for an answer that cannot be used.

        Args:
            answer: The answer, whatever its status.
            secrets: What must not stand in the error, as the service may repeat what it was sent.
        """
        said = redact(excerpt(answer), secrets)
        detail = f"Error requesting {answer.question}" + (f": {said}" if said else "")
        return ProviderRejected(
            f"{self.service} answered {answer.status}: {detail}",
            self.service,
            status=answer.status,
            detail=detail,
            retry_after_s=retry_after_s(answer.status, answer.headers, self._pace),
        )

    def _keep_to_rate(self) -> None:
        if self._rate is None:
            return
        wait_s = self._rate.take(self._pace.longest_s)
        if wait_s is None:
            later_s = self._rate.wait_s()
            raise ProviderUnavailable(
                f"{self.service} allows no more calls for {later_s:.0f} s", self.service, retry_after_s=later_s
            )
        if wait_s > 0:
            self._pace.sleep(wait_s)

    def _open_session(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                from http.cookiejar import DefaultCookiePolicy

                hush_urllib3()
                session = requests.Session()
                session.headers["User-Agent"] = USER_AGENT
                session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # threads share the session
                adapter = self._given_adapter
                if adapter is None:
                    adapter = HTTPAdapter(max_retries=self._retry)
                elif isinstance(adapter, HTTPAdapter):
                    adapter.max_retries = self._retry
                session.mount("https://", adapter)
                session.mount("http://", adapter)
                self._session = session
            return self._session


class _Credential(AuthBase):
    """User and password in UTF-8; or nothing, which also keeps requests from looking into ``~/.netrc``."""

    def __init__(self, pair: tuple[str, str] | None) -> None:
        self._basic = None if pair is None else HTTPBasicAuth(pair[0].encode(), pair[1].encode())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request if self._basic is None else self._basic(request)


def _proxies(proxy: Proxy | None, base_url: str) -> dict[str, Any]:
    """Proxies as requests wants them; None in there switches off those of the environment."""
    address = None if proxy is None else proxy.address
    if address is None:
        return {}
    if is_local(urlsplit(base_url).hostname or ""):
        address = None
    return {"http": address, "https": address, "all": address}


def _secret_values(headers: Mapping[str, str], auth: tuple[str, str] | None) -> list[str]:
    values = [part for value in headers.values() for part in (value, value.rpartition(" ")[2])]
    return values if auth is None else [*values, auth[1]]


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii() or value != value.strip():
            raise ConfigError(name, "***", "configuration", "printable ASCII text without blanks around it")
