"""A clock that only tests move, for everything that takes clock, monotonic and sleep as arguments."""

from __future__ import annotations

NOON_S = 1_795_176_000.0  # 2026-11-20T12:00:00Z


class FakeTime:
    """Seconds since 1970, seconds that never go back, and sleeps that pass at once and are written down."""

    def __init__(self, now_s: float = NOON_S) -> None:
        self.now_s = now_s
        self.naps_s: list[float] = []

    def clock(self) -> float:
        """Seconds since 1970."""
        return self.now_s

    def monotonic(self) -> float:
        """Seconds on a clock with another zero."""
        return self.now_s - 1e9

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.naps_s.append(seconds)
        self.now_s += seconds

    def pass_s(self, seconds: float) -> None:
        """Let time pass without a sleep."""
        self.now_s += seconds

    @property
    def arguments(self) -> dict[str, object]:
        """What a transport takes."""
        return {"clock": self.clock, "monotonic": self.monotonic, "sleep": self.sleep, "jitter": lambda: 1.0}
