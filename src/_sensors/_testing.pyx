"""What tests put at the edge of the core: time set by hand, faults by script, sensors whose true energy is known."""

cimport cython
from libc.errno cimport ENODEV
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from codecarbon._sensors.channel cimport CC_MAX_CHANNELS, Channel, Ops, Source, cc_ops, cc_reading

from os import fsencode

cdef extern from "virtual_ops.h" nogil:
    ctypedef struct cc_virtual:
        cc_ops table
        int64_t now_ns
        int64_t suspended_ns
        int64_t utc_ns
        int64_t cpu_ns
        int64_t read_ns
        int64_t next_read_ns
        int64_t next_wait_ns
        uint64_t waits
        int64_t waiting_ns
        int32_t jumps
    int64_t cc_peek_i64(const int64_t *word)
    uint64_t cc_peek_u64(const uint64_t *word)
    int32_t cc_peek_i32(const int32_t *word)
    void cc_poke_i64(int64_t *word, int64_t value)
    void cc_poke_i32(int32_t *word, int32_t value)
    void cc_bump_i64(int64_t *word, int64_t value)
    int64_t cc_virtual_now(cc_virtual *v)
    void cc_virtual_elapse(cc_virtual *v, int64_t ns)
    void cc_virtual_reach(cc_virtual *v, int64_t t_ns)
    void cc_virtual_init(cc_virtual *v, cc_ops *real)
    enum:
        CC_OP_OPEN
        CC_OP_PREAD
        CC_OP_READ
        CC_OP_CLOSE
        CC_OP_PERF_OPEN
        CC_OP_CLOCK
        CC_OP_WAIT
        CC_OP_WAKE
        CC_OPS
        CC_SCRIPT_FAULTS
    ctypedef struct cc_fault:
        int op
        const char *pattern
        uint64_t first
        uint64_t last
        int error
        const char *data
        size_t n_data
        int64_t at_most
        int64_t delay_ns
        uint64_t seen
        uint64_t hits
        int32_t is_active
    ctypedef struct cc_scripted:
        cc_ops table
        int n
        cc_fault **faults
        uint64_t *calls
        int64_t open_fds
    void cc_scripted_init(cc_scripted *s, cc_ops *base, cc_virtual *clock)

cdef extern from "sim.h" nogil:
    enum:
        CC_SIM_ERROR
        CC_SIM_GONE
        CC_SIM_RESET
        CC_SIM_FREEZE
        CC_SIM_JUMP
        CC_SIM_GLITCH
        CC_SIM_ZERO
        CC_SIM_SLOW
    ctypedef struct cc_sim_step:
        int64_t t_ns
        int64_t power_uw
    ctypedef struct cc_sim_event:
        int kind
        int64_t from_ns
        int64_t until_ns
        uint64_t value
        uint64_t times
    ctypedef struct cc_sim_channel:
        int64_t update_ns
        int64_t jitter_ns
        int64_t phase_ns
        uint64_t seed
        uint64_t num
        uint64_t den
        uint64_t modulus
        uint64_t start
        int n_steps
        int n_events
        cc_sim_step *steps
        cc_sim_event *events
    ctypedef struct cc_sim:
        cc_ops *ops
        cc_virtual *clock
        int64_t read_ns
        uint64_t seed
        uint64_t reads
        uint64_t reopens
        int n
        cc_sim_channel **channels
    uint64_t cc_sim_energy_high(const cc_sim_channel *c, int64_t t_ns)
    uint64_t cc_sim_energy_low(const cc_sim_channel *c, int64_t t_ns)
    void cc_sim_accumulate(cc_sim_channel *c)
    int64_t cc_sim_last_update(const cc_sim_channel *c, int64_t t_ns)
    uint64_t cc_sim_counts(const cc_sim_channel *c, int64_t t_ns)
    void cc_sim_read(void *ctx, cc_reading *out)
    int cc_sim_reopen(void *ctx)

cdef extern from "ring_stress.h" nogil:
    enum:
        CC_STRESS_READERS
        CC_STRESS_WORDS
    ctypedef struct cc_stress_reader:
        uint64_t read
        uint64_t rejected
        uint64_t torn
    int cc_stress_run(uint64_t slots, uint32_t words, uint64_t records, int readers, cc_stress_reader *sum)

OPERATIONS = {"open": CC_OP_OPEN, "pread": CC_OP_PREAD, "read": CC_OP_READ, "close": CC_OP_CLOSE,
              "perf_open": CC_OP_PERF_OPEN, "clock": CC_OP_CLOCK, "wait": CC_OP_WAIT, "wake": CC_OP_WAKE}
EVENTS = {"error": CC_SIM_ERROR, "gone": CC_SIM_GONE, "reset": CC_SIM_RESET, "freeze": CC_SIM_FREEZE,
          "jump": CC_SIM_JUMP, "glitch": CC_SIM_GLITCH, "zero": CC_SIM_ZERO, "slow": CC_SIM_SLOW}


@cython.final
cdef class VirtualOps(Ops):
    """System calls in virtual time; files are libc's.

    A read takes no time unless told so. A wait ends at once, with the time moved to its deadline; with
    ``jumps=False`` it ends when `advance` has moved the time there, so that a running thread follows the test.

    Args:
        start_ns: Monotonic time to begin with, nanoseconds.
        suspended_ns: Boottime minus monotonic time.
        utc_ns: Wall-clock time minus monotonic time.
        read_ns: What each read of a file takes.
        jumps: Whether a wait moves the time itself.
    """

    cdef cc_virtual state

    def __cinit__(self, *, int64_t start_ns=1_000_000_000_000, int64_t suspended_ns=0,
                  int64_t utc_ns=1_700_000_000_000_000_000, int64_t read_ns=0, bint jumps=True):
        # Ops.__cinit__ has set the table to libc's.
        cc_virtual_init(&self.state, self.table)
        self.table = &self.state.table
        self.state.now_ns = start_ns
        self.state.suspended_ns = suspended_ns
        self.state.utc_ns = utc_ns
        self.state.read_ns = read_ns
        self.state.jumps = jumps

    @property
    def now_ns(self) -> int:
        """Monotonic time."""
        return cc_virtual_now(&self.state)

    @property
    def boot_ns(self) -> int:
        """Time since boot, suspended time included."""
        return cc_virtual_now(&self.state) + cc_peek_i64(&self.state.suspended_ns)

    @property
    def cpu_ns(self) -> int:
        """Processor time of the sampler's thread: what its reads took."""
        return cc_peek_i64(&self.state.cpu_ns)

    @property
    def waits(self) -> int:
        """How many waits were begun."""
        return cc_peek_u64(&self.state.waits)

    @property
    def waiting_ns(self) -> int:
        """Deadline of the wait that a thread is in, 0 when none is; with several threads, of any of them."""
        return cc_peek_i64(&self.state.waiting_ns)

    def advance(self, int64_t ns) -> int:
        """Let time pass; returns the new monotonic time."""
        if ns < 0:
            raise ValueError("monotonic time does not go back")
        cc_virtual_elapse(&self.state, ns)
        return cc_virtual_now(&self.state)

    def advance_to(self, int64_t t_ns) -> int:
        """Let time pass until t_ns; returns the new monotonic time, which is later if it already was."""
        cc_virtual_reach(&self.state, t_ns)
        return cc_virtual_now(&self.state)

    def suspend(self, int64_t ns) -> None:
        """Sleep through ns nanoseconds as a suspended machine does: only boottime and the wall clock see them."""
        cc_bump_i64(&self.state.suspended_ns, ns)
        cc_bump_i64(&self.state.utc_ns, ns)

    def step_utc(self, int64_t ns) -> None:
        """Set the wall clock forward, or back, by ns nanoseconds."""
        cc_bump_i64(&self.state.utc_ns, ns)

    def set_read_ns(self, int64_t ns) -> None:
        """Make every read of a file take ns nanoseconds from now on."""
        cc_poke_i64(&self.state.read_ns, ns)

    def delay_next_read(self, int64_t ns) -> None:
        """Make the next read of a file take ns nanoseconds more."""
        cc_poke_i64(&self.state.next_read_ns, ns)

    def delay_next_wait(self, int64_t ns) -> None:
        """Make the next wait end ns nanoseconds after its deadline."""
        cc_poke_i64(&self.state.next_wait_ns, ns)

    def set_jumps(self, bint jumps) -> None:
        """Say whether a wait moves the time itself."""
        cc_poke_i32(&self.state.jumps, jumps)


@cython.final
cdef class Fault:
    """What goes wrong, at which calls.

    Args:
        op: ``open``, ``pread``, ``read``, ``close``, ``perf_open``, ``clock``, ``wait`` or ``wake``.
        path: Pattern, as of a shell, for the path behind the call; a perf event is ``perf:<type>:<config>``. None
            matches every call. Clocks and waits have no path.
        first: First call that is hit, counted from 1 over the calls that match.
        last: Last call that is hit; None for no end.
        errno: Error that the call fails with; 0 for none. Clocks cannot fail.
        data: What a read returns instead.
        at_most: A read returns no more bytes than this.
        delay_ns: What the call takes in addition: virtual time over `VirtualOps`, otherwise real time.

    Raises:
        ValueError: The operation is unknown or a number is out of range.
    """

    cdef cc_fault state
    cdef readonly str op
    cdef bytes pattern
    cdef bytes data

    def __cinit__(self, str op, *, path=None, uint64_t first=1, last=None, int errno=0, data=None, at_most=None,
                  int64_t delay_ns=0):
        if op not in OPERATIONS:
            raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, not {op!r}")
        if first < 1 or errno < 0 or delay_ns < 0:
            raise ValueError("first must be positive, errno and delay_ns not negative")
        self.op = op
        self.state.op = OPERATIONS[op]
        if path is not None:
            self.pattern = fsencode(path)
            self.state.pattern = self.pattern
        self.state.first = first
        self.state.last = <uint64_t> -1 if last is None else last
        self.state.error = errno
        if data is not None:
            self.data = bytes(data)
            self.state.data = self.data
            self.state.n_data = len(self.data)
        self.state.at_most = -1 if at_most is None else at_most
        self.state.delay_ns = delay_ns
        self.state.is_active = True

    @property
    def seen(self) -> int:
        """How many calls matched."""
        return cc_peek_u64(&self.state.seen)

    @property
    def hits(self) -> int:
        """How many calls it spoiled."""
        return cc_peek_u64(&self.state.hits)

    @property
    def is_active(self) -> bool:
        """Whether it counts and spoils calls now."""
        return cc_peek_i32(&self.state.is_active) != 0

    @is_active.setter
    def is_active(self, bint value):
        cc_poke_i32(&self.state.is_active, value)


# Without this the collector could drop the tables below before a source closes its descriptors through this one.
@cython.no_gc_clear
@cython.final
cdef class ScriptedOps(Ops):
    """System calls that fail by script, and are counted.

    Args:
        faults: What goes wrong; the first that applies to a call decides.
        base: Table that does the work; libc's by default.

    Raises:
        ValueError: There are more than 64 faults.
    """

    cdef cc_scripted state
    cdef readonly Ops base
    cdef readonly tuple faults

    def __cinit__(self, faults=(), *, Ops base=None):
        cdef Fault fault
        cdef Py_ssize_t i
        self.faults = tuple([<Fault?> item for item in faults])
        if len(self.faults) > CC_SCRIPT_FAULTS:
            raise ValueError(f"at most {CC_SCRIPT_FAULTS} faults, got {len(self.faults)}")
        self.base = Ops() if base is None else base
        cc_scripted_init(&self.state, self.base.table, clock_of(self.base))
        for i, item in enumerate(self.faults):
            fault = item
            self.state.faults[i] = &fault.state
        self.state.n = len(self.faults)
        self.table = &self.state.table

    @property
    def open_fds(self) -> int:
        """Descriptors that were opened through this table and not closed."""
        return cc_peek_i64(&self.state.open_fds)

    def calls(self, str op) -> int:
        """Return how many calls of one operation were made, failed ones included."""
        return cc_peek_u64(&self.state.calls[<int> OPERATIONS[op]])


cdef cc_virtual *clock_of(Ops ops):
    """The virtual clock at the bottom of a pile of tables, or NULL."""
    while isinstance(ops, ScriptedOps):
        ops = (<ScriptedOps> ops).base
    return &(<VirtualOps> ops).state if isinstance(ops, VirtualOps) else NULL


@cython.final
cdef class SimChannel(Channel):
    """A counter that follows a power curve.

    Args:
        name: As of any channel.
        domain: As of any channel.
        power: Pairs of a monotonic time in nanoseconds and the power in watts from then on, ascending; none before.
        update_ns: Period in which the register is written; 0 for always up to date.
        jitter: Largest shift of a write from its place on the grid, in periods, below 0.5.
        seed: Of the jitter.
        phase_ns: Shifts the grid.
        start: What the register shows at no energy.
        events: Tuples that begin with a kind and a time from which on it happens, in order of time:

            ``("error", t, until, errno)`` reads fail; ``("gone", t, until)`` reads fail until it is opened again at
            ``until`` or later; ``("reset", t, value)`` the register restarts; ``("freeze", t, until)`` nothing is
            written until then, and the next write shows what was missed; ``("jump", t, counts)`` it gains what nobody
            used; ``("glitch", t, counts, reads)`` some reads show more; ``("zero", t, reads)`` some reads show 0;
            ``("slow", t, ns, reads)`` some reads take so long.
        num, den, modulus, quantum, cap_w: As of any channel.

    Raises:
        ValueError: A number is out of range, or times do not ascend.
    """

    cdef cc_sim_channel state

    def __init__(self, str name="package-0", str domain="package", *, power, int64_t update_ns=1_000_000,
                 double jitter=0.0, uint64_t seed=0, int64_t phase_ns=0, uint64_t start=0, events=(), uint64_t num=1,
                 uint64_t den=1, uint64_t modulus=0, uint64_t quantum=1, double cap_w=0.0):
        if self.state.steps != NULL:
            raise ValueError("a simulated channel is made once")
        Channel.__init__(self, name, domain, num=num, den=den, modulus=modulus, quantum=quantum, cap_w=cap_w)
        if update_ns < 0 or not 0.0 <= jitter < 0.5:
            raise ValueError("update_ns must not be negative, and jitter lies in [0, 0.5)")
        self.state.update_ns = update_ns
        self.state.jitter_ns = <int64_t> (jitter * update_ns)
        self.state.phase_ns = phase_ns
        self.state.seed = seed
        self.state.num = num
        self.state.den = den
        self.state.modulus = modulus
        self.state.start = start
        self._set_power(list(power))
        self._set_events(list(events))

    cdef int _set_power(self, list power) except -1:
        cdef Py_ssize_t i
        if not power:
            raise ValueError("a power curve has at least one step")
        self.state.steps = <cc_sim_step *> calloc(len(power), sizeof(cc_sim_step))
        if self.state.steps == NULL:
            raise MemoryError()
        for i, (t_ns, power_w) in enumerate(power):
            if i and t_ns <= power[i - 1][0]:
                raise ValueError("the times of a power curve ascend")
            if not (isfinite(power_w) and 0.0 <= power_w <= 1e9):
                raise ValueError(f"power must be between 0 and 1e9 W, not {power_w!r}")
            self.state.steps[i].t_ns = t_ns
            self.state.steps[i].power_uw = round(power_w * 1e6)
        self.state.n_steps = len(power)
        cc_sim_accumulate(&self.state)
        return 0

    cdef int _set_events(self, list events) except -1:
        cdef Py_ssize_t i
        self.state.events = <cc_sim_event *> calloc(max(len(events), 1), sizeof(cc_sim_event))
        if self.state.events == NULL:
            raise MemoryError()
        for i, event in enumerate(events):
            kind, t_ns, first, second = (*event, None, None)[:4]
            self._set_event(&self.state.events[i], kind, t_ns, first, second)
            self.state.n_events = i + 1
        return 0

    cdef int _set_event(self, cc_sim_event *event, str kind, int64_t t_ns, first, second) except -1:
        if kind not in EVENTS:
            raise ValueError(f"an event must be one of {', '.join(EVENTS)}, not {kind!r}")
        event.kind = EVENTS[kind]
        event.from_ns = t_ns
        event.until_ns = t_ns
        event.times = 1
        if kind in ("error", "gone", "freeze"):
            event.until_ns = first
            event.value = second if kind == "error" else ENODEV
        elif kind == "zero":
            event.times = first
        else:
            event.value = first
            event.times = 1 if second is None else second
        return 0

    def true_energy_fj(self, int64_t from_ns, int64_t until_ns) -> int:
        """Return the energy between two monotonic times in femtojoules (1e-15 J), exactly."""
        return energy_fj(&self.state, until_ns) - energy_fj(&self.state, from_ns)

    def true_energy_uj(self, int64_t from_ns, int64_t until_ns) -> float:
        """Return the energy between two monotonic times in microjoules."""
        return self.true_energy_fj(from_ns, until_ns) / 1_000_000_000

    def counts(self, int64_t t_ns) -> int:
        """Return the counts written by t_ns, before any start value, wrap or fault."""
        return cc_sim_counts(&self.state, cc_sim_last_update(&self.state, t_ns))

    def last_update_ns(self, int64_t t_ns) -> int:
        """Return when the register was last written, at or before t_ns."""
        return cc_sim_last_update(&self.state, t_ns)

    def __dealloc__(self):
        free(self.state.steps)
        free(self.state.events)


cdef object energy_fj(const cc_sim_channel *channel, int64_t t_ns):
    return <object> cc_sim_energy_high(channel, t_ns) << 64 | <object> cc_sim_energy_low(channel, t_ns)


# Without this the collector could drop channels and clock while a sampler still reads them.
@cython.no_gc_clear
@cython.final
cdef class SimSource(Source):
    """Simulated channels behind one read, in the time of its operations' monotonic clock.

    Args:
        channels: What is simulated; a channel belongs to one source.
        ops: Clock to follow; libc's by default. Reads take time only over `VirtualOps`.
        read_ns: What one read takes; the registers are looked at somewhere inside.
        seed: Of that place.

    Raises:
        ValueError: No channel at all, or more than a sampler can hold.
    """

    cdef cc_sim state

    def __cinit__(self, channels, *, Ops ops=None, int64_t read_ns=0, uint64_t seed=0):
        cdef SimChannel channel
        cdef Py_ssize_t i
        self.channels = tuple([<SimChannel?> item for item in channels])
        if not 0 < len(self.channels) <= CC_MAX_CHANNELS or read_ns < 0:
            raise ValueError(f"a source needs 1 to {CC_MAX_CHANNELS} channels, and read_ns must not be negative")
        self.ops = Ops() if ops is None else ops
        self.state.ops = self.ops.table
        self.state.clock = clock_of(self.ops)
        self.state.read_ns = read_ns
        self.state.seed = seed
        self.state.channels = <cc_sim_channel **> calloc(len(self.channels), sizeof(cc_sim_channel *))
        if self.state.channels == NULL:
            raise MemoryError()
        for i, item in enumerate(self.channels):
            channel = item
            self.state.channels[i] = &channel.state
        self.state.n = len(self.channels)
        self.ctx = &self.state
        self.read_fn = cc_sim_read
        self.reopen_fn = cc_sim_reopen

    @property
    def reads(self) -> int:
        """How often it was read."""
        return cc_peek_u64(&self.state.reads)

    @property
    def reopens(self) -> int:
        """How often it was asked to open again what is gone."""
        return cc_peek_u64(&self.state.reopens)

    def true_energy_uj(self, Py_ssize_t channel, int64_t from_ns, int64_t until_ns) -> float:
        """Return the energy of one channel between two monotonic times in microjoules."""
        return self.channels[channel].true_energy_uj(from_ns, until_ns)

    def close(self) -> None:
        """Refuse further reads; nothing else is held."""
        Source.close(self)
        self.reopen_fn = NULL

    def __dealloc__(self):
        free(self.state.channels)


def stress_ring(*, uint64_t slots=64, uint32_t words=16, uint64_t records=1_000_000, int readers=2) -> dict:
    """Write a ring as fast as possible while others read it.

    Args:
        slots: Size of the ring, a power of two.
        words: Size of a record.
        records: How many are written.
        readers: How many threads read.

    Returns:
        How many copies were ``read``, how many were ``rejected`` because the record was gone or not written yet, and
        how many of the former were ``torn``, that is, not the record that was written.

    Raises:
        ValueError: An argument is out of range.
        MemoryError: No memory, or no threads.
    """
    cdef cc_stress_reader total
    cdef int status
    if slots < 2 or slots & (slots - 1) or not 0 < words <= CC_STRESS_WORDS or not 0 < readers <= CC_STRESS_READERS:
        raise ValueError("slots must be a power of two, words and readers in range")
    with nogil:
        status = cc_stress_run(slots, words, records, readers, &total)
    if status != 0:
        raise MemoryError("no memory or no threads")
    return {"read": total.read, "rejected": total.rejected, "torn": total.torn}
