"""Samplers shared by all sessions of the process: one thread reads a sensor, however many trackers want it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from codecarbon._sensors import Sampler, Source
from codecarbon.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from codecarbon.hardware import ModelChannel
    from codecarbon.model import Finding

IDLE_HZ = 10.0
FAST_HZ = 1000.0
SLOW_READ_NS = 50_000


class Blind(NamedTuple):
    """What a card that only tells its power leaves unseen.

    Attributes:
        coverage_ratio: Part of the time that its power sensor sees.
        limit_w: Its power limit, None when unknown.
        edge_s: Time before a reading that the reading speaks of, plus the time between two readings.
    """

    coverage_ratio: float
    limit_w: float | None
    edge_s: float


class Opened(NamedTuple):
    """What a builder hands over: opened sources and the meaning of their channels."""

    sources: list[Source]
    findings: tuple[Finding, ...]
    refused: tuple[Finding, ...]
    idle_hz: float
    fast_hz: float
    slots: int
    coarse_slots: int
    name: str
    is_slow: bool = False
    models: Mapping[str, ModelChannel] = {}
    blind: Mapping[str, Blind] = {}


class Stream:
    """One running sampler and what its channels mean.

    Attributes:
        sampler: The native sampler.
        findings: One per channel of the sampler, in order.
        refused: What discovery refused while this stream was set up.
        models: What bounds and names the synthetic counters of a model, by component.
        blind: What channels that integrate power leave unseen, by channel name.
        rate_hz: The rate it was opened with.
    """

    def __init__(self, sampler: Sampler, opened: Opened) -> None:
        self.sampler = sampler
        self.findings = opened.findings
        self.refused = opened.refused
        self.models = opened.models
        self.blind = opened.blind
        self.rate_hz = opened.idle_hz
        self._wanted_hz: list[float] = []
        self._lock = threading.Lock()

    def want_hz(self, rate_hz: float) -> None:
        """Ask for an idle rate; the highest one asked for wins."""
        with self._lock:
            self._wanted_hz.append(rate_hz)
            self._apply()

    def unwant_hz(self, rate_hz: float) -> None:
        """Take a request back."""
        with self._lock:
            self._wanted_hz.remove(rate_hz)
            if self._wanted_hz:
                self._apply()

    def _apply(self) -> None:
        self.sampler.set_idle_period(round(NS_PER_S / max(self._wanted_hz)))


class Hub:
    """Reference-counted streams by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[Hashable, Stream] = {}
        self._users: dict[Hashable, int] = {}

    def acquire(self, key: Hashable, build: Callable[[], Opened | None]) -> Stream | None:
        """Attach to the stream of a key, starting it when there is none.

        Args:
            key: What is sampled; equal keys share a stream.
            build: Opens the sources; None when there is nothing to sample.

        Returns:
            The stream, or None when there is nothing to sample.

        Raises:
            OSError: The sampler's thread cannot be started.
        """
        with self._lock:
            stream = self._streams.get(key)
            if stream is None or not stream.sampler.is_running:
                opened = build()
                if opened is None:
                    return None
                stream = _start(opened)
                self._streams[key] = stream
                self._users[key] = 0
            self._users[key] += 1
            return stream

    def release(self, key: Hashable, stream: Stream) -> None:
        """Detach from a stream; the last one to leave stops its thread."""
        with self._lock:
            if self._streams.get(key) is not stream:
                return
            self._users[key] -= 1
            if self._users[key] > 0:
                return
            del self._streams[key], self._users[key]
        # Closed at once: waiting for the collector would leave descriptors open. The rings stay readable.
        stream.sampler.close()

    def forget(self) -> None:
        """Drop everything without stopping it: what a forked child does with its parent's threads."""
        self._lock = threading.Lock()
        self._streams = {}
        self._users = {}


def _start(opened: Opened) -> Stream:
    try:
        sampler = Sampler(
            opened.sources,
            idle_period_ns=round(NS_PER_S / opened.idle_hz),
            fast_period_ns=round(NS_PER_S / opened.fast_hz),
            slots=opened.slots,
            coarse_slots=opened.coarse_slots,
            slow_read_ns=0 if opened.is_slow else SLOW_READ_NS,
            name=opened.name,
        )
        sampler.start()
    except BaseException:
        for source in opened.sources:
            source.close()
        raise
    return Stream(sampler, opened)


HUB = Hub()
os.register_at_fork(after_in_child=HUB.forget)
