"""The native sampler: one thread over some sources, two ring tiers, and totals at any instant."""

import atexit
from os import strerror

cimport cython
from libc.errno cimport EAGAIN, EALREADY
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport strncpy

from codecarbon._sensors.channel cimport CC_MAX_CHANNELS, Channel, Ops, Source

FLAGS = ("WRAP", "RESET", "AMBIGUOUS", "GAP", "ERR", "STALE", "SUSPEND", "SLOW", "FIRST", "EDGE")
cdef enum:
    FINE_BYTES = 8 * 1024 * 1024  # of the fine tier: a minute at 1 kHz for two channels, half for five


cdef int64_t ns_from_s(double seconds) noexcept:
    """Nanoseconds to wait, from nothing to a year: also of what is no number, or would not fit."""
    if not seconds > 0.0:
        return 0
    return <int64_t> (min(seconds, 31536000.0) * 1e9)


def flag_names(flags: int) -> tuple[str, ...]:
    """Name the faults and events in a word of flags, in the order of their bits."""
    return tuple([name for bit, name in enumerate(FLAGS) if flags >> bit & 1])


@cython.final
@cython.freelist(64)
cdef class ChannelState:
    """What a channel has been doing, read at one moment.

    Attributes:
        has_moved: Whether its count ever changed.
        count: Total so far, in counts.
        first_ns: Monotonic time of the first good reading, 0 before it.
        last_edge_ns: When the count was last seen to change, 0 before.
        errors: Failed readings so far.
        errors_in_row: Failed readings since the last good one.
        last_errno: Status of the last failure, a negative errno, or 0.
        update_period_ns: Median time between updates of the sensor, 0 while unknown.
        max_period_ns: Longest time between updates that was seen, 0 while unknown.
        is_gone: Whether a hundred readings in a row failed; it is opened again every five seconds.
    """

    cdef readonly bint has_moved
    cdef readonly uint64_t count
    cdef readonly int64_t first_ns
    cdef readonly int64_t last_edge_ns
    cdef readonly uint64_t errors
    cdef readonly uint32_t errors_in_row
    cdef readonly int last_errno
    cdef readonly int64_t update_period_ns
    cdef readonly int64_t max_period_ns
    cdef readonly bint is_gone

    def __repr__(self) -> str:
        return f"ChannelState(count={self.count}, errors={self.errors}, is_gone={self.is_gone})"


@cython.final
@cython.freelist(64)
cdef class Reading:
    """Totals of all channels of a sampler at one instant; made by ``Sampler.resolve`` and never changed.

    Attributes:
        t_ns: The instant asked for, on the monotonic clock.
        is_final: False while a later tick could still change the totals.
        position: -1 before the first tick (the totals are those of the first tick), 1 after the last, else 0.
        ticks: Ticks so far.
        missed: Ticks that the host did not give the thread so far.
        gap_ns: Time without knowledge so far: lost sensors and restarts.
        cpu_ns: Processor time of the sampling thread so far; refreshed every 64 ticks.
        first_ns: Time of the first tick.
        last_ns: Time of the last tick when this was resolved.
        is_coarse: Whether only the tier with one tick per second still held the instant.
    """

    def __dealloc__(self) -> None:
        free(self.totals)

    @property
    def t_ns(self) -> int:
        return self.at.t_ns

    @property
    def is_final(self) -> bool:
        return self.at.is_final != 0

    @property
    def position(self) -> int:
        return self.at.position

    @property
    def ticks(self) -> int:
        return self.at.ticks

    @property
    def missed(self) -> int:
        return self.at.missed

    @property
    def gap_ns(self) -> int:
        return self.at.gap_ns

    @property
    def cpu_ns(self) -> int:
        return self.at.cpu_ns

    @property
    def first_ns(self) -> int:
        return self.at.first_ns

    @property
    def last_ns(self) -> int:
        return self.at.last_ns

    @property
    def is_coarse(self) -> bool:
        return self.at.is_coarse != 0

    def freeze(self) -> None:
        """Declare the totals final: whoever holds them knows that no better answer will come."""
        self.at.is_final = 1

    def channel(self, int i) -> tuple:
        """Total of one channel since the first tick.

        Returns:
            ``(total_uj, low_uj, high_uj, lost_uj)``: estimate and bounds without the lost energy, and the most energy
            that restarts and missed wraps may have hidden so far.

        Raises:
            IndexError: There is no such channel.
        """
        if not 0 <= i < self.n:
            raise IndexError(f"channel {i} of {self.n}")
        cdef cc_total *total = &self.totals[i]
        return total.total_uj, total.low_uj, total.high_uj, total.lost_uj

    def energy(self, Reading later not None, int i) -> tuple:
        """Energy of one channel from this instant to a later one of the same sampler.

        Returns:
            ``(energy_uj, low_uj, high_uj, timing_std_j, flags)``. Whole microjoules: consecutive windows sum exactly.
            The upper bound contains what may have been lost; flags are the faults in between.

        Raises:
            IndexError: There is no such channel.
            ValueError: The readings are of samplers with different channels.
        """
        if not 0 <= i < self.n:
            raise IndexError(f"channel {i} of {self.n}")
        if later.n != self.n:
            raise ValueError("the two readings are of different samplers")
        cdef cc_total *a = &self.totals[i]
        cdef cc_total *b = &later.totals[i]
        cdef int64_t uj = b.total_uj - a.total_uj
        cdef int64_t low_uj = b.low_uj - a.high_uj
        cdef int64_t high_uj = b.high_uj - a.low_uj + b.lost_uj - a.lost_uj
        # A fault's byte is odd while it lasts, and has changed if it came or went in between.
        cdef uint64_t changed = (a.faults ^ b.faults) | (a.faults & 0x0101010101010101)
        cdef int fault, flags = 0
        for fault in range(CC_FAULTS):
            if changed >> (8 * fault) & 0xff:
                flags |= 1 << fault
        # A provisional end was extrapolated and may lie above a later settled one: that is no negative energy.
        if uj < 0 and later.at.t_ns >= self.at.t_ns:
            uj = 0
        return uj, max(low_uj, 0), max(high_uj, uj), (a.var_j2 + b.var_j2) ** 0.5, flags

    def __repr__(self) -> str:
        return f"Reading(t_ns={self.at.t_ns}, is_final={bool(self.at.is_final)})"


@cython.final
@cython.no_gc_clear  # the thread reads through the sources until __dealloc__ has stopped it
cdef class Sampler:
    """A thread that reads sources on an absolute time grid, without ever touching the interpreter.

    Args:
        sources: What to read; at least one channel in all. The sampler keeps them open and closes them in ``close``.
        idle_period_ns: Time between ticks while nobody holds the fast rate.
        fast_period_ns: Time between ticks while somebody does, and in the first 200 ms; 0 for no fast rate.
        slots: Ticks that the fine tier holds, rounded up to a power of two and limited to 8 MiB.
        coarse_slots: Ticks of the tier that takes one per second; 0 for none.
        slow_read_ns: A read that takes longer is flagged SLOW and repeated once; 0 for sources slow by nature.
        name: Name of the thread, at most 15 bytes.
        ops: System calls to use; libc's by default.

    Raises:
        ValueError: No channel, too many of them, or a period that is not positive.
        MemoryError: No memory for the rings.
    """

    def __cinit__(self, sources, *, int64_t idle_period_ns, int64_t fast_period_ns=0, uint64_t slots=65536,
                  uint64_t coarse_slots=86400, int64_t slow_read_ns=50000, str name="codecarbon", Ops ops=None):
        cdef Source source
        cdef int place = 0
        self.sources = tuple(sources)
        self.channels = tuple([channel for source in self.sources for channel in source.channels])
        count = len(self.channels)
        if not 0 < count <= CC_MAX_CHANNELS:
            raise ValueError(f"a sampler reads 1 to {CC_MAX_CHANNELS} channels, not {count}")
        if idle_period_ns <= 0 or fast_period_ns < 0 or slots < 2:
            raise ValueError("periods must be positive, and a ring needs two slots")
        self.ops = Ops() if ops is None else ops
        self.engine = <cc_engine *> calloc(1, sizeof(cc_engine))
        if self.engine == NULL:
            raise MemoryError()
        self.engine.ops = self.ops.table
        self.engine.slow_read_ns = slow_read_ns
        cc_set_i64(&self.engine.idle_ns, idle_period_ns)
        cc_set_i64(&self.engine.fast_ns, fast_period_ns)
        encoded = name.encode()[:15]
        strncpy(self.engine.name, encoded, 15)
        self._allocate(count, slots, coarse_slots)
        for source in self.sources:
            if source.read_fn == NULL:
                raise ValueError("a source is closed")
            self.engine.slots[self.engine.n_slots].read = source.read_fn
            self.engine.slots[self.engine.n_slots].reopen = source.reopen_fn
            self.engine.slots[self.engine.n_slots].ctx = source.ctx
            self.engine.slots[self.engine.n_slots].first = place
            self.engine.slots[self.engine.n_slots].n = len(source.channels)
            self.engine.n_slots += 1
            place += len(source.channels)

    cdef int _allocate(self, int count, uint64_t slots, uint64_t coarse_slots) except -1:
        cdef cc_engine *e = self.engine
        cdef Channel channel
        cdef uint32_t words = CC_W_CHANNELS + CC_C_WORDS * count
        cdef uint64_t size = 2
        while size < slots and size * 2 * (words + 1) * sizeof(uint64_t) <= FINE_BYTES:
            size *= 2
        e.n_channels = count
        e.slots = <cc_slot *> calloc(max(len(self.sources), 1), sizeof(cc_slot))
        e.counters = <cc_counter *> calloc(count, sizeof(cc_counter))
        e.states = <cc_state *> calloc(count, sizeof(cc_state))
        e.now = <cc_reading *> calloc(count, sizeof(cc_reading))
        e.again = <cc_reading *> calloc(count, sizeof(cc_reading))
        e.record = <uint64_t *> calloc(words, sizeof(uint64_t))
        if NULL in (<void *> e.slots, <void *> e.counters, <void *> e.states, <void *> e.now, <void *> e.again,
                    <void *> e.record) or cc_ring_init(&e.fine, size, words) != 0:
            raise MemoryError()
        if coarse_slots:
            size = 2
            while size < coarse_slots:
                size *= 2
            e.has_coarse = 1
            if cc_ring_init(&e.coarse, size, words) != 0:
                raise MemoryError()
        for i, channel in enumerate(self.channels):
            e.counters[i].spec = channel.spec
        return 0

    def start(self) -> None:
        """Start the thread.

        Raises:
            OSError: The system gives no thread.
            ValueError: It was started before, or is closed.
        """
        self._open()
        status = cc_engine_start(self.engine)
        if status == -EALREADY:
            raise ValueError("a sampler can be started once")
        if status < 0:
            raise OSError(-status, f"cannot start the sampling thread: {strerror(-status)}")

    def stop(self, double timeout_s=2.0) -> bool:
        """End the thread; the rings stay readable. Harmless when no thread runs.

        Returns:
            False when the thread did not end in time. It is then left alone, with everything that it may touch.
        """
        cdef cc_engine *e = self._open()
        cdef int64_t timeout_ns = ns_from_s(timeout_s)
        cdef int status
        with nogil:
            status = cc_engine_stop(e, timeout_ns)
        return status != 0

    def close(self) -> None:
        """Stop the thread and close the sources; the rings stay readable, and no tick will follow."""
        if self.stop():
            if cc_get_int(&self._open().state) == CC_ENGINE_NEW:
                cc_set_int(&self.engine.state, CC_ENGINE_STOPPED)
            for source in self.sources:
                (<Source> source).close()

    @property
    def is_running(self) -> bool:
        """Whether the thread runs in this process; False in a forked child."""
        return cc_get_int(&self._open().state) == CC_ENGINE_RUNNING

    @property
    def idle_period_ns(self) -> int:
        return cc_get_i64(&self._open().idle_ns)

    def set_idle_period(self, int64_t period_ns) -> None:
        """Change the time between ticks while nobody holds the fast rate.

        Raises:
            ValueError: The period is not positive.
        """
        if period_ns <= 0:
            raise ValueError(f"a period must be positive, not {period_ns} ns")
        if cc_get_i64(&self._open().idle_ns) != period_ns:
            cc_set_i64(&self.engine.idle_ns, period_ns)
            cc_ask(self.engine)

    def hold_fast(self) -> None:
        """Keep the fast rate until ``release_fast``; calls are counted."""
        cc_hold_fast(self._open())

    def release_fast(self) -> None:
        """Take one ``hold_fast`` back; the rate falls two seconds after the last."""
        cc_release_fast(self._open())

    def tick(self, double wait_s=0.0) -> bool:
        """Ask for a tick now.

        Args:
            wait_s: How long to wait for it, seconds.

        Returns:
            Whether a tick that began after the call was recorded in that time.
        """
        cdef cc_engine *e = self._open()
        cdef int64_t wait_ns = ns_from_s(wait_s)
        cdef int status
        if e.state != CC_ENGINE_RUNNING:
            return False
        with nogil:
            status = cc_engine_tick(e, wait_ns)
        return status != 0

    def sync(self, double timeout_s=0.003) -> bool:
        """Wait for the next update of any counter, while the thread reads back to back.

        A mark made right after it has a much tighter bound. Each tick of the burst takes a place in the ring.

        Args:
            timeout_s: How long to wait, seconds.

        Returns:
            Whether an update came in that time.
        """
        cdef cc_engine *e = self._open()
        cdef int64_t wait_ns = ns_from_s(timeout_s)
        cdef int status
        if e.state != CC_ENGINE_RUNNING:
            return False
        with nogil:
            status = cc_engine_sync(e, wait_ns)
        return status != 0

    def step(self, int n=1, int64_t period_ns=0) -> None:
        """Make ticks on the caller's thread, for virtual time.

        Args:
            n: How many.
            period_ns: Time to wait before each, by the sampler's own operations table.

        Raises:
            ValueError: The thread runs or ran.
        """
        cdef cc_engine *e = self._open()
        cdef int _
        if e.state != CC_ENGINE_NEW:
            raise ValueError("step is for a sampler without a thread")
        with nogil:
            for _ in range(n):
                cc_engine_step(e, period_ns)

    @property
    def head(self) -> int:
        """Number of ticks recorded."""
        return cc_ring_head(&self._open().fine)

    def resolve(self, int64_t t_ns) -> Reading:
        """Find the totals of all channels at an instant of the monotonic clock.

        Raises:
            ValueError: There is no tick yet.
        """
        cdef cc_engine *e = self._open()
        cdef Reading reading = Reading.__new__(Reading)
        cdef int status
        reading.n = e.n_channels
        reading.totals = <cc_total *> calloc(e.n_channels, sizeof(cc_total))
        if reading.totals == NULL:
            raise MemoryError()
        status = cc_resolve(e, t_ns, &reading.at, reading.totals)
        if status == -EAGAIN:
            raise ValueError("the records around this instant are overwritten faster than they can be read")
        if status < 0:
            raise ValueError("no data: the sampler has not ticked yet")
        return reading

    def zero(self) -> Reading:
        """The totals before the first tick: nothing, not final, position -1."""
        cdef Reading reading = Reading.__new__(Reading)
        reading.n = self._open().n_channels
        reading.totals = <cc_total *> calloc(reading.n, sizeof(cc_total))
        if reading.totals == NULL:
            raise MemoryError()
        reading.at.position = -1
        return reading

    def state(self, int i) -> ChannelState:
        """What channel ``i`` has been doing.

        Raises:
            IndexError: There is no such channel.
        """
        cdef cc_engine *e = self._open()
        cdef ChannelState out = ChannelState.__new__(ChannelState)
        if not 0 <= i < e.n_channels:
            raise IndexError(f"channel {i} of {e.n_channels}")
        cdef cc_state *state = &e.states[i]
        out.first_ns = cc_get_i64(&state.first_ns)
        out.last_edge_ns = cc_get_i64(&state.edge_ns)
        out.has_moved = out.last_edge_ns != 0
        out.count = cc_get_u64(&state.count)
        out.errors = cc_get_u64(&state.errors)
        out.errors_in_row = state.errors_in_row
        out.last_errno = cc_get_int(&state.last_errno)
        out.update_period_ns = cc_get_i64(&state.period_ns)
        out.max_period_ns = cc_get_i64(&state.max_period_ns)
        out.is_gone = cc_get_int(&state.is_gone) != 0
        return out

    def snapshot(self, lo: int = 0, hi: int | None = None, *, coarse: bool = False):
        """Copy ticks into a numpy array.

        Args:
            lo: First tick.
            hi: One past the last tick; all so far by default.
            coarse: Take the tier with one tick per second.

        Returns:
            ``(array, lost)``. The array has shape (n,) and fields ``t_ns``, ``h_ns``, ``flags``, ``h_high``, ``ticks``,
            ``missed``, ``gap_ns``, ``cpu_ns`` and ``channels``, the latter of shape (K,) with ``count``, ``lost``,
            ``age``, ``failed``, ``back`` and ``faults``. ``h_high`` holds what is above 32 bits of ``h_ns``. ``lost``
            counts ticks of the range that are overwritten already.

        Raises:
            ValueError: The coarse tier was asked for and does not exist.
        """
        import numpy

        cdef cc_engine *e = self._open()
        if coarse and not e.has_coarse:
            raise ValueError("this sampler has no coarse tier")
        cdef cc_ring *ring = &e.coarse if coarse else &e.fine
        cdef uint64_t head = cc_ring_head(ring)
        cdef uint64_t first = max(lo, cc_ring_tail(ring))
        cdef uint64_t last = head if hi is None else min(<uint64_t> max(hi, 0), head)
        wanted = max(0, last - max(lo, 0))
        rows = numpy.empty((max(0, <int64_t> (last - first)) if last > first else 0, ring.words), numpy.uint64)
        cdef uint64_t[:, ::1] view = rows
        cdef uint64_t index, kept = 0, n = rows.shape[0]
        if n:
            with nogil:
                for index in range(first, last):
                    if cc_ring_read(ring, index, &view[kept, 0], ring.words):
                        kept += 1
        channel = numpy.dtype([("count", "u8"), ("lost", "u8"), ("age", "u2"), ("failed", "u2"), ("back", "u4"),
                               ("faults", "u8")])
        record = numpy.dtype([("t_ns", "i8"), ("h_ns", "u4"), ("flags", "u2"), ("h_high", "u2"), ("ticks", "u8"),
                              ("missed", "u8"), ("gap_ns", "i8"), ("cpu_ns", "i8"),
                              ("channels", channel, (e.n_channels,))])
        return rows[:kept].reshape(-1).view(record), wanted - kept

    cdef cc_engine *_open(self) except NULL:
        if self.engine == NULL:
            raise ValueError("the sampler could not be made")
        return self.engine

    def __dealloc__(self) -> None:
        cdef cc_engine *e = self.engine
        if e == NULL:
            return
        with nogil:
            is_over = cc_engine_stop(e, 2000000000)
            cc_engine_await_unpinned(e)
        if not is_over:
            # The thread sits in a driver: freeing what it may touch is worse than leaking it.
            keep(self.sources)
            keep(self.ops)
            return
        cc_ring_free(&e.fine)
        cc_ring_free(&e.coarse)
        free(e.slots)
        free(e.counters)
        free(e.states)
        free(e.now)
        free(e.again)
        free(e.record)
        free(e)


cdef void keep(object thing) noexcept:
    """Hold an object for ever: a thread that cannot be joined may still use it."""
    LEAKED.append(thing)


cdef list LEAKED = []


def stop_all(double timeout_s=2.0) -> None:
    """Stop every sampler of the process; runs at exit, when objects in module globals are never deallocated."""
    cdef int64_t timeout_ns = ns_from_s(timeout_s)
    with nogil:
        cc_stop_all(timeout_ns)


atexit.register(stop_all)
