"""Who made an entry: a process, told apart from every other that had or will have its number.

A process number alone names nobody for long. Together with the kernel's boot and the moment the process began it does,
within one namespace of process numbers; a process of another namespace (a container) cannot be looked up from here, so
it counts as living.
"""

# pathlib costs start-up time:
# ruff: noqa: PTH116, PTH118
from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from codecarbon.handlers.locking import process_exists
from codecarbon.model.machine import Roots
from codecarbon.units import us_from_s

# Fields of /proc/<pid>/stat after the command's name, from 0: proc_pid_stat(5) counts them from 3.
_STATE, _THREADS, _START = 0, 17, 19
# Without a kernel's count of ticks, two readings of the same start may differ by this.
_START_SLACK = us_from_s(1.0)


class Owner(NamedTuple):
    """A process.

    Attributes:
        boot_id: The kernel's name of this start of the machine; empty where there is none.
        pid: Its number.
        start_ticks: When it began: clock ticks since boot on Linux, microseconds since 1970 elsewhere; 0 = unknown.
        pid_namespace: Inode of the namespace that its number belongs to; empty where there are none.
    """

    boot_id: str
    pid: int
    start_ticks: int
    pid_namespace: str


_found: dict[tuple[int, str], Owner] = {}


def this_process(roots: Roots = Roots()) -> Owner:  # noqa: B008 (immutable)
    """Return the calling process; a forked child is another one than its parent."""
    pid = os.getpid()
    owner = _found.get((pid, roots.procfs))
    if owner is None:
        boot_id = namespace = ""
        with suppress(OSError):
            boot_id = _text_of(os.path.join(roots.procfs, "sys/kernel/random/boot_id")).strip()
        with suppress(OSError):
            namespace = str(os.stat(f"{roots.procfs}/self/ns/pid").st_ino)
        start_ticks = 0
        with suppress(OSError):
            start_ticks = _start_of(pid, roots.procfs) or 0
        owner = Owner(boot_id, pid, start_ticks, namespace)
        _found.clear()  # a child needs no entry of its parent
        _found[pid, roots.procfs] = owner
    return owner


def is_dead(owner: Owner, here: Owner, roots: Roots = Roots()) -> bool:  # noqa: B008 (immutable)
    """Whether a process has certainly ended; False in every doubt.

    Args:
        owner: The process asked about.
        here: The process that asks.
        roots: Where the kernel's files are.
    """
    if owner == here:
        return False
    if owner.boot_id and here.boot_id and owner.boot_id != here.boot_id:
        return True
    if owner.pid_namespace != here.pid_namespace:
        return False
    slack = 0 if here.boot_id else _START_SLACK
    try:
        start_ticks = _start_of(owner.pid, roots.procfs)
    except OSError:
        return False
    if start_ticks is None:
        return True
    return bool(owner.start_ticks) and abs(start_ticks - owner.start_ticks) > slack


def _start_of(pid: int, procfs: str) -> int | None:
    """When a process began; None when there is none of that number, or only what is left until its parent looks.

    Raises:
        OSError: It cannot be told.
    """
    if not os.path.exists(f"{procfs}/self/stat"):  # noqa: PTH110
        return _start_by_psutil(pid)
    try:
        text = _text_of(f"{procfs}/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        # A mount may hide the processes of others (hidepid); the kernel still tells that they exist.
        if process_exists(pid):
            raise
        return None
    fields = text.rpartition(")")[2].split()  # the command's name may hold anything, parentheses included
    try:
        # The main thread of a process may have ended before its others.
        if fields[_STATE] in {"Z", "X", "x"} and int(fields[_THREADS]) <= 1:
            return None
        return int(fields[_START])
    except (IndexError, ValueError) as error:
        raise OSError(f"{procfs}/{pid}/stat is not readable: {text!r}") from error


def _start_by_psutil(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return us_from_s(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error as error:
        raise OSError(f"process {pid} cannot be looked at: {error}") from error


def _text_of(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read()
