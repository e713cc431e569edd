"""A session: which sensors are read for one caller, and energy between any two of its marks."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from codecarbon.errors import TrackerStateError
from codecarbon.hardware import MeasureRequest, read_cpu_info, read_facts
from codecarbon.measure.attach import Attached, attach
from codecarbon.measure.clock import Anchors
from codecarbon.measure.marks import Mark, Segment
from codecarbon.measure.parts import Choice, choose, gains_of, has_lost, state_of, with_state
from codecarbon.measure.window import Span, energy_uj, sum_spans
from codecarbon.units import NS_PER_S, j_from_uj

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecarbon.model import EnergyWindow, Finding, GpuFacts, MachineFacts

SLOT_S = 300
TICK_WAIT_S = 0.005
# Three updates of the counters, which come about once a millisecond.
SYNC_WAIT_S = 0.003
# A rate needs two ticks.
RATE_TICKS = 2
# Until every counter has moved or is given up, choosing is a question to each of them: too dear for every brief task.
CHOICE_AGE_NS = NS_PER_S // 100


class Session:
    """Energy of this machine, or of this process tree, for one caller.

    A session may be started again after it was stopped; every start opens a new segment. Sensors are shared with the
    other sessions of the process.

    Args:
        request: What to measure.

    Raises:
        Nothing at construction: sensors are opened by ``start``.
    """

    def __init__(self, request: MeasureRequest | None = None) -> None:
        self.request = request or MeasureRequest()
        self._cpu = read_cpu_info(self.request.roots)
        self.facts: MachineFacts = read_facts(self.request.roots, self._cpu)
        self.anchors = Anchors()
        self._attached: Attached | None = None
        self._newest: Attached | None = None
        self._gains = gains_of(self._cpu)
        self._fast_holds = 0

    # --- life cycle ------------------------------------------------------------------------------------------------

    def start(self) -> Mark:
        """Attach to the sensors and return the mark where the segment begins.

        Waits at most 5 ms for a first tick, never for a slow sensor.

        Raises:
            TrackerStateError: The session runs already.
            OSError: No sampler thread can be started.
        """
        if self._attached is not None:
            raise TrackerStateError("this session runs already: stop it before starting it again")
        self._attached = self._newest = attach(self.request, self._cpu, self.facts)
        self.tick()
        start = self.mark()
        # Known at once, if only provisionally: the rings may not hold it any more when a long run ends.
        self.settle(start)
        return start

    def stop(self) -> Mark:
        """Take a last tick, detach from the sensors and return the mark where the segment ends.

        Raises:
            TrackerStateError: The session does not run.
        """
        end = self.mark()
        self.tick()
        self.settle(end)
        self._choose(end.segment)
        while self._fast_holds:
            self.release_fast()
        attached, self._attached = self._running(), None
        attached.detach()
        return end

    @property
    def is_running(self) -> bool:
        """Whether the session is between start and stop."""
        return self._attached is not None

    # --- marks -----------------------------------------------------------------------------------------------------

    def mark(self, *, sync: bool = False) -> Mark:
        """The present instant; costs a timestamp.

        Args:
            sync: Wait up to 3 ms for the counters' next update first, so that a window of milliseconds gets a tight
                bound. Without counters it changes nothing.

        Raises:
            TrackerStateError: The session does not run.
        """
        attached = self._attached
        if attached is None:
            raise TrackerStateError("this session does not run: start it first")
        if sync and attached.counters is not None:
            attached.counters.sampler.sync(SYNC_WAIT_S)
        return Mark(time.monotonic_ns(), attached.segment)

    def mark_at(self, t_ns: int) -> Mark:
        """A mark at another instant of the running segment.

        Raises:
            TrackerStateError: The session does not run.
        """
        return Mark(t_ns, self._running().segment)

    def tick(self, wait_s: float = TICK_WAIT_S) -> None:
        """Ask the quick sensors for a sample now and wait at most ``wait_s`` for all of them together."""
        if self._attached is not None:
            self.anchors.refresh()
            self._attached.poll()
            self._attached.tick(wait_s)

    def hold_fast(self) -> None:
        """Sample counters at the fast rate until ``release_fast``; calls are counted."""
        counters = self._attached.counters if self._attached is not None else None
        if self.request.sampling_hz is None and counters is not None:
            self._fast_holds += 1
            counters.sampler.hold_fast()

    def release_fast(self) -> None:
        """Take one ``hold_fast`` back; the rate falls two seconds after the last."""
        counters = self._attached.counters if self._attached is not None else None
        if self._fast_holds and counters is not None:
            self._fast_holds -= 1
            counters.sampler.release_fast()

    def settle(self, mark: Mark) -> bool:
        """Resolve a mark as far as the samples allow; True when it can no longer change."""
        states = [mark.reading(place).is_final for place in range(len(mark.segment.streams))]
        return all(states)

    def utc(self, mark: Mark) -> datetime:
        """The mark's instant as an aware UTC time."""
        return self.anchors.utc(mark.t_ns)

    # --- energy ----------------------------------------------------------------------------------------------------

    def joules(self, start: Mark, end: Mark) -> tuple[float | None, float | None, float | None, bool]:
        """Energy of processors, graphics cards and memory between two marks, without its bound.

        Args:
            start: Begin.
            end: End, in the same segment.

        Returns:
            ``(cpu_j, gpu_j, ram_j, is_provisional)``; None where nothing is known.
        """
        found: dict[str, float] = {}
        is_provisional = False
        for part in self._choose(start.segment, CHOICE_AGE_NS).parts:
            uj, open_ended = energy_uj(part, start, end)
            if open_ended and self._attached is not None and end.reading(part.stream).ticks < RATE_TICKS:
                # In the first instants of a session nothing tells the power yet: a tick more does.
                self._attached.tick(TICK_WAIT_S)
                uj, open_ended = energy_uj(part, start, end)
            found[part.component] = j_from_uj(uj)
            is_provisional |= open_ended
        return found.get("cpu"), found.get("gpu"), found.get("ram"), is_provisional

    def window(self, spans: Sequence[Span]) -> EnergyWindow:
        """Energy over disjoint spans, with bounds, methods, coverage and everything that is missing.

        Args:
            spans: Pairs of marks in order of time; both marks of a pair belong to one segment.

        Returns:
            The sum over the spans; ``start_utc`` and ``end_utc`` are the outermost ends.

        Raises:
            ValueError: There is no span, a span ends before it starts, or its marks are of different segments.
        """
        if not spans:
            raise ValueError("a window needs at least one span")
        for start, end in spans:
            if end.t_ns < start.t_ns or start.segment is not end.segment:
                raise ValueError(f"{start} to {end} is not a span: it must end after it starts, in the same segment")
        if self._attached is not None:
            self._attached.poll()
        for segment in dict.fromkeys(start.segment for start, _ in spans):
            self._choose(segment)
        return sum_spans(spans, self.utc(spans[0][0]), self.utc(spans[-1][1]), self.facts)

    def energy(self, start: Mark | datetime, end: Mark | datetime | None = None) -> EnergyWindow:
        """Energy between two instants given as marks or aware datetimes; no end, or one to come, means now.

        Raises:
            ValueError: The window ends before it starts, or a datetime has no time zone.
            TrackerStateError: A datetime or None was given and the session does not run.
        """
        last = self.mark() if end is None else self._as_mark(end)
        return self.window([(self._as_mark(start), last)])

    def boundaries(self, start: Mark, end: Mark) -> list[tuple[int, Mark, Mark]]:
        """Split a span at the five-minute boundaries of UTC.

        Returns:
            ``(slot_start_unix_s, begin, end)`` in order; the pieces touch and their energies sum to the whole.
        """
        slot_ns = SLOT_S * NS_PER_S
        pieces = []
        begin = start
        while True:
            unix_ns = self.anchors.unix_ns(begin.t_ns)
            slot = unix_ns // slot_ns
            edge_ns = begin.t_ns + (slot + 1) * slot_ns - unix_ns
            if edge_ns >= end.t_ns:
                pieces.append((slot * SLOT_S, begin, end))
                return pieces
            edge = start.segment.boundary(edge_ns)
            pieces.append((slot * SLOT_S, begin, edge))
            begin = edge

    # --- what there is ---------------------------------------------------------------------------------------------

    def findings(self) -> tuple[Finding, ...]:
        """Every sensor that was found or refused, with its state now, or when the session was stopped."""
        if self._newest is None:
            return ()
        now_ns = time.monotonic_ns()
        found = []
        for stream in self._newest.segment.streams:
            for channel, finding in enumerate(stream.findings):
                if not finding.domain.startswith("util."):
                    found.append(with_state(finding, state_of(stream, channel, now_ns)))
        return (*found, *self._newest.refused)

    @property
    def gpus(self) -> tuple[GpuFacts, ...]:
        """The graphics cards that are counted, as far as they are known by now."""
        return self._newest.gpus if self._newest is not None else ()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _running(self) -> Attached:
        if self._attached is None:
            raise TrackerStateError("this session does not run: start it first")
        return self._attached

    def _as_mark(self, instant: Mark | datetime) -> Mark:
        if not isinstance(instant, datetime):
            return instant
        # Nobody knows the energy of the future: a window ends now at the latest.
        return self.mark_at(min(self.anchors.t_ns(instant), time.monotonic_ns()))

    def _choose(self, segment: Segment, max_age_ns: int = 0) -> Choice:
        choice = segment.choice
        if (
            choice is not None
            and choice.is_settled
            and choice.stream_count == len(segment.streams)
            and (max_age_ns or not has_lost(segment.streams, choice))
        ):
            return choice
        now_ns = time.monotonic_ns()
        if choice is None or choice.stream_count != len(segment.streams) or now_ns - choice.t_ns >= max_age_ns:
            # A stopped segment cannot change any more, but this costs little and keeps one rule.
            choice = segment.choice = choose(segment.streams, self.request, now_ns, self._gains)
        return choice
