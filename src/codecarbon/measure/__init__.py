"""Sessions, marks and windows: which energy belongs to which stretch of time."""

from codecarbon.hardware import MeasureRequest
from codecarbon.measure.marks import Mark
from codecarbon.measure.session import SLOT_S, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.measure.meter import EnergyMeter, Window

__all__ = ["SLOT_S", "EnergyMeter", "Mark", "MeasureRequest", "Session", "Window"]


def __getattr__(name: str) -> object:
    # Trackers use sessions; the meter is for those who want joules only.
    if name in {"EnergyMeter", "Window"}:
        from codecarbon.measure import meter

        return getattr(meter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
