"""Models and utilisation from procfs, as counters that a sampler reads like any sensor."""

cimport cython
from libc.errno cimport EINVAL
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport strdup
from posix.unistd cimport _SC_CLK_TCK, _SC_PAGESIZE, getpid, sysconf

from codecarbon._sensors.channel cimport Channel, Ops, Source, cc_ops, cc_reading

from os import fsencode, path as os_path, strerror

cdef extern from "load.h" nogil:
    enum:
        CC_TREE_MAX
        CC_TREE_PATH
        CC_LOAD_MACHINE
        CC_LOAD_PROCESS
        CC_LOAD_CONSTANT
        CC_LOAD_FIXED
        CC_OUT_CPU
        CC_OUT_RAM
        CC_OUT_UTIL_CPU
        CC_OUT_UTIL_RAM
        CC_OUT_UTIL_TREE
    ctypedef struct cc_process:
        int32_t pid
    ctypedef struct cc_tree:
        cc_ops *ops
        const char *root
        int32_t pid
        bint is_own
        bint is_real
        int top_fd
        uint64_t tick_ns
        uint64_t page_bytes
        cc_process *now
        cc_process *before
    ctypedef struct cc_load:
        cc_ops *ops
        cc_tree tree
        const char *stat_path
        const char *meminfo_path
        int stat_fd
        int meminfo_fd
        int cpu_model
        bint ram_by_share
        double p_max_w
        double ram_w
        double ram_total_bytes
        uint64_t cpu_count
        int *slots
        int64_t cpu_ns
        int64_t cpu_const_ns
        int64_t ram_ns
        int64_t ram_used_ns
        double load
    int cc_open_file(cc_ops *ops, const char *path, int *fd)
    int cc_tree_open(cc_tree *tree)
    void cc_load_read(void *state, cc_reading *out)
    int cc_load_reopen(void *state)
    void cc_load_close(cc_load *state)

cdef enum:
    STAT_BYTES = 64  # enough for the number at the beginning of /proc/self/stat


# Without this the collector could drop the operations table before __dealloc__ closes files through it.
@cython.no_gc_clear
@cython.final
cdef class LoadSource(Source):
    """What no sensor counts: models of processor and memory power, and how busy both are.

    Channels, each a total since the first read:

    ======================  ==========  =============================================================================
    name                    domain      unit of one count
    ======================  ==========  =============================================================================
    ``cpu-model``           ``cpu``     microjoules; absent without ``p_max_w``
    ``ram-model``           ``ram``     microjoules; absent without ``ram_w``
    ``util.cpu``            as named    nanoseconds times busy share of the whole machine: 1 s at 25 % is 250,000,000
    ``util.ram_used``       as named    KiB times milliseconds of memory that is not available, whole machine
    ``util.tree_cpu``       as named    nanoseconds of processor time of the process tree, ended children included
    ======================  ==========  =============================================================================

    What cannot be read is a failed reading, and the time without it is bridged when it comes back. Reading twice in a
    row counts nothing twice. The load of the machine over less than 20 ms is taken to be the last known one.

    Args:
        procfs: Root of procfs.
        mode: ``machine``, or ``process`` for the part of the tree below ``pid``.
        cpu_formula: ``load``: in machine mode P_max (0.1 + 0.9 load^3), in process mode P_max times the tree's share of
            all processor time; ``constant``: half of P_max; ``fixed``: P_max itself.
        p_max_w: Power of all processors at full load, watts; None for no processor model.
        ram_w: Power of the machine's memory, watts; None for no memory model. In process mode the tree's resident
            share of it counts.
        ram_total_bytes: Installed memory; needed for the memory model in process mode.
        cpu_count: Logical processors of the machine.
        pid: Top of the process tree, as ``procfs`` numbers it; 0 for this process.
        ops: System calls to use; libc's by default. Folders and processor clocks are read without them.

    Raises:
        OSError: The file that the processor model lives on cannot be opened; ``filename`` says which.
        ValueError: An argument is out of range.
    """

    cdef cc_load state
    cdef char *root
    cdef char *stat_path
    cdef char *meminfo_path

    def __cinit__(self, procfs, *, str mode, str cpu_formula, p_max_w, ram_w, cpu_count: int, ram_total_bytes: int = 0,
                  pid: int = 0, Ops ops=None):
        self.state.stat_fd = self.state.meminfo_fd = self.state.tree.top_fd = -1
        self.ops = Ops() if ops is None else ops
        self.state.ops = self.state.tree.ops = self.ops.table
        self._set_model(mode, cpu_formula, p_max_w, ram_w, cpu_count, ram_total_bytes)
        self._set_paths(procfs)
        self.state.tree.now = <cc_process *> calloc(CC_TREE_MAX, sizeof(cc_process))
        self.state.tree.before = <cc_process *> calloc(CC_TREE_MAX, sizeof(cc_process))
        if self.state.tree.now == NULL or self.state.tree.before == NULL:
            raise MemoryError()
        self._open_files(pid)
        self.ctx = &self.state
        self.read_fn = cc_load_read
        self.reopen_fn = cc_load_reopen

    cdef int _set_model(self, mode, cpu_formula, p_max_w, ram_w, cpu_count, ram_total_bytes) except -1:
        formulas = {"load": CC_LOAD_PROCESS if mode == "process" else CC_LOAD_MACHINE,
                    "constant": CC_LOAD_CONSTANT, "fixed": CC_LOAD_FIXED}
        if mode not in ("machine", "process"):
            raise ValueError(f"mode must be 'machine' or 'process', not {mode!r}")
        if cpu_formula not in formulas:
            raise ValueError(f"cpu_formula must be one of {', '.join(formulas)}, not {cpu_formula!r}")
        if cpu_count < 1:
            raise ValueError(f"cpu_count must be at least 1, not {cpu_count!r}")
        self.state.ram_by_share = mode == "process" and ram_w is not None
        if self.state.ram_by_share and ram_total_bytes < 1:
            raise ValueError("the memory model of a process tree needs ram_total_bytes")
        self.state.cpu_model = formulas[cpu_formula]
        self.state.p_max_w = power_w("p_max_w", p_max_w)
        self.state.ram_w = power_w("ram_w", ram_w)
        self.state.ram_total_bytes = ram_total_bytes
        self.state.cpu_count = cpu_count
        self.state.load = -1.0
        self.state.cpu_ns = self.state.cpu_const_ns = self.state.ram_ns = self.state.ram_used_ns = -1
        outputs = [(CC_OUT_CPU, "cpu-model", "cpu", p_max_w is not None),
                   (CC_OUT_RAM, "ram-model", "ram", ram_w is not None),
                   (CC_OUT_UTIL_CPU, "util.cpu", "util.cpu", True),
                   (CC_OUT_UTIL_RAM, "util.ram_used", "util.ram_used", True),
                   (CC_OUT_UTIL_TREE, "util.tree_cpu", "util.tree_cpu", True)]
        channels = []
        for output, name, domain, is_wanted in outputs:
            self.state.slots[output] = len(channels) if is_wanted else -1
            if is_wanted:
                channels.append(Channel(name, domain, is_instant=True))
        self.channels = tuple(channels)
        return 0

    cdef int _set_paths(self, procfs) except -1:
        root = fsencode(procfs).rstrip(b"/") or b"/"
        # The tree's paths are put together in a buffer of fixed size: keep room for /<pid>/task/<tid>/children.
        if len(root) + 64 > CC_TREE_PATH:
            raise ValueError(f"procfs path is too long: {len(root)} bytes")
        self.root = strdup(root)
        stat_path, meminfo_path = root + b"/stat", root + b"/meminfo"
        self.stat_path = strdup(stat_path)
        self.meminfo_path = strdup(meminfo_path)
        if self.root == NULL or self.stat_path == NULL or self.meminfo_path == NULL:
            raise MemoryError()
        self.state.tree.root = self.root
        self.state.stat_path = self.stat_path
        self.state.meminfo_path = self.meminfo_path
        return 0

    cdef int _open_files(self, int32_t pid) except -1:
        cdef cc_tree *tree = &self.state.tree
        cdef int stat_status, tree_status
        tree.tick_ns = 1000000000 // sysconf(_SC_CLK_TCK)
        tree.page_bytes = sysconf(_SC_PAGESIZE)
        stat_status = cc_open_file(self.state.ops, self.stat_path, &self.state.stat_fd)
        self.state.stat_fd = stat_status if stat_status < 0 else self.state.stat_fd
        self.state.meminfo_fd = self.state.ops.open(self.state.ops.ctx, self.meminfo_path)
        own_pid = self._own_pid()
        tree.pid = pid if pid else own_pid
        tree_status = cc_tree_open(tree) if tree.pid > 0 else tree.pid
        tree.top_fd = tree_status if tree_status < 0 else tree.top_fd
        tree.is_real = os_path.realpath(self.root) == b"/proc" and own_pid == getpid()
        tree.is_own = tree.is_real and tree.pid == own_pid
        if self.state.slots[CC_OUT_CPU] < 0:
            return 0
        root = self.root.decode("utf-8", "surrogateescape")
        if self.state.cpu_model == CC_LOAD_MACHINE and stat_status < 0:
            raise OSError(-stat_status, strerror(-stat_status), f"{root}/stat")
        if self.state.cpu_model == CC_LOAD_PROCESS and tree_status < 0:
            raise OSError(-tree_status, strerror(-tree_status), f"{root}/{pid or 'self'}/stat")
        return 0

    cdef int _own_pid(self) except? -1:
        """This process's pid as procfs numbers it, or -errno: behind another root the numbering may be another."""
        cdef char text[STAT_BYTES]
        cdef int64_t got
        path = self.root + b"/self/stat"
        cdef const char *c_path = path
        cdef int fd = self.state.ops.open(self.state.ops.ctx, c_path)
        if fd < 0:
            return fd
        got = self.state.ops.pread(self.state.ops.ctx, fd, text, STAT_BYTES, 0)
        self.state.ops.close(self.state.ops.ctx, fd)
        digits = text[:got].split(b" ", 1)[0] if got > 0 else b""
        return int(digits) if digits.isdigit() and len(digits) < 10 else -EINVAL

    def close(self) -> None:
        """Close the files; later reads raise ValueError. A sampler that uses the source must have stopped."""
        Source.close(self)
        self.reopen_fn = NULL
        cc_load_close(&self.state)

    def __dealloc__(self):
        if self.state.ops != NULL:
            cc_load_close(&self.state)
        free(self.state.tree.now)
        free(self.state.tree.before)
        free(self.root)
        free(self.stat_path)
        free(self.meminfo_path)


cdef double power_w(str name, value) except -1:
    cdef double watts = 0.0 if value is None else value
    if not (isfinite(watts) and 0.0 <= watts <= 1e6):
        raise ValueError(f"{name} must be between 0 and 1,000,000 W, not {value!r}")
    return watts
