"""Run a command as if the user had: same stdio, same signals, same exit code.

Signals are handled in one place: Python's wake-up file descriptor turns each of them into a byte, and one loop reads
the bytes. Handlers themselves do nothing, so no exception can surface in the middle of something else.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130
SIGNALLED = 128

INTERRUPT_GRACE_S = 10.0
"""How long a command may take to end by itself after Ctrl-C, which the terminal sends to it as well."""
TERMINATE_GRACE_S = 5.0
"""How long it may take after SIGTERM before it is killed."""

# A wrapper is meant to be invisible: whoever signals it means the command. USR1 and USR2 are what batch systems send
# ahead of a time limit.
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# The terminal sends these to the whole foreground group, the command included.
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)

# After Ctrl-C, one after the other while the command lives; SIGKILL ends it at last.
_STEPS = (
    (None, "waiting for the command to end; press Ctrl-C again to terminate it"),
    (signal.SIGTERM, "terminating the command; press Ctrl-C again to kill it"),
)

# linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    Attributes:
        exit_code: What the caller's shell is told: the command's own code, 128 + n after signal n, 130 after Ctrl-C.
        signal_number: The signal that ended it, or None.
        was_interrupted: Whether Ctrl-C was pressed.
        has_left_processes: Whether it left processes behind that are still running.
    """

    exit_code: int
    signal_number: int | None
    was_interrupted: bool
    has_left_processes: bool


class CommandError(Exception):
    """A command that cannot be run; carries the exit code that shells use for it."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def check_command(word: str) -> None:
    """Check that a command can be found and executed, before anything is measured.

    Raises:
        CommandError: With exit code 127 when it is not there, 126 when it may not be executed.
    """
    if shutil.which(word):
        return
    if shutil.which(word, mode=os.F_OK) or (os.sep in word and Path(word).exists()):
        raise _error(word, errno.EACCES)
    raise _error(word, errno.ENOENT)


def run(words: Sequence[str], signals_fd: int, *, on_wait: Callable[[str], None] | None = None) -> Outcome:
    """Run a command to its end, passing signals on; those that came early reach it as soon as it runs.

    Args:
        words: The command and its arguments; no shell is involved.
        signals_fd: From ``catch_signals``.
        on_wait: Called with a sentence for the user while Ctrl-C has been pressed and the command still runs.

    Raises:
        CommandError: The command could not be started.
    """
    is_alone = _is_childless()
    try:
        # Not subprocess: its bookkeeping would race with the reaping of orphans below. Our own file descriptors are
        # close-on-exec; SIGPIPE and SIGXFSZ, which Python ignores, go back to their defaults.
        pid = os.posix_spawnp(words[0], list(words), os.environ, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ))
    except OSError as error:
        raise _error(words[0], error.errno or errno.ENOENT) from error
    return _Watch(pid, signals_fd, is_alone=is_alone, on_wait=on_wait).wait()


class _Watch:
    """The loop that waits for one child, forwards signals and reaps orphans."""

    def __init__(self, pid: int, signals_fd: int, *, is_alone: bool, on_wait: Callable[[str], None] | None) -> None:
        self._pid = pid
        self._signals_fd = signals_fd
        # Somebody else's children (we may be called from a larger program) must not be reaped behind its back.
        self._is_alone = is_alone
        self._on_wait = on_wait
        self._status: int | None = None
        self._interrupts = 0
        self._deadline_s: float | None = None

    def wait(self) -> Outcome:
        self._reap()  # it may have ended before the first byte could be waited for
        while self._status is None:
            timeout_s = None if self._deadline_s is None else max(0.0, self._deadline_s - time.monotonic())
            ready, _, _ = select.select([self._signals_fd], [], [], timeout_s)
            if ready:
                for number in os.read(self._signals_fd, 4096):
                    self._handle(number)
            elif self._interrupts:
                self._escalate()
        return self._outcome(self._status)

    def _handle(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGINT:
            self._escalate()
        elif number in _FORWARDED and self._status is None:
            os.kill(self._pid, number)

    def _escalate(self) -> None:
        """Take the next step after Ctrl-C: wait, then SIGTERM, then SIGKILL; a further Ctrl-C skips the waiting."""
        step = self._interrupts
        self._interrupts += 1
        if self._status is not None:  # it ended of the same Ctrl-C, and that was noticed first
            return
        if step == len(_STEPS):
            os.kill(self._pid, signal.SIGKILL)
            self._deadline_s = None
            return
        number, message = _STEPS[step]
        if number is not None:
            os.kill(self._pid, number)
        self._deadline_s = time.monotonic() + (TERMINATE_GRACE_S if number else INTERRUPT_GRACE_S)
        self._say(message)

    def _say(self, text: str) -> None:
        if self._on_wait is not None:
            self._on_wait(text)

    def _reap(self) -> None:
        """Collect every child that has ended: the command, and orphans that came to us as their subreaper."""
        wanted = -1 if self._is_alone else self._pid
        while self._status is None or self._is_alone:
            try:
                pid, status = os.waitpid(wanted, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status

    def _outcome(self, status: int) -> Outcome:
        code = os.waitstatus_to_exitcode(status)
        killed_by = -code if code < 0 else None
        exit_code = SIGNALLED + killed_by if killed_by else code
        was_interrupted = self._interrupts > 0 or killed_by == signal.SIGINT
        return Outcome(
            exit_code=INTERRUPTED if was_interrupted else exit_code,
            signal_number=killed_by,
            was_interrupted=was_interrupted,
            has_left_processes=self._is_alone and not _is_childless(),
        )


def wait_for_stop(signals_fd: int) -> int:
    """Sleep until SIGINT, SIGTERM or SIGHUP arrives and return its number."""
    while True:
        for number in os.read(signals_fd, 4096):
            if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                return number


@contextmanager
def catch_signals() -> Iterator[int]:
    """Turn signals into bytes on a pipe for the time of the block; yield its reading end.

    Raises:
        ValueError: Called from another thread than the main one, which cannot own signals.
    """
    reading_fd, writing_fd = os.pipe()
    os.set_blocking(writing_fd, False)
    previous: dict[signal.Signals, object] = {}
    previous_fd = signal.set_wakeup_fd(writing_fd, warn_on_full_buffer=False)
    try:
        for number in (signal.SIGCHLD, *_FORWARDED, *_FROM_TERMINAL):
            # Ignored by whoever started us (nohup, a background job): it stays so, for the command as well.
            if number is signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, _note)
        yield reading_fd
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)  # type: ignore[arg-type]
        signal.set_wakeup_fd(previous_fd)
        os.close(reading_fd)
        os.close(writing_fd)


def _note(number: int, frame: object) -> None:
    """Handle a signal: the byte on the pipe says it all."""


@contextmanager
def adopt_orphans() -> Iterator[None]:
    """Adopt orphaned descendants for the time of the block, so that daemons stay part of our process tree."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    before = ctypes.c_int(0)
    prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(before.value), 0, 0, 0)


def _is_childless() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def _error(word: str, number: int) -> CommandError:
    exit_code = NOT_FOUND if number == errno.ENOENT else NOT_EXECUTABLE
    return CommandError(f"cannot run {word}: {os.strerror(number)}", exit_code)
