"""One line at the bottom of the terminal while a command runs.

The command writes to the same terminal, and we must not touch its streams. So the bottom row is taken out of the
scrolling region (DECSTBM) and the line is drawn there, in one write, with the cursor put back: the command's output
scrolls above it. A program that drives the screen itself switches the terminal out of line mode; while that is so,
the row is handed back and nothing is drawn.
"""

from __future__ import annotations

import os
import signal
import termios
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PERIOD_S = 1.0
_LEAST_ROWS = 5
_LEAST_COLUMNS = 20

# ECMA-48 and DEC VT100 control sequences, https://vt100.net/docs/vt100-ug/chapter3.html
_SAVE = "\x1b7"
_RESTORE = "\x1b8"
_ERASE_LINE = "\x1b[2K"
# Makes sure that there is a row below the cursor, scrolling if need be; the cursor keeps its place in the text.
_MAKE_ROOM = "\x1bD\x1b[A"


class StatusLine:
    """Draws a line once a second.

    Args:
        terminal_fd: The terminal.
        compose: Makes the text; called on a thread of its own.
        decorate: Adds attributes to the text once it is cut to the terminal's width.
    """

    def __init__(self, terminal_fd: int, compose: Callable[[], str], decorate: Callable[[str], str] = str) -> None:
        self._fd = terminal_fd
        self._compose = compose
        self._decorate = decorate
        self._rows = 0
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="codecarbon-status", daemon=True)
        self._old_suspend: object = signal.SIG_DFL

    def __enter__(self) -> StatusLine:  # noqa: PYI034 (Self needs Python 3.11)
        self._old_suspend = signal.getsignal(signal.SIGTSTP)
        if self._old_suspend is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._suspend)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._old_suspend is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        self._release()

    def show(self, text: str) -> None:
        """Draw a text now, in place of the composed one."""
        with self._lock:
            columns, rows = self._size()
            if columns < _LEAST_COLUMNS or rows < _LEAST_ROWS:
                self._release()
                return
            parts = []
            if rows != self._rows:
                parts += [_MAKE_ROOM, _SAVE, f"\x1b[1;{rows - 1}r", _RESTORE]
                self._rows = rows
            parts += [_SAVE, f"\x1b[{rows};1H", _ERASE_LINE, self._decorate(text[: columns - 1]), _RESTORE]
            self._write("".join(parts))

    def _loop(self) -> None:
        while not self._is_over.wait(PERIOD_S):
            self.show(self._compose())

    def _size(self) -> tuple[int, int]:
        """Columns and rows; (0, 0) while we are in the background, or the terminal is not in line mode or gone."""
        try:
            is_foreground = os.tcgetpgrp(self._fd) == os.getpgrp()
            is_in_line_mode = bool(termios.tcgetattr(self._fd)[3] & termios.ICANON)
            size = os.get_terminal_size(self._fd)
        except (OSError, termios.error):
            return 0, 0
        return (size.columns, size.lines) if is_foreground and is_in_line_mode else (0, 0)

    def _release(self) -> None:
        with self._lock:
            if self._rows:
                self._write(f"{_SAVE}\x1b[r\x1b[{self._rows};1H{_ERASE_LINE}{_RESTORE}")
                self._rows = 0

    def _suspend(self, _number: int, _frame: FrameType | None) -> None:
        """Give the whole terminal back before stopping on Ctrl-Z; the next drawing takes the row again."""
        self._release()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)

    def _write(self, text: str) -> None:
        try:
            os.write(self._fd, text.encode())
        except OSError:  # hung up; the command has its own way of noticing
            self._is_over.set()
