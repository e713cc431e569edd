"""Native sensor core: the only door through which Python code may use it."""

from codecarbon._sensors.channel import Channel, Ops, Source
from codecarbon._sensors.load import LoadSource
from codecarbon._sensors.msr import MsrSource, read_msr
from codecarbon._sensors.nvml import NvmlDevice, NvmlLibrary, NvmlSource
from codecarbon._sensors.perf import PerfSource, probe_event
from codecarbon._sensors.powercap import PowercapSource
from codecarbon._sensors.sampler import FLAGS, ChannelState, Reading, Sampler, flag_names, stop_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon._sensors._testing import Fault, ScriptedOps, SimChannel, SimSource, VirtualOps, stress_ring
    from codecarbon._sensors.pieces import split
    from codecarbon._sensors.windows import Steps

__all__ = [
    "FLAGS",
    "Channel",
    "ChannelState",
    "Fault",
    "LoadSource",
    "MsrSource",
    "NvmlDevice",
    "NvmlLibrary",
    "NvmlSource",
    "Ops",
    "PerfSource",
    "PowercapSource",
    "Reading",
    "Sampler",
    "ScriptedOps",
    "SimChannel",
    "SimSource",
    "Source",
    "Steps",
    "VirtualOps",
    "flag_names",
    "probe_event",
    "read_msr",
    "split",
    "stop_all",
    "stress_ring",
]

_TESTING = frozenset({"Fault", "ScriptedOps", "SimChannel", "SimSource", "VirtualOps", "stress_ring"})


def __getattr__(name: str) -> object:
    """Load what only tests and forecasts need when it is first asked for."""
    if name in _TESTING:
        from codecarbon._sensors import _testing

        return getattr(_testing, name)
    if name == "Steps":
        from codecarbon._sensors import windows

        return windows.Steps
    if name == "split":
        from codecarbon._sensors import pieces

        return pieces.split
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
