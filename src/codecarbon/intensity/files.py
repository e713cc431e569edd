"""Reading small files that may not be there."""

from __future__ import annotations

_LIMIT = 1 << 20  # characters; the largest file that is read, tzdata.zi, has about 110 000


def read_or_empty(path: str) -> str:
    """Return a file's text; one that is absent, or that may not be read, says nothing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (pathlib is slow to import)
            return file.read(_LIMIT)
    except OSError:
        return ""
