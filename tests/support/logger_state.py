"""The package's logger, put back after a test: trackers attach a handler to it, and some programs remove all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored_logger() -> Iterator[logging.Logger]:
    """Give the logger and put back its handlers, level and propagation afterwards."""
    logger = logging.getLogger("codecarbon")
    # pytest hangs its own handlers on loggers that do not propagate, for one phase of a test: those are not state.
    before = [handler for handler in logger.handlers if not type(handler).__module__.startswith("_pytest")]
    level, propagate = logger.level, logger.propagate
    offsets = logging.getLogger("codecarbon.handlers.offset")
    offset_level = offsets.level
    try:
        yield logger
    finally:
        passing = [handler for handler in logger.handlers if type(handler).__module__.startswith("_pytest")]
        logger.handlers[:] = before + passing
        logger.setLevel(level)
        offsets.setLevel(offset_level)
        logger.propagate = propagate


class KeptLog(logging.Handler):
    """Keeps every record of a logger, whether or not it propagates."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        record.message = record.getMessage()
        self.records.append(record)

    @property
    def text(self) -> str:
        """All messages, with the last line of each traceback."""
        lines = [f"{record.message} {record.exc_info[1] if record.exc_info else ''}" for record in self.records]
        return "\n".join(lines)

    def clear(self) -> None:
        """Forget what was kept."""
        self.records.clear()
