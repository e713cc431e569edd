"""The link between the monotonic clock and UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from codecarbon.measure.clock import Anchors
from codecarbon.units import NS_PER_S

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NOON_NS = int(NOON.timestamp()) * NS_PER_S


class Clocks:
    """Two clocks that only move when told to."""

    def __init__(self) -> None:
        self.monotonic = 1000 * NS_PER_S
        self.unix = NOON_NS

    def pass_time(self, seconds: float) -> None:
        self.monotonic += round(seconds * NS_PER_S)
        self.unix += round(seconds * NS_PER_S)

    def anchors(self) -> Anchors:
        return Anchors(lambda: self.monotonic, lambda: self.unix)


def test_instants_are_read_in_utc() -> None:
    clocks = Clocks()
    anchors = clocks.anchors()
    clocks.pass_time(90)
    assert anchors.utc(clocks.monotonic) == NOON + timedelta(seconds=90)


def test_a_step_of_the_wall_clock_does_not_move_what_lies_before_it() -> None:
    clocks = Clocks()
    anchors = clocks.anchors()
    before_ns = clocks.monotonic
    clocks.pass_time(10)
    clocks.unix += 3600 * NS_PER_S
    anchors.refresh()
    after_ns = clocks.monotonic
    clocks.pass_time(1)
    assert anchors.utc(before_ns) == NOON
    assert anchors.utc(after_ns) == NOON + timedelta(seconds=3610)
    assert after_ns - before_ns == 10 * NS_PER_S


def test_slewing_below_a_tenth_of_a_second_is_no_step() -> None:
    clocks = Clocks()
    anchors = clocks.anchors()
    clocks.pass_time(10)
    clocks.unix += NS_PER_S // 20
    anchors.refresh()
    assert anchors.utc(clocks.monotonic) == NOON + timedelta(seconds=10)


@pytest.mark.parametrize("offset_s", [0, 1, 3600])
def test_datetimes_convert_back_to_the_same_instant(offset_s: int) -> None:
    clocks = Clocks()
    anchors = clocks.anchors()
    assert anchors.t_ns(NOON + timedelta(seconds=offset_s)) == clocks.monotonic + offset_s * NS_PER_S


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clocks().anchors().t_ns(datetime(2026, 3, 1, 12))  # noqa: DTZ001 (the point of the test)
