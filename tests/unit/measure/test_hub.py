"""Streams that several sessions share, and what measuring took."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from codecarbon.measure.hub import Opened, Stream
from codecarbon.measure.window import effort
from codecarbon.units import NS_PER_S


class SlowSampler:
    """Another thread asks for a higher rate while this one is being told the old one."""

    def __init__(self) -> None:
        self.period_ns = 0
        self.meanwhile: threading.Thread | None = None

    def set_idle_period(self, period_ns: int) -> None:
        if self.meanwhile is not None:
            other, self.meanwhile = self.meanwhile, None
            other.start()
            other.join(0.2)
        self.period_ns = period_ns


def test_the_highest_rate_wins_when_two_threads_ask_at_once() -> None:
    sampler: Any = SlowSampler()
    opened = Opened([], (), (), idle_hz=10.0, fast_hz=1000.0, slots=1, coarse_slots=1, name="test")
    stream = Stream(sampler, opened)
    other = sampler.meanwhile = threading.Thread(target=stream.want_hz, args=(1000.0,))
    stream.want_hz(10.0)
    other.join()
    assert sampler.period_ns == NS_PER_S // 1000


class GapReading(NamedTuple):
    gap_ns: int
    ticks: int = 0
    missed: int = 0
    cpu_ns: int = 0
    is_final: bool = True


class GapMark(NamedTuple):
    gaps_ns: tuple[int, ...]

    def reading(self, place: int) -> GapReading:
        return GapReading(self.gaps_ns[place])


def test_gaps_of_several_spans_add_up_and_those_of_streams_do_not() -> None:
    marks: list[Any] = [GapMark((0, 0)), GapMark((5, 3)), GapMark((5, 3)), GapMark((6, 7))]
    streams: list[Any] = [None, None]
    assert effort(streams, [(marks[0], marks[1]), (marks[2], marks[3])]).gap_ns == 5 + 4
