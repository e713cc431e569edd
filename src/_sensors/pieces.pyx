"""The cheapest pieces of time for a run that may be interrupted."""

from libc.math cimport INFINITY, isinf
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc

from codecarbon._sensors.windows cimport Steps, cc_edge, cc_run, clamp, window_length

cdef extern from "pieces.h" nogil:
    enum:
        CC_REST
        CC_FULL
        CC_LEFT
        CC_RIGHT
    ctypedef struct cc_slots:
        const double *values
        const uint8_t *gaps
        int64_t count
        int64_t slot_us
        int64_t head_us
        int64_t tail_us
        double head
        double tail
    ctypedef struct cc_task:
        int64_t run_us
        int64_t pieces
        double penalty
        double *layers
        uint8_t *choice
    int64_t cc_layer_size(int64_t pieces, int64_t needed)
    double cc_split(const cc_slots *slots, const cc_task *task, uint8_t *acts)

cdef enum:
    STATES_MAX = 100000000  # of the search, a byte each


cdef class _Slots:
    """Steps between two bounds, cut to equal slots, and what the bounds cut off."""

    cdef cc_slots table
    cdef double *values
    cdef uint8_t *gaps
    cdef int64_t *starts

    def __dealloc__(self):
        free(self.values)
        free(self.gaps)
        free(self.starts)

    cdef list parts(self, Steps steps, int64_t from_us, int64_t to_us):
        """Return begin, end and value of each step between the bounds, and the greatest length that divides the steps
        that are whole; 0 if none is."""
        cdef const cc_run *run
        cdef int64_t i, r, begin_us, end_us, divisor = 0
        cdef list found = []
        for r in range(steps.table.run_count):
            run = &steps.table.runs[r]
            for i in range(run.count):
                begin_us, end_us = max(cc_edge(run, i), from_us), min(cc_edge(run, i + 1), to_us)
                if begin_us >= end_us:
                    continue
                found.append((begin_us, end_us, steps.table.values[run.first + i]))
                if begin_us == cc_edge(run, i) and end_us == cc_edge(run, i + 1):
                    divisor = gcd(divisor, end_us - begin_us)
        return [divisor, found]

    cdef int64_t fill(self, Steps steps, int64_t from_us, int64_t to_us, int64_t states_per_slot) except -1:
        """Cut the steps; the result is how long they are together."""
        cdef int64_t slot_us, count, at_us, total_us, n = 0, known_us
        divisor, parts = self.parts(steps, from_us, to_us)
        total_us = sum([end_us - begin_us for begin_us, end_us, _ in parts])
        # With no whole step between the bounds there are two parts at the most, and both are cut off.
        slot_us = divisor if divisor else total_us + 1
        if any([value < 0.0 for _, _, value in parts]):
            raise ValueError("a value is negative")
        count = sum([(end_us - begin_us) // slot_us for begin_us, end_us, _ in parts])
        if count * states_per_slot > STATES_MAX:
            raise ValueError(f"{count} slots of {slot_us} µs are too many for this search")
        self.values = <double *> malloc((count + 1) * sizeof(double))
        self.gaps = <uint8_t *> calloc(count + 1, 1)
        self.starts = <int64_t *> malloc((count + 2) * sizeof(int64_t))
        if self.values == NULL or self.gaps == NULL or self.starts == NULL:
            raise MemoryError()
        self.table = cc_slots(self.values, self.gaps, count, slot_us, 0, 0, 0.0, 0.0)
        known_us = parts[0][0] if parts else 0
        for part, (begin_us, end_us, value) in enumerate(parts):
            at_us = begin_us
            self.gaps[n] |= at_us != known_us
            known_us = end_us
            if part == 0 and (end_us - at_us) % slot_us:
                self.table.head_us, self.table.head = (end_us - at_us) % slot_us, value
                self.starts[0] = at_us
                at_us += self.table.head_us
            while end_us - at_us >= slot_us:
                self.values[n] = value
                self.starts[n + 1] = at_us
                at_us += slot_us
                n += 1
            if at_us < end_us:
                self.table.tail_us, self.table.tail = end_us - at_us, value
                self.starts[n + 1] = at_us
        return total_us

    cdef list pieces(self, const uint8_t *acts, int64_t odd_us):
        """Return begin and end of what is used; parts that touch are one."""
        cdef int64_t i, length_us, begin_us, piece_us = 0, end_us = 0, n = self.table.count
        cdef list found = []
        for i in range(n + 2):
            if acts[i] == CC_REST:
                continue
            length_us = self.table.head_us if i == 0 else self.table.tail_us if i == n + 1 else self.table.slot_us
            begin_us = self.starts[i]
            if acts[i] == CC_RIGHT:
                begin_us += length_us - odd_us
            if piece_us == end_us:  # the first one
                piece_us = begin_us
            elif begin_us != end_us:
                found.append((piece_us, end_us))
                piece_us = begin_us
            end_us = begin_us + (length_us if acts[i] == CC_FULL else odd_us)
        found.append((piece_us, end_us))
        return found


cdef int64_t gcd(int64_t a, int64_t b) noexcept:
    while b:
        a, b = b, a % b
    return a


def split(Steps steps not None, run_us: int, earliest_us: int, deadline_us: int, *, pieces: int, penalty: float):
    """Find the cheapest way to run in at most so many pieces.

    Args:
        steps: What to choose from.
        run_us: How long to run in all, more than 0.
        earliest_us: Nothing runs before.
        deadline_us: Nothing runs after.
        pieces: How many at the most.
        penalty: What each piece after the first costs, in values times microseconds, not negative.

    Returns:
        The cost in values times microseconds, and begin and end of each piece; None when the time does not suffice.

    Raises:
        ValueError: An argument is out of range, a value is negative, or there are more than
            100,000,000 states to look at.
    """
    cdef int64_t from_us = clamp(earliest_us), to_us = clamp(deadline_us), needed, size, total_us, n
    cdef cc_task task = cc_task(window_length(run_us), pieces, penalty, NULL, NULL)
    cdef _Slots slots = _Slots()
    cdef uint8_t *acts = NULL
    cdef double cost = INFINITY
    if not (1 <= task.pieces <= 1000 and 0.0 <= task.penalty < INFINITY):
        raise ValueError(f"at most {pieces} pieces for {penalty} each are no task")
    total_us = slots.fill(steps, from_us, to_us, 4 * (task.pieces + 1))
    if task.run_us > total_us:
        return None
    needed = min(task.run_us // slots.table.slot_us, slots.table.count)
    size, n = cc_layer_size(task.pieces, needed), slots.table.count
    if n * size > STATES_MAX:
        raise ValueError(f"{n} slots, of which {needed} are needed, in {pieces} pieces are too many for this search")
    task.layers = <double *> malloc(2 * size * sizeof(double))
    task.choice = <uint8_t *> malloc(n * size + 1)
    acts = <uint8_t *> calloc(n + 2, 1)
    try:
        if task.layers == NULL or task.choice == NULL or acts == NULL:
            raise MemoryError()
        with nogil:
            cost = cc_split(&slots.table, &task, acts)
        if isinf(cost):
            return None
        used = slots.pieces(acts, odd_part(&slots.table, acts, task.run_us))
        return cost - task.penalty, used
    finally:
        free(task.layers)
        free(task.choice)
        free(acts)


cdef int64_t odd_part(const cc_slots *slots, const uint8_t *acts, int64_t run_us) noexcept:
    """How long the part is that is shorter than its slot: what the others leave."""
    cdef int64_t i, left_us = run_us
    for i in range(slots.count):
        left_us -= slots.slot_us if acts[i + 1] == CC_FULL else 0
    left_us -= slots.head_us if acts[0] == CC_FULL else 0
    left_us -= slots.tail_us if acts[slots.count + 1] == CC_FULL else 0
    return left_us
