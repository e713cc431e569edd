"""A lock that a process holds as long as it lives, which the containers of a machine see too.

Whether a process of another container lives cannot be looked up, but a lock on a file in a shared folder can be tried:
the kernel drops it when its owner ends, however it ends.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress


def lock_path(path: str, environment: str) -> str:
    """Where the lock of an environment lies: beside the ledger."""
    return f"{path}.{re.sub('[^a-z]+', '-', environment)}.lock"


class HostLock:
    """The lock beside a ledger of whoever accrues for the host; all objects of a path share it within a process.

    Args:
        path: The file; made when it is missing, and never removed.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def inode(self) -> int:
        """The file that this process holds; 0 for none."""
        fd = _held.get(self._path)
        return 0 if fd is None else os.fstat(fd).st_ino

    def take(self) -> int:
        """Hold it from now on; returns its inode, or 0 if somebody else does, or if the file system has no locks."""
        if self._path not in _held:
            try:
                import fcntl

                fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except (ImportError, OSError):
                return 0
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                return 0
            _held[self._path] = fd
        return self.inode

    def let_go(self) -> None:
        """Let somebody else take it."""
        fd = _held.pop(self._path, None)
        if fd is not None:
            os.close(fd)


_held: dict[str, int] = {}


def _forget() -> None:
    """Close what a forked child inherited: else its parent would seem to live as long as the child does."""
    for fd in _held.values():
        with suppress(OSError):
            os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
