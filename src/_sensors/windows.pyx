"""Windows of time over a quantity that is constant between edges: means, and the starts with the lowest ones."""

cimport cython
from cpython.ref cimport PyObject
from libc.errno cimport ENODATA
from libc.math cimport fabs, isfinite, isnan
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

cdef extern from "Python.h":
    PyObject *PyTuple_GET_ITEM(PyObject *items, Py_ssize_t i)
    long long PyLong_AsLongLong(PyObject *number) except? -1
    double PyFloat_AsDouble(PyObject *number) except? -1.0

cdef extern from "steps.h" nogil:
    int64_t cc_step_at(const cc_run *run, int64_t t_us)
    const cc_run *cc_run_over(const cc_steps *steps, int64_t from_us, int64_t to_us)
    void cc_rolling(const cc_steps *steps, int64_t first_us, int64_t step_us, int64_t count, int64_t window_us,
                    int64_t known_us, double *means, int64_t *gap_at)

cdef extern from "windows.h" nogil:
    int cc_best(const cc_steps *steps, int64_t window_us, int64_t from_us, int64_t to_us, cc_window *best)
    int cc_slack(const cc_steps *steps, int64_t window_us, int64_t at_us, double limit, int64_t from_us,
                 int64_t to_us, int64_t *low_us, int64_t *high_us)

cdef enum:
    ROWS_MAX = 10000000  # what rolling returns at the most: a first step of a microsecond asks for much more


@cython.final
cdef class Steps:
    """Values that hold from edge to edge, in the order of time.

    Times are whole microseconds, and spans hold their begin and not their end. Steps that touch make a run; windows
    lie inside a run, so that none covers a gap. Nothing changes after construction, and the kernels run without the
    interpreter's lock.

    Args:
        points: Items that begin with start, duration and value. Those of no duration say nothing and are left out.

    Raises:
        ValueError: An item overlaps the one before it or precedes it, has a negative duration, or its value or a time
            is beyond belief.
    """

    def __cinit__(self, points=()):
        cdef list items = points if type(points) is list else list(points)
        cdef Py_ssize_t n = len(items), i, kept = 0, r = -1
        cdef int64_t start_us, duration_us
        cdef double value
        cdef object item
        self.reserve(n)
        for i in range(n):
            item = items[i] if isinstance(items[i], tuple) else tuple(items[i])
            if len(item) < 3:
                raise ValueError(f"point {i} has no start, duration and value: {item!r}")
            start_us = PyLong_AsLongLong(PyTuple_GET_ITEM(<PyObject *> item, 0))
            duration_us = PyLong_AsLongLong(PyTuple_GET_ITEM(<PyObject *> item, 1))
            value = PyFloat_AsDouble(PyTuple_GET_ITEM(<PyObject *> item, 2))
            if duration_us == 0:
                continue
            check_step(i, start_us, duration_us, value)
            if r >= 0 and start_us < self.runs[r].end_us:
                raise ValueError(f"point {i} begins before the one before it ends")
            if r < 0 or start_us > self.runs[r].end_us:
                r += 1
                self.runs[r] = cc_run(kept, 0, start_us, start_us, duration_us, NULL, 0.0)
            self.own[kept] = value
            self.edges[kept + r] = start_us
            kept += 1
            self.edges[kept + r] = start_us + duration_us
            self.extend(&self.runs[r], duration_us)
            self.runs[r].largest = max(self.runs[r].largest, fabs(value))
        self.settle(self.own, r + 1)

    @staticmethod
    def from_grid(start_us: int, step_us: int, const double[::1] values not None):
        """Make steps of equal length, without copying the values, which must not change afterwards.

        Args:
            start_us: Where the first step begins.
            step_us: The length of each.
            values: One for each step.

        Raises:
            ValueError: A value or a time is beyond belief, or there is none.
        """
        cdef Steps made = Steps.__new__(Steps)
        cdef Py_ssize_t n = values.shape[0]
        if n < 1 or not 0 < step_us <= CC_SPAN_MAX or abs(start_us) + n * step_us > CC_TIME_MAX:
            raise ValueError(f"{n} steps of {step_us} µs from {start_us} are beyond belief")
        made.values = values
        made.reserve(0)
        made.runs[0] = cc_run(0, n, start_us, start_us + n * step_us, step_us, NULL, made.check_values())
        made.settle(&values[0], 1)
        return made

    @staticmethod
    def from_edges(const int64_t[::1] edges_us not None, const double[::1] values not None):
        """Make steps without gaps, without copying the arrays, which must not change afterwards.

        Args:
            edges_us: Where the steps begin, and where the last one ends.
            values: One for each step.

        Raises:
            ValueError: A value or a time is beyond belief, or there is none.
        """
        cdef Steps made = Steps.__new__(Steps)
        cdef Py_ssize_t n = values.shape[0], i
        if n < 1 or edges_us.shape[0] != n + 1:
            raise ValueError(f"{n} steps need {n + 1} edges, not {edges_us.shape[0]}")
        made.values = values
        made.given_edges = edges_us
        made.reserve(0)
        made.runs[0] = cc_run(0, 0, edges_us[0], edges_us[0], edges_us[1] - edges_us[0], NULL, made.check_values())
        for i in range(n):
            if not (-CC_TIME_MAX <= edges_us[i] < edges_us[i + 1] <= CC_TIME_MAX):
                raise ValueError(f"edge {i + 1} does not lie after edge {i}, or is beyond belief")
            made.extend(&made.runs[0], edges_us[i + 1] - edges_us[i])
        if made.runs[0].step_us == 0:
            made.runs[0].edges = &edges_us[0]
        made.table.values = &values[0]
        made.table.runs = made.runs
        made.table.run_count = 1
        return made

    def __dealloc__(self):
        free(self.runs)
        free(self.edges)
        free(self.own)

    cdef int reserve(self, Py_ssize_t n) except -1:
        free(self.runs)
        free(self.edges)
        free(self.own)
        self.runs = <cc_run *> malloc((n + 1) * sizeof(cc_run))
        self.edges = <int64_t *> malloc((2 * n + 1) * sizeof(int64_t))
        self.own = <double *> malloc((n + 1) * sizeof(double))
        if self.runs == NULL or self.edges == NULL or self.own == NULL:
            raise MemoryError()
        return 0

    cdef double check_values(self) except -1.0:
        """Return the largest value, without its sign."""
        cdef Py_ssize_t i
        cdef double largest = 0.0
        for i in range(self.values.shape[0]):
            if not -CC_VALUE_MAX <= self.values[i] <= CC_VALUE_MAX:
                raise ValueError(f"value {i} is beyond belief: {self.values[i]!r}")
            largest = max(largest, fabs(self.values[i]))
        return largest

    cdef void extend(self, cc_run *run, int64_t duration_us) noexcept:
        run.count += 1
        run.end_us += duration_us
        if run.step_us != duration_us:
            run.step_us = 0

    cdef void settle(self, const double *values, Py_ssize_t run_count) noexcept:
        cdef Py_ssize_t r
        for r in range(run_count):
            if self.runs[r].step_us == 0:  # each run before this one has one edge more than it has steps
                self.runs[r].edges = self.edges + self.runs[r].first + r
        self.table.values = values
        self.table.runs = self.runs
        self.table.run_count = run_count

    def __len__(self):
        if self.table.run_count == 0:
            return 0
        cdef const cc_run *last = self.table.runs + self.table.run_count - 1
        return last.first + last.count

    def spans(self) -> list:
        """Return begin and end of every stretch without a gap."""
        return [(self.runs[r].start_us, self.runs[r].end_us) for r in range(self.table.run_count)]

    def mean(self, start_us: int, end_us: int):
        """Return the mean over a span, rounded once; None if the span is empty or not covered as a whole."""
        cdef int64_t from_us = clamp(start_us), to_us = clamp(end_us)
        cdef const cc_run *run = cc_run_over(&self.table, from_us, to_us)
        if run == NULL or from_us >= to_us:
            return None
        return cc_mean(self.table.values, run, from_us, to_us)

    def rolling(self, window_us: int, start_us: int, end_us: int, *, may_overrun_first: bool = False):
        """Slide a window in strides of the first step that meets the span.

        Steps that end after ``start_us`` and begin at ``end_us`` or before are known. Windows begin at ``start_us`` or
        at the first known step, whichever is later. The last one is the first that reaches into the last known step,
        or the last that ends by ``end_us``.

        Args:
            window_us: Its length, more than 0.
            start_us: Begin of the span.
            end_us: Its end.
            may_overrun_first: Whether the first window may end after ``end_us``.

        Returns:
            Triples of start, length and mean; and the start of the first window that a gap left out, or None.
        """
        cdef int64_t from_us = clamp(start_us), to_us = clamp(end_us), window = window_length(window_us)
        cdef int64_t first_us, step_us, last_us, known_us, count, other, i, gap_at = -1
        cdef double *means
        if not self.known(from_us, to_us, &first_us, &step_us, &last_us, &known_us):
            return [], None
        # Windows up to the first one that reaches into the last step, or after which the next would end too late.
        count = 1 if last_us < first_us + window else (last_us - window - first_us) // step_us + 2
        other = 1 if to_us < first_us + window else (to_us - first_us - window) // step_us + 1
        count = min(count, other)
        if first_us + window > to_us and not may_overrun_first:
            return [], None
        if count > ROWS_MAX:
            raise ValueError(f"{count} windows in strides of {step_us} µs are too many")
        means = <double *> malloc(count * sizeof(double))
        if means == NULL:
            raise MemoryError()
        with nogil:
            cc_rolling(&self.table, first_us, step_us, count, window, known_us, means, &gap_at)
        try:
            rows = [(first_us + i * step_us, window, means[i]) for i in range(count) if not isnan(means[i])]
        finally:
            free(means)
        return rows, None if gap_at < 0 else first_us + gap_at * step_us

    cdef bint known(self, int64_t from_us, int64_t to_us, int64_t *first_us, int64_t *step_us, int64_t *last_us,
                    int64_t *known_us) noexcept:
        """Find the steps that meet a span; the result says whether there are any."""
        cdef const cc_run *run = self.table.runs
        cdef const cc_run *end = run + self.table.run_count
        cdef int64_t i
        while run < end and run.end_us <= from_us:
            run += 1
        if run == end or run.start_us > to_us:
            return False
        first_us[0] = max(from_us, run.start_us)
        i = cc_step_at(run, first_us[0])
        step_us[0] = cc_edge(run, i + 1) - cc_edge(run, i)
        if cc_edge(run, i) > to_us:
            return False
        while run + 1 < end and run[1].start_us <= to_us:
            run += 1
        i = min(cc_step_at(run, min(to_us, run.end_us)), run.count - 1)
        last_us[0] = cc_edge(run, i)
        known_us[0] = cc_edge(run, i + 1)
        return True

    def best(self, window_us: int, earliest_us: int, latest_us: int):
        """Find the window with the lowest mean.

        Args:
            window_us: Its length, more than 0.
            earliest_us: No window begins before.
            latest_us: No window begins after.

        Returns:
            Start and mean of the earliest of the lowest windows; None when none fits.
        """
        cdef int64_t from_us = clamp(earliest_us), to_us = clamp(latest_us), window = window_length(window_us)
        cdef cc_window found
        cdef int status
        with nogil:
            status = cc_best(&self.table, window, from_us, to_us, &found)
        return None if status == -ENODATA else (found.start_us, found.mean)

    def best_of_each(self, jobs) -> list:
        """Find the best window of many jobs in one go.

        Args:
            jobs: Triples of the arguments of ``best``.

        Returns:
            What ``best`` returns, for each.
        """
        cdef list rows = list(jobs)
        cdef Py_ssize_t n = len(rows), i
        cdef int64_t *wanted = <int64_t *> malloc((3 * n + 1) * sizeof(int64_t))
        cdef cc_window *found = <cc_window *> malloc((n + 1) * sizeof(cc_window))
        try:
            if wanted == NULL or found == NULL:
                raise MemoryError()
            for i in range(n):
                window_us, earliest_us, latest_us = rows[i]
                wanted[3 * i] = window_length(window_us)
                wanted[3 * i + 1] = clamp(earliest_us)
                wanted[3 * i + 2] = clamp(latest_us)
            with nogil:
                for i in range(n):
                    cc_best(&self.table, wanted[3 * i], wanted[3 * i + 1], wanted[3 * i + 2], &found[i])
            return [(found[i].start_us, found[i].mean) if isfinite(found[i].mean) else None for i in range(n)]
        finally:
            free(wanted)
            free(found)

    def slack(self, window_us: int, at_us: int, limit: float, earliest_us: int, latest_us: int):
        """Find the starts around one, without a break, whose windows have a mean of at most ``limit``.

        Args:
            window_us: Length of the window, more than 0.
            at_us: The start to begin with.
            limit: The highest mean that is still good enough.
            earliest_us: No window begins before.
            latest_us: No window begins after.

        Returns:
            The first and the last start; None when not even ``at_us`` is one.
        """
        cdef int64_t from_us = clamp(earliest_us), to_us = clamp(latest_us), window = window_length(window_us)
        cdef int64_t middle_us = clamp(at_us), low_us, high_us
        cdef double most = limit
        cdef int status
        with nogil:
            status = cc_slack(&self.table, window, middle_us, most, from_us, to_us, &low_us, &high_us)
        return None if status == -ENODATA else (low_us, high_us)


cdef int check_step(Py_ssize_t i, int64_t start_us, int64_t duration_us, double value) except -1:
    if not -CC_VALUE_MAX <= value <= CC_VALUE_MAX:
        raise ValueError(f"the value of point {i} is beyond belief: {value!r}")
    if not (0 < duration_us <= CC_SPAN_MAX and -CC_TIME_MAX <= start_us <= CC_TIME_MAX - duration_us):
        raise ValueError(f"the time of point {i} is beyond belief: {start_us} µs, for {duration_us} µs")
    return 0


cdef int64_t window_length(window_us) except -1:
    if not 0 < window_us <= CC_SPAN_MAX:
        raise ValueError(f"a window of {window_us!r} µs is beyond belief")
    return window_us


cdef int64_t clamp(t_us) except? -1:
    return max(-CC_TIME_MAX, min(CC_TIME_MAX, t_us))
