"""RAPL through perf_event: one group per package, all its domains in one system call."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from codecarbon._sensors.channel cimport CC_MAX_CHANNELS, Channel, Ops, Source, cc_ops, cc_reading

from os import strerror

cdef extern from "perf_group.h" nogil:
    ctypedef struct cc_perf_group:
        cc_ops *ops
        uint32_t type
        int cpu
        int shift
        int n
        uint64_t *configs
    int cc_perf_open_event(cc_ops *ops, uint32_t type, int cpu, uint64_t config, int leader, uint64_t read_format)
    int cc_perf_open(cc_perf_group *group, int *refused)
    void cc_perf_shut(cc_perf_group *group)
    void cc_perf_read(void *state, cc_reading *out)
    int cc_perf_reopen(void *state)


def probe_event(pmu_type: int, cpu: int, config: int, *, Ops ops=None) -> int:
    """Open one event and close it again.

    Args:
        pmu_type: The PMU's ``type``.
        cpu: A processor of the PMU's ``cpumask``.
        config: The event's number.
        ops: System calls to use; libc's by default.

    Returns:
        0 when the event can be opened, else the errno: EACCES or EPERM (not allowed), ENOENT or ENODEV (no such PMU),
        EINVAL (the machine lacks the domain), EMFILE (out of descriptors).
    """
    cdef int fd
    ops = Ops() if ops is None else ops
    fd = cc_perf_open_event(ops.table, pmu_type, cpu, config, -1, 0)
    if fd < 0:
        return -fd
    ops.table.close(ops.table.ctx, fd)
    return 0


# Without this the collector could drop the operations table before __dealloc__ closes events through it.
@cython.no_gc_clear
@cython.final
cdef class PerfSource(Source):
    """Events of one PMU on one processor, read as a group.

    A reading is the event's count since it was opened; the channel's unit comes from the event's ``scale``. While the
    group does not run, as when its processor goes offline, every reading fails (``-ENODATA``); a member that the kernel
    accepts and never runs beside the others fails likewise, by itself. A failed group (0 bytes read) is ``-ENODEV``.
    The descriptors are close-on-exec; a forked child inherits them, where they do no harm.

    Args:
        pmu_type: The PMU's ``type``.
        cpu: A processor of the PMU's ``cpumask``.
        events: The number of each event and the channel it feeds; the first one leads the group.
        shift: Low bits that are left out of every reading, from 0 to 32; a channel counts what is above them.
        ops: System calls to use; libc's by default.

    Raises:
        OSError: An event is refused; ``filename`` says which. Nothing stays open then.
        ValueError: No event at all, or more than a sampler can hold; or the shift is out of range.
    """

    cdef cc_perf_group state

    def __cinit__(self, pmu_type: int, cpu: int, events, *, int shift=0, Ops ops=None):
        cdef Py_ssize_t i
        cdef int refused = 0, status
        events = [(config, <Channel?> channel) for config, channel in events]
        if not 0 < len(events) <= CC_MAX_CHANNELS:
            raise ValueError(f"a source needs between 1 and {CC_MAX_CHANNELS} events, got {len(events)}")
        if not 0 <= shift <= 32:
            raise ValueError(f"from 0 to 32 bits can be left out, not {shift}")
        self.state.shift = shift
        self.ops = Ops() if ops is None else ops
        self.channels = tuple([channel for _, channel in events])
        self.state.ops = self.ops.table
        self.state.type = pmu_type
        self.state.cpu = cpu
        self.state.n = <int> len(events)
        for i, (config, _) in enumerate(events):
            self.state.configs[i] = config
        status = cc_perf_open(&self.state, &refused)
        if status != 0:
            raise OSError(-status, strerror(-status), event_name(pmu_type, cpu, events[refused][0]))
        self.ctx = &self.state
        self.read_fn = cc_perf_read
        self.reopen_fn = cc_perf_reopen

    def close(self) -> None:
        """Close the events; later reads raise ValueError. A sampler that uses the source must have stopped."""
        Source.close(self)
        self.reopen_fn = NULL
        cc_perf_shut(&self.state)

    def __dealloc__(self):
        cc_perf_shut(&self.state)


cdef str event_name(pmu_type, cpu, config):
    return f"perf:type={pmu_type},config={config:#x},cpu={cpu}"
