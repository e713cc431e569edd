"""Native sensor core: the only door through which Python code may use it."""

from codecarbon._sensors.channel import Channel, Ops, Source
from codecarbon._sensors.load import LoadSource
from codecarbon._sensors.msr import MsrSource, read_msr
from codecarbon._sensors.perf import PerfSource, probe_event
from codecarbon._sensors.powercap import PowercapSource

__all__ = [
    "Channel",
    "LoadSource",
    "MsrSource",
    "Ops",
    "PerfSource",
    "PowercapSource",
    "Source",
    "probe_event",
    "read_msr",
]
