"""The live line on a real pseudo-terminal, looked at through the bytes that arrive at its other end."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys

import pytest

from tests.support.terminal import Terminal

DRIVER = """
import sys, time
from codecarbon.cli import live
live.PERIOD_S = 0.05
count = 0
def compose():
    global count
    count += 1
    return f"drawn {count:04d} " + "x" * 200
def draw(times):
    end = count + times + 1  # the next one begins when the last one is done
    while count < end:
        time.sleep(0.005)
with live.StatusLine(2, compose) as line:
    exec(sys.argv[1])
print("over", flush=True)
"""


def terminal(code: str, *, program: str = "", **size: int) -> Terminal:
    """A status line over some code, straight on a terminal or below another program."""
    words = [program, DRIVER, code] if program else [DRIVER, code]
    return Terminal([sys.executable, "-c", *words], **size)


def draw(code: str, **size: int) -> str:
    """Everything that arrives while some code runs under a status line."""
    whole = terminal(code, **size)
    seen = whole.finish()
    assert whole.exit_code == 0, seen
    return seen


def test_line_is_drawn_in_the_bottom_row_outside_the_scrolling_region():
    seen = draw("draw(2)", rows=24)
    assert "\x1b[1;23r" in seen, "the bottom row is taken out of the scrolling region"
    assert re.search(r"\x1b7\x1b\[24;1H\x1b\[2Kdrawn 0002 x+\x1b8", seen)


def test_line_is_cut_to_the_width_of_the_terminal():
    seen = draw("draw(1)", columns=40)
    (line,) = set(re.findall(r"\x1b\[2Kdrawn 0001 (x*)\x1b8", seen))
    assert len(line) + len("drawn 0001 ") == 39


def test_terminal_is_given_back_at_the_end():
    seen = draw("draw(2)")
    last_drawing = seen.rindex("drawn")
    assert seen.index("\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8", last_drawing) < seen.index("over")


def test_nothing_is_drawn_when_the_command_ends_at_once():
    assert "\x1b" not in draw("pass")


@pytest.mark.parametrize(("rows", "columns"), [(4, 80), (24, 19)])
def test_nothing_is_drawn_on_a_tiny_terminal(rows, columns):
    assert "\x1b" not in draw("time.sleep(0.2)", rows=rows, columns=columns)


def test_a_full_screen_program_is_left_alone():
    seen = draw("import tty; draw(2); tty.setcbreak(2); draw(2); print('FULL', flush=True); draw(3)")
    after = seen[seen.index("FULL") :]
    assert "drawn" in seen
    assert "drawn" not in after
    assert "\x1b[r" in seen[: seen.index("FULL")], "the row is handed back"


def test_growing_the_terminal_moves_the_line():
    over = terminal("sys.stdin.readline(); draw(1)", rows=24)
    over.read_until("drawn 0002")
    over.resize(30, 80)
    over.read_until(r"\x1b\[1;29r")
    over.send(b"\n")
    assert "\x1b[30;1H" in over.finish()


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
    over = terminal("sys.stdin.readline(); draw(1)", program=SHELL)
    over.read_until("drawn 0002")
    over.send(b"\x1a")  # Ctrl-Z
    seen = over.read_until("stopped")
    assert seen.rindex("drawn") < seen.rindex("\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8") < seen.index("stopped")
    over.send(b"\n")
    over.read_until(r"(?s)stopped.*\x1b\[1;23r.*drawn")
    over.send(b"\n")
    over.finish()


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
