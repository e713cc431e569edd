"""Rows of comma-separated text as bytes: written in one piece, and found again without touching the others."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LINE_END = os.linesep
_BOM = b"\xef\xbb\xbf"


def format_row(cells: Iterable[object], line_end: str = LINE_END) -> bytes:
    """Format one row; None, NaN and the empty text become empty cells.

    Characters that UTF-8 cannot hold (halves of surrogate pairs) are written as backslash escapes.
    """
    return (",".join(map(_cell, cells)) + line_end).encode("utf-8", "backslashreplace")


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 (NaN differs from itself)
        return ""
    text = str(value).replace("\0", "\\x00")  # many readers stop at a NUL
    # Not csv.writer: before Python 3.13 it leaves a lone carriage return unquoted, and readers split the row there.
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def format_values(columns: Sequence[str], values: Mapping[str, object], line_end: str = LINE_END) -> bytes:
    """Format one row with its cells in the order of these columns."""
    return format_row((values[name] for name in columns), line_end)


def parse_row(record: bytes) -> list[str] | None:
    """Split one record into cells, or None when it is not comma-separated text."""
    text = record.removeprefix(_BOM).decode("utf-8", "replace")
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def split_records(content: bytes) -> list[bytes]:
    """Split a file into records, line ends included; joined again they are the file.

    A record goes on over a line end inside quotes, which is where the quotes so far are odd in number.
    """
    records: list[bytes] = []
    start = 0
    end = 0
    quotes = 0
    for line in content.splitlines(keepends=True):
        end += len(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            records.append(content[start:end])
            start = end
    if start < len(content):
        records.append(content[start:])
    return records


def line_end_of(record: bytes) -> str:
    """The line end that a file's first record uses, for rows added to that file."""
    if record.endswith(b"\r\n"):
        return "\r\n"
    return "\n" if record.endswith(b"\n") else LINE_END
