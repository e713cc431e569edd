from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict, final, type_check_only

from codecarbon._sensors.channel import Ops, Source

_LibraryState: TypeAlias = Literal["new", "opening", "ready", "failed", "closed"]

@final
class NvmlDevice:
    @property
    def index(self) -> int: ...
    @property
    def uuid(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def pci_bus_id(self) -> str: ...
    @property
    def memory_total_bytes(self) -> int | None: ...
    @property
    def power_limit_w(self) -> float | None: ...
    @property
    def scope(self) -> Literal["gpu", "module"]:
        # module: processor, memory and GPU together; what else measures them must not be added.
        ...
    @property
    def method(self) -> Literal["counter", "integral", "none"]: ...
    @property
    def refusal(self) -> str:
        # With method none: why.
        ...
    @property
    def has_utilisation(self) -> bool: ...
    @property
    def is_consumer(self) -> bool: ...
    @property
    def has_mig(self) -> bool: ...
    @property
    def mig_uuids(self) -> tuple[str, ...]: ...
    @property
    def recommended_period_ns(self) -> int:
        # How often to read it at most: 0.1 s, or 1 s where reading disturbs the counter or brings nothing.
        ...
    @property
    def power_window_ns(self) -> int:
        # One power reading is a mean over this time before it; 0: a momentary value, as far as is published.
        ...
    @property
    def coverage_ratio(self) -> float:
        # Part of the time that the power sensor sees; 1.0 where no blind time is published.
        ...
    @property
    def update_period_ns(self) -> int:
        # Median time between changes of the counter, by calibration; 0 while unknown.
        ...
    @property
    def max_period_ns(self) -> int: ...
    @property
    def power_period_ns(self) -> int: ...
    @property
    def energy_to_power_ratio(self) -> float | None:
        # Energy by the counter over integrated power, by calibration; None while unknown.
        ...

@final
class NvmlLibrary:
    # Opening takes from milliseconds to seconds, so it runs on a native thread of its own:
    #     library = NvmlLibrary(name); library.begin(calibrate_s=1.0)
    #     ... later, from whatever thread: if library.poll() == "ready": NvmlSource(library, ...)
    # or, on a thread that has nothing else to do, library.wait() first: it waits without the interpreter lock.
    # Energy before the source's first reading is a gap in coverage.
    name: str
    def __new__(cls, name: str = "libnvidia-ml.so.1") -> NvmlLibrary: ...
    def begin(self, *, calibrate_s: float = 0.0) -> None: ...
    def poll(self) -> _LibraryState: ...
    def wait(self, timeout_s: float = 5.0) -> _LibraryState: ...
    @property
    def error(self) -> OSError | None: ...
    def open(self, timeout_s: float = 5.0, *, calibrate_s: float = 0.0) -> tuple[NvmlDevice, ...]: ...
    def devices(self) -> tuple[NvmlDevice, ...]: ...
    @property
    def is_calibrated(self) -> bool: ...
    def wait_calibrated(self, timeout_s: float = 5.0) -> bool: ...
    def close(self, timeout_s: float = 0.5) -> bool: ...

@type_check_only
class _DeviceStatus(TypedDict):
    is_lost: bool
    energy_error: str
    utilisation_error: str
    last_error: str
    dropped: int
    power_w: float | None
    min_power_w: float | None
    age_ns: int | None
    energy_to_power_ratio: float | None

@final
class NvmlSource(Source):
    devices: tuple[NvmlDevice, ...]
    methods: tuple[Literal["counter", "integral", "utilisation"], ...]  # one per channel
    recommended_period_ns: int  # of the slowest device: give it to the sampler as its only period
    def __new__(
        cls,
        library: NvmlLibrary,
        devices: Sequence[NvmlDevice | int | str] | None = None,
        *,
        with_utilisation: bool = True,
        ops: Ops | None = None,
    ) -> NvmlSource: ...
    def status(self, position: int) -> _DeviceStatus: ...
