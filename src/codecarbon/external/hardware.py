"""Old path of the constants of modelled power.

The classes that stood here read hardware on the caller's thread. Sensors now live in the native core, so there is no
object per device any more: ``tracker._hardware`` lists what is read, ``codecarbon detect`` what was found.
"""

from codecarbon.hardware.models import FALLBACK_CPU_W

__all__ = ["CONSUMPTION_PERCENTAGE_CONSTANT", "MODE_CPU_LOAD", "POWER_CONSTANT"]

MODE_CPU_LOAD = "cpu_load"
POWER_CONSTANT = FALLBACK_CPU_W
"""Watts of a processor of which nothing is known."""
CONSUMPTION_PERCENTAGE_CONSTANT = 0.5
"""Share of the full power that is assumed where not even the load can be read."""
