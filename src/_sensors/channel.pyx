"""What a sensor looks like to the sampler: channels, a read function, and the table of system calls."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc

from os import strerror

cdef extern from "ops_libc.h" nogil:
    cc_ops *cc_ops_libc()


cdef class Ops:
    """The table of system calls that a source or a sampler uses; this one is libc's."""

    def __cinit__(self):
        self.table = cc_ops_libc()


cdef class Channel:
    """One quantity that a source counts.

    Args:
        name: Unique within a session, for example ``package-0``.
        domain: What is counted: ``package``, ``core``, ``uncore``, ``dram``, ``psys``, ``gpu``, ``module``, ``cpu``,
            ``ram`` for energy; a name that starts with ``util.`` for anything else.
        num: Numerator of the microjoules per count.
        den: Denominator of the microjoules per count.
        modulus: The reading wraps here, in counts; 0 for a 64-bit counter that never wraps.
        quantum: Smallest step of the reading, in counts.
        cap_w: Highest power that a sane reading can imply, in watts; 0 for no check.
        is_instant: A reading holds for the moment of the read, as a model's does; otherwise it shows the sensor's last
            update, which came some time before.

    Raises:
        ValueError: ``num``, ``den`` or ``quantum`` is not positive, or ``cap_w`` is negative.
    """

    def __init__(self, str name, str domain, *, uint64_t num=1, uint64_t den=1, uint64_t modulus=0,
                 uint64_t quantum=1, double cap_w=0.0, bint is_instant=False):
        if num == 0 or den == 0 or quantum == 0 or not cap_w >= 0.0:
            raise ValueError(f"channel {name!r}: num, den and quantum must be positive and cap_w not negative")
        self.name = name
        self.domain = domain
        self.spec.num = num
        self.spec.den = den
        self.spec.modulus = modulus
        self.spec.quantum = quantum
        self.spec.cap_w = cap_w
        self.spec.is_instant = is_instant

    @property
    def num(self) -> int:
        return self.spec.num

    @property
    def den(self) -> int:
        return self.spec.den

    @property
    def modulus(self) -> int:
        return self.spec.modulus

    @property
    def quantum(self) -> int:
        return self.spec.quantum

    @property
    def cap_w(self) -> float:
        return self.spec.cap_w

    @property
    def is_instant(self) -> bool:
        return self.spec.is_instant

    def __repr__(self) -> str:
        return f"Channel({self.name!r}, {self.domain!r}, {self.spec.num}/{self.spec.den} uJ)"


cdef class Source:
    """Base of all sensors: one read yields one raw value per channel."""

    def read(self) -> list:
        """Read every channel once, now.

        Returns:
            A list with one ``(raw, status)`` pair per channel; a status below 0 is ``-errno``, and then raw is 0.

        Raises:
            ValueError: The source is closed.
        """
        cdef Py_ssize_t i, n = len(self.channels)
        cdef cc_reading *out
        if self.read_fn == NULL:
            raise ValueError("read of a closed source")
        out = <cc_reading *> PyMem_Malloc(max(n, 1) * sizeof(cc_reading))
        if out == NULL:
            raise MemoryError()
        try:
            with nogil:
                self.read_fn(self.ctx, out)
            return [(out[i].raw if out[i].status == 0 else 0, out[i].status) for i in range(n)]
        finally:
            PyMem_Free(out)

    def reopen(self) -> None:
        """Try to open again what went away; the sampler does the same, at most every five seconds.

        Raises:
            OSError: Something is still away.
            ValueError: The source is closed.
        """
        cdef int status
        if self.read_fn == NULL:
            raise ValueError("reopening of a closed source")
        if self.reopen_fn == NULL:
            return
        with nogil:
            status = self.reopen_fn(self.ctx)
        if status != 0:
            raise OSError(-status, strerror(-status))

    def close(self) -> None:
        """Release what the source holds; later reads raise ValueError. Closing twice is harmless."""
        self.read_fn = NULL
