"""Sessions, marks and windows: which energy belongs to which stretch of time."""

from codecarbon.hardware import MeasureRequest
from codecarbon.measure.marks import Mark
from codecarbon.measure.meter import EnergyMeter, Window
from codecarbon.measure.session import SLOT_S, Session

__all__ = ["SLOT_S", "EnergyMeter", "Mark", "MeasureRequest", "Session", "Window"]
