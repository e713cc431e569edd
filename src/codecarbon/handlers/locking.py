"""Locks on files: for a result file that several runs append to, and for the one run a machine may have.

The kernel drops a lock when its owner ends, however it ends, so nothing can stay locked behind a killed process.
"""

# pathlib costs start-up time:
# ruff: noqa: PTH108, PTH118
from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_NAME = ".codecarbon.lock"
_POLL_S = 0.002
# The file system has no locks (some network and user-space ones): appending is then the only protection.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_BUSY = frozenset({errno.EAGAIN, errno.EACCES})


def default_lock_path() -> str:
    """Where the lock of exclusive runs lies: in the folder for temporary files."""
    from tempfile import gettempdir

    return os.path.join(gettempdir(), LOCK_NAME)


@contextmanager
def open_locked(path: str, *, wait_s: float) -> Iterator[int]:
    """Open a file for reading and appending, make it when it is missing, and hold its lock.

    The lock belongs to the file, not to its name: when the name has come to mean another file while this one was
    waited for (somebody replaced it), that other one is opened and locked instead.

    Raises:
        TimeoutError: Another process kept the lock all the time.
        OSError: The file cannot be opened.
    """
    deadline_s = time.monotonic() + wait_s
    while True:
        fd = _open_for_appending(path)
        try:
            _lock_by(fd, deadline_s, path)
            if _is_named(fd, path):
                yield fd
                return
        finally:
            os.close(fd)


def _open_for_appending(path: str) -> int:
    flags = os.O_RDWR | os.O_APPEND
    try:
        # Not O_CREAT at once: in a sticky folder the kernel refuses that for another user's file (protected_regular).
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o666)


def _lock_by(fd: int, deadline_s: float, path: str) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # noqa: PERF203 (the loop waits)
            if error.errno in _NO_LOCKS:
                return
            if error.errno not in _BUSY:
                raise
            if time.monotonic() >= deadline_s:
                raise TimeoutError(errno.ETIMEDOUT, "another process keeps it locked", path) from error
            time.sleep(_POLL_S)
        else:
            return


def _is_named(fd: int, path: str) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        return False


def process_exists(pid: int) -> bool:
    """Whether there is a process of that number, whoever's it is; one that has ended counts until its parent looks."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


class Lock:
    """The right to be the only exclusive run on this machine.

    It is a lock on an open file, in which the owner's process id is written for people to read.

    Args:
        path: The lock file; by default one in the folder for temporary files.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.lockfile_path = default_lock_path() if path is None else os.fspath(path)
        self._fd: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def acquire(self) -> None:
        """Take the lock, without waiting.

        Raises:
            FileExistsError: Somebody holds it; the message names the process.
            OSError: The lock file cannot be opened.
        """
        if self._fd is not None:
            raise self._taken()
        while True:
            fd = self._open()
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(fd)
                if error.errno in _BUSY:
                    raise self._taken() from error
                raise
            if _is_named(fd, self.lockfile_path):
                break
            os.close(fd)  # its last owner removed it after we had opened it
        self._fd = fd
        _held.add(self)
        self._write_pid(fd)

    def release(self) -> None:
        """Give the lock back and remove the file; does nothing unless this object holds it."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        _held.discard(self)
        try:
            if _is_named(fd, self.lockfile_path):
                with suppress(PermissionError):  # another user's file stays, and is free
                    os.unlink(self.lockfile_path)
        finally:
            os.close(fd)

    def owner_pid(self) -> int | None:
        """The process id that the lock file names, or None when it names none that lives."""
        try:
            fd = os.open(self.lockfile_path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            text = os.read(fd, 32).decode("ascii", "replace").strip()
        finally:
            os.close(fd)
        # An owner that may not write to the file leaves an earlier one's number in it.
        return int(text) if text.isdecimal() and process_exists(int(text)) else None

    def _open(self) -> int:
        # Not through a symbolic link: in a folder that everybody may write to, it could lead anywhere.
        try:
            return os.open(self.lockfile_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except PermissionError:
            # Another user's file. It can be locked all the same, it just cannot tell our process id.
            try:
                return os.open(self.lockfile_path, os.O_RDONLY | os.O_NOFOLLOW)
            except PermissionError as error:
                raise self._taken() from error

    @staticmethod
    def _write_pid(fd: int) -> None:
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError:
            # Read-only (another user's file) or a full disk: the lock holds, only its owner stays unnamed.
            return

    def _taken(self) -> FileExistsError:
        pid = self.owner_pid()
        owner = f"process {pid}" if pid else "another process"
        return FileExistsError(errno.EEXIST, f"the lock is held by {owner}", self.lockfile_path)

    def _forget(self) -> None:
        """Close the descriptor that a forked child inherited: the parent alone holds the lock."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock._forget()  # noqa: SLF001 (of this module)
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)
