"""The public API as a user types it: checked by mypy, never run."""

from __future__ import annotations

from codecarbon import __doc__ as description

text: str | None = description
