"""The link between the monotonic clock, on which everything is measured, and UTC, in which people read it."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from codecarbon.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP_NS = NS_PER_S // 10


class Anchors:
    """Offsets between UTC and the monotonic clock, renewed whenever the wall clock is set.

    Windows live on the monotonic clock, so a step of the wall clock moves labels and never energy.

    Args:
        monotonic_ns: The monotonic clock.
        unix_ns: The wall clock.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, unix_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._unix_ns = unix_ns
        now_ns = monotonic_ns()
        self._offsets: list[tuple[int, int]] = [(now_ns, unix_ns() - now_ns)]

    def refresh(self) -> None:
        """Notice a step of the wall clock of more than a tenth of a second."""
        now_ns = self._monotonic_ns()
        offset_ns = self._unix_ns() - now_ns
        if abs(offset_ns - self._offsets[-1][1]) > JUMP_NS:
            self._offsets.append((now_ns, offset_ns))

    def unix_ns(self, t_ns: int) -> int:
        """Convert a monotonic instant to nanoseconds since 1970."""
        for since_ns, offset_ns in reversed(self._offsets):
            if t_ns >= since_ns:
                return t_ns + offset_ns
        return t_ns + self._offsets[0][1]

    def utc(self, t_ns: int) -> datetime:
        """Convert a monotonic instant to an aware UTC time."""
        return datetime.fromtimestamp(self.unix_ns(t_ns) / NS_PER_S, timezone.utc)

    def t_ns(self, when: datetime) -> int:
        """Convert an aware time to the monotonic clock, with the newest anchor that fits.

        Raises:
            ValueError: The time has no zone.
        """
        if when.tzinfo is None:
            raise ValueError(
                f"{when!r} has no time zone: pass an aware datetime, for example datetime.now(timezone.utc)"
            )
        delta = when - datetime(1970, 1, 1, tzinfo=timezone.utc)
        unix_ns = (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * 1000
        for since_ns, offset_ns in reversed(self._offsets):
            if unix_ns - offset_ns >= since_ns:
                return unix_ns - offset_ns
        return unix_ns - self._offsets[0][1]
