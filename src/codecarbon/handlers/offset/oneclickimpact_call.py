"""One request to OneClickImpact on behalf of its SDK: what it must be, and what its answer says about a purchase."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codecarbon.errors import OffsetError
from codecarbon.handlers.offset.exchange import Fault, Request, send_once
from codecarbon.transport.redact import redact
from codecarbon.transport.retry import Pace, retry_after_s
from codecarbon.transport.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codecarbon.config import Secret
    from codecarbon.handlers.offset.exchange import Reply

# The service's own errors that say that nothing was done.
REFUSALS = frozenset({"key_error", "invalid_request_error"})
# Statuses of 400 to 499 that do not say that a request was not, or will not be, carried out.
DOUBTFUL = frozenset({408, 409, 425})


class Verdict(NamedTuple):
    """Why there is no good answer.

    Attributes:
        is_doubtful: Whether the service may have done what it was asked all the same.
        kind: The service's own type of error, or "connection", "status", "answer", "order" or "sdk".
        words: What happened, for people, without secrets.
    """

    is_doubtful: bool
    kind: str
    words: str


class Call:
    """The one request of a call to the SDK: what it must be, and what came of it.

    Attributes:
        verdict: Set when there is no good answer; the SDK's own error then says less.
        has_begun: Whether it was handed over for sending.
    """

    def __init__(
        self,
        method: str,
        endpoint: str,
        body: Mapping[str, Any] | None,
        *,
        url: str,
        key: Secret,
        timeout_s: tuple[float, float],
        ca_bundle: str | None,
        send_by_s: float = math.inf,
    ) -> None:
        self._wanted = (method, endpoint, None if body is None else dict(body))
        self._url = url
        self._key = key
        self._timeout_s = timeout_s
        self._ca_bundle = ca_bundle
        self._send_by_s = send_by_s
        self.verdict: Verdict | None = None
        self.has_begun = False

    def send(self, endpoint: str, body: Any, method: str, query_params: Any) -> Any:
        """Send what the SDK asks for, if that is what it must be, and return the JSON of a good answer.

        Raises:
            OffsetError: There is none; `verdict` says why.
        """
        if self.has_begun:
            self._fail(doubtful=True, kind="sdk", words="the SDK wanted to send a second request, which it may not")
        if (method, endpoint, body) != self._wanted or query_params:
            self._fail(doubtful=False, kind="sdk", words="the SDK wanted to send something other than what was ordered")
        self.has_begun = True
        request = Request(method, self._url, self._key, json=body)
        reply = send_once(request, timeout_s=self._timeout_s, ca_bundle=self._ca_bundle, begin_by_s=self._send_by_s)
        if isinstance(reply, Fault):
            return self._judge_fault(reply)
        return self._judge(reply)

    def clean(self, text: str) -> str:
        """Make a text of the service's fit to be shown: one short line, without the key should it be repeated there."""
        return one_line(redact(text, (self._key.reveal(),)))

    def _judge_fault(self, fault: Fault) -> NoReturn:
        if fault.has_left:
            self._fail(doubtful=True, kind="connection", words=f"no usable answer came: {self.clean(fault.words)}")
        self._fail(doubtful=False, kind="connection", words=f"nothing was sent: {self.clean(fault.words)}")

    def _judge(self, reply: Reply) -> Any:
        status = reply.status
        try:
            content = json.loads(reply.body)
        except (ValueError, RecursionError):
            self._fail(doubtful=True, kind="answer", words=f"the service answered {status} without JSON")
        if 200 <= status < 300:  # noqa: PLR2004 - the class of a status
            return content
        said = content if isinstance(content, dict) else {"type": None}
        kind, message = said.get("type"), said.get("message")
        kind = kind if isinstance(kind, str) else ""
        words = " ".join(filter(None, (f"the service answered {status}", self.clean(kind))))
        words += f": {self.clean(message)}" if isinstance(message, str) and message else ""
        words += _patience(reply)
        # Without a type it comes from a gateway in front, which let nothing through.
        is_refusal = kind in REFUSALS or "type" not in said
        is_final = 400 <= status < 500 and status not in DOUBTFUL  # noqa: PLR2004
        known = kind if kind in {*REFUSALS, "api_error"} else "status"
        return self._fail(doubtful=not (is_refusal and is_final), kind=known, words=words)

    def _fail(self, *, doubtful: bool, kind: str, words: str) -> NoReturn:
        if self.verdict is None:
            self.verdict = Verdict(doubtful, kind, words)
        raise OffsetError(words)


def _patience(reply: Reply) -> str:
    wait_s = retry_after_s(reply.status, reply.headers, Pace(time.time, time.sleep))
    return "" if wait_s is None else f" (it asks to be left alone for {wait_s:.0f} s)"
