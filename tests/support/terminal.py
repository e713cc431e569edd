"""A program in the foreground of its own pseudo-terminal, seen through the bytes that arrive at the other end."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

TIMEOUT_S = 60.0
# A session leader gets a controlling terminal by asking for it (tty_ioctl(4)).
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """Starts a program on a pseudo-terminal that is its controlling one.

    Args:
        words: The program and its arguments.
        rows: Height of the terminal.
        columns: Width of the terminal.
        env: Environment variables; this process's own when None.
        cwd: Working folder.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        rows: int = 24,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a character
        self.exit_code: int | None = None
        self.fd, other_fd = pty.openpty()
        self.resize(rows, columns)
        # Not pty.fork: forking a test process, which has threads, is unsafe.
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *words],
            stdin=other_fd,
            stdout=other_fd,
            stderr=other_fd,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        os.close(other_fd)

    def read_until(self, pattern: str) -> str:
        """Read until a pattern was seen, and return everything so far."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not re.search(pattern, self.seen):
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"{pattern!r} did not come: {self.seen!r}"
            assert not select.select([self.fd], [], [], left_s)[0] or self._read(), f"no {pattern!r}: {self.seen!r}"
        return self.seen

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self.fd, data)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the terminal."""
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self.fd)
        self.exit_code = self.process.wait(TIMEOUT_S)

    def finish(self) -> str:
        """Read to the end, note the exit code and return everything."""
        while self._read():
            pass
        self.exit_code = self.process.wait(TIMEOUT_S)
        os.close(self.fd)
        return self.seen

    def _read(self) -> bool:
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            return False
        self.seen += self._decoder.decode(data)
        return bool(data)
