"""Points of one place, found by time without looking at all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codecarbon.model import IntensityPoint, TimeSpan


class PointIndex(NamedTuple):
    """Points in any order, some perhaps long, some overlapping.

    Attributes:
        starts_us: When they begin, rising, UTC microseconds since 1970.
        latest_ends_us: The latest end of the points up to each of them, in the order of their starts.
        entries: The points in that order, each after its place in the order in which they were given.
    """

    starts_us: tuple[int, ...]
    latest_ends_us: tuple[int, ...]
    entries: tuple[tuple[int, IntensityPoint], ...]

    @classmethod
    def of(cls, entries: Iterable[tuple[int, IntensityPoint]]) -> PointIndex:
        """Index points, each with its place in their order."""
        found = tuple(sorted(entries, key=lambda entry: entry[1].start_us))
        starts_us = tuple(point.start_us for _, point in found)
        return cls(starts_us, tuple(accumulate((point.end_us for _, point in found), max)), found)

    def overlapping(self, span: TimeSpan) -> list[tuple[int, IntensityPoint]]:
        """Find the points that overlap a span, each with its place; rising by their starts."""
        first = bisect_right(self.latest_ends_us, span.start_us)
        last = bisect_left(self.starts_us, max(span.end_us, span.start_us + 1))
        return [entry for entry in self.entries[first:last] if entry[1].end_us > span.start_us]

    def next_start_us(self, moment_us: int) -> int | None:
        """Find when the first point after a moment begins; None when there is none."""
        at = bisect_right(self.starts_us, moment_us)
        return self.starts_us[at] if at < len(self.starts_us) else None

    def next_end_us(self, moment_us: int) -> int | None:
        """Find when the first of the points that hold at a moment ends; None when there are none."""
        first = bisect_right(self.latest_ends_us, moment_us)
        last = bisect_right(self.starts_us, moment_us)
        ends_us = (point.end_us for _, point in self.entries[first:last] if point.end_us > moment_us)
        return min(ends_us, default=None)
