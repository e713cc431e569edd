"""What ``monitor`` says beside the summary, from a tracker made by hand."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from codecarbon.cli.monitor import LiveText, Wishes, _Plan
from tests.support.logger_state import restored_logger
from tests.unit.cli.test_report import CPU_MODEL, CPU_RAPL, GPU_MISSING, record


class FakeTracker:
    """Gives records in order, and says which marks they were asked for."""

    is_degraded = False

    def __init__(self, *records):
        self.records = list(records)
        self.asked = []
        self.marks = iter(range(100))

    def mark(self):
        return next(self.marks)

    def energy(self, start, end):
        self.asked.append((start, end))
        return self.records.pop(0)


def test_live_line_has_total_and_recent_power():
    tracker = FakeTracker(record(CPU_RAPL, duration_s=10.0, emissions_g=0.0156), record(CPU_MODEL, duration_s=1.0))
    assert LiveText(tracker)() == " codecarbon  0:10   383 W   15.6 mg CO2eq   0.278 Wh   100 % measured"
    assert tracker.asked == [(0, 1), (0, 1)]


def test_recent_power_begins_where_the_last_line_ended():
    tracker = FakeTracker(*[record(CPU_RAPL)] * 4)
    line = LiveText(tracker)
    line()
    line()
    assert tracker.asked == [(0, 1), (0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ((None, None), " codecarbon  measuring"),
        ((record(GPU_MISSING), record(GPU_MISSING)), " codecarbon  0:10   energy unknown so far"),
        (
            (record(CPU_RAPL), record(CPU_RAPL, duration_s=0.0)),
            " codecarbon  0:10   energy unknown so far   100 % measured",
        ),
    ],
)
def test_live_line_never_shows_what_is_not_known(records, words):
    assert LiveText(FakeTracker(*records))() == words


def notes(tracker, **given):
    return list(_Plan(Wishes(), given, tracking_mode="process")._notes(tracker))


def test_failure_while_measuring_is_said():
    assert notes(SimpleNamespace(is_degraded=False)) == []
    (note,) = notes(SimpleNamespace(is_degraded=True))
    assert "the figures are incomplete" in note


@pytest.mark.parametrize(("given", "is_told"), [({}, True), ({"log_level": "error"}, False)])
def test_money_is_not_spent_in_silence_unless_that_is_asked_for(given, is_told):
    with restored_logger():
        offsets = logging.getLogger("codecarbon.handlers.offset.handler")
        _Plan(Wishes(), {"output_methods": [], **given}, tracking_mode="process").make_tracker()
        assert offsets.isEnabledFor(logging.INFO) is is_told
        assert not logging.getLogger("codecarbon.tracker").isEnabledFor(logging.WARNING)


def test_setting_of_a_feature_that_is_not_built_is_said(monkeypatch):
    monkeypatch.setenv("CODECARBON_EMISSIONS_ENDPOINT", "http://127.0.0.1:1/")
    with restored_logger():
        logging.getLogger("codecarbon").setLevel(logging.ERROR)
        (note,) = notes(SimpleNamespace(is_degraded=False))
        logging.getLogger("codecarbon").setLevel(logging.WARNING)
        assert not notes(SimpleNamespace(is_degraded=False)), "the log says it"
    assert "emissions_endpoint is set (from environment variable CODECARBON_EMISSIONS_ENDPOINT)" in note
