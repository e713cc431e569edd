"""Frozen records shared by all layers; import them from here."""

from codecarbon.model.emissions import (
    EMISSIONS_COLUMNS,
    TASK_COLUMNS,
    EmissionsData,
    EmissionsRecord,
    PricedEnergy,
    TaskEmissionsData,
)
from codecarbon.model.energy import Bound, ChannelEnergy, ComponentEnergy, EnergyWindow, Method, Scope, Utilisation
from codecarbon.model.machine import Finding, GpuFacts, MachineFacts, Roots, SensorState
from codecarbon.model.place import Intensity, Location, Signal

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
    "Location",
    "MachineFacts",
    "Method",
    "PricedEnergy",
    "Roots",
    "Scope",
    "SensorState",
    "Signal",
    "TaskEmissionsData",
    "Utilisation",
]
