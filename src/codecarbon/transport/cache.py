"""Answers of services on disk, shared by all processes of a user; a cache that cannot be used is no cache."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from codecarbon.units import US_PER_DAY, US_PER_MIN, us_from_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

LARGEST_BYTES = 32 * 1024 * 1024
# What is older serves nobody, not even as a stale answer.
KEEP_US = 2 * US_PER_DAY
# An entry that seems to come from the future tells that a clock was put back.
CLOCK_SLACK_US = 5 * US_PER_MIN
_LAYOUT = 1
# How long to wait for other processes before doing without.
BUSY_S = 1.0


class Cached(NamedTuple):
    """An entry.

    Attributes:
        body: What was stored.
        fetched_us: When it was fetched, UTC microseconds since 1970.
        valid_until_us: Until when it counts as new; None for ever.
        is_stale: Whether that has passed.
    """

    body: bytes
    fetched_us: int
    valid_until_us: int | None
    is_stale: bool


class DiskCache:
    """A bounded cache in one SQLite file that only the user may read.

    It opens the file for each call and keeps nothing open, so that threads and forked children need no care. A file
    that is broken or of another layout is thrown away; one that cannot be read or written means that nothing is found
    and nothing is kept, never an error.

    Args:
        path: The file; by default ``intensity.sqlite`` in the user's cache folder.
        clock: Seconds since 1970.
        largest_bytes: Bodies beyond this sum are dropped, the oldest first.
        busy_s: How long to wait for others that write, seconds.
    """

    def __init__(
        self,
        path: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        largest_bytes: int = LARGEST_BYTES,
        busy_s: float = BUSY_S,
    ) -> None:
        if path is None:
            from platformdirs import user_cache_dir

            path = os.path.join(user_cache_dir("codecarbon", appauthor=False), "intensity.sqlite")  # noqa: PTH118
        self.path = path
        self._clock = clock
        self._largest_bytes = largest_bytes
        self._busy_s = busy_s

    def get(self, service: str, endpoint: str, key: str, *, max_stale_s: float = 0.0) -> Cached | None:
        """Find an entry.

        Args:
            service: The provider's name.
            endpoint: What was asked.
            key: All that changes the answer, with a fingerprint of the credential and never the credential.
            max_stale_s: How long after its time an entry may still be used, seconds.
        """
        now_us = us_from_s(self._clock())
        rows = self._run(
            "SELECT body, fetched_us, valid_until_us FROM entries WHERE service = ? AND endpoint = ? AND key = ?",
            (service, endpoint, key),
        )
        if not rows:
            return None
        body, fetched_us, valid_until_us = rows[0]
        if fetched_us > now_us + CLOCK_SLACK_US:
            return None
        is_stale = valid_until_us is not None and now_us >= valid_until_us
        if is_stale and now_us >= valid_until_us + us_from_s(max_stale_s):
            return None
        return Cached(bytes(body), fetched_us, valid_until_us, is_stale)

    def put(  # noqa: D417 - the first three as in get
        self, service: str, endpoint: str, key: str, body: bytes, *, valid_until_us: int | None, fetched_us: int
    ) -> None:
        """Keep an entry in place of the one with the same names.

        Args:
            body: What to keep.
            valid_until_us: Until when it counts as new, UTC microseconds since 1970; None for ever.
            fetched_us: When it was fetched, likewise.
        """
        if len(body) > self._largest_bytes // 4:
            return
        names = (service, endpoint, key)
        self._run(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*names, fetched_us, valid_until_us, len(body), body),
            is_write=True,
        )

    def clear(self) -> None:
        """Forget everything."""
        self._run("DELETE FROM entries", (), is_write=True)

    def _run(self, statement: str, values: tuple[object, ...], *, is_write: bool = False) -> list[tuple[Any, ...]]:
        """Run a statement; on a broken file throw that away and try once more."""
        try:
            return self._execute(statement, values, is_write=is_write)
        except sqlite3.DatabaseError as error:
            logger.debug("The cache %s is broken and is made anew: %s", self.path, error)
        try:
            self._throw_away()
            return self._execute(statement, values, is_write=is_write)
        except (sqlite3.DatabaseError, OSError) as error:
            logger.debug("The cache %s cannot be made anew: %s", self.path, error)
            return []

    def _execute(self, statement: str, values: tuple[object, ...], *, is_write: bool) -> list[tuple[Any, ...]]:
        """Run a statement, or do nothing while the file cannot be used; a broken one raises ``DatabaseError``."""
        try:
            with self._open(is_write=is_write) as database:
                if database is None:
                    return []
                rows = database.execute(statement, values).fetchall()
                if is_write:
                    self._prune(database)
                return rows
        except (sqlite3.OperationalError, OSError, OverflowError, ValueError) as error:  # busy, full, no such path
            logger.debug("The cache %s is not used: %s", self.path, error)
            return []

    @contextmanager
    def _open(self, *, is_write: bool) -> Iterator[sqlite3.Connection | None]:
        """Open the file, made and locked up at the first write; None when there is nothing to read."""
        path = Path(self.path)
        if is_write:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            if hasattr(os, "getuid") and path.stat().st_mode & 0o077:
                path.chmod(0o600)
        elif not path.exists():
            yield None
            return
        with closing(sqlite3.connect(path, timeout=self._busy_s, isolation_level=None)) as database:
            # A cache that a power cut breaks is made anew, so it need not wait for the disk.
            database.execute("PRAGMA synchronous = OFF")
            if not _is_laid_out(database):
                if not is_write:
                    yield None
                    return
                _lay_out(database)
            if not is_write:
                yield database
                return
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def _prune(self, database: sqlite3.Connection) -> None:
        """Drop what nobody can use, then the oldest until the rest fits."""
        now_us = us_from_s(self._clock())
        database.execute("DELETE FROM entries WHERE valid_until_us < ?", (now_us - KEEP_US,))
        database.execute(
            "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM ("
            "SELECT rowid, SUM(size_bytes) OVER (ORDER BY fetched_us DESC, rowid DESC) AS total_bytes FROM entries) "
            "WHERE total_bytes > ?)",
            (self._largest_bytes,),
        )

    def _throw_away(self) -> None:
        for ending in ("", "-journal"):
            Path(self.path + ending).unlink(missing_ok=True)


def _is_laid_out(database: sqlite3.Connection) -> bool:
    return bool(database.execute("PRAGMA user_version").fetchone()[0] == _LAYOUT)


def _lay_out(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    if _is_laid_out(database):  # somebody else was faster, and may have kept something already
        database.execute("ROLLBACK")
        return
    database.execute("DROP TABLE IF EXISTS entries")
    database.execute(
        "CREATE TABLE entries (service TEXT, endpoint TEXT, key TEXT, fetched_us INTEGER NOT NULL, "
        "valid_until_us INTEGER, size_bytes INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (service, endpoint, key))"
    )
    database.execute("CREATE INDEX entries_by_age ON entries (fetched_us, size_bytes)")
    database.execute(f"PRAGMA user_version = {_LAYOUT}")
    database.execute("COMMIT")
