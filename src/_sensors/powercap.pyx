"""RAPL through powercap: one kept file descriptor per zone, one ``pread`` per zone and tick."""

cimport cython
from libc.errno cimport EINVAL
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport strdup

from codecarbon._sensors.channel cimport CC_MAX_CHANNELS, CC_READ_RESTART, Channel, Ops, Source, cc_ops, cc_reading

from os import fsencode, strerror

cdef extern from "decimal.h" nogil:
    int cc_parse_attribute(const char *text, int64_t n, uint64_t *value)

# A number of 20 digits and its newline fit with room to spare, so that a longer text is seen to be longer.
cdef enum:
    TEXT_BYTES = 32

cdef struct pc_zone:
    char *path
    int fd
    int32_t status    # of the last read: what reopening looks at
    bint restarted    # opened again: the next good reading begins a new epoch
    bint has_newline  # seen once at the end of the text: from then on a text without it was cut short

cdef struct pc_ctx:
    cc_ops *ops
    Py_ssize_t n
    pc_zone *zones


cdef int32_t read_zone(cc_ops *ops, pc_zone *zone, uint64_t *raw) noexcept nogil:
    cdef char text[TEXT_BYTES]
    cdef int64_t got
    cdef int ending
    # kernfs makes the text anew for each read at offset 0 of a kept descriptor.
    got = ops.pread(ops.ctx, zone.fd, text, TEXT_BYTES, 0)
    if got < 0:
        return <int32_t> got
    ending = cc_parse_attribute(text, got, raw)
    if ending < 0 or (ending == 0 and zone.has_newline):
        return -EINVAL
    if ending == 1:
        zone.has_newline = True
    return 0


cdef void read_all(void *state, cc_reading *out) noexcept nogil:
    cdef pc_ctx *ctx = <pc_ctx *> state
    cdef pc_zone *zone
    cdef Py_ssize_t i
    for i in range(ctx.n):
        zone = &ctx.zones[i]
        out[i].raw = 0
        out[i].flags = 0
        zone.status = read_zone(ctx.ops, zone, &out[i].raw)
        out[i].status = zone.status
        if zone.status == 0 and zone.restarted:
            out[i].flags = CC_READ_RESTART
            zone.restarted = False


cdef int reopen_failed(void *state) noexcept nogil:
    cdef pc_ctx *ctx = <pc_ctx *> state
    cdef pc_zone *zone
    cdef Py_ssize_t i
    cdef int fd, failure = 0
    for i in range(ctx.n):
        zone = &ctx.zones[i]
        if zone.status == 0:
            continue
        fd = ctx.ops.open(ctx.ops.ctx, zone.path)
        if fd < 0:
            # The old descriptor is kept: a zone that only stopped answering may answer again.
            failure = failure if failure else fd
            continue
        if zone.fd >= 0:
            ctx.ops.close(ctx.ops.ctx, zone.fd)
        zone.fd = fd
        zone.restarted = True
        zone.has_newline = False
    return failure


# Without this the collector could drop the operations table before __dealloc__ closes descriptors through it.
@cython.no_gc_clear
@cython.final
cdef class PowercapSource(Source):
    """Energy zones of the powercap class, read from their ``energy_uj`` attributes.

    A reading is in microjoules. Text that the kernel would not print is a failed reading (``-EINVAL``), never a number.

    Args:
        zones: The path of each zone's ``energy_uj`` and the channel it feeds.
        ops: System calls to use; libc's by default.

    Raises:
        OSError: A zone cannot be opened; ``filename`` says which. Nothing stays open then.
        ValueError: No zone at all, or more than a sampler can hold.
    """

    cdef pc_ctx state

    def __cinit__(self, zones, *, Ops ops=None):
        cdef Py_ssize_t i
        zones = [(path, <Channel?> channel) for path, channel in zones]
        if not 0 < len(zones) <= CC_MAX_CHANNELS:
            raise ValueError(f"a source needs between 1 and {CC_MAX_CHANNELS} zones, got {len(zones)}")
        self.ops = Ops() if ops is None else ops
        self.channels = tuple([channel for _, channel in zones])
        self.state.ops = self.ops.table
        self.state.zones = <pc_zone *> calloc(len(zones), sizeof(pc_zone))
        if self.state.zones == NULL:
            raise MemoryError()
        for i, (path, _) in enumerate(zones):
            self._open_zone(&self.state.zones[i], path)
            self.state.n = i + 1
        self.ctx = &self.state
        self.read_fn = read_all
        self.reopen_fn = reopen_failed

    cdef int _open_zone(self, pc_zone *zone, path) except -1:
        encoded = fsencode(path)
        zone.path = strdup(encoded)
        if zone.path == NULL:
            raise MemoryError()
        zone.fd = self.ops.table.open(self.ops.table.ctx, zone.path)
        if zone.fd < 0:
            errno = -zone.fd
            free(zone.path)
            zone.path = NULL
            raise OSError(errno, strerror(errno), path)
        return 0

    def close(self) -> None:
        """Close every zone; later reads raise ValueError. A sampler that uses the source must have stopped."""
        Source.close(self)
        self.reopen_fn = NULL
        self._close_zones()

    cdef void _close_zones(self) noexcept:
        cdef Py_ssize_t i
        for i in range(self.state.n):
            if self.state.zones[i].fd >= 0:
                self.state.ops.close(self.state.ops.ctx, self.state.zones[i].fd)
                self.state.zones[i].fd = -1

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.state.zones == NULL:
            return
        self._close_zones()
        for i in range(self.state.n):
            free(self.state.zones[i].path)
        free(self.state.zones)
