from __future__ import annotations

import logging
from typing import Any

import pytest

from codecarbon.config import forget_warnings
from codecarbon.tracker import OfflineEmissionsTracker
from tests.support.fake_session import FakeSession, RecordingHandler
from tests.support.logger_state import KeptLog, restored_logger


class Rig:
    """A tracker on a fake session, with a handler that remembers."""

    def __init__(self) -> None:
        self.session = FakeSession()
        self.handler = RecordingHandler()
        self.trackers: list[OfflineEmissionsTracker] = []

    def tracker(self, **options: Any) -> OfflineEmissionsTracker:
        """Make a tracker that emits 100 g/kWh, writes to the handler only, and reports when told."""
        settings = {
            "output_methods": [],
            "output_handlers": [self.handler],
            "force_carbon_intensity_g_co2e_kwh": 100.0,
            "measure_power_secs": 999,
            "api_call_interval": -1,
            "log_level": "debug",
            "_session_factory": lambda _settings: self.session,
            **options,
        }
        tracker = OfflineEmissionsTracker(**settings)
        self.trackers.append(tracker)
        return tracker

    def pass_s(self, seconds: float) -> None:
        """Let the session's time pass."""
        self.session.clock.pass_s(seconds)


@pytest.fixture
def rig():
    forget_warnings()
    rig = Rig()
    yield rig
    for tracker in rig.trackers:
        tracker.stop()


@pytest.fixture(autouse=True)
def package_logger():
    with restored_logger() as logger:
        yield logger


@pytest.fixture
def log(package_logger):
    """Messages of the package at every level."""
    kept = KeptLog()
    package_logger.setLevel(logging.DEBUG)
    package_logger.addHandler(kept)
    return kept
