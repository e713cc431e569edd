"""Reconciling: what the service's records say about the offsets here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codecarbon.handlers.offset import purchases
from codecarbon.handlers.offset.accounts import ledger_ids_of
from codecarbon.handlers.offset.entries import OFFSET_COLUMNS, Offset, OffsetState, Settlement, offset_of
from codecarbon.handlers.offset.purchases import impact_of
from codecarbon.units import US_PER_MIN, ug_from_lb, us_from_iso

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from codecarbon.handlers.offset.owners import Owner
    from codecarbon.handlers.offset.provider import Record, Scan

# How far apart, by the service's clock, two complete looks must miss a purchase before it may be taken for not made.
# How long a record takes to appear is not published; this is a margin, not a promise.
RELEASE_AFTER_US = 15 * US_PER_MIN
_SCANS_KEPT = 50


class _Task(NamedTuple):
    """What a reconciliation works with."""

    database: sqlite3.Connection
    account_id: int
    scan: Scan
    owner: Owner
    now_us: int
    doubted: Collection[str] | None


def settle(
    database: sqlite3.Connection,
    account_id: int,
    scan: Scan,
    *,
    auto_release: bool,
    owner: Owner,
    now_us: int,
    doubted: Collection[str] | None = None,
) -> Settlement:
    """Bring the offsets of an account up to what the records say.

    A record is evidence whether or not the look was complete; that a record is missing is evidence of a kind only if
    it was, and only if ``auto_release`` allows it.
    """
    task = _Task(database, account_id, scan, owner, now_us, doubted)
    records = _distinct(scan)
    confirmed, imported, duplicates = _match(task, records)
    for impact, record in records.items():
        known = purchases.offset_by_impact(database, account_id, impact)
        if record.cancelled and known is not None and purchases.find(database, account_id, known) is not None:
            purchases.cancel(database, account_id, known, now_us)
    released = _release(task, records, auto_release=auto_release)
    _note_scan(task)
    unknown = tuple(
        offset for offset in purchases.unsettled_of(database, account_id) if offset.state is OffsetState.UNKNOWN
    )
    again = [purchases.get(database, account_id, offset.offset_id) for offset in (*confirmed, *imported)]
    return Settlement(
        tuple(again[: len(confirmed)]),
        tuple(released),
        tuple(again[len(confirmed) :]),
        unknown,
        tuple(duplicates),
        scan.is_complete,
        scan.error,
    )


def _distinct(scan: Scan) -> dict[str, Record]:
    """Purchases by their names at the service, the oldest first; pages may repeat one."""
    records: dict[str, Record] = {}
    for record in sorted(scan.records, key=_when):
        impact = impact_of(record.user_id, record.time_utc)
        seen = records.get(impact)
        if seen is not None:
            record = seen._replace(  # noqa: PLW2901
                cancelled=seen.cancelled or record.cancelled,
                offset_id=seen.offset_id or record.offset_id,
                ledger_id=seen.ledger_id or record.ledger_id,
            )
        records[impact] = record
    return records


def _when(record: Record) -> tuple[int, str]:
    try:
        return us_from_iso(record.time_utc), record.time_utc
    except ValueError:
        return 0, record.time_utc


def _match(task: _Task, records: dict[str, Record]) -> tuple[list[Offset], list[Offset], list[Record]]:
    """Settle offsets that are found, and take in what this ledger bought and does not know."""
    database, account_id, *_ = task
    own_ledgers = ledger_ids_of(database, account_id)
    _untangle(task, records)
    groups: dict[str, dict[str, Record]] = {}
    confirmed: list[Offset] = []
    imported: list[Offset] = []
    duplicates: list[Record] = []
    for impact, record in records.items():
        if record.pounds < 1:
            continue
        if record.offset_id and purchases.find(database, account_id, record.offset_id) is not None:
            groups.setdefault(record.offset_id, {})[impact] = record
        elif record.ledger_id in own_ledgers:
            groups.setdefault(record.offset_id or _tracking_id(record), {})[impact] = record
    for offset_id, group in groups.items():
        offset = purchases.find(database, account_id, offset_id)
        first, *others = _in_order(task, offset, group)
        if offset is None:
            imported += _take_in(task, offset_id, group[first])
        elif offset.state is not OffsetState.CONFIRMED:
            record = group[first]
            offset = purchases.confirm(
                database,
                account_id,
                offset_id,
                user_id=record.user_id,
                time_utc=record.time_utc,
                pounds=record.pounds,
                now_us=task.now_us,
            )
            confirmed += [offset] if offset.state is OffsetState.CONFIRMED else []
        for other in others:
            name = _tracking_id(group[other])
            if purchases.offset_by_impact(database, account_id, other) in {None, name}:
                duplicates.append(group[other])
                imported += _take_in(task, name, group[other])
    return confirmed, imported, duplicates


def _untangle(task: _Task, records: dict[str, Record]) -> None:
    """Take purchases away from offsets whose answers named them, when the records say that others ordered them.

    An answer may come to the wrong order. What the service wrote down beside a purchase is better evidence of whose it
    is; without it, an offset stays in doubt until its own purchase is found.
    """
    database, account_id, *_ = task
    for impact, record in records.items():
        named = purchases.find(database, account_id, record.offset_id) if record.offset_id else None
        holder_id = purchases.offset_by_impact(database, account_id, impact)
        if named is None or holder_id in {None, named.offset_id, _tracking_id(record)}:
            continue
        holder = purchases.find(database, account_id, holder_id or "")
        if holder is None or (named.state is OffsetState.CONFIRMED and _is_own(named, records)):
            continue
        database.execute(
            "UPDATE offsets SET state = 'unknown', settled_us = ?, error = ?, user_id = NULL, time_utc = NULL, "
            "impact = NULL, bought_pounds = NULL, cancelled_us = NULL, absent_since_us = NULL WHERE offset_id = ?",
            (task.now_us, f"its answer named the purchase of the offset {named.offset_id}", holder.offset_id),
        )
        if holder.cancelled_us is not None:
            records[impact] = record._replace(cancelled=True)


def _is_own(offset: Offset, records: dict[str, Record]) -> bool:
    """Whether no record says that the purchase of a confirmed offset was another one's."""
    record = records.get(impact_of(offset.user_id or "", offset.time_utc or ""))
    return record is None or record.offset_id in {None, offset.offset_id}


def _in_order(task: _Task, offset: Offset | None, group: dict[str, Record]) -> list[str]:
    """The purchases that carry an offset's name, first the one that settles it: that of its answer, or the oldest."""
    if offset is not None and offset.user_id is not None and offset.time_utc is not None:
        answered = impact_of(offset.user_id, offset.time_utc)
        return sorted(group, key=lambda impact: impact != answered)

    def is_taken(impact: str) -> bool:
        return purchases.offset_by_impact(task.database, task.account_id, impact) is not None

    return sorted(group, key=is_taken)


def _tracking_id(record: Record) -> str:
    """The service's own name of a purchase."""
    return f"{record.user_id}-{record.time_utc}"


def _take_in(task: _Task, offset_id: str, record: Record) -> list[Offset]:
    """Enter a purchase that was made in this ledger's name, but is not in it."""
    database, account_id, _, owner, now_us, _ = task
    impact = impact_of(record.user_id, record.time_utc)
    is_known = database.execute("SELECT 1 FROM offsets WHERE offset_id = ?", (offset_id,)).fetchone() is not None
    if is_known or purchases.offset_by_impact(database, account_id, impact) is not None:
        return []
    bought_us = _when(record)[0] or now_us
    mass_ug = ug_from_lb(record.pounds)
    database.execute(
        # All of it out of the automatic pool, for nobody knows: so less is bought automatically, never more.
        "INSERT INTO offsets (offset_id, account_id, run_id, state, is_manual, pounds, mass_ug, automatic_ug, "
        "created_us, sent_us, settled_us, user_id, time_utc, impact, bought_pounds, error, boot_id, pid, start_ticks, "
        "pid_namespace) VALUES (?, ?, '', 'confirmed', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(offset_id, account_id, record.pounds, mass_ug, mass_ug, bought_us, bought_us, now_us),
            *(record.user_id, record.time_utc, impact, record.pounds, "found in the records of the service", *owner),
        ),
    )
    return [purchases.get(database, account_id, offset_id)]


def _release(task: _Task, records: dict[str, Record], *, auto_release: bool) -> list[Offset]:
    """Note which unknown offsets a complete look misses, and release those for which every condition is met."""
    database, account_id, scan, _, now_us, doubted = task
    if not scan.is_complete or scan.server_us is None:
        return []
    seen_ids = {record.offset_id for record in records.values() if record.offset_id}
    unmatched_pounds = {
        record.pounds
        for impact, record in records.items()
        if not record.offset_id and purchases.offset_by_impact(database, account_id, impact) is None
    }
    rows = database.execute(
        f"SELECT number, absent_since_us, {OFFSET_COLUMNS} FROM offsets "  # noqa: S608 (our own names)
        "WHERE account_id = ? AND state = 'unknown' ORDER BY number",
        (account_id,),
    ).fetchall()
    released = []
    for number, since_us, *fields in rows:
        offset = offset_of(tuple(fields))
        if doubted is not None and offset.offset_id not in doubted:
            continue  # the look began before, perhaps even before the order went out
        if offset.offset_id in seen_ids:  # it is there, in a form that settles nothing
            first_us = None
        elif since_us is None or scan.server_us < since_us:
            first_us = scan.server_us
        elif (
            auto_release
            and scan.server_us - since_us >= RELEASE_AFTER_US
            and offset.pounds not in unmatched_pounds
            and _has_earlier(task, number, seen_ids)
        ):
            error = f"{offset.error}; missing in two complete lists of purchases".removeprefix("; ")
            released.append(purchases.release(database, account_id, offset.offset_id, error, now_us))
            continue
        else:
            continue
        database.execute("UPDATE offsets SET absent_since_us = ? WHERE offset_id = ?", (first_us, offset.offset_id))
    return released


def _has_earlier(task: _Task, number: int, seen_ids: set[str]) -> bool:
    """Whether a confirmed offset from before this one is listed with its name, so that names are listed at all."""
    rows = task.database.execute(
        "SELECT offset_id FROM offsets WHERE account_id = ? AND state = 'confirmed' AND number < ?",
        (task.account_id, number),
    )
    return any(offset_id in seen_ids for (offset_id,) in rows)


def _note_scan(task: _Task) -> None:
    task.database.execute(
        "INSERT INTO scans (account_id, created_us, server_us, is_complete, records) VALUES (?, ?, ?, ?, ?)",
        (task.account_id, task.now_us, task.scan.server_us, task.scan.is_complete, len(task.scan.records)),
    )
    task.database.execute(
        "DELETE FROM scans WHERE account_id = ? AND number NOT IN "
        "(SELECT number FROM scans WHERE account_id = ? ORDER BY number DESC LIMIT ?)",
        (task.account_id, task.account_id, _SCANS_KEPT),
    )
