"""Old path of the lock that exclusive runs take."""

from codecarbon.handlers import Lock, default_lock_path

LOCKFILE = default_lock_path()

__all__ = ["LOCKFILE", "Lock"]
