"""Helpers for tests of output handlers."""

from __future__ import annotations

import csv
import logging

import pytest


@pytest.fixture
def read_rows():
    """Read a CSV file into dictionaries, and check that every row has all cells."""

    def run(path):
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert {len(row) for row in rows} <= {len(header)}
        return [dict(zip(header, row, strict=True)) for row in rows]

    return run


@pytest.fixture
def messages():
    """Collect what the handlers log; call it for the records of at least a level."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record):
            records.append(record)

    collector = Collector()
    logger = logging.getLogger("codecarbon.handlers")
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    yield lambda least=logging.WARNING: [record for record in records if record.levelno >= least]
    logger.removeHandler(collector)
    logger.setLevel(level)
