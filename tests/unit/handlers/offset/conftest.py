"""A ledger, a service that does as it is told, and trackers that emit what a test says."""

from __future__ import annotations

import logging

import pytest

from codecarbon.config import forget_warnings
from codecarbon.handlers.offset.desk import Standing
from codecarbon.handlers.offset.handler import OffsetOutput
from tests.support.logger_state import KeptLog, restored_logger
from tests.support.offsets import ScriptedProvider, Site, make_plan, wait_for_purchases


@pytest.fixture
def log():
    forget_warnings()
    kept = KeptLog()
    with restored_logger() as logger:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(kept)
        yield kept
        wait_for_purchases()
        lines = [record.message for record in kept.records if "ffset" in record.message]
        assert all("sandbox" in line or "production" in line for line in lines), lines


@pytest.fixture
def site(tmp_path, log):
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def provider():
    return ScriptedProvider()


@pytest.fixture
def plan_for(tmp_path):
    """Make a plan for a service, on the test's ledger."""

    def make(provider, **changes):
        return make_plan(provider, tmp_path / "ledger.sqlite3", **changes)

    return make


@pytest.fixture
def handler(provider, plan_for):
    """Make a handler, as the next process would have it."""

    def make(**changes):
        return OffsetOutput(plan_for(provider, **changes))

    return make


@pytest.fixture
def standing():
    """Give a handler's desk a knowledge of its own."""

    def make(output, **options):
        output._open_desk()._standing = Standing(**options)

    return make


@pytest.fixture
def ledger(provider, plan_for):
    """The ledger as it is on disk."""
    return plan_for(provider).open_ledger()
