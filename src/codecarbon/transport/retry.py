"""When a GET is asked again, and after how long; the loop itself is urllib3's."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATUSES = frozenset({429, 500, 502, 503, 504})
TOO_MANY = 429
LONGEST_WAIT_S = 60.0
FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 4.0


class Pace(NamedTuple):
    """What decides the waits between tries.

    Attributes:
        clock: Seconds since 1970.
        sleep: Waits for seconds.
        jitter: A number in [0, 1).
        before_try: Called before every try but the first, for example to keep to a rate.
        longest_s: The longest ``Retry-After`` that is worth waiting for, seconds.
        unasked_s: The pause to assume for a 429 that names none, seconds; None means to back off as for the others.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float] = random.random
    before_try: Callable[[], None] = lambda: None
    longest_s: float = LONGEST_WAIT_S
    unasked_s: float | None = None


def retry_after_s(status: int, headers: Mapping[str, str], pace: Pace) -> float | None:
    """How long a service asks to be left alone, seconds; None when it does not say.

    ``Retry-After`` holds seconds or a date. A date is compared with the service's own ``Date``, so that a clock that
    is wrong on either side does no harm.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = _unix_s(text)
    if moment is not None:
        now_s = _unix_s(headers.get("Date", ""))
        return max(moment - (pace.clock() if now_s is None else now_s), 0.0)
    return pace.unasked_s if status == TOO_MANY else None


def _unix_s(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):  # the last two from Python 3.10 before its date parser was mended
        return None
    from datetime import timezone

    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()


class PacedRetry(Retry):
    """urllib3's retry with full jitter, a clock and a sleep that are arguments, and a limit to patience."""

    pace: Pace

    @classmethod
    def of(cls, tries: int, pace: Pace) -> PacedRetry:
        """Make one.

        Args:
            tries: How often to ask in total.
            pace: The waits.
        """
        retry = cls(
            total=tries - 1,
            other=0,  # a certificate that is wrong stays wrong
            allowed_methods=frozenset({"GET"}),
            status_forcelist=STATUSES,
            raise_on_status=False,
        )
        retry.pace = pace
        return retry

    def new(self, **kw: Any) -> PacedRetry:
        """Copy it, as urllib3 does for each try."""
        fresh = super().new(**kw)
        fresh.pace = self.pace
        return fresh

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Whether a status is worth another try; a ``Retry-After`` beside any other status changes nothing."""
        return method.upper() == "GET" and status_code in STATUSES

    def increment(self, *arguments: Any, **named: Any) -> PacedRetry:
        """Count a failed try.

        Raises:
            MaxRetryError: That was the last one, or the service asks for more patience than there is.
        """
        response = named.get("response")
        if response is not None:
            wait_s = retry_after_s(response.status, response.headers, self.pace)
            if wait_s is not None and (wait_s > self.pace.longest_s or "Retry-After" not in response.headers):
                raise MaxRetryError(named["_pool"], named.get("url") or "", ResponseError("asked to come back later"))
        return super().increment(*arguments, **named)

    def sleep(self, response: Any = None) -> None:
        """Wait as long as the service asks, else by chance up to 1, 2, 4 s."""
        wait_s = None if response is None else retry_after_s(response.status, response.headers, self.pace)
        if wait_s is None:
            steps = max(len(self.history) - 1, 0)
            wait_s = self.pace.jitter() * min(FIRST_BACK_OFF_S * 2.0**steps, LONGEST_BACK_OFF_S)
        if wait_s > 0:
            self.pace.sleep(wait_s)
        self.pace.before_try()
