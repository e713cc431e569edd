"""Accounts of a ledger file, the keys that lead to them, and which run of the host accrues."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset.entries import OFFSET_COLUMNS, AccountSummary, Holder, offset_of
from codecarbon.handlers.offset.owners import Owner, is_dead
from codecarbon.handlers.offset.purchases import balance_of, unsettled_of
from codecarbon.units import US_PER_S, iso_from_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection

    from codecarbon.handlers.offset.holding import HostLock


class Key(NamedTuple):
    """What tells a key without being it: the service, the environment, and its SHA-256."""

    provider: str
    environment: str
    fingerprint: str


class Found(NamedTuple):
    """Where a key leads to, and the name that its purchases carry."""

    account_id: int
    ledger_id: str


def find_key(database: sqlite3.Connection, key: Key) -> Found | None:
    """Find the account of a key."""
    row = database.execute(
        "SELECT account_id, ledger_id FROM keys WHERE provider = ? AND environment = ? AND fingerprint = ?", key
    ).fetchone()
    return None if row is None else Found(*row)


def add_key(database: sqlite3.Connection, key: Key, now_us: int) -> Found:
    """Find the account of a key, and open one for a key that was never seen."""
    found = find_key(database, key)
    if found is not None:
        return found
    account_id = database.execute(
        "INSERT INTO accounts (provider, environment, created_us) VALUES (?, ?, ?)",
        (key.provider, key.environment, now_us),
    ).lastrowid
    assert account_id is not None
    found = Found(account_id, str(uuid.uuid4()))
    database.execute(
        "INSERT INTO keys (provider, environment, fingerprint, ledger_id, account_id, created_us) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (*key, found.ledger_id, found.account_id, now_us),
    )
    return found


def ledger_ids_of(database: sqlite3.Connection, account_id: int) -> frozenset[str]:
    """The names that purchases of an account may carry: one for each of its keys."""
    rows = database.execute("SELECT ledger_id FROM keys WHERE account_id = ?", (account_id,))
    return frozenset(ledger_id for (ledger_id,) in rows)


def adopt(database: sqlite3.Connection, key: Key, account_id: int, user_id: str) -> bool:
    """Note whose account it is; when another key led to the same one, make them one.

    Returns:
        Whether two became one.

    Raises:
        LedgerError: It was somebody else's until now.
    """
    (known,) = database.execute("SELECT user_id FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    if known == user_id:
        return False
    if known is not None:
        raise LedgerError(
            f"The offset key belongs to the account {user_id} at {key.provider}, but what it accrued and bought here "
            f"belongs to {known}; use a key of {known}, or a new one"
        )
    row = database.execute(
        "SELECT account_id FROM accounts WHERE provider = ? AND environment = ? AND user_id = ?",
        (key.provider, key.environment, user_id),
    ).fetchone()
    if row is None:
        database.execute("UPDATE accounts SET user_id = ? WHERE account_id = ?", (user_id, account_id))
        return False
    _merge(database, account_id, row[0])
    return True


def _merge(database: sqlite3.Connection, source_id: int, target_id: int) -> None:
    # A run that accrued for both keys was measured once: the higher mark counts, not the sum.
    database.execute(
        "INSERT INTO accruals SELECT ?, run_id, segment, mass_ug, automatic_ug, created_us, changed_us "
        "FROM accruals WHERE account_id = ? ON CONFLICT (account_id, run_id, segment) DO UPDATE SET "
        "mass_ug = MAX(mass_ug, excluded.mass_ug), automatic_ug = MAX(automatic_ug, excluded.automatic_ug)",
        (target_id, source_id),
    )
    database.execute("DELETE FROM accruals WHERE account_id = ?", (source_id,))
    database.execute("UPDATE OR REPLACE skips SET account_id = ? WHERE account_id = ?", (target_id, source_id))
    for table in ("offsets", "keys", "scans"):
        statement = f"UPDATE {table} SET account_id = ? WHERE account_id = ?"  # noqa: S608 (our own names)
        database.execute(statement, (target_id, source_id))
    database.execute("DELETE FROM accounts WHERE account_id = ?", (source_id,))


def summaries(database: sqlite3.Connection) -> tuple[AccountSummary, ...]:
    """Tell every account of the file."""
    accounts = database.execute(
        "SELECT account_id, provider, environment, user_id FROM accounts ORDER BY account_id"
    ).fetchall()
    return tuple(_summary(database, *account) for account in accounts)


def _summary(
    database: sqlite3.Connection, account_id: int, provider: str, environment: str, user_id: str | None
) -> AccountSummary:
    keys = database.execute("SELECT fingerprint FROM keys WHERE account_id = ? ORDER BY rowid", (account_id,))
    bought = database.execute(
        f"SELECT {OFFSET_COLUMNS} FROM offsets WHERE account_id = ? AND state = 'confirmed' "  # noqa: S608 (our own)
        "ORDER BY number DESC LIMIT 1",
        (account_id,),
    ).fetchone()
    (scan_us,) = database.execute(
        "SELECT MAX(created_us) FROM scans WHERE account_id = ? AND is_complete", (account_id,)
    ).fetchone()
    return AccountSummary(
        provider,
        environment,
        user_id,
        tuple(fingerprint for (fingerprint,) in keys),
        balance_of(database, account_id),
        unsettled_of(database, account_id),
        None if bought is None else offset_of(bought),
        scan_us,
    )


def claim_host(
    database: sqlite3.Connection,
    environment: str,
    run_id: str,
    *,
    owner: Owner,
    lock: HostLock,
    ended: Collection[str],
    now_us: int,
) -> str:
    """Let a run accrue for the host, unless another one that lives does.

    The claim is one for all accounts of an environment: two keys would otherwise pay for the same machine twice.
    ``ended`` are runs of this process that are over, though they could not say so here.

    Returns:
        Words that tell who accrues; empty when the run does.
    """
    row = database.execute(
        "SELECT run_id, lock_inode, created_us, boot_id, pid, start_ticks, pid_namespace FROM claims "
        "WHERE environment = ?",
        (environment,),
    ).fetchone()
    if row is not None:
        holder_run_id, lock_inode, since_us, *holder_fields = row
        holder = Owner(*holder_fields)
        is_mine = holder == owner and holder_run_id == run_id
        if is_mine and lock_inode == lock.inode:
            return ""
        if is_mine:
            now_us = since_us
        elif holder == owner and holder_run_id in ended:
            pass
        elif not is_dead(holder, owner) and not _has_lost(holder, owner, lock, lock_inode):
            where = "" if holder.pid_namespace == owner.pid_namespace else " of another container"
            second = iso_from_us(since_us - since_us % US_PER_S)
            return f"process {holder.pid}{where} has counted for this machine since {second}"
    database.execute(
        "INSERT OR REPLACE INTO claims "
        "(environment, run_id, lock_inode, created_us, boot_id, pid, start_ticks, pid_namespace) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (environment, run_id, lock.take(), now_us, *owner),
    )
    return ""


def _has_lost(holder: Owner, owner: Owner, lock: HostLock, lock_inode: int) -> bool:
    """Whether a holder that cannot be looked up, or was this process before an ``exec``, has lost the lock it had.

    The inode tells that it is the same file: one that is open is not used again, even if somebody removes its name.
    """
    is_in_doubt = holder.pid_namespace != owner.pid_namespace or holder == owner
    if not lock_inode or not is_in_doubt or lock.inode:
        return False
    if lock.take() == lock_inode:
        return True
    lock.let_go()
    return False


def holders(
    database: sqlite3.Connection, here: Owner, lock_of: Callable[[str], HostLock] | None = None
) -> tuple[Holder, ...]:
    """Tell the live runs that accrue for the host, one for each environment at most.

    Args:
        database: The ledger; open for writing if locks are to be tried, since nobody may take one at that moment.
        here: The process that asks.
        lock_of: Gives the lock of an environment; None to take those for living that only a lock could tell dead.
    """
    rows = database.execute(
        "SELECT environment, run_id, created_us, lock_inode, boot_id, pid, start_ticks, pid_namespace FROM claims "
        "ORDER BY environment"
    )
    found = []
    for environment, run_id, since_us, lock_inode, *fields in rows:
        holder = Owner(*fields)
        if is_dead(holder, here):
            continue
        if lock_of is not None and _has_lost(holder, here, lock_of(environment), lock_inode):
            lock_of(environment).let_go()
            continue
        found.append(Holder(environment, run_id, holder.pid, since_us, holder.pid_namespace != here.pid_namespace))
    return tuple(found)


def release_host(database: sqlite3.Connection, environment: str, run_id: str, owner: Owner) -> bool:
    """Let another run accrue for the host; only whoever does can let go.

    Returns:
        Whether the run did.
    """
    released = database.execute(
        "DELETE FROM claims WHERE environment = ? AND run_id = ? AND boot_id = ? AND pid = ? AND start_ticks = ? "
        "AND pid_namespace = ?",
        (environment, run_id, *owner),
    )
    return released.rowcount == 1
