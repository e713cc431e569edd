"""The live line on a real pseudo-terminal, looked at through the bytes that arrive at its other end."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl

import pytest

DRIVER = """
import sys, time
from codecarbon.cli import live
live.PERIOD_S = 0.05
count = 0
def compose():
    global count
    count += 1
    return f"drawn {count:04d} " + "x" * 200
with live.StatusLine(2, compose) as line:
    exec(sys.argv[1])
print("over", flush=True)
"""


class Terminal:
    """A child in the foreground of its own pseudo-terminal."""

    def __init__(self, code: str, rows: int = 24, columns: int = 80, program: str = "") -> None:
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            words = [program, DRIVER, code] if program else [DRIVER, code]
            os.execv(sys.executable, [sys.executable, "-c", *words])

    def read_until(self, pattern: str, timeout_s: float = 30) -> str:
        deadline_s = time.monotonic() + timeout_s
        while not re.search(pattern, self.seen):
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"{pattern!r} did not come: {self.seen!r}"
            if select.select([self.fd], [], [], left_s)[0]:
                self._read()
        return self.seen

    def finish(self) -> str:
        self.read_until("over")
        while self._read():
            pass
        assert os.waitpid(self.pid, 0)[1] == 0
        os.close(self.fd)
        return self.seen

    def _read(self) -> bool:
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.seen += data.decode()
        return bool(data)


def test_line_is_drawn_in_the_bottom_row_outside_the_scrolling_region():
    seen = Terminal("time.sleep(0.3)", rows=24).finish()
    assert "\x1b[1;23r" in seen, "the bottom row is taken out of the scrolling region"
    assert re.search(r"\x1b7\x1b\[24;1H\x1b\[2Kdrawn 0002 x+\x1b8", seen)


def test_line_is_cut_to_the_width_of_the_terminal():
    seen = Terminal("time.sleep(0.2)", columns=40).finish()
    (line,) = set(re.findall(r"\x1b\[2Kdrawn 0001 (x*)\x1b8", seen))
    assert len(line) + len("drawn 0001 ") == 39


def test_terminal_is_given_back_at_the_end():
    seen = Terminal("time.sleep(0.2)").finish()
    last_drawing = seen.rindex("drawn")
    assert seen.index("\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8", last_drawing) < seen.index("over")


def test_nothing_is_drawn_when_the_command_ends_at_once():
    assert "\x1b" not in Terminal("pass").finish()


@pytest.mark.parametrize(("rows", "columns"), [(4, 80), (24, 19)])
def test_nothing_is_drawn_on_a_tiny_terminal(rows, columns):
    assert "\x1b" not in Terminal("time.sleep(0.2)", rows, columns).finish()


def test_a_full_screen_program_is_left_alone():
    seen = Terminal(
        "import tty; time.sleep(0.2); tty.setcbreak(2); time.sleep(0.3); print('FULL', flush=True); time.sleep(0.3)"
    ).finish()
    after = seen[seen.index("FULL") :]
    assert "drawn" in seen
    assert "drawn" not in after
    assert "\x1b[r" in seen[: seen.index("FULL")], "the row is handed back"


def test_growing_the_terminal_moves_the_line():
    terminal = Terminal("time.sleep(0.2); sys.stdin.readline(); time.sleep(0.2)", rows=24)
    terminal.read_until("drawn 0002")
    ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    terminal.read_until(r"\x1b\[1;29r")
    os.write(terminal.fd, b"\n")
    assert "\x1b[30;1H" in terminal.finish()


# What an interactive shell does with a job; the kernel does not stop a process that has no such parent.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
assert os.WIFSTOPPED(os.waitpid(job, os.WUNTRACED)[1])
os.tcsetpgrp(0, os.getpgrp())
print("stopped", flush=True)
sys.stdin.readline()
os.tcsetpgrp(0, job)
os.killpg(job, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
"""


def test_suspending_gives_the_terminal_back_and_continuing_takes_the_row_again():
    terminal = Terminal("sys.stdin.readline(); time.sleep(0.2)", program=SHELL)
    terminal.read_until("drawn 0002")
    os.write(terminal.fd, b"\x1a")  # Ctrl-Z
    seen = terminal.read_until("stopped")
    assert seen.rindex("drawn") < seen.rindex("\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8") < seen.index("stopped")
    os.write(terminal.fd, b"\n")
    terminal.read_until(r"(?s)stopped.*\x1b\[1;23r.*drawn")
    os.write(terminal.fd, b"\n")
    terminal.finish()


def test_nothing_is_drawn_into_another_terminal():
    """A background job, or a stream that is not the controlling terminal, must not scribble over a shell."""
    main_fd, other_fd = pty.openpty()
    code = DRIVER
    process = subprocess.Popen(
        [sys.executable, "-c", code, "time.sleep(0.2)"],
        stdout=subprocess.PIPE,
        stderr=other_fd,
        text=True,
        start_new_session=True,
    )
    out, _ = process.communicate(timeout=60)
    os.close(other_fd)
    assert out == "over\n"
    assert not select.select([main_fd], [], [], 0)[0] or not _peek(main_fd)
    os.close(main_fd)


def _peek(fd: int) -> bytes:
    try:
        return os.read(fd, 1024)
    except OSError:
        return b""
