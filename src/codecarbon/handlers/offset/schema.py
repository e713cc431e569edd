"""The ledger's file: where it is, what is in it, and how it is opened.

For newcomers. Runs *accrue* emissions, *offsets* are purchases that pay for them. Both are rows of one SQLite file per
user and host, and the balance is always the difference of their sums; it is stored nowhere, so it cannot be wrong. An
*account* is somebody's account at a service in one environment (``production``, ``sandbox``); several keys may lead to
one account, and of a key only its SHA-256 is kept.

An offset moves like this, each arrow being one transaction::

                    reserve()                 mark_sent()
      balance ─────────────────▶ RESERVED ─────────────────▶ SENT ──▶ the one POST
                                    │                          │
         owner died, or gave up     │        definitely not bought ──────────────▶ REJECTED ─┐
         before it sent anything    │        bought ─────────────────────────────▶ CONFIRMED │ the mass
                                    │        owner died, time-out, nonsense ─▶ UNKNOWN       │ is open
                                    │                                            │           │ again
                                    ▼                                            │           │
                                 REJECTED ◀── not found, and somebody says so ───┤           ▼
                                                         found in the records ───┴──▶ CONFIRMED

- The mass of every offset but a REJECTED one is out of the balance, from the very transaction that checked it.
- RESERVED ─▶ SENT is a compare-and-set by the process that reserved. It is on disk before the POST, the unlinking of
  the journal included; after a power cut a row that is still RESERVED was therefore never sent.
- While an UNKNOWN row exists, its account buys nothing.
- Only a dead owner's rows are taken over (``owners.py``); those of a container, where that cannot be seen, after an
  hour. A living owner that was taken for dead loses nothing: its compare-and-set fails, or its answer comes late.
- A success always makes CONFIRMED, however late; if the mass was taken back meanwhile, the balance becomes a debt.

The file is opened for each operation and closed after it, and a fork waits until no operation of another thread is
under way: SQLite's locks belong to the process, so a child that inherited an open file would neither have nor see them.
"""

# pathlib costs start-up time:
# ruff: noqa: PTH101, PTH103, PTH108, PTH116, PTH118, PTH120
from __future__ import annotations

import os
import re
import sqlite3
import stat
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from codecarbon.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_S = 5.0
LAYOUT = 1
# "CO2o" in ASCII; tells a ledger from any other SQLite file.
APPLICATION_ID = 0x434F326F

_TABLES = (
    # How often the file was written to; less than before means that somebody put an old copy in its place.
    "CREATE TABLE changes (count INTEGER NOT NULL)",
    "INSERT INTO changes VALUES (0)",
    """CREATE TABLE accounts (
        account_id INTEGER PRIMARY KEY,
        provider TEXT NOT NULL,
        environment TEXT NOT NULL,
        user_id TEXT,
        created_us INTEGER NOT NULL,
        UNIQUE (provider, environment, user_id))""",
    """CREATE TABLE keys (
        provider TEXT NOT NULL,
        environment TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        ledger_id TEXT NOT NULL UNIQUE,
        account_id INTEGER NOT NULL REFERENCES accounts,
        created_us INTEGER NOT NULL,
        PRIMARY KEY (provider, environment, fingerprint))""",
    """CREATE TABLE accruals (
        account_id INTEGER NOT NULL REFERENCES accounts,
        run_id TEXT NOT NULL,
        segment INTEGER NOT NULL,
        mass_ug INTEGER NOT NULL CHECK (typeof(mass_ug) = 'integer' AND mass_ug >= 0),
        automatic_ug INTEGER NOT NULL CHECK (typeof(automatic_ug) = 'integer' AND automatic_ug BETWEEN 0 AND mass_ug),
        created_us INTEGER NOT NULL,
        changed_us INTEGER NOT NULL,
        PRIMARY KEY (account_id, run_id, segment))""",
    """CREATE TABLE skips (
        account_id INTEGER NOT NULL REFERENCES accounts,
        run_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        changed_us INTEGER NOT NULL,
        PRIMARY KEY (account_id, run_id))""",
    # `impact` names a purchase at the service: one of them never settles two offsets.
    """CREATE TABLE offsets (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        offset_id TEXT NOT NULL UNIQUE,
        account_id INTEGER NOT NULL REFERENCES accounts,
        run_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'sent', 'confirmed', 'rejected', 'unknown')),
        is_manual INTEGER NOT NULL CHECK (is_manual IN (0, 1)),
        pounds INTEGER NOT NULL CHECK (typeof(pounds) = 'integer' AND pounds >= 1),
        mass_ug INTEGER NOT NULL CHECK (typeof(mass_ug) = 'integer' AND mass_ug >= 1),
        automatic_ug INTEGER NOT NULL CHECK (typeof(automatic_ug) = 'integer' AND automatic_ug BETWEEN 0 AND mass_ug),
        created_us INTEGER NOT NULL,
        sent_us INTEGER,
        settled_us INTEGER,
        user_id TEXT,
        time_utc TEXT,
        impact TEXT,
        bought_pounds INTEGER,
        cancelled_us INTEGER,
        absent_since_us INTEGER,
        error TEXT NOT NULL DEFAULT '',
        boot_id TEXT NOT NULL,
        pid INTEGER NOT NULL,
        start_ticks INTEGER NOT NULL,
        pid_namespace TEXT NOT NULL,
        CHECK ((state = 'confirmed') = (impact IS NOT NULL)),
        CHECK (cancelled_us IS NULL OR state = 'confirmed'),
        CHECK (state != 'sent' OR sent_us IS NOT NULL))""",
    "CREATE UNIQUE INDEX offsets_by_impact ON offsets (account_id, impact) WHERE impact IS NOT NULL",
    "CREATE INDEX offsets_by_state ON offsets (account_id, state)",
    """CREATE TABLE claims (
        environment TEXT PRIMARY KEY,
        run_id TEXT NOT NULL,
        lock_inode INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        pid INTEGER NOT NULL,
        start_ticks INTEGER NOT NULL,
        pid_namespace TEXT NOT NULL)""",
    """CREATE TABLE scans (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        account_id INTEGER NOT NULL REFERENCES accounts,
        created_us INTEGER NOT NULL,
        server_us INTEGER,
        is_complete INTEGER NOT NULL,
        records INTEGER NOT NULL)""",
)


def default_path() -> str:
    """Where the ledger of this user on this host lies: in the folder for the state of programs.

    Raises:
        LedgerError: There is no such folder, since the user has no home.
    """
    import platform

    from platformdirs import user_state_dir

    try:
        folder = user_state_dir("codecarbon", appauthor=False)
    except RuntimeError:
        folder = ""
    # Some versions return the folder of an unknown home as it is written, which would lie below the working folder.
    if not os.path.isabs(folder):  # noqa: PTH117
        raise LedgerError("There is no home folder for the offset ledger; set HOME or XDG_STATE_HOME to a full path")

    # Hosts that share a home folder have a file each: locks over a network are not to be trusted with money.
    host = re.sub(r"[^A-Za-z0-9._-]+", "-", platform.node()).strip(".-")[:100] or "localhost"
    return os.path.join(folder, f"offsets-{host}.sqlite3")


class _Gate:
    """Lets one thread at a time open ledgers, and no thread fork meanwhile."""

    # A file that stays locked keeps an operation waiting for its time-out; a fork waits no longer than two of them.
    _PATIENCE_S = 2 * BUSY_S

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._forking = threading.local()  # several threads may be about to fork
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._renew)

    def _close(self) -> None:
        self._forking.has_lock = self.lock.acquire(timeout=self._PATIENCE_S)

    def _open(self) -> None:
        if self._forking.has_lock:
            self.lock.release()

    def _renew(self) -> None:
        self.lock = threading.RLock()


_gate = _Gate()


class Store:
    """The file of a ledger; made when it is missing, and never deleted, emptied or repaired.

    Args:
        path: The file; by default that of the user and host.
        busy_s: How long to wait for other processes that write.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, busy_s: float = BUSY_S) -> None:
        self._is_ours = path is None
        self.path = os.path.abspath(default_path() if path is None else os.fspath(path))  # noqa: PTH100
        self._busy_s = busy_s
        self._changes = 0

    def exists(self) -> bool:
        """Whether there is a file, of whatever kind."""
        return os.path.lexists(self.path)

    def prepare(self) -> None:
        """Make the file if it is missing, look through it, and let nobody else read it.

        Raises:
            LedgerError: It cannot be used.
        """
        with _gate.lock, self._faults():
            if not self.exists():
                self._make()
            self._tighten(self.path, 0o600)
            if self._is_ours:
                self._tighten(os.path.dirname(self.path), 0o700)
        with self.reading() as database:
            problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise self._damaged(problem)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open the file for several looks at the same state of it.

        Raises:
            LedgerError: It cannot be used.
        """
        with self._transaction("BEGIN") as database:
            yield database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction, which no other process interleaves with; all of it happens, or nothing.

        Raises:
            LedgerError: It cannot be used; nothing was changed.
        """
        with self._transaction("BEGIN IMMEDIATE") as database:
            yield database
            if database.total_changes:
                database.execute("UPDATE changes SET count = count + 1")
                self._changes += 1

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with _gate.lock, self._faults(), closing(self._connect()) as database:
            known = self._changes
            database.execute(begin)
            try:
                self._check(database)
                yield database
                database.execute("COMMIT")
            except BaseException:
                self._changes = known
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection:
        from pathlib import Path

        # A file that has vanished is not made anew: what it held, such as the high-water marks of runs, is needed.
        database = sqlite3.connect(
            Path(self.path).as_uri() + "?mode=rw", uri=True, timeout=self._busy_s, isolation_level=None
        )
        try:
            for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "synchronous = EXTRA"):
                # EXTRA = FULL, and the folder is synchronised after the journal is unlinked: else a power cut could
                # bring the journal back, and with it the state before SENT.
                database.execute(f"PRAGMA {pragma}")
            # Does nothing but where somebody has changed it.
            database.execute("PRAGMA journal_mode = DELETE")
        except BaseException:
            database.close()
            raise
        return database

    def _check(self, database: sqlite3.Connection) -> None:
        application_id = database.execute("PRAGMA application_id").fetchone()[0]
        layout = database.execute("PRAGMA user_version").fetchone()[0]
        mode = database.execute("PRAGMA journal_mode").fetchone()[0]
        if application_id != APPLICATION_ID:
            raise LedgerError(
                f"{self.path} is not an offset ledger; it is left as it is: move it away, or name another file"
            )
        if layout > LAYOUT:
            raise LedgerError(
                f"The offset ledger {self.path} was written by a newer codecarbon (layout {layout}, this one knows "
                f"{LAYOUT}); update codecarbon here"
            )
        if layout < LAYOUT:
            raise self._damaged(f"layout {layout}")
        if mode != "delete":
            raise LedgerError(f"The offset ledger {self.path} is kept in the journal mode {mode!r} by another program")
        changes = database.execute("SELECT count FROM changes").fetchone()[0]
        if changes < self._changes:
            raise self.replaced()
        self._changes = changes

    def _make(self) -> None:
        """Make the file under another name and link it to its own: whoever sees it sees all of it, readable to us."""
        import uuid

        folder = os.path.dirname(self.path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        draft = f"{self.path}.{uuid.uuid4().hex}.new"
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("BEGIN IMMEDIATE")
                for statement in _TABLES:
                    database.execute(statement)
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {LAYOUT}")
                database.execute("COMMIT")
            with suppress(FileExistsError):  # somebody else was faster
                os.link(draft, self.path)
        finally:
            os.unlink(draft)
        _synchronise(folder)

    @staticmethod
    def _tighten(path: str, mode: int) -> None:
        """Take the rights of others away; by name, for closing a descriptor of the file would drop SQLite's locks."""
        status = os.stat(path)
        if stat.S_IMODE(status.st_mode) & ~mode and status.st_uid == os.geteuid():
            os.chmod(path, mode)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise LedgerError(
                f"The offset ledger {self.path} refuses an entry, and nothing was changed: {error}"
            ) from error
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise LedgerError(
                    f"The offset ledger {self.path} was kept locked by another process for {self._busy_s:g} s, and "
                    "nothing was changed; try again when that one is done"
                ) from error
            raise self._unusable(error) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error
        except (OSError, OverflowError, ValueError) as error:  # the last for a path with a null character
            raise self._unusable(error) from error

    def replaced(self) -> LedgerError:
        """What to raise when another file has come in the place of the one that was opened first."""
        # Marks or purchases are missing in it: whoever went on would accrue or buy something for the second time.
        return LedgerError(
            f"The offset ledger {self.path} was replaced while it was in use; nothing more is accrued or bought until "
            "the program starts again"
        )

    def _unusable(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"The offset ledger {self.path} cannot be used, and nothing was changed: {error}; its folder must be "
            "writable, with space on its disk"
        )

    def _damaged(self, problem: str) -> LedgerError:
        return LedgerError(
            f"The offset ledger {self.path} is damaged ({problem}) and is left as it is: restore a copy of it, or move "
            "it away to begin a new one; what was bought is on record at the service"
        )


def _synchronise(folder: str) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
