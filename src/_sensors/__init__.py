"""Native sensor core: the only door through which Python code may use it."""

from codecarbon._sensors.channel import Channel, Ops, Source

__all__ = ["Channel", "Ops", "Source"]
