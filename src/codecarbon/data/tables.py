"""The one loader of the shipped tables.

A table is tab-separated text: a header line, then rows that begin with their key. A lookup is one ``str.find``, so
nothing is parsed that is not asked for; each file is read once per process, when it is first needed.
"""

from __future__ import annotations

import os

# pathlib is slow to import; these modules are on the start path of every run.
_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
_texts: dict[str, str] = {}


def table_path(name: str) -> str:
    """Return the path of a shipped table, for example of ``countries``."""
    return f"{_FOLDER}/{name}.tsv"


def read_text(name: str) -> str:
    """Return a whole table as text; kept after the first read."""
    text = _texts.get(name)
    if text is None:
        with open(table_path(name), encoding="utf-8", newline="") as file:  # noqa: PTH123
            text = _texts.setdefault(name, file.read())
    return text


def find_row(name: str, key: str) -> list[str] | None:
    """Find the cells of the row that begins with a key, or None."""
    if "\t" in key or "\n" in key:
        return None
    text = read_text(name)
    start = text.find(f"\n{key}\t") + 1
    return text[start : text.find("\n", start)].split("\t") if start else None


def get_row(name: str, key: str) -> list[str]:
    """Return the cells of the row that begins with a key.

    Raises:
        KeyError: The table has no such row.
    """
    row = find_row(name, key)
    if row is None:
        raise KeyError(f"no row {key!r} in the shipped table {name!r}")
    return row


def read_rows(name: str) -> list[dict[str, str]]:
    """Return all rows, each as column name to cell; cells that hold nothing are empty text."""
    header, *lines = read_text(name).splitlines()
    columns = header.split("\t")
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]
