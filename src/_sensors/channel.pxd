from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "ops.h" nogil:
    cdef struct perf_event_attr:
        pass
    enum:
        CC_CLOCK_MONOTONIC
        CC_CLOCK_REALTIME
        CC_CLOCK_BOOTTIME
        CC_CLOCK_THREAD_CPU
    ctypedef struct cc_ops:
        void *ctx
        int (*open)(void *ctx, const char *path) noexcept nogil
        int64_t (*pread)(void *ctx, int fd, void *buf, size_t n, int64_t offset) noexcept nogil
        int64_t (*read)(void *ctx, int fd, void *buf, size_t n) noexcept nogil
        int (*close)(void *ctx, int fd) noexcept nogil
        int (*perf_open)(void *ctx, perf_event_attr *attr, int pid, int cpu, int group_fd,
                         unsigned long flags) noexcept nogil
        int64_t (*clock_ns)(void *ctx, int clock) noexcept nogil
        int (*wait_until)(void *ctx, uint32_t *word, uint32_t seen, int64_t deadline_ns) noexcept nogil
        void (*wake)(void *ctx, uint32_t *word) noexcept nogil

cdef extern from "channel.h" nogil:
    enum:
        CC_MAX_CHANNELS
        CC_READ_RESTART
    ctypedef struct cc_reading:
        uint64_t raw
        int32_t status
        uint32_t flags
    ctypedef struct cc_channel:
        uint64_t modulus
        uint64_t num
        uint64_t den
        uint64_t quantum
        double cap_w
        bint is_instant
    ctypedef void (*cc_read_fn)(void *ctx, cc_reading *out) noexcept nogil
    ctypedef int (*cc_reopen_fn)(void *ctx) noexcept nogil


cdef class Ops:
    # Borrowed by every source and sampler that was given this object; they keep a reference to it.
    cdef cc_ops *table


cdef class Channel:
    cdef readonly str name
    cdef readonly str domain
    cdef cc_channel spec


cdef class Source:
    cdef object __weakref__
    cdef Ops ops
    cdef readonly tuple channels
    # Set by the subclass before it is handed to a sampler; ctx belongs to the subclass.
    cdef cc_read_fn read_fn
    cdef cc_reopen_fn reopen_fn
    cdef void *ctx
