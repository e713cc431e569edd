"""Offsets step by step, each function inside one transaction of the ledger."""

# SQL is put together from our own names only:
# ruff: noqa: S608
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset.amounts import MAX_POUNDS_PER_OFFSET, pounds_of
from codecarbon.handlers.offset.entries import OFFSET_COLUMNS, Balance, Offset, OffsetState, Refusal, offset_of
from codecarbon.handlers.offset.owners import Owner, is_dead
from codecarbon.units import US_PER_HOUR, iso_from_us, ug_from_lb, us_from_iso

if TYPE_CHECKING:
    import sqlite3

# Nobody at another machine or in another process may settle what is under way here.
_OWNED = "boot_id = ? AND pid = ? AND start_ticks = ? AND pid_namespace = ?"
# After how long a purchase of a process that cannot be looked up counts as left behind.
_LOST_AFTER_US = US_PER_HOUR
_STATES_OUT = "('reserved', 'sent', 'unknown', 'confirmed')"


class Wish(NamedTuple):
    """What a purchase may be; as in ``Ledger.reserve``."""

    is_manual: bool
    threshold_ug: int
    run_id: str
    cap_ug: int | None


def balance_of(database: sqlite3.Connection, account_id: int) -> Balance:
    """Sum an account up."""
    accrued, automatic = database.execute(
        # The plus keeps the index out: most rows are of this account, and to read all in order is ten times faster.
        "SELECT COALESCE(SUM(mass_ug), 0), COALESCE(SUM(automatic_ug), 0) FROM accruals WHERE +account_id = ?",
        (account_id,),
    ).fetchone()
    confirmed, pending, unknown, automatic_out = database.execute(
        "SELECT COALESCE(SUM(mass_ug) FILTER (WHERE state = 'confirmed' AND cancelled_us IS NULL), 0), "
        "COALESCE(SUM(mass_ug) FILTER (WHERE state IN ('reserved', 'sent')), 0), "
        "COALESCE(SUM(mass_ug) FILTER (WHERE state = 'unknown'), 0), "
        # What was cancelled may be bought by hand again, but not automatically: it stays out of that pool.
        f"COALESCE(SUM(automatic_ug) FILTER (WHERE state IN {_STATES_OUT}), 0) FROM offsets WHERE account_id = ?",
        (account_id,),
    ).fetchone()
    rest = accrued - confirmed - pending - unknown
    open_ug = max(0, rest)
    automatic_ug = min(open_ug, max(0, automatic - automatic_out))
    return Balance(accrued, confirmed, pending, unknown, open_ug, automatic_ug, max(0, -rest))


def find(database: sqlite3.Connection, account_id: int, offset_id: str) -> Offset | None:
    """Find an offset of an account."""
    row = database.execute(
        f"SELECT {OFFSET_COLUMNS} FROM offsets WHERE account_id = ? AND offset_id = ?", (account_id, offset_id)
    ).fetchone()
    return None if row is None else offset_of(row)


def get(database: sqlite3.Connection, account_id: int, offset_id: str) -> Offset:
    """Return an offset of an account.

    Raises:
        LedgerError: There is none of that name.
    """
    offset = find(database, account_id, offset_id)
    if offset is None:
        raise LedgerError(f"The ledger has no offset {offset_id} of this key; `codecarbon offset ledger` lists them")
    return offset


def unsettled_of(database: sqlite3.Connection, account_id: int) -> tuple[Offset, ...]:
    """Offsets that are under way or unknown, the oldest first."""
    rows = database.execute(
        f"SELECT {OFFSET_COLUMNS} FROM offsets WHERE account_id = ? AND state IN ('reserved', 'sent', 'unknown') "
        "ORDER BY number",
        (account_id,),
    )
    return tuple(map(offset_of, rows))


def has_unknown(database: sqlite3.Connection, account_id: int) -> bool:
    """Whether an outcome is unknown, which stops all buying."""
    query = "SELECT EXISTS (SELECT 1 FROM offsets WHERE account_id = ? AND state = 'unknown')"
    return bool(database.execute(query, (account_id,)).fetchone()[0])


def reserve(database: sqlite3.Connection, account_id: int, wish: Wish, owner: Owner, now_us: int) -> Offset | Refusal:
    """Take the mass of a purchase out of the balance, if there is one to make."""
    if has_unknown(database, account_id):
        return Refusal.BLOCKED
    balance = balance_of(database, account_id)
    pool_ug = balance.open_ug if wish.is_manual else balance.automatic_ug
    if not pool_ug:
        return Refusal.NOTHING_DUE
    if not wish.is_manual and pool_ug < wish.threshold_ug:
        return Refusal.BELOW_THRESHOLD
    pounds = min(pounds_of(pool_ug), MAX_POUNDS_PER_OFFSET)
    if not pounds:
        return Refusal.NOTHING_DUE if wish.is_manual else Refusal.BELOW_THRESHOLD
    if wish.cap_ug is not None:
        (used_ug,) = database.execute(
            "SELECT COALESCE(SUM(mass_ug), 0) FROM offsets WHERE account_id = ? AND run_id = ? "
            "AND NOT (state = 'rejected' AND sent_us IS NULL)",
            (account_id, wish.run_id),
        ).fetchone()
        pounds = min(pounds, pounds_of(wish.cap_ug - used_ug))
        if not pounds:
            return Refusal.CAP_REACHED
    mass_ug = ug_from_lb(pounds)
    # By hand, mass that may not be bought automatically goes first.
    automatic_ug = max(0, mass_ug - (balance.open_ug - balance.automatic_ug)) if wish.is_manual else mass_ug
    offset_id = str(uuid.uuid4())
    database.execute(
        "INSERT INTO offsets (offset_id, account_id, run_id, state, is_manual, pounds, mass_ug, automatic_ug, "
        "created_us, boot_id, pid, start_ticks, pid_namespace) VALUES (?, ?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (offset_id, account_id, wish.run_id, wish.is_manual, pounds, mass_ug, automatic_ug, now_us, *owner),
    )
    return get(database, account_id, offset_id)


def mark_sent(database: sqlite3.Connection, account_id: int, offset_id: str, owner: Owner, now_us: int) -> bool:
    """Say that an offset is about to be sent; only whoever reserved it may, and only once."""
    mine = f"offset_id = ? AND account_id = ? AND state = 'reserved' AND {_OWNED}"
    if has_unknown(database, account_id):
        database.execute(
            f"UPDATE offsets SET state = 'rejected', settled_us = ?, error = ? WHERE {mine}",
            (now_us, "never sent: the outcome of another purchase is unknown", offset_id, account_id, *owner),
        )
        return False
    changed = database.execute(
        f"UPDATE offsets SET state = 'sent', sent_us = ? WHERE {mine}", (now_us, offset_id, account_id, *owner)
    )
    return changed.rowcount == 1


def impact_of(user_id: str, time_utc: str) -> str:
    """Name a purchase at the service, in one spelling of its time."""
    try:
        return f"{user_id} {iso_from_us(us_from_iso(time_utc))}"
    except ValueError:
        return f"{user_id} {time_utc}"


def offset_by_impact(database: sqlite3.Connection, account_id: int, impact: str) -> str | None:
    """Find the offset that a purchase settled, in any account of the file at the same service and environment."""
    row = database.execute(
        "SELECT offset_id FROM offsets JOIN accounts USING (account_id) JOIN accounts AS mine "
        "USING (provider, environment) WHERE mine.account_id = ? AND impact = ?",
        (account_id, impact),
    ).fetchone()
    return None if row is None else str(row[0])


def confirm(
    database: sqlite3.Connection,
    account_id: int,
    offset_id: str,
    *,
    user_id: str,
    time_utc: str,
    pounds: int,
    now_us: int,
) -> Offset:
    """Settle an offset as bought; as unknown, if what is said of it cannot be."""
    offset = get(database, account_id, offset_id)
    if offset.state is OffsetState.CONFIRMED:
        return offset
    if not user_id or not time_utc or type(pounds) is not int or pounds < 1:
        error = f"the answer does not tell what was bought: {pounds!r} lb, by {user_id!r}, at {time_utc!r}"
        return mark_unknown(database, account_id, offset_id, error, now_us)
    impact = impact_of(user_id, time_utc)
    other = offset_by_impact(database, account_id, impact)
    if other is not None:
        error = f"the purchase {user_id}-{time_utc} is already that of the offset {other}"
        return mark_unknown(database, account_id, offset_id, error, now_us)
    mass_ug = ug_from_lb(pounds)
    # What was bought beyond the order comes out of the automatic pool, so that less is bought automatically later.
    automatic_ug = max(0, mass_ug - (offset.mass_ug - offset.automatic_ug))
    error = "" if pounds == offset.pounds else f"{offset.pounds} lb were ordered, and {pounds} lb bought"
    database.execute(
        "UPDATE offsets SET state = 'confirmed', settled_us = ?, user_id = ?, time_utc = ?, impact = ?, "
        "bought_pounds = ?, mass_ug = ?, automatic_ug = ?, error = ?, absent_since_us = NULL WHERE offset_id = ?",
        (now_us, user_id, time_utc, impact, pounds, mass_ug, automatic_ug, error, offset_id),
    )
    return get(database, account_id, offset_id)


def mark_unknown(database: sqlite3.Connection, account_id: int, offset_id: str, error: str, now_us: int) -> Offset:
    """Settle an offset as unknown; what is confirmed stays so, and so does what was never sent and is rejected."""
    offset = get(database, account_id, offset_id)
    is_over = offset.state is OffsetState.REJECTED and offset.sent_us is None
    if offset.state is not OffsetState.CONFIRMED and not is_over:
        database.execute(
            "UPDATE offsets SET state = 'unknown', settled_us = ?, error = ?, absent_since_us = NULL "
            "WHERE offset_id = ?",
            (now_us, error, offset_id),
        )
    return get(database, account_id, offset_id)


def reject(
    database: sqlite3.Connection, account_id: int, offset_id: str, *, error: str, owner: Owner, now_us: int
) -> Offset:
    """Settle an offset as not bought; only its owner knows.

    Raises:
        LedgerError: It belongs to another process.
    """
    changed = database.execute(
        "UPDATE offsets SET state = 'rejected', settled_us = ?, error = ? WHERE offset_id = ? AND account_id = ? "
        f"AND state IN ('reserved', 'sent', 'unknown') AND {_OWNED}",
        (now_us, error, offset_id, account_id, *owner),
    )
    offset = get(database, account_id, offset_id)
    if not changed.rowcount and offset.state not in {OffsetState.CONFIRMED, OffsetState.REJECTED}:
        raise LedgerError(
            f"The offset {offset_id} belongs to another process, which alone knows that nothing was bought"
        )
    return offset


def release(database: sqlite3.Connection, account_id: int, offset_id: str, error: str, now_us: int) -> Offset:
    """Settle an unknown offset as not bought, on somebody's word.

    Raises:
        LedgerError: Its outcome is not unknown.
    """
    offset = get(database, account_id, offset_id)
    if offset.state is not OffsetState.UNKNOWN:
        raise LedgerError(f"The offset {offset_id} is {offset.state.value}; only one that is unknown can be released")
    database.execute(
        "UPDATE offsets SET state = 'rejected', settled_us = ?, error = ? WHERE offset_id = ?",
        (now_us, error, offset_id),
    )
    return get(database, account_id, offset_id)


def cancel(database: sqlite3.Connection, account_id: int, offset_id: str, now_us: int) -> Offset:
    """Note that what was bought has been cancelled.

    Raises:
        LedgerError: It is not known to be bought.
    """
    offset = get(database, account_id, offset_id)
    if offset.state is not OffsetState.CONFIRMED:
        raise LedgerError(
            f"The offset {offset_id} is {offset.state.value}; only one that is confirmed can be cancelled"
        )
    if offset.cancelled_us is None:
        database.execute("UPDATE offsets SET cancelled_us = ? WHERE offset_id = ?", (now_us, offset_id))
    return get(database, account_id, offset_id)


def has_abandoned(database: sqlite3.Connection, account_id: int, here: Owner, now_us: int) -> bool:
    """Whether there is anything to take over."""
    return any(is_abandoned for _, _, is_abandoned in _unfinished(database, account_id, here, now_us))


def _unfinished(
    database: sqlite3.Connection, account_id: int, here: Owner, now_us: int
) -> list[tuple[str, Owner, bool]]:
    """Offsets under way, whose they are, and whether nobody will settle them.

    Nobody does after the owner's death. Of an owner in another container nobody can tell that; but no order is sent
    minutes after it was made (``Order.send_by_s``), so within an hour it was sent or never will be.
    """
    rows = database.execute(
        "SELECT offset_id, COALESCE(sent_us, created_us), boot_id, pid, start_ticks, pid_namespace FROM offsets "
        "WHERE account_id = ? AND state IN ('reserved', 'sent') ORDER BY number",
        (account_id,),
    ).fetchall()
    found = []
    for offset_id, since_us, *fields in rows:
        owner = Owner(*fields)
        is_lost = owner.pid_namespace != here.pid_namespace and now_us - since_us >= _LOST_AFTER_US
        found.append((offset_id, owner, is_lost or is_dead(owner, here)))
    return found


def take_over(database: sqlite3.Connection, account_id: int, here: Owner, now_us: int) -> tuple[Offset, ...]:
    """Settle what dead processes left: not bought if it was never sent, else unknown."""
    taken = []
    for offset_id, owner, is_abandoned in _unfinished(database, account_id, here, now_us):
        if not is_abandoned:
            continue
        why = f"process {owner.pid} ended " if is_dead(owner, here) else f"process {owner.pid} was not heard of "
        database.execute(
            "UPDATE offsets SET error = ? || CASE state WHEN 'sent' THEN 'before it knew the outcome' "
            "ELSE 'before it sent anything' END, settled_us = ?, absent_since_us = NULL, "
            "state = CASE state WHEN 'sent' THEN 'unknown' ELSE 'rejected' END WHERE offset_id = ?",
            (why, now_us, offset_id),
        )
        taken.append(get(database, account_id, offset_id))
    return tuple(taken)
