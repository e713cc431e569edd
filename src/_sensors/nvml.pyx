"""NVIDIA cards, read through their management library, which is opened at run time.

Written to the published interface and tested against a stub of it; not run on hardware.
"""

import atexit
import errno
import os

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uint64_t

from codecarbon._sensors.channel cimport Channel, Ops, Source, cc_ops, cc_reading

cdef extern from "nvml_library.h" nogil:
    enum:
        CC_NVML_NEW
        CC_NVML_OPENING
        CC_NVML_READY
        CC_NVML_FAILED
        CC_NVML_CLOSED
        CC_METHOD_NONE
        CC_METHOD_COUNTER
        CC_METHOD_INTEGRAL
        CC_VIA_FIELD
        CC_VIA_CALL
        CC_VIA_SAMPLES
        CC_VIA_AVERAGE
        CC_NVML_MAX_DEVICES
        NVML_ARCH_AMPERE
        NVML_ARCH_HOPPER
        NVML_SCOPE_MODULE
    ctypedef struct cc_nvml_library:
        pass
    ctypedef struct cc_nvml_device:
        unsigned index
        char uuid[96]
        char name[96]
        char pci_bus_id[96]
        int brand
        int architecture
        uint64_t memory_total_bytes
        uint32_t limit_mw
        uint32_t scope
        int method
        int energy_via
        int power_via
        int refusal
        int has_utilization
        int is_consumer
        int has_mig
        int mig_count
        char mig_uuids[16][96]
        int64_t update_period_ns
        int64_t max_period_ns
        int64_t power_period_ns
        double check_ratio
    cc_nvml_library *cc_nvml_find(const char *name)
    int cc_nvml_begin(cc_nvml_library *lib, int64_t calibrate_ns)
    int cc_nvml_wait(cc_nvml_library *lib, int64_t timeout_ns, int until_ready)
    int cc_nvml_close(cc_nvml_library *lib, int64_t timeout_ns)
    int cc_nvml_state(cc_nvml_library *lib)
    int cc_nvml_device_count(cc_nvml_library *lib)
    int cc_nvml_copy_device(cc_nvml_library *lib, int i, cc_nvml_device *out)
    void cc_nvml_copy_failure(cc_nvml_library *lib, int *code, int *error, char *message, size_t size)
    int cc_nvml_is_calibrated(cc_nvml_library *lib)
    unsigned cc_nvml_generation(cc_nvml_library *lib)
    void cc_nvml_quiesce(int64_t timeout_ns)
    const char *cc_nvml_meaning(int code)

cdef extern from "nvml_source.h" nogil:
    ctypedef struct cc_nvml_status:
        int lost_code
        int energy_off_code
        int util_off_code
        int last_code
        uint64_t dropped
        int64_t power_mw
        int64_t min_power_mw
        int64_t age_ns
        double check_ratio
    ctypedef struct cc_nvml_source:
        pass
    cc_nvml_source *cc_nvml_source_new(cc_nvml_library *lib, cc_ops *ops, unsigned generation, int64_t period_ns,
                                       int max_meters)
    int cc_nvml_source_add(cc_nvml_source *src, const cc_nvml_device *device, int with_energy, int with_util)
    void cc_nvml_source_free(cc_nvml_source *src)
    void cc_nvml_source_read(void *ctx, cc_reading *out) noexcept
    int cc_nvml_source_reopen(void *ctx) noexcept
    void cc_nvml_source_status(cc_nvml_source *src, int meter, cc_nvml_status *out)
    uint32_t cc_nvml_cap_mw(const cc_nvml_device *device)

# Rates that leave the counters alone (Dauner et al., HotCarbon 2026): see docs of recommended_period_ns.
cdef int64_t _FAST_PERIOD_NS = 100_000_000
cdef int64_t _SLOW_PERIOD_NS = 1_000_000_000
# The power call is a mean over one second on Ampere (except GA100) and newer (NVML API reference).
cdef int64_t _MEAN_WINDOW_NS = 1_000_000_000
# A100 and H100 look at a quarter of the time (Yang, Adamek, Armour, arXiv 2312.02741).
cdef double _SEEN_RATIO = 0.25
cdef int64_t _SEEN_WINDOW_NS = 25_000_000

_STATES = {
    CC_NVML_NEW: "new",
    CC_NVML_OPENING: "opening",
    CC_NVML_READY: "ready",
    CC_NVML_FAILED: "failed",
    CC_NVML_CLOSED: "closed",
}
_METHODS = {CC_METHOD_NONE: "none", CC_METHOD_COUNTER: "counter", CC_METHOD_INTEGRAL: "integral"}


cdef str _text(const char *raw):
    return raw.decode("utf-8", "replace")


cdef object _meaning(int code):
    return f"{_text(cc_nvml_meaning(code))} (NVML code {code})" if code != 0 else ""


cdef class NvmlDevice:
    """One physical card, as it was when the library listed it."""

    cdef cc_nvml_device spec

    @property
    def index(self) -> int:
        return self.spec.index

    @property
    def uuid(self) -> str:
        return _text(self.spec.uuid)

    @property
    def name(self) -> str:
        return _text(self.spec.name)

    @property
    def pci_bus_id(self) -> str:
        return _text(self.spec.pci_bus_id)

    @property
    def memory_total_bytes(self):
        return self.spec.memory_total_bytes or None

    @property
    def power_limit_w(self):
        return self.spec.limit_mw / 1000.0 if self.spec.limit_mw else None

    @property
    def scope(self) -> str:
        return "module" if self.spec.scope == NVML_SCOPE_MODULE else "gpu"

    @property
    def method(self) -> str:
        return _METHODS[self.spec.method]

    @property
    def refusal(self) -> str:
        return _meaning(self.spec.refusal)

    @property
    def has_utilisation(self) -> bool:
        return bool(self.spec.has_utilization)

    @property
    def is_consumer(self) -> bool:
        return bool(self.spec.is_consumer)

    @property
    def has_mig(self) -> bool:
        return bool(self.spec.has_mig)

    @property
    def mig_uuids(self) -> tuple:
        return tuple([_text(self.spec.mig_uuids[i]) for i in range(self.spec.mig_count)])

    @property
    def recommended_period_ns(self) -> int:
        if self.spec.is_consumer or (self.spec.method == CC_METHOD_INTEGRAL and self.spec.power_via == CC_VIA_SAMPLES):
            return _SLOW_PERIOD_NS
        return _FAST_PERIOD_NS

    cdef bint _is_partly_blind(self):
        if self.spec.architecture == NVML_ARCH_HOPPER:
            return True
        name = self.name.upper()
        return self.spec.architecture == NVML_ARCH_AMPERE and ("A100" in name or "A800" in name)

    @property
    def power_window_ns(self) -> int:
        if self.spec.power_via == CC_VIA_AVERAGE:
            return _MEAN_WINDOW_NS
        if self.spec.power_via == CC_VIA_CALL:
            is_mean = self.spec.architecture < 0 or self.spec.architecture >= NVML_ARCH_AMPERE
            is_ga100 = self.spec.architecture == NVML_ARCH_AMPERE and self._is_partly_blind()
            return _MEAN_WINDOW_NS if is_mean and not is_ga100 else 0
        return _SEEN_WINDOW_NS if self.spec.power_via == CC_VIA_FIELD and self._is_partly_blind() else 0

    @property
    def coverage_ratio(self) -> float:
        return _SEEN_RATIO if self._is_partly_blind() else 1.0

    @property
    def update_period_ns(self) -> int:
        return self.spec.update_period_ns

    @property
    def max_period_ns(self) -> int:
        return self.spec.max_period_ns

    @property
    def power_period_ns(self) -> int:
        return self.spec.power_period_ns

    @property
    def energy_to_power_ratio(self):
        return self.spec.check_ratio or None

    def __repr__(self) -> str:
        return f"NvmlDevice({self.spec.index}, {self.uuid!r}, {self.name!r}, {self.method}, scope {self.scope})"


cdef class NvmlLibrary:
    """A handle to the library of this name; all handles of one name share one start of it.

    Making one costs nothing: the library is not even loaded before :meth:`begin`.

    Args:
        name: What the loader is asked for: a plain name, or a path.

    Raises:
        ValueError: The name is empty or contains a NUL.
    """

    cdef cc_nvml_library *lib
    cdef readonly str name

    def __cinit__(self, str name="libnvidia-ml.so.1"):
        if not name or "\0" in name:
            raise ValueError(f"not a library's name: {name!r}")
        self.name = name
        raw = os.fsencode(name)
        self.lib = cc_nvml_find(raw)
        if self.lib == NULL:
            raise MemoryError()

    def begin(self, *, double calibrate_s=0.0) -> None:
        """Start opening the library on a thread of its own; returns at once.

        Does nothing while it is opening or open. After a failure, after close, and in a forked child it tries anew.

        Args:
            calibrate_s: How long to watch the counters afterwards, in seconds; 0 for not at all.

        Raises:
            OSError: No thread can be made.
        """
        if not 0.0 <= calibrate_s <= 60.0:
            raise ValueError(f"calibrate_s={calibrate_s!r} is not between 0 and 60")
        cdef int64_t calibrate_ns = <int64_t> (calibrate_s * 1e9)
        cdef int status
        with nogil:
            status = cc_nvml_begin(self.lib, calibrate_ns)
        if status < 0:
            raise OSError(-status, f"no thread to open the library with: {os.strerror(-status)}", self.name)

    def poll(self) -> str:
        """Look at the state: ``new``, ``opening``, ``ready``, ``failed`` or ``closed``; never waits."""
        return _STATES[cc_nvml_state(self.lib)]

    @property
    def error(self):
        """Why opening failed, as an OSError; None in any other state."""
        cdef char message[512]
        cdef int code = 0, error = 0
        if cc_nvml_state(self.lib) != CC_NVML_FAILED:
            return None
        cc_nvml_copy_failure(self.lib, &code, &error, message, sizeof(message))
        failure = OSError(error, _text(message), self.name)
        failure.nvml_code = code
        return failure

    cdef bint _wait(self, double timeout_s, int until_ready):
        """Wait in slices, so that Ctrl-C is heard."""
        cdef int64_t left_ns = <int64_t> (min(max(timeout_s, 0.0), 3600.0) * 1e9)
        cdef int64_t slice_ns
        cdef bint is_over = False
        while True:
            slice_ns = min(left_ns, 100_000_000)
            with nogil:
                is_over = cc_nvml_wait(self.lib, slice_ns, until_ready)
            left_ns -= slice_ns
            if is_over or left_ns <= 0:
                return is_over
            PyErr_CheckSignals()

    def wait(self, double timeout_s=5.0) -> str:
        """Wait, without the interpreter lock, until opening has succeeded or failed; the state then or at the end."""
        self._wait(timeout_s, 1)
        return self.poll()

    def open(self, double timeout_s=5.0, *, double calibrate_s=0.0) -> tuple:
        """Begin, and wait for the result.

        Args:
            timeout_s: How long to wait for the driver, in seconds.
            calibrate_s: As for :meth:`begin`; calibration is not waited for.

        Returns:
            The devices, as :meth:`devices` gives them.

        Raises:
            TimeoutError: The driver has not answered; it may still do so later.
            OSError: The library cannot be loaded or started; the message says why.
        """
        self.begin(calibrate_s=calibrate_s)
        if not self._wait(timeout_s, 1):
            raise TimeoutError(errno.ETIMEDOUT, f"the driver did not answer within {timeout_s:g} s", self.name)
        failure = self.error
        if failure is not None:
            raise failure
        return self.devices()

    def devices(self) -> tuple:
        """List the physical devices by index, with what calibration has found so far.

        Raises:
            ValueError: The library is not open.
        """
        cdef int count = cc_nvml_device_count(self.lib), i
        cdef NvmlDevice device
        if count < 0:
            raise ValueError(f"{self.name} is not open but {self.poll()}")
        found = []
        for i in range(count):
            device = NvmlDevice.__new__(NvmlDevice)
            if cc_nvml_copy_device(self.lib, i, &device.spec) != 0:
                raise ValueError(f"{self.name} was closed meanwhile")
            found.append(device)
        return tuple(found)

    @property
    def is_calibrated(self) -> bool:
        return bool(cc_nvml_is_calibrated(self.lib))

    def wait_calibrated(self, double timeout_s=5.0) -> bool:
        """Wait until nothing is opening or calibrating any more; False when the time is over first."""
        return bool(self._wait(timeout_s, 0))

    def close(self, double timeout_s=0.5) -> bool:
        """Shut the library down, once; sources made from it report errors from then on.

        Returns:
            False when something is held up inside the driver: then it is left as it is.
        """
        cdef int64_t timeout_ns = <int64_t> (min(max(timeout_s, 0.0), 3600.0) * 1e9)
        cdef int is_done
        with nogil:
            is_done = cc_nvml_close(self.lib, timeout_ns)
        return bool(is_done)

    def __repr__(self) -> str:
        return f"NvmlLibrary({self.name!r}, {self.poll()})"


cdef class NvmlSource(Source):
    """Energy and load of some devices of an open library.

    Per device up to two channels: ``gpu-N`` (domain ``gpu`` or ``module``), in millijoules where the device has a
    counter and in microjoules where its power is integrated; and ``util.gpu-N`` in percent milliseconds.

    Args:
        library: An open library.
        devices: Which ones: device records, indices or whole UUIDs; None for all.
        with_utilisation: Whether to read the load as well.
        ops: The table of system calls; its clocks are used.

    Raises:
        ValueError: The library is not open, a device is unknown or named twice, or there is nothing to read.
    """

    cdef cc_nvml_source *src
    cdef readonly tuple devices
    cdef readonly tuple methods
    cdef readonly int64_t recommended_period_ns

    def __cinit__(self, NvmlLibrary library not None, devices=None, *, bint with_utilisation=True, Ops ops=None):
        cdef unsigned generation = cc_nvml_generation(library.lib)
        cdef NvmlDevice device
        listed = library.devices()
        self.devices = listed if devices is None else tuple([_find(listed, wanted) for wanted in devices])
        if len({device.index for device in self.devices}) != len(self.devices):
            raise ValueError("a device is named twice")
        self.ops = Ops() if ops is None else ops
        self.recommended_period_ns = max([device.recommended_period_ns for device in self.devices], default=0)
        self.src = cc_nvml_source_new(library.lib, self.ops.table, generation, self.recommended_period_ns,
                                      len(self.devices))
        if self.src == NULL:
            raise MemoryError()
        self._add_channels(with_utilisation)
        self.ctx = self.src
        self.read_fn = cc_nvml_source_read
        self.reopen_fn = cc_nvml_source_reopen

    cdef int _add_channels(self, bint with_utilisation) except -1:
        cdef NvmlDevice device
        cdef bint has_energy, has_util
        channels, methods = [], []
        for device in self.devices:
            has_energy = device.spec.method != CC_METHOD_NONE
            has_util = with_utilisation and device.spec.has_utilization
            if cc_nvml_source_add(self.src, &device.spec, has_energy, has_util) != 0:
                raise MemoryError()
            if has_energy:
                # A counter counts millijoules, the integral microjoules.
                channels.append(Channel(
                    f"gpu-{device.spec.index}", device.scope,
                    num=1000 if device.spec.method == CC_METHOD_COUNTER else 1,
                    cap_w=cc_nvml_cap_mw(&device.spec) / 1000.0, is_instant=device.spec.method != CC_METHOD_COUNTER))
                methods.append(device.method)
            if has_util:
                channels.append(Channel(f"util.gpu-{device.spec.index}", "util.gpu", is_instant=True))
                methods.append("utilisation")
        if not channels:
            raise ValueError("none of the devices offers energy, power or load")
        self.channels = tuple(channels)
        self.methods = tuple(methods)
        return 0

    def status(self, int position) -> dict:
        """Look at what became of a device, by its position in ``devices``.

        Returns:
            ``is_lost``, ``energy_error``, ``utilisation_error`` and ``last_error`` (texts, empty when all is well),
            ``dropped`` (readings), ``power_w``, ``min_power_w``, ``age_ns`` and ``energy_to_power_ratio`` (None while
            unknown).
        """
        cdef cc_nvml_status now
        if not 0 <= position < len(self.devices):
            raise ValueError(f"no device at position {position}")
        cc_nvml_source_status(self.src, position, &now)
        return {
            "is_lost": now.lost_code != 0,
            "energy_error": _meaning(now.lost_code or now.energy_off_code),
            "utilisation_error": _meaning(now.lost_code or now.util_off_code),
            "last_error": _meaning(now.last_code),
            "dropped": now.dropped,
            "power_w": now.power_mw / 1000.0 if now.power_mw >= 0 else None,
            "min_power_w": now.min_power_mw / 1000.0 if now.min_power_mw >= 0 else None,
            "age_ns": now.age_ns if now.age_ns >= 0 else None,
            "energy_to_power_ratio": now.check_ratio or None,
        }

    def __dealloc__(self):
        cc_nvml_source_free(self.src)


cdef object _find(tuple listed, wanted):
    cdef NvmlDevice device
    for device in listed:
        if isinstance(wanted, NvmlDevice):
            if (<NvmlDevice> wanted).uuid == device.uuid and (<NvmlDevice> wanted).spec.index == device.spec.index:
                return device
        elif isinstance(wanted, str):
            if wanted == device.uuid:
                return device
        elif wanted == device.spec.index:
            return device
    raise ValueError(f"no such device: {wanted!r}")


def _quiesce() -> None:
    cdef int64_t timeout_ns = 200_000_000
    with nogil:
        cc_nvml_quiesce(timeout_ns)


# Early, at import: whoever stops a run at exit registers later and so runs before this.
atexit.register(_quiesce)
