"""Results as rows of a CSV file that several runs may share."""

# pathlib costs start-up time:
# ruff: noqa: PTH100, PTH103, PTH104, PTH105, PTH108, PTH110, PTH112, PTH118, PTH119, PTH120
from __future__ import annotations

import errno
import logging
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from codecarbon.errors import ConfigError, HandlerError, OutputPathError
from codecarbon.handlers import csv_text
from codecarbon.handlers.base import BaseOutput
from codecarbon.handlers.locking import open_locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codecarbon.model import EmissionsData, TaskEmissionsData

logger = logging.getLogger(__name__)

MODES = ("append", "update")
LOCK_WAIT_S = 10.0
_HEADER_LIMIT_BYTES = 65_536
_RETRYABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EIO})


class FileOutput(BaseOutput):
    """Writes each result as one row, under a header, with a lock held.

    A relative path is fixed when the object is made, so that a program that changes its working folder still finds
    its rows where it expects them. Missing folders are made at the first write.

    Args:
        output_file_name: Name of the CSV file; an absolute path wins over the folder.
        output_dir: Folder of the CSV file and of the task files.
        on_csv_write: ``append`` adds a row for each result, ``update`` replaces the run's earlier row.

    Raises:
        ConfigError: The mode is unknown (also a ``ValueError``).
        OutputPathError: The folder is a file, or the file is a folder (also an ``OSError``).
    """

    def __init__(self, output_file_name: str, output_dir: str, on_csv_write: str = "append") -> None:
        if on_csv_write not in MODES:
            raise ConfigError("on_csv_write", on_csv_write, "argument", " or ".join(MODES))
        self.output_file_name = os.fspath(output_file_name)
        self.output_dir = _absolute(os.fspath(output_dir))
        self.on_csv_write = on_csv_write
        self.save_file_path = os.path.join(self.output_dir, self.output_file_name)
        _refuse_file_in_place_of_folder(self.output_dir, output_dir)
        if not self.output_file_name or os.path.isdir(self.save_file_path):
            raise OutputPathError("output_file", output_file_name, "argument", "the name of a file, not of a folder")
        logger.info("Results will be saved to %s", self.save_file_path)

    def has_valid_headers(self, data: EmissionsData) -> bool:
        """Whether the file's header has exactly the data's field names, in any order; an empty file is valid."""
        try:
            with open(self.save_file_path, "rb") as file:  # noqa: PTH123
                record = file.readline(_HEADER_LIMIT_BYTES)
        except FileNotFoundError:
            return True
        return not record or _columns(record, data.values) is not None

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:  # noqa: ARG002 (rows are cumulative)
        """Write the total as one row.

        Raises:
            HandlerError: The row could not be written; nothing of it is in the file then.
        """
        values = total.values
        with _as_handler_error(self.save_file_path):
            os.makedirs(os.path.dirname(self.save_file_path), exist_ok=True)
            path = os.path.realpath(self.save_file_path)  # a link must stay one when its target is replaced
            while True:
                with open_locked(path, wait_s=LOCK_WAIT_S) as fd:
                    if self._write(fd, path, values):
                        return

    def task_out(self, data: list[TaskEmissionsData], experiment_name: str) -> None:
        """Write one row per task to the run's task file, in place of an earlier one; empty columns are left out.

        Raises:
            HandlerError: The file could not be written; an earlier one is still there then.
        """
        if not data:
            return
        from codecarbon.model import TASK_COLUMNS

        path = os.path.join(self.output_dir, _file_name(f"emissions_{experiment_name or 'base'}_{data[0].run_id}.csv"))
        rows = [task.values for task in data]
        columns = [column for column in TASK_COLUMNS if any(row[column] is not None for row in rows)]
        lines = [csv_text.format_row(columns), *(csv_text.format_values(columns, row) for row in rows)]
        with _as_handler_error(path):
            os.makedirs(self.output_dir, exist_ok=True)
            _replace(path, b"".join(lines), like=None)

    def _write(self, fd: int, path: str, values: Mapping[str, Any]) -> bool:
        """Write into the locked file; False when the file had to be moved away and a new one is needed."""
        status = os.fstat(fd)
        size = status.st_size
        if not stat.S_ISREG(status.st_mode) or size == 0:
            columns = tuple(values)
            _append(fd, csv_text.format_row(columns) + csv_text.format_values(columns, values), size)
            return True
        header = _first_line(fd)
        found = _columns(header, values)
        if found is None:
            kept = backup_file(path)
            logger.warning("%s has other columns than this version writes: it is now %s", path, kept)
            return False
        row = csv_text.format_values(found, values, csv_text.line_end_of(header))
        if self.on_csv_write == "update" and _update(fd, path, found, row, str(values["run_id"])):
            return True
        # A file that was cut off, or edited by hand, may lack the end of its last line.
        is_open_ended = os.pread(fd, 1, size - 1) not in {b"\n", b"\r"}
        _append(fd, csv_text.line_end_of(header).encode() * is_open_ended + row, size)
        return True


def backup_file(path: str, ext: str = ".bak") -> str:
    """Rename a file to ``<name>.bak``, or when that is taken to ``<name>_0.bak``, ``<name>_1.bak`` and so on.

    Returns:
        The new path.
    """
    target = path + ext
    number = 0
    while os.path.lexists(target):
        target = f"{path}_{number}{ext}"
        number += 1
    os.rename(path, target)
    return target


def _file_name(name: str) -> str:
    """Make a text the name of a file: in no other folder, and of characters that a file name can have."""
    return name.replace("/", "_").replace("\0", "_").encode("utf-8", "backslashreplace").decode()


def _absolute(folder: str) -> str:
    try:
        return os.path.abspath(folder)
    except FileNotFoundError:  # the working folder is gone; the first write will say so
        return folder


def _refuse_file_in_place_of_folder(folder: str, given: object) -> None:
    existing = folder
    while existing and not os.path.lexists(existing) and existing != os.path.dirname(existing):
        existing = os.path.dirname(existing)
    if os.path.exists(existing) and not os.path.isdir(existing):
        raise OutputPathError("output_dir", given, "argument", f"a folder, and {existing} is a file")


def _columns(header: bytes, values: Mapping[str, Any]) -> list[str] | None:
    """The columns of the file in their order, or None when they are not exactly these values' names."""
    cells = csv_text.parse_row(header)
    return cells if cells is not None and sorted(cells) == sorted(values) else None


def _first_line(fd: int) -> bytes:
    start = os.pread(fd, _HEADER_LIMIT_BYTES, 0)
    return start[: start.find(b"\n") + 1] or start


def _append(fd: int, data: bytes, size: int) -> None:
    """Add bytes at the end, all of them or none."""
    done = 0
    try:
        while done < len(data):
            done += os.write(fd, data[done:])
    except OSError:
        if done:
            with suppress(OSError):  # a pipe or a device keeps what it got
                os.ftruncate(fd, size)
        raise


def _update(fd: int, path: str, columns: list[str], row: bytes, run_id: str) -> bool:
    """Replace the one row of this run; False when there is not exactly one."""
    content = _read_all(fd)
    needle = run_id.encode("utf-8", "backslashreplace")
    records = csv_text.split_records(content)
    place = columns.index("run_id")
    matches = []
    for index, record in enumerate(records[1:], start=1):
        cells = csv_text.parse_row(record) if needle in record else None
        if cells is not None and len(cells) > place and cells[place] == run_id:
            matches.append(index)
    if len(matches) > 1:
        logger.warning("%s has %d rows of run %s: none is replaced, one is added", path, len(matches), run_id)
    if len(matches) != 1:
        return False
    records[matches[0]] = row
    _replace(path, b"".join(records), like=fd)
    return True


def _read_all(fd: int) -> bytes:
    parts = []
    offset = 0
    while part := os.pread(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _replace(path: str, content: bytes, *, like: int | None) -> None:
    """Put a file with this content in place of another, in one step.

    Args:
        path: The file to replace or make.
        content: What it will hold.
        like: An open file whose permissions it gets; it is also worth waiting for the disk then, since other runs'
            rows are rewritten.
    """
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)[:200]}.{os.getpid()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        try:
            _append(fd, content, 0)
            if like is not None:
                os.fchmod(fd, stat.S_IMODE(os.fstat(like).st_mode))
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


@contextmanager
def _as_handler_error(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise HandlerError(
            f"{path} cannot be written ({reason}): choose another folder with output_dir, or make room there. "
            "The result is still in final_emissions_data",
            handler="csv",
            retryable=error.errno in _RETRYABLE,
        ) from error
