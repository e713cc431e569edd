from libc.stdint cimport int64_t

cdef extern from "steps.h" nogil:
    const int64_t CC_TIME_MAX
    const int64_t CC_SPAN_MAX
    const double CC_VALUE_MAX
    ctypedef struct cc_run:
        int64_t first
        int64_t count
        int64_t start_us
        int64_t end_us
        int64_t step_us
        const int64_t *edges
        double largest
    ctypedef struct cc_steps:
        const double *values
        const cc_run *runs
        int64_t run_count
    ctypedef struct cc_window:
        int64_t start_us
        double mean
    int64_t cc_edge(const cc_run *run, int64_t i)
    double cc_mean(const double *values, const cc_run *run, int64_t from_us, int64_t to_us)


cdef class Steps:
    cdef cc_steps table
    cdef cc_run *runs
    cdef int64_t *edges
    cdef double *own
    cdef const double[::1] values
    cdef const int64_t[::1] given_edges
    cdef int reserve(self, Py_ssize_t n) except -1
    cdef double check_values(self) except -1.0
    cdef void extend(self, cc_run *run, int64_t duration_us) noexcept
    cdef void settle(self, const double *values, Py_ssize_t run_count) noexcept
    cdef bint known(self, int64_t from_us, int64_t to_us, int64_t *first_us, int64_t *step_us, int64_t *last_us,
                    int64_t *known_us) noexcept


cdef int64_t window_length(window_us) except -1
cdef int64_t clamp(t_us) except? -1
