"""The ledger: what runs accrued, and what was bought for it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset import accounts as _accounts
from codecarbon.handlers.offset import purchases, settle
from codecarbon.handlers.offset.entries import (
    OFFSET_COLUMNS,
    AccountSummary,
    Accrual,
    Balance,
    Holder,
    Offset,
    OffsetState,
    Refusal,
    Settlement,
    Skip,
    offset_of,
)
from codecarbon.handlers.offset.holding import HostLock, lock_path
from codecarbon.handlers.offset.owners import Owner, this_process
from codecarbon.handlers.offset.schema import BUSY_S, Store
from codecarbon.units import us_from_s

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Collection, Iterator

    from codecarbon.handlers.offset.provider import Scan

# Runs of this process that are over and could not say so in the ledger.
_ended: set[str] = set()

__all__ = [
    "AccountSummary",
    "Accrual",
    "Balance",
    "Holder",
    "Ledger",
    "Offset",
    "OffsetState",
    "Refusal",
    "Settlement",
    "Skip",
    "accounts",
    "holders",
]


class Ledger:
    """One key's view of the ledger file of this user and host.

    Every method is one transaction, so that threads, forked children and other processes may use the same file. All
    of them raise ``LedgerError`` when the file cannot be used; then nothing was changed.

    Args:
        path: The file; by default ``offsets-<host>.sqlite3`` in the user's folder for the state of programs.
        provider: Name of the service.
        fingerprint: SHA-256 of the key; the key itself has no business here.
        environment: For example ``sandbox``; environments share nothing.
        clock: Seconds since 1970. Times are for people to read; nothing that could cost money is decided by them.
        owner: Whose offsets these are; by default, the process that calls.
        busy_s: How long to wait for other processes that write.

    Attributes:
        path: The file.
        ledger_id: The name that purchases of this key carry, so that they can be told from those of other ledgers.

    Raises:
        LedgerError: The file cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        provider: str,
        fingerprint: str,
        environment: str,
        clock: Callable[[], float] = time.time,
        owner: Owner | None = None,
        busy_s: float = BUSY_S,
    ) -> None:
        self._key = _accounts.Key(provider, environment, fingerprint)
        self._clock = clock
        self._given_owner = owner
        self._store = Store(path, busy_s=busy_s)
        self._store.prepare()
        self.path = self._store.path
        self._host_lock = HostLock(lock_path(self.path, environment))
        with self._store.reading() as database:
            found = _accounts.find_key(database, self._key)
        if found is None:
            with self._store.writing() as database:
                found = _accounts.add_key(database, self._key, self._now_us())
        self.ledger_id = found.ledger_id

    def claim_host(self, run_id: str) -> str:
        """Let a run accrue for the whole host, which one living run at a time does.

        Returns:
            Words that tell which other run does; empty when this one does. Asking again changes nothing.
        """
        _ended.discard(run_id)
        with self._writing() as (database, _):
            return _accounts.claim_host(
                database,
                self._key.environment,
                run_id,
                owner=self._owner(),
                lock=self._host_lock,
                ended=_ended,
                now_us=self._now_us(),
            )

    def release_host(self, run_id: str) -> None:
        """Let another run accrue for the host; one of this process may even if the ledger cannot be used."""
        try:
            with self._writing() as (database, _):
                has_let_go = _accounts.release_host(database, self._key.environment, run_id, self._owner())
        except LedgerError:
            _ended.add(run_id)
            raise
        if has_let_go:
            self._host_lock.let_go()

    def accrue(self, run_id: str, segment: int, total_ug: int, *, is_automatic: bool) -> int:
        """Raise what a run has accrued to its total so far; a total that was seen before adds nothing.

        Args:
            run_id: The run.
            segment: Number of its stretch, which gets what is new.
            total_ug: What the whole run emitted so far, micrograms.
            is_automatic: Whether what is new may be bought automatically.

        Returns:
            What was added, micrograms.
        """
        with self._reading() as (database, account_id):
            if total_ug <= _mark_of(database, account_id, run_id):
                return 0
        with self._writing() as (database, account_id):
            added_ug = total_ug - _mark_of(database, account_id, run_id)
            if added_ug <= 0:
                return 0
            now_us = self._now_us()
            database.execute(
                "INSERT INTO accruals (account_id, run_id, segment, mass_ug, automatic_ug, created_us, changed_us) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, run_id, segment) DO UPDATE SET "
                "mass_ug = mass_ug + excluded.mass_ug, automatic_ug = automatic_ug + excluded.automatic_ug, "
                "changed_us = excluded.changed_us",
                (account_id, run_id, segment, added_ug, added_ug if is_automatic else 0, now_us, now_us),
            )
            return added_ug

    def skip(self, run_id: str, reason: str) -> None:
        """Record that a run does not accrue, and why; the last reason stays."""
        with self._writing() as (database, account_id):
            database.execute(
                "INSERT OR REPLACE INTO skips (account_id, run_id, reason, changed_us) VALUES (?, ?, ?, ?)",
                (account_id, run_id, reason, self._now_us()),
            )

    def balance(self) -> Balance:
        """Sum the account up."""
        with self._reading() as (database, account_id):
            return purchases.balance_of(database, account_id)

    def reserve(self, *, is_manual: bool, threshold_ug: int, run_id: str, cap_ug: int | None) -> Offset | Refusal:
        """Take the mass of a purchase out of the balance: the whole pounds that fit, 10 000 000 at most.

        Args:
            is_manual: Whether a person asked: then everything open counts, and a pound is enough.
            threshold_ug: What the automatic pool must have reached otherwise.
            run_id: The run that it counts for.
            cap_ug: The most that a run may buy: all its offsets count, but those that were never sent.

        Returns:
            The reservation, or why there is none.
        """
        wish = purchases.Wish(is_manual, threshold_ug, run_id, cap_ug)
        with self._writing() as (database, account_id):
            return purchases.reserve(database, account_id, wish, self._owner(), self._now_us())

    def mark_sent(self, offset_id: str) -> bool:
        """Say that an offset is about to be sent.

        Returns:
            Whether it may be. Without True, nothing may be sent: somebody else owns it, it was taken over, it was sent
            before, or another outcome has become unknown meanwhile.
        """
        with self._writing() as (database, account_id):
            return purchases.mark_sent(database, account_id, offset_id, self._owner(), self._now_us())

    def confirm(self, offset_id: str, *, user_id: str, time_utc: str, pounds: int) -> Offset:
        """Settle an offset as bought, however late, with the pounds that really were.

        Returns:
            The offset: confirmed, or unknown if the purchase has no name or pounds, or settled another offset before.
        """
        with self._writing() as (database, account_id):
            return purchases.confirm(
                database,
                account_id,
                offset_id,
                user_id=user_id,
                time_utc=time_utc,
                pounds=pounds,
                now_us=self._now_us(),
            )

    def reject(self, offset_id: str, error: str) -> Offset:
        """Settle an own offset as certainly not bought; one that is confirmed stays so."""
        with self._writing() as (database, account_id):
            return purchases.reject(
                database, account_id, offset_id, error=error, owner=self._owner(), now_us=self._now_us()
            )

    def mark_unknown(self, offset_id: str, error: str) -> Offset:
        """Settle an offset as unknown, which stops all buying; one that is confirmed stays so."""
        with self._writing() as (database, account_id):
            return purchases.mark_unknown(database, account_id, offset_id, error, self._now_us())

    def cancel(self, offset_id: str) -> Offset:
        """Note that a purchase was cancelled: its mass may be bought again by hand, and not automatically."""
        with self._writing() as (database, account_id):
            return purchases.cancel(database, account_id, offset_id, self._now_us())

    def release(self, offset_id: str) -> Offset:
        """Settle an unknown offset as not bought, because a person says so."""
        with self._writing() as (database, account_id):
            return purchases.release(database, account_id, offset_id, "released by hand", self._now_us())

    def take_over_dead(self) -> tuple[Offset, ...]:
        """Settle what dead processes left: rejected if it was never sent, else unknown.

        So ends, after an hour, what a process of another container left, which may or may not be dead.

        Returns:
            What was settled.
        """
        here, now_us = self._owner(), self._now_us()
        with self._reading() as (database, account_id):
            if not purchases.has_abandoned(database, account_id, here, now_us):
                return ()
        with self._writing() as (database, account_id):
            return purchases.take_over(database, account_id, here, now_us)

    def settle(self, scan: Scan, *, auto_release: bool, doubted: Collection[str] | None = None) -> Settlement:
        """Bring the offsets up to what a look at the service's records says.

        Args:
            scan: What was seen.
            auto_release: Whether an unknown offset may be taken for not bought, once two complete looks, 15 minutes
                apart by the service's clock, miss it; no purchase without a name has its weight; and an offset from
                before it is listed with its name.
            doubted: The offsets that were unknown before the look began: of no others does it say that they are
                missing. None when nothing else can have become unknown since.
        """
        with self._writing() as (database, account_id):
            return settle.settle(
                database,
                account_id,
                scan,
                auto_release=auto_release,
                owner=self._owner(),
                now_us=self._now_us(),
                doubted=doubted,
            )

    def adopt(self, user_id: str) -> bool:
        """Note whose account the key leads to; if another key led to it before, both share one balance from now on.

        Returns:
            Whether two accounts became one.

        Raises:
            LedgerError: The key led to somebody else's account before.
        """
        if not user_id:
            raise LedgerError("The service does not tell whose key it is; nothing was changed in the offset ledger")
        with self._writing() as (database, account_id):
            return _accounts.adopt(database, self._key, account_id, user_id)

    def unsettled(self) -> tuple[Offset, ...]:
        """Offsets that are reserved, sent or unknown, the oldest first."""
        with self._reading() as (database, account_id):
            return purchases.unsettled_of(database, account_id)

    def offset(self, offset_id: str) -> Offset | None:
        """Find an offset of this account."""
        with self._reading() as (database, account_id):
            return purchases.find(database, account_id, offset_id)

    def offsets(self, limit: int | None = None) -> tuple[Offset, ...]:
        """Offsets of this account, the newest first."""
        query = f"SELECT {OFFSET_COLUMNS} FROM offsets WHERE account_id = ? ORDER BY number DESC"  # noqa: S608 (ours)
        return tuple(map(offset_of, self._rows(query, limit)))

    def accruals(self, limit: int | None = None) -> tuple[Accrual, ...]:
        """What runs accrued, what changed last first."""
        query = f"SELECT {', '.join(Accrual._fields)} FROM accruals WHERE account_id = ? ORDER BY rowid DESC"  # noqa: S608
        return tuple(map(Accrual._make, self._rows(query, limit)))

    def skips(self, limit: int | None = None) -> tuple[Skip, ...]:
        """Runs that did not accrue, the newest first."""
        query = f"SELECT {', '.join(Skip._fields)} FROM skips WHERE account_id = ? ORDER BY rowid DESC"  # noqa: S608
        return tuple(map(Skip._make, self._rows(query, limit)))

    @staticmethod
    def accounts(path: str | os.PathLike[str] | None = None) -> tuple[AccountSummary, ...]:
        """Tell every account of a ledger file, for which no key is needed; a file that is missing has none."""
        return accounts(path)

    def _rows(self, query: str, limit: int | None) -> list[tuple[object, ...]]:
        with self._reading() as (database, account_id):
            return database.execute(f"{query} LIMIT ?", (account_id, -1 if limit is None else limit)).fetchall()

    def _owner(self) -> Owner:
        return self._given_owner or this_process()

    def _now_us(self) -> int:
        return us_from_s(self._clock())

    @contextmanager
    def _reading(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        with self._store.reading() as database:
            yield database, self._account_of(database)

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        with self._store.writing() as database:
            yield database, self._account_of(database)

    def _account_of(self, database: sqlite3.Connection) -> int:
        found = _accounts.find_key(database, self._key)
        if found is None or found.ledger_id != self.ledger_id:
            raise self._store.replaced()
        return found.account_id


def accounts(path: str | os.PathLike[str] | None = None) -> tuple[AccountSummary, ...]:
    """Tell every account of a ledger file, for which no key is needed; a file that is missing has none.

    Raises:
        LedgerError: The file cannot be used.
    """
    store = Store(path)
    if not store.exists():
        return ()
    with store.reading() as database:
        return _accounts.summaries(database)


def holders(path: str | os.PathLike[str] | None = None) -> tuple[Holder, ...]:
    """Tell which live runs accrue for this host, one for each environment at most.

    Raises:
        LedgerError: The file cannot be used.
    """
    store = Store(path)
    if not store.exists():
        return ()
    with store.reading() as database:
        found = _accounts.holders(database, this_process())
    if not any(holder.is_elsewhere for holder in found):
        return found
    with store.writing() as database:
        return _accounts.holders(
            database, this_process(), lambda environment: HostLock(lock_path(store.path, environment))
        )


def _mark_of(database: sqlite3.Connection, account_id: int, run_id: str) -> int:
    """How much a run has accrued in all its stretches, micrograms."""
    row = database.execute(
        "SELECT COALESCE(SUM(mass_ug), 0) FROM accruals WHERE account_id = ? AND run_id = ?", (account_id, run_id)
    ).fetchone()
    return int(row[0])
