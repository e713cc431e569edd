"""RAPL through the MSR device: one kept file descriptor per package, one 8-byte ``pread`` per register and tick."""

cimport cython
from libc.errno cimport EIO
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport strdup

from codecarbon._sensors.channel cimport CC_MAX_CHANNELS, CC_READ_RESTART, Channel, Ops, Source, cc_ops, cc_reading

from os import fsencode, strerror

# Energy status registers count in their low 32 bits; the high half is reserved and may hold anything
# (Intel SDM volume 3B, 15.10; AMD PPR for Family 17h, MSRC001_029A and 029B).
cdef enum:
    COUNT_MASK = 0xFFFFFFFF

cdef struct msr_ctx:
    cc_ops *ops
    char **paths  # the device, then its alternatives
    Py_ssize_t n_paths
    int fd
    Py_ssize_t n
    int64_t *offsets
    bint has_failed
    bint *restarted


cdef int32_t read_register(cc_ops *ops, int fd, int64_t offset, uint64_t *value) noexcept nogil:
    cdef int64_t got
    # The driver takes the register number as the file offset and answers in units of 8 bytes, nothing else.
    got = ops.pread(ops.ctx, fd, value, sizeof(uint64_t), offset)
    if got < 0:
        return <int32_t> got
    return 0 if got == sizeof(uint64_t) else -EIO


cdef void read_all(void *state, cc_reading *out) noexcept nogil:
    cdef msr_ctx *ctx = <msr_ctx *> state
    cdef uint64_t value
    cdef Py_ssize_t i
    ctx.has_failed = False
    for i in range(ctx.n):
        value = 0
        out[i].flags = 0
        out[i].status = read_register(ctx.ops, ctx.fd, ctx.offsets[i], &value)
        out[i].raw = value & <uint64_t> COUNT_MASK
        if out[i].status != 0:
            ctx.has_failed = True
        elif ctx.restarted[i]:
            out[i].flags = CC_READ_RESTART
            ctx.restarted[i] = False


cdef int reopen_device(void *state) noexcept nogil:
    cdef msr_ctx *ctx = <msr_ctx *> state
    cdef Py_ssize_t i
    cdef int fd = 0, failure = 0
    if not ctx.has_failed:
        return 0
    for i in range(ctx.n_paths):
        fd = ctx.ops.open(ctx.ops.ctx, ctx.paths[i])
        if fd >= 0:
            break
        failure = failure if failure else fd
    if fd < 0:
        return failure
    if ctx.fd >= 0:
        ctx.ops.close(ctx.ops.ctx, ctx.fd)
    ctx.fd = fd
    for i in range(ctx.n):
        ctx.restarted[i] = True
    return 0


def read_msr(path, offset: int, *, Ops ops=None) -> int:
    """Read one 64-bit register, unmasked.

    Args:
        path: The device of one processor, for example ``/dev/cpu/0/msr``.
        offset: The register's number.
        ops: System calls to use; libc's by default.

    Raises:
        OSError: The device cannot be opened or the register faults (EIO); ``filename`` is the path.
    """
    cdef uint64_t value = 0
    cdef int64_t at = offset
    cdef int32_t status
    cdef int fd
    encoded = fsencode(path)
    cdef const char *c_path = encoded
    ops = Ops() if ops is None else ops
    fd = ops.table.open(ops.table.ctx, c_path)
    if fd < 0:
        raise OSError(-fd, strerror(-fd), path)
    status = read_register(ops.table, fd, at, &value)
    ops.table.close(ops.table.ctx, fd)
    if status != 0:
        raise OSError(-status, strerror(-status), path)
    return value


# Without this the collector could drop the operations table before __dealloc__ closes the device through it.
@cython.no_gc_clear
@cython.final
cdef class MsrSource(Source):
    """Energy status registers of one package, read through the MSR device of one of its processors.

    A reading is the register's low 32 bits; the channel's unit and modulus are the caller's
    (``codecarbon.hardware.rapl_units``).

    Args:
        path: The device, for example ``/dev/cpu/0/msr``.
        registers: The number of each register and the channel it feeds.
        alternatives: Devices of other processors of the same package: when the first one goes offline, the next that
            can be opened takes over.
        ops: System calls to use; libc's by default.

    Raises:
        OSError: The device cannot be opened; ``filename`` is the path. Alternatives are not tried then.
        ValueError: No register at all, or more than a sampler can hold.
    """

    cdef msr_ctx state

    def __cinit__(self, path, registers, *, alternatives=(), Ops ops=None):
        cdef Py_ssize_t i
        self.state.fd = -1
        registers = [(offset, <Channel?> channel) for offset, channel in registers]
        if not 0 < len(registers) <= CC_MAX_CHANNELS:
            raise ValueError(f"a source needs between 1 and {CC_MAX_CHANNELS} registers, got {len(registers)}")
        self.ops = Ops() if ops is None else ops
        self.channels = tuple([channel for _, channel in registers])
        self.state.ops = self.ops.table
        self.state.n = len(registers)
        self.state.offsets = <int64_t *> calloc(self.state.n, sizeof(int64_t))
        self.state.restarted = <bint *> calloc(self.state.n, sizeof(bint))
        paths = [fsencode(one) for one in (path, *alternatives)]
        self.state.paths = <char **> calloc(len(paths), sizeof(char *))
        if self.state.offsets == NULL or self.state.restarted == NULL or self.state.paths == NULL:
            raise MemoryError()
        for i, encoded in enumerate(paths):
            self.state.paths[i] = strdup(encoded)
            if self.state.paths[i] == NULL:
                raise MemoryError()
            self.state.n_paths = i + 1
        for i, (offset, _) in enumerate(registers):
            self.state.offsets[i] = offset
        self.state.fd = self.ops.table.open(self.ops.table.ctx, self.state.paths[0])
        if self.state.fd < 0:
            errno = -self.state.fd
            raise OSError(errno, strerror(errno), path)
        self.ctx = &self.state
        self.read_fn = read_all
        self.reopen_fn = reopen_device

    def close(self) -> None:
        """Close the device; later reads raise ValueError. A sampler that uses the source must have stopped."""
        Source.close(self)
        self.reopen_fn = NULL
        self._close_device()

    cdef void _close_device(self) noexcept:
        if self.state.fd >= 0:
            self.state.ops.close(self.state.ops.ctx, self.state.fd)
            self.state.fd = -1

    def __dealloc__(self):
        cdef Py_ssize_t i
        self._close_device()
        for i in range(self.state.n_paths):
            free(self.state.paths[i])
        free(self.state.paths)
        free(self.state.offsets)
        free(self.state.restarted)
