"""The books of OneClickImpact, read page by page; the SDK cannot, since it sends cursors without percent-encoding.

What cannot be read makes a scan incomplete; it never vanishes, since a purchase that is missing from a complete scan
may one day be taken for one that was not made.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from codecarbon.errors import ConfigError, IntensityError, ProviderRejected, ProviderUnavailable
from codecarbon.handlers.offset.exchange import QuietAdapter
from codecarbon.handlers.offset.provider import Record, Scan
from codecarbon.transport import Transport
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from codecarbon.config import Secret
    from codecarbon.transport import Answer

RECORDS = "v1/records"
QUESTION = (("filter_by", "carbon_captured"), ("sort_order", "desc"), ("limit", "1000"))
TIMEOUT_S = (5.0, 15.0)
MOST_PAGES = 10_000
LONGEST_CURSOR = 4096
# What says that a key may not ask.
KEY_STATUSES = frozenset({401, 403})
# What else a row may be about.
OTHERS = ("tree_planted", "waste_removed", "coral_restored", "money_donated")


# How the transport names what it asked for.
_WHERE = re.compile(rf"( to|:)?( ?\bError requesting)? ?\b{RECORDS}\?[^\s:]*")


def find_records(
    key: Secret,
    base_url: str,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    most_pages: int = MOST_PAGES,
) -> Scan:
    """Read all pages, newest first, however old and whatever the local clock says.

    Args:
        key: The account's key.
        base_url: Where the service is.
        clock: Seconds since 1970.
        sleep: Waits for seconds, between tries.
        most_pages: More than these are not read, and the scan is not complete.
    """
    # Made for each scan: a connection, or a refusal remembered, outlives no fork and no key.
    transport = Transport(
        "oneclickimpact",
        base_url,
        credential=True,
        timeout_s=TIMEOUT_S,
        adapter=QuietAdapter(),
        clock=clock,
        sleep=sleep,
    )
    try:
        return _Books(transport, key).read(most_pages)
    finally:
        transport.close()


class _Books:
    def __init__(self, transport: Transport, key: Secret) -> None:
        self._transport = transport
        self._key = key
        self._records: dict[tuple[str, str], Record] = {}
        self._faults: list[str] = []
        self._server_us: int | None = None

    def read(self, most_pages: int) -> Scan:
        cursor, cursors = "", {""}
        for _ in range(most_pages):
            cursor = self._read_page(cursor)
            if not cursor:
                break
            if cursor in cursors:
                self._faults.append("a page of records led back to one that was read before")
                break
            cursors.add(cursor)
        else:
            self._faults.append(f"there are more than {most_pages} pages of records")
        faults = "; ".join(dict.fromkeys(self._faults))
        return Scan(tuple(self._records.values()), not faults, self._server_us, faults)

    def _read_page(self, cursor: str) -> str:
        """Add the rows of a page; return where the next one is, empty after the last."""
        question = (*QUESTION, ("cursor", cursor)) if cursor else QUESTION
        try:
            answer = self._transport.get(RECORDS, question, headers={"x-api-key": self._key.reveal()})
            page = answer.json()
        except (IntensityError, ConfigError) as error:
            self._faults.append(_fault(error))
            return ""
        if not cursor:
            self._server_us = _server_us(answer)
        rows = page.get("user_records") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            self._faults.append("a page of records has no list of records")
            return ""
        for row in rows:
            self._add(row)
        following = page.get("cursor")
        if following is None or following == "":
            return ""
        if not isinstance(following, str) or not following.isprintable() or len(following) > LONGEST_CURSOR:
            self._faults.append("a page of records does not say where the next one is")
            return ""
        return following

    def _add(self, row: object) -> None:
        record = _record(row)
        if isinstance(record, str):
            self._faults.append(record)
        elif record is not None and self._records.setdefault((record.user_id, record.time_utc), record) != record:
            self._faults.append("two records of one purchase contradict each other")


def _fault(error: IntensityError | ConfigError) -> str:
    """Say what went wrong and what to check, without the address that was asked."""
    if isinstance(error, ProviderRejected) and error.status in KEY_STATUSES:
        because = f"{error.status}{_WHERE.sub('', error.detail).rstrip(': ')}"
        return f"the service does not accept the key ({because}): check offset_api_key and offset_environment"
    if isinstance(error, ProviderUnavailable) and error.__cause__ is not None:
        return f"the service gave no answer ({error.__cause__}): check the connection, and its address"
    return _WHERE.sub("", str(error)).rstrip(": ")


def _record(row: object) -> Record | str | None:
    """Read a row: a purchase of carbon capture, what is wrong with it, or None when it is about something else."""
    if not isinstance(row, dict):
        return "a record is no object"
    pounds: Any = row.get("carbon_captured")
    ids = _ids(row.get("metadata"))
    if ids is None:
        return "the metadata of a record are not texts by their names"
    if pounds is None or (type(pounds) is int and pounds == 0):
        # Nothing was captured: the row is about something else, unless it is one of ours, which never is.
        is_other = pounds == 0 or any(_is_amount(row.get(name)) for name in OTHERS)
        return None if is_other and ids == (None, None) else "a record does not say how many pounds were bought"
    if not _is_amount(pounds):
        return "a record does not say how many pounds were bought"
    names = (row.get("user_id"), row.get("time_utc"))
    if not all(isinstance(name, str) and name.strip() for name in names):
        return "a record does not name its purchase"
    return Record(str(names[0]), str(names[1]), pounds, *ids, bool(row.get("cancelled_on")))


def _ids(metadata: object) -> tuple[str | None, str | None] | None:
    """Return the names of order and ledger, each None where a row has none; None when it cannot be said."""
    known = {} if metadata is None else metadata
    if not isinstance(known, dict):
        return None
    offset_id, ledger_id = known.get("codecarbon_offset_id"), known.get("codecarbon_ledger_id")
    if not isinstance(offset_id, str | None) or not isinstance(ledger_id, str | None):
        return None
    return offset_id, ledger_id


def _is_amount(value: Any) -> bool:
    return type(value) is int and value > 0


def _server_us(answer: Answer) -> int | None:
    from datetime import timezone

    try:
        moment = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError, IndexError):  # the last two from Python 3.10 before its date parser was mended
        return None
    return us_from_s(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp())
