"""OneClickImpact: purchases of carbon capture, the books of them, cancelling, and whose key it is.

One server plays both environments, with keys and books of their own; ``environment`` makes it refuse the keys of the
other, as the real hosts do. Tests of money ask it two things: how many orders came in (``posts``) and what was bought
(``pounds_bought``).
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple

from tests.support.fakes.base import FakeServer, Reply, Request

BUY = "/v1/capture_carbon"
RECORDS = "/v1/records"
WHOAMI = "/v1/whoami"
CANCEL = "/v1/cancel_impact"
TRACK = "/v1/track"

LIVE_KEY, SECOND_LIVE_KEY = "live_ada_4fd1c09b7e52", "live_ada_second_93aa10"
TEST_KEY, SECOND_TEST_KEY = "test_ada_77be02d4c6a1", "test_ada_second_5c21f8"
OTHER_LIVE_KEY, OTHER_TEST_KEY = "live_bob_e09d2b714c38", "test_bob_18c6f3a95d20"
ADA, BOB = "U7321", "U9002"

MOST_POUNDS = 10_000_000
MOST_ROWS = 1000
KINDS = ("tree_planted", "waste_removed", "carbon_captured", "coral_restored", "money_donated")
RESERVED = {"gift", "widgetID"}
MOST_PAIRS, LONGEST_NAME, LONGEST_VALUE, LONGEST_REASON = 20, 40, 500, 200

Place = Literal["production", "sandbox"]
OLDEST = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Owner(NamedTuple):
    """Whose key it is, and for which environment."""

    user_id: str
    email: str
    environment: Place


KEYS = {
    LIVE_KEY: Owner(ADA, "ada@example.org", "production"),
    SECOND_LIVE_KEY: Owner(ADA, "ada@example.org", "production"),
    OTHER_LIVE_KEY: Owner(BOB, "bob@example.com", "production"),
    TEST_KEY: Owner(ADA, "ada@example.org", "sandbox"),
    SECOND_TEST_KEY: Owner(ADA, "ada@example.org", "sandbox"),
    OTHER_TEST_KEY: Owner(BOB, "bob@example.com", "sandbox"),
}


@dataclass
class Entry:
    """A line of the books; ``time_utc`` is unique for its user."""

    user_id: str
    time_utc: str
    amount: int
    kind: str = "carbon_captured"
    metadata: dict[str, str] = field(default_factory=dict)
    booked_s: float = -math.inf
    cancelled_on: str | None = None
    reason: str | None = None

    def row(self, *, has_all_keys: bool, tells_cancelled: bool) -> dict[str, Any]:
        """How ``/v1/records`` shows it."""
        amounts = dict.fromkeys(KINDS, 0) if has_all_keys else {}
        row = {"user_id": self.user_id, "time_utc": self.time_utc, **amounts, self.kind: self.amount}
        if self.metadata:
            row["metadata"] = dict(self.metadata)
        if tells_cancelled and self.cancelled_on:
            row["cancelled_on"] = self.cancelled_on
        return row


def iso_ms(moment: datetime) -> str:
    """A time as the service writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RefusalError(Exception):
    """The service will not do it: the type of its error and what it says."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(message)


class FakeOneClickImpact(FakeServer):
    """The service with two accounts, each with keys for both environments.

    Args:
        environment: The only one whose keys are accepted; None accepts all.

    Attributes:
        keys: The keys that are accepted.
        books: What was ever booked, by environment.
        statuses: The status of each type of error, which nobody has published.
        visible_after_s: How long a purchase stays out of the records; ``math.inf`` for ever.
        most_rows: Rows to a page of records, whatever was asked for.
        does_repeat_cursor: Whether every page of records has the same cursor.
        has_all_keys: Whether rows have the old form, with every amount there is, 0 for those that it is not about.
        tells_cancelled: Whether rows of cancelled purchases say so.
        row_edits: Members that replace those of a row, by its ``time_utc``; None leaves one out.
    """

    name = "oneclickimpact"

    def __init__(self, *, environment: Place | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.environment = environment
        self.keys: dict[str, Owner] = dict(KEYS)
        self.books: dict[Place, list[Entry]] = {"production": [], "sandbox": []}
        self.statuses = {"key_error": 401, "invalid_request_error": 400, "api_error": 500}
        self.visible_after_s = 0.0
        self.most_rows = MOST_ROWS
        self.does_repeat_cursor = False
        self.has_all_keys = False
        self.tells_cancelled = False
        self.row_edits: dict[str, Mapping[str, Any]] = {}
        self._repeats = 0
        self._last: dict[str, Any] | None = None

    # What tests ask.

    @property
    def base_url(self) -> str:
        """Where clients find it."""
        return self.url

    @property
    def posts(self) -> int:
        """How many orders came in, whatever came of them."""
        return self.count(BUY)

    def bought(self, environment: Place = "production", user_id: str | None = None) -> list[Entry]:
        """Purchases of carbon capture that were made and not cancelled."""
        with self._lock:
            return [
                entry
                for entry in self.books[environment]
                if entry.kind == "carbon_captured" and not entry.cancelled_on and user_id in {None, entry.user_id}
            ]

    def pounds_bought(self, environment: Place = "production", user_id: str | None = None) -> int:
        """Their sum, pounds."""
        return sum(entry.amount for entry in self.bought(environment, user_id))

    # Switches of its own.

    def book(
        self,
        amount: int,
        *,
        environment: Place = "production",
        user_id: str = ADA,
        kind: str = "carbon_captured",
        metadata: Mapping[str, str] | None = None,
    ) -> Entry:
        """Write a line into the books, as if another program of the account's had bought it."""
        with self._lock:
            moment = OLDEST + timedelta(milliseconds=math.floor(self.now_s * 1000))
            taken = {entry.time_utc for entry in self.books[environment] if entry.user_id == user_id}
            while iso_ms(moment) in taken:  # the pair is its name
                moment += timedelta(milliseconds=1)
            entry = Entry(user_id, iso_ms(moment), amount, kind, dict(metadata or {}), self.clock())
            self.books[environment].append(entry)
            return entry

    def repeat_next(self, calls: int) -> None:
        """Answer the next orders with the last answer once more, and buy nothing."""
        with self._lock:
            self._repeats += calls

    def redirect_next(self, calls: int, to: str, *, status: int = 307, path: str = BUY, acts: bool = False) -> None:
        """Send the next callers elsewhere; ``to`` is an address, or a path of this server."""
        self.fail_next(calls, status=status, path=path, headers={"Location": to}, body={"message": "moved"}, acts=acts)

    def refuse_next(self, calls: int, kind: str, message: str = "", *, path: str = BUY, **options: Any) -> None:
        """Answer the next calls with one of the service's own errors."""
        body = {"type": kind, "message": message or kind}
        self.fail_next(calls, body=body, path=path, **{"status": self.statuses.get(kind, 400), **options})

    # The service.

    def credentials(self) -> dict[str, str]:
        found = {"CODECARBON_OFFSET_BASE_URL": self.url}
        for key, owner in self.keys.items():
            if self.environment in {None, owner.environment}:
                found.setdefault(f"offset_api_key ({owner.environment})", key)
        return found

    def sample_command(self) -> str:
        key = LIVE_KEY if self.environment == "production" else TEST_KEY
        return f"curl -s -H 'x-api-key: {key}' {self.url}{WHOAMI}"

    def answer(self, request: Request) -> Reply:
        routes = {
            ("POST", BUY): self._buy,
            ("GET", RECORDS): self._records,
            ("GET", WHOAMI): self._whoami,
            ("POST", CANCEL): self._cancel,
            ("GET", TRACK): self._track,
        }
        route = routes.get((request.method, request.path), self._nowhere)
        try:
            return Reply(route(request, self._owner(request)))
        except RefusalError as refused:
            return Reply({"type": refused.kind, "message": refused.message}, self.statuses[refused.kind])

    def _owner(self, request: Request) -> Owner:
        owner = self.keys.get(request.headers.get("x-api-key") or "")
        if owner is None:
            raise RefusalError("key_error", "API Key does not exist")
        if self.environment not in {None, owner.environment}:
            raise RefusalError("key_error", f"API Key is not valid in {self.environment}")
        return owner

    def _nowhere(self, request: Request, owner: Owner) -> dict[str, Any]:
        raise RefusalError("invalid_request_error", "Endpoint does not exist")

    def _buy(self, request: Request, owner: Owner) -> dict[str, Any]:
        body = _body(request)
        amount = body.get("amount")
        if type(amount) is not int or not 1 <= amount <= MOST_POUNDS:
            raise RefusalError("invalid_request_error", "amount must be an integer between 1 and 10,000,000")
        if not isinstance(body.get("notify", True), bool):
            raise RefusalError("invalid_request_error", "notify must be a boolean")
        metadata = _metadata(body.get("metadata", {}))
        if self._repeats and self._last is not None:
            self._repeats -= 1
            return self._last
        entry = self.book(amount, environment=owner.environment, user_id=owner.user_id, metadata=metadata)
        self._last = {"user_id": entry.user_id, "carbon_captured": entry.amount, "time_utc": entry.time_utc}
        return self._last

    def _records(self, request: Request, owner: Owner) -> dict[str, Any]:
        kind, order = request.get("filter_by"), request.get("sort_order", "asc")
        if kind and kind not in KINDS:
            raise RefusalError("invalid_request_error", "filter_by is not a type of impact")
        if order not in {"asc", "desc"}:
            raise RefusalError("invalid_request_error", "sort_order must be asc or desc")
        limit = request.get("limit", "10")
        if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MOST_ROWS:
            raise RefusalError("invalid_request_error", "limit must be between 1 and 1000")
        first, last = _day(request, "start_date"), _day(request, "end_date")
        is_down, after = order == "desc", _after(request.get("cursor"))
        rows = sorted(
            (
                entry
                for entry in self.books[owner.environment]
                if entry.user_id == owner.user_id
                and kind in {"", entry.kind}
                and first <= entry.time_utc[:10] <= (last or "9999")
                and self.clock() >= entry.booked_s + self.visible_after_s
                and (not after or (entry.time_utc < after if is_down else entry.time_utc > after))
            ),
            key=lambda entry: entry.time_utc,
            reverse=is_down,
        )
        size = min(int(limit), self.most_rows)
        page: dict[str, Any] = {"user_records": [self._row(entry) for entry in rows[:size]]}
        if self.does_repeat_cursor:
            page["cursor"] = _cursor("9999" if is_down else "0000")
        elif len(rows) > size:
            page["cursor"] = _cursor(rows[size - 1].time_utc)
        return page

    def _row(self, entry: Entry) -> dict[str, Any]:
        row = entry.row(has_all_keys=self.has_all_keys, tells_cancelled=self.tells_cancelled)
        edits = self.row_edits.get(entry.time_utc, {})
        return {name: value for name, value in {**row, **edits}.items() if edits.get(name, value) is not None}

    def _whoami(self, request: Request, owner: Owner) -> dict[str, Any]:
        return {"user_id": owner.user_id, "email": owner.email}

    def _find(self, owner: Owner, user_id: object, time_utc: object) -> Entry:
        for entry in self.books[owner.environment]:
            if (entry.user_id, entry.time_utc) == (user_id, time_utc) and entry.user_id == owner.user_id:
                return entry
        raise RefusalError("invalid_request_error", "Impact does not exist")

    def _cancel(self, request: Request, owner: Owner) -> dict[str, Any]:
        body = _body(request)
        reason = body.get("reason")
        if reason is not None and (not isinstance(reason, str) or len(reason) > LONGEST_REASON):
            raise RefusalError("invalid_request_error", "reason must be a text of at most 200 characters")
        entry = self._find(owner, body.get("user_id"), body.get("time_utc"))
        if entry.cancelled_on is None:
            entry.cancelled_on = iso_ms(datetime.fromtimestamp(self.now_s, timezone.utc))
            entry.reason = reason
        answer = {
            "user_id": entry.user_id,
            "time_utc": entry.time_utc,
            "cancelled_on": entry.cancelled_on,
            "message": "Impact cancelled",
            entry.kind: entry.amount,
        }
        return answer | ({"reason": entry.reason} if entry.reason else {})

    def _track(self, request: Request, owner: Owner) -> dict[str, Any]:
        entry = self._find(owner, request.get("user_id"), request.get("time_utc"))
        answer: dict[str, Any] = {
            "tracking_id": f"{entry.user_id}-{entry.time_utc}",
            "impact_initiated": entry.time_utc,
            entry.kind: entry.amount,
            "is_test_transaction": owner.environment == "sandbox",
        }
        if entry.cancelled_on:
            answer |= {"cancelled_on": entry.cancelled_on, "cancellation_reason": entry.reason}
        return answer


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise RefusalError("invalid_request_error", "Request body is not a JSON object")
    return body


def _metadata(pairs: object) -> dict[str, str]:
    is_fit = isinstance(pairs, dict) and len(pairs) <= MOST_PAIRS and not RESERVED & set(pairs)
    if not is_fit or not all(
        isinstance(value, str) and len(value) <= LONGEST_VALUE and len(name) <= LONGEST_NAME
        for name, value in pairs.items()
    ):
        raise RefusalError("invalid_request_error", "metadata must be at most 20 short texts")
    return dict(pairs)


def _day(request: Request, name: str) -> str:
    text = request.get(name)
    if text and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise RefusalError("invalid_request_error", f"{name} must be YYYY-MM-DD")
    return text


# A cursor may hold anything; these three are what a query without percent-encoding loses.
_TAIL = "+&="


def _cursor(time_utc: str) -> str:
    return base64.b64encode(time_utc.encode()).decode() + _TAIL


def _after(cursor: str) -> str:
    if not cursor:
        return ""
    if not cursor.endswith(_TAIL):
        raise RefusalError("invalid_request_error", "cursor is not whole")
    try:
        return base64.b64decode(cursor[: -len(_TAIL)], validate=True).decode()
    except ValueError as error:
        raise RefusalError("invalid_request_error", "cursor is not valid") from error
