from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from codecarbon._sensors.channel cimport Ops, cc_channel, cc_ops, cc_read_fn, cc_reading, cc_reopen_fn

cdef extern from "ring.h" nogil:
    ctypedef struct cc_ring:
        uint64_t mask
        uint32_t words
    int cc_ring_init(cc_ring *ring, uint64_t slots, uint32_t words)
    void cc_ring_free(cc_ring *ring)
    int cc_ring_read(cc_ring *ring, uint64_t index, uint64_t *out, uint32_t n)
    uint64_t cc_ring_head(cc_ring *ring)
    uint64_t cc_ring_tail(cc_ring *ring)

cdef extern from "thread.h" nogil:
    enum:
        CC_ENGINE_NEW
        CC_ENGINE_RUNNING
        CC_ENGINE_STOPPED
        CC_ENGINE_INHERITED
        CC_ENGINE_LEAKED
        CC_W_CHANNELS
        CC_C_WORDS
        CC_FAULTS
    ctypedef struct cc_counter:
        cc_channel spec
    ctypedef struct cc_state:
        int64_t first_ns
        int64_t edge_ns
        int64_t period_ns
        int64_t max_period_ns
        uint64_t count
        uint64_t errors
        uint32_t errors_in_row
        int last_errno
        int is_gone
    ctypedef struct cc_slot:
        cc_read_fn read
        cc_reopen_fn reopen
        void *ctx
        int first
        int n
    ctypedef struct cc_engine:
        cc_ops *ops
        cc_slot *slots
        int n_slots
        int n_channels
        cc_counter *counters
        cc_state *states
        cc_reading *now
        cc_reading *again
        uint64_t *record
        cc_ring fine
        cc_ring coarse
        int has_coarse
        int64_t slow_read_ns
        int64_t idle_ns
        int64_t fast_ns
        int state
        char *name
    int cc_engine_start(cc_engine *e)
    int cc_engine_stop(cc_engine *e, int64_t timeout_ns)
    int cc_engine_tick(cc_engine *e, int64_t wait_ns)
    int cc_engine_sync(cc_engine *e, int64_t wait_ns)
    void cc_engine_step(cc_engine *e, int64_t period_ns)
    void cc_hold_fast(cc_engine *e)
    void cc_release_fast(cc_engine *e)
    void cc_ask(cc_engine *e)
    void cc_stop_all(int64_t timeout_ns)
    void cc_engine_await_unpinned(cc_engine *e)
    int64_t cc_get_i64(int64_t *word)
    uint64_t cc_get_u64(uint64_t *word)
    int cc_get_int(int *word)
    void cc_set_i64(int64_t *word, int64_t value)
    void cc_set_int(int *word, int value)

cdef extern from "resolve.h" nogil:
    ctypedef struct cc_total:
        int64_t total_uj
        int64_t low_uj
        int64_t high_uj
        int64_t lost_uj
        double var_j2
        uint64_t faults
    ctypedef struct cc_instant:
        int64_t t_ns
        int64_t first_ns
        int64_t last_ns
        int64_t gap_ns
        int64_t cpu_ns
        uint64_t ticks
        uint64_t missed
        int is_final
        int position
        int is_coarse
    int cc_resolve(cc_engine *e, int64_t t_ns, cc_instant *at, cc_total *totals)


cdef class Sampler:
    cdef object __weakref__
    cdef cc_engine *engine
    cdef Ops ops
    cdef readonly tuple channels
    cdef tuple sources
    cdef int _allocate(self, int count, uint64_t slots, uint64_t coarse_slots) except -1
    cdef cc_engine *_open(self) except NULL


cdef class Reading:
    cdef cc_instant at
    cdef cc_total *totals
    cdef int n
