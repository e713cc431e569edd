"""Frozen records shared by all layers; import them from here."""

from codecarbon.model.emissions import EMISSIONS_COLUMNS, EmissionsData, EmissionsRecord, PricedEnergy
from codecarbon.model.energy import Bound, ChannelEnergy, ComponentEnergy, EnergyWindow, Method, Scope, Utilisation
from codecarbon.model.machine import Finding, GpuFacts, MachineFacts, Roots, SensorState
from codecarbon.model.place import Intensity, Location, Signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecarbon.model.series import IntensityPoint, IntensitySeries, TimeSpan
    from codecarbon.model.shares import SourceShare
    from codecarbon.model.task import TASK_COLUMNS, TaskEmissionsData

__all__ = [
    "EMISSIONS_COLUMNS",
    "TASK_COLUMNS",
    "Bound",
    "ChannelEnergy",
    "ComponentEnergy",
    "EmissionsData",
    "EmissionsRecord",
    "EnergyWindow",
    "Finding",
    "GpuFacts",
    "Intensity",
    "IntensityPoint",
    "IntensitySeries",
    "Location",
    "MachineFacts",
    "Method",
    "PricedEnergy",
    "Roots",
    "Scope",
    "SensorState",
    "Signal",
    "SourceShare",
    "TaskEmissionsData",
    "TimeSpan",
    "Utilisation",
]


def __getattr__(name: str) -> object:
    # Most runs have no tasks, and a record class takes a while to make.
    if name in {"TASK_COLUMNS", "TaskEmissionsData"}:
        from codecarbon.model import task

        return getattr(task, name)
    if name == "SourceShare":
        from codecarbon.model.shares import SourceShare

        return SourceShare
    if name in {"IntensityPoint", "IntensitySeries", "TimeSpan"}:
        from codecarbon.model import series

        return getattr(series, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
